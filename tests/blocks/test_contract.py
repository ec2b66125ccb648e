"""The contract holds for everything installed, and catches each kind of broken block."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from praxis_evolve.blocks.contract import violations
from praxis_evolve.blocks.declaration import Cost, Declaration, Settings, Size
from praxis_evolve.blocks.frame import Frame
from praxis_evolve.blocks.kinds import Carry
from praxis_evolve.blocks.registry import Catalog, installed
from praxis_evolve.blocks.subject import VOCABULARY

Step = tuple[Tensor, Carry]


class Honest(nn.Module):
    """A token-wise linear block that the broken ones below are made of."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        return self.mix(x), None


class Peeks(Honest):
    """Sees one token ahead, behind a gate that is closed at the start."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        return self.mix(x) + self.gate * x.roll(-1, 1), None


class PeeksAtTokens(Honest):
    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        assert frame.tokens is not None
        return self.mix(x) + frame.tokens.roll(-1, 1)[..., None] / VOCABULARY, None


class MixesTokensOfRows(Honest):
    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        assert frame.tokens is not None
        return self.mix(x) + frame.tokens.sum(0)[:, None] / VOCABULARY, None


class ReadsTokensOfHoles(Honest):
    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        assert frame.tokens is not None
        before = frame.tokens.cumsum(1)[..., None] / VOCABULARY
        carry = before[:, :1] * 0 if carry is None else carry[0]
        after = torch.cat((carry, before + carry), 1)[:, -1:]
        return self.mix(x) + before + carry, (after,) if frame.keep else None


class MixesRows(Honest):
    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        return self.mix(x - x.mean(0)), None


class MixesRowsInTraining(Honest):
    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        return self.mix(x - x.mean(0) if self.training else x), None


class ForgetsItsCarry(Honest):
    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        return self.mix(x.cumsum(1) / 10), (x.sum(1),) if frame.keep else None


class WritesIntoItsCarry(Honest):
    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        if carry is None:
            carry = (x.new_zeros(x.shape[0], x.shape[2]),)
        carry[0].add_(1.0)
        return self.mix(x), carry if frame.keep else None


class CountsHoles(Honest):
    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        total = x.new_zeros(x.shape[0], x.shape[2]) if carry is None else carry[0]
        total = total[:, None] + x.cumsum(1)
        after = total[:, -1] if x.shape[1] else carry and carry[0]
        return self.mix(x + total / 10), (after,) if frame.keep else None


class RaisesOnNothing(Honest):
    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        return self.mix(x + 0 * x[:, :1]) + 0 * x[:, 0].sum(), None


class DependsOnLength(Honest):
    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        return self.mix(x) / (1 + x.shape[1]), None


class IsRandom(Honest):
    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        return self.mix(x + 0.1 * torch.randn_like(x)), None


class WritesIntoItsInput(Honest):
    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        y = self.mix(x)
        with torch.no_grad():
            x.mul_(1.5)
        return y, None


class HasDeadWeights(Honest):
    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.unused = nn.Parameter(torch.zeros(width))


class Explodes(Honest):
    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        return 1000 * self.mix(x), None


class KeepsNothing(Honest):
    """Gives another output when its carry is not wanted."""

    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        return self.mix(x) * (2 if frame.keep else 1), None


class ListsItsCalls(Honest):
    """Keeps a vector for each call but the first."""

    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> Step:
        ones = x.new_ones(x.shape[0], 1, x.shape[2])
        after = ones[:, :0] if carry is None else torch.cat((carry[0], ones), 1)
        return self.mix(x), (after,) if frame.keep else None


BROKEN: dict[type[nn.Module], str] = {
    Peeks: "causality",
    PeeksAtTokens: "causality",
    MixesTokensOfRows: "batch independence",
    ReadsTokensOfHoles: "holes",
    MixesRows: "batch independence",
    MixesRowsInTraining: "in train() other rows",
    ForgetsItsCarry: "carry law",
    WritesIntoItsCarry: "writes into the carry",
    CountsHoles: "holes",
    RaisesOnNothing: "totality: the test of carry law raised",
    DependsOnLength: "prefix",
    IsRandom: "determinism",
    WritesIntoItsInput: "writes into its input",
    HasDeadWeights: "liveness",
    Explodes: "scale",
    KeepsNothing: "keep=False",
}


def plain_cost(size: Size, settings: Settings) -> Cost:
    return Cost(size.width**2, 2.0 * size.width**2 * size.row)


def declare(kind: type[nn.Module], *, mixes: bool = False) -> Declaration:
    return Declaration(
        name="subject",
        kind="block",
        family="test",
        summary="",
        paper="",
        path=f"contract_subjects:{kind.__name__}",
        cost=plain_cost,
        mixes=mixes,
    )


@pytest.fixture(autouse=True)
def _importable() -> Iterator[None]:
    module = ModuleType("contract_subjects")
    for kind in (Honest, ListsItsCalls, *BROKEN):
        setattr(module, kind.__name__, kind)
    sys.modules[module.__name__] = module
    yield
    del sys.modules[module.__name__]


def test_an_honest_block_passes() -> None:
    assert violations(declare(Honest)) == []


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_block_is_caught(kind: type[nn.Module]) -> None:
    mixes = kind in (ForgetsItsCarry, WritesIntoItsCarry, CountsHoles, ReadsTokensOfHoles)
    assert any(BROKEN[kind] in sentence for sentence in violations(declare(kind, mixes=mixes)))


def test_a_wrong_formula_is_caught() -> None:
    declaration = Declaration(
        name="subject",
        kind="block",
        family="test",
        summary="",
        paper="",
        path="contract_subjects:Honest",
        cost=lambda size, settings: Cost(size.width**2, 1.0, 4.0),
    )
    text = "\n".join(violations(declaration))
    assert "FLOPs declared" in text
    assert "bytes declared" in text


def test_a_formula_that_counts_a_call_as_if_nothing_came_before_is_caught() -> None:
    attention = installed()["attention"]

    def forgetful(size: Size, settings: Settings) -> Cost:
        return attention.cost(replace(size, past=0), settings)

    text = "\n".join(violations(replace(attention, cost=forgetful)))
    assert "FLOPs declared for past=16, tokens=16, " in text
    assert "bytes declared for past=5, tokens=1, " in text
    assert "declared for past=0" not in text
    assert "declared, " not in text


def test_a_call_that_costs_by_how_the_past_was_cut_is_caught() -> None:
    def cost(size: Size, settings: Settings) -> Cost:
        return Cost(size.width**2, 2.0 * size.width**2 * size.row, 4.0 * size.width)

    sentences = violations(replace(declare(ListsItsCalls, mixes=True), cost=cost))
    assert not any("declared for past=5," in sentence for sentence in sentences)
    assert any("declared for past=2+3, tokens=1," in sentence for sentence in sentences)


def test_settings_out_of_range_are_named() -> None:
    (sentence,) = violations(installed()["attention"], {"heads": 3})
    assert "attention.heads must be one of" in sentence


@pytest.mark.parametrize("declaration", tuple(installed()), ids=lambda d: d.name)
def test_everything_installed_keeps_the_contract(declaration: Declaration) -> None:
    rng = Random(declaration.name)
    assert violations(declaration) == []
    for seed in (1, 2):
        settings = {name: s.range.sample(rng) for name, s in declaration.settings.items()}
        assert violations(declaration, settings, width=64, seed=seed) == [], settings


def test_two_blocks_of_one_name_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"two blocks are called 'subject'.*uninstall one"):
        Catalog((declare(Honest), declare(Peeks)))


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(KeyError, match=r"no block is called 'atention'.*'attention'"):
        installed()["atention"]
