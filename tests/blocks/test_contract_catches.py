"""Real blocks, broken as published ones were found to be (BLOCKS, section 6): the law is named.

``test_contract.py`` breaks a linear map in plain ways; here one function of a block goes wrong.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from praxis_evolve.blocks.attention.cache import Cache
from praxis_evolve.blocks.contract import violations
from praxis_evolve.blocks.feedforward.history import History
from praxis_evolve.blocks.feedforward.product_keys import best_pairs
from praxis_evolve.blocks.frame import Frame
from praxis_evolve.blocks.kinds import Carry
from praxis_evolve.blocks.ranges import Value
from praxis_evolve.blocks.registry import installed

Real = Callable[..., Any]
"""What a mutant stands in for; each gets it first, then what it is called with."""

Step = tuple[Tensor, Carry]


def sees_one_ahead(real: Real, distance: Tensor, *more: Any) -> Tensor:
    return real(distance + 1, *more)


def sees_holes(real: Real, distance: Tensor, queries: Tensor, keys: Tensor, limit: int) -> Tensor:
    return real(distance, queries, torch.zeros_like(keys), limit)


def turned_from_the_call_on(real: Real, frame: Frame, **more: Any) -> Tensor:
    count = torch.arange(frame.at.shape[1]).expand_as(frame.at)
    return real(Frame(count, frame.segment, frame.context), **more)


def trimmed_one_short(real: Real, cache: Cache, *, limit: int, dense: bool) -> Cache:
    return real(cache, limit=limit - 1, dense=dense)


def normed_over_time(real: Real, block: Any, both: Tensor) -> Tensor:
    """The norm of a published differential attention."""
    y = real(block, both)
    return y * (y.square().mean((1, 3), keepdim=True) + 1e-5).rsqrt()


def same_padding(
    real: Real, block: Any, q: Tensor, k: Tensor, hidden: Tensor, tokens: int
) -> Tensor:
    """Multi-token attention whose kernel stands in the middle of its queries, as in images."""
    after = F.pad(q, (0, 0, 0, 0, -1, 1))
    return real(block, after, k, F.pad(hidden, (0, 0, -1, 1)), tokens).masked_fill(
        hidden[:, :, -tokens:], float("-inf")
    )


def forgets_between_chunks(real: Real, sums: Tensor, *more: Tensor) -> tuple[Tensor, Tensor]:
    before, after = real(sums, *more)
    return torch.cat((before[:, :1], torch.zeros_like(before[:, 1:])), 1), after


def wraps_around(real: Real, block: Any, x: Tensor, *more: Any) -> Step:
    """A moving average by a Fourier transform without padding."""
    y, after = real(block, x, *more)
    return y + 0.1 * x.roll(1, 1), after


def peeks_in_training(real: Real, block: Any, x: Tensor, carry: Carry, frame: Frame) -> Step:
    """A training pass of its own, which is told the next token."""
    return real(block, x + 0.1 * x.roll(-1, 1) if block.training else x, carry, frame)


def starts_anew(real: Real, decay: Tensor, source: Tensor, start: Tensor | None) -> Tensor:
    return real(decay, source, None)


def written_in_place(real: Real, block: Any, x: Tensor, carry: Carry, frame: Frame) -> Step:
    y, after = real(block, x, carry, frame)
    if carry is not None and after is not None:
        carry[0].copy_(after[0].detach())
    return y, after


def with_its_own_segment(
    real: Real, x: Tensor, history: History, frame: Frame
) -> tuple[Tensor, History]:
    before, after = real(x, history, frame)
    return before + F.pad(x.sum(2), (0, 1), value=x.shape[2]), after


def averaged_over_rows(real: Real, block: Any, before: Tensor) -> Tensor:
    share = real(block, before)
    return share.mean(0, keepdim=True).expand_as(share)


def chosen_hard(real: Real, block: Any, before: Tensor) -> Tensor:
    """One expert instead of a mixture: its router has no gradient."""
    share = real(block, before)
    return F.one_hot(share.argmax(-1), share.shape[-1]).to(share.dtype)


def softmax_over_tokens(real: Real, block: Any, x: Tensor, carry: Carry, frame: Frame) -> Step:
    return block.values(block.keys(x).softmax(1)), None


def with_batch_norm(real: Real, block: Any, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """The published queries of PEER."""
    query: Tensor = F.batch_norm(block.query(tokens), None, None, training=True)
    halves = query.view(len(tokens), block.heads, -1).chunk(2, -1)
    first, second = (half @ keys.mT for half, keys in zip(halves, block.keys, strict=True))
    a, b = best_pairs(first, second, block.k)
    return a * block.side + b, first.gather(-1, a) + second.gather(-1, b)


def dropped_out(real: Real, block: Any, x: Tensor, carry: Carry, frame: Frame) -> Step:
    return F.dropout(real(block, x, carry, frame)[0], 0.1), None


def best_of_the_row(real: Real, block: Any, margin: Tensor, frame: Frame) -> Any:
    """The choice of the training pass, in evaluation."""
    return block._best(margin, frame)  # pyright: ignore


def by_the_last_token(real: Real, block: Any, tokens: Tensor, frame: Frame) -> Any:
    """Every token gets the experts of its row's last one."""
    rows = tokens.view(*frame.at.shape, -1)
    return real(block, rows[:, -1:].expand_as(rows).flatten(0, 1), frame)


def without_the_branch(real: Real, block: Any, base: Tensor, read: Tensor, y: Tensor) -> Tensor:
    """Hyper-connections that return their streams and leave out what is written to them."""
    return real(block, base, read, torch.zeros_like(y))


@dataclass(frozen=True)
class Mutant:
    """A function of a block, what it becomes, and the law that this breaks."""

    block: str
    function: str
    wrong: Callable[..., Any]
    law: str
    settings: Mapping[str, Value] = field(default_factory=dict[str, Value])

    @property
    def home(self) -> str:
        return f"praxis_evolve.blocks.{self.function}"


NEAR = {"window": 0.25}
STATIC = {"dynamic": False}

MUTANTS = (
    Mutant("attention", "attention.mask._hidden", sees_one_ahead, "causality", NEAR),
    Mutant("attention", "attention.mask._hidden", sees_holes, "holes", NEAR),
    Mutant("attention", "attention.attention.rotation", turned_from_the_call_on, "carry law"),
    Mutant("attention", "attention.attend.trim", trimmed_one_short, "carry law", NEAR),
    Mutant("differential", "attention.differential.DifferentialAttention._difference",
           normed_over_time, "causality"),
    Mutant("multi_token", "attention.multi_token.MultiTokenAttention._convolved",
           same_padding, "causality", NEAR),
    Mutant("mamba2", "recurrent.ssd._across", forgets_between_chunks, "carry law"),
    Mutant("mega", "recurrent.ema.MovingAverage.forward", wraps_around, "prefix"),
    Mutant("mingru", "recurrent.mingru.MinGRU.forward", peeks_in_training,
           "causality: in train()"),
    Mutant("lru", "recurrent.lru.fading_scan", starts_anew, "carry law"),
    Mutant("mru", "recurrent.mru.MRU.forward", written_in_place, "manners"),
    Mutant("smear", "feedforward.smear.before_segments", with_its_own_segment, "causality"),
    Mutant("smear", "feedforward.smear.SMEAR.probabilities", averaged_over_rows,
           "batch independence"),
    Mutant("smear", "feedforward.smear.SMEAR.probabilities", chosen_hard, "liveness"),
    Mutant("pattention", "feedforward.pattention.Pattention.forward", softmax_over_tokens,
           "causality"),
    Mutant("peer", "feedforward.peer.PEER.retrieve", with_batch_norm, "batch independence"),
    Mutant("moe", "feedforward.moe.MixtureOfExperts.choose", by_the_last_token, "causality"),
    Mutant("glu", "feedforward.glu.GLU.forward", dropped_out, "determinism"),
    Mutant("mod", "router.mod.MixtureOfDepths._chosen", best_of_the_row, "causality"),
    Mutant("hyper", "residual.hyper.HyperConnections.write", without_the_branch, "liveness",
           STATIC),
)  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.block}-{m.wrong.__name__}")
def test_a_mutant_breaks_its_law(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    declaration = installed()[mutant.block]
    assert violations(declaration, mutant.settings) == []
    real = original(mutant.home)

    def broken(*given: Any, **more: Any) -> Any:
        return mutant.wrong(real, *given, **more)

    monkeypatch.setattr(mutant.home, broken)
    found = violations(declaration, mutant.settings)
    assert any(said.startswith(f"{mutant.block}: {mutant.law}") for said in found), found


def original(home: str) -> Real:
    found: Any = __import__("praxis_evolve")
    for part in home.split(".")[1:]:
        found = getattr(found, part)
    return found
