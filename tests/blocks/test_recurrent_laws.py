"""What the blocks and embeddings with a past owe: any chunking, holes anywhere, no future."""

from random import Random
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from praxis_evolve.blocks.convolution.catalog import DECLARATIONS as CONVOLUTION
from praxis_evolve.blocks.declaration import Declaration, Size
from praxis_evolve.blocks.embedding.catalog import DECLARATIONS as EMBEDDING
from praxis_evolve.blocks.frame import Frame, dense_frame
from praxis_evolve.blocks.ranges import Value
from praxis_evolve.blocks.recurrent.catalog import DECLARATIONS as RECURRENT

WIDTH, CONTEXT, VOCABULARY = 32, 40, 11
NAMED = {each.name: each for each in (*CONVOLUTION, *EMBEDDING, *RECURRENT)}


class Variant(NamedTuple):
    """A declared thing and settings of it."""

    name: str
    settings: dict[str, Value]

    @property
    def declaration(self) -> Declaration:
        return NAMED[self.name]

    @property
    def embeds(self) -> bool:
        return self.declaration.kind == "embedding"

    def build(self, width: int = WIDTH, context: int = CONTEXT) -> nn.Module:
        more = {"vocabulary": VOCABULARY, "context": context} if self.embeds else {}
        module: nn.Module = self.declaration.load()(width, **more, **self.settings)
        return module.eval()

    def probe(self, seed: int) -> nn.Module:
        """Return the module in float64 with every parameter drawn anew."""
        torch.manual_seed(seed)
        module = self.build().double()
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=0.5)
        return module

    def draw(self, rows: int, tokens: int) -> Tensor:
        if self.embeds:
            return torch.randint(VOCABULARY, (rows, tokens))
        return torch.randn(rows, tokens, WIDTH, dtype=torch.float64)


VARIANTS = [
    Variant("mingru", {"expansion": 1.0}),
    Variant("mingru", {"expansion": 1.5}),
    Variant("rg_lru", {"expansion": 1.5, "sharpness": 8.0, "fastest": 0.9}),
    Variant("lru", {"state": 0.5, "r_min": 0.4, "r_max": 0.99, "phase": 0.5}),
    Variant("slstm", {"expansion": 1.0, "heads": 2, "forget": "sigmoid", "forget_bias": 1.0}),
    Variant("slstm", {"expansion": 1.5, "heads": 4, "forget": "exp", "forget_bias": 0.0}),
    Variant("sru", {"highway_bias": -1.0, "rescale": True, "activation": "tanh"}),
    Variant("mamba2", {"expand": 1.5, "heads": 2, "state": 8, "kernel": 3}),
    Variant("mru", {"heads": 2, "order": 4, "inertia": 3.0}),
    Variant("short_conv", {"kernel": 2, "activation": "silu"}),
    Variant("short_conv", {"kernel": 8, "activation": "none"}),
    Variant("token_shift", {}),
    Variant("token", {"position": "none"}),
    Variant("token", {"position": "learned"}),
    Variant("ngram", {"orders": "2", "buckets": 1024}),
    Variant("ngram", {"orders": "2+3", "buckets": 4096}),
]
EVERY = pytest.mark.parametrize(
    "variant", VARIANTS, ids=["-".join(map(str, (v.name, *v.settings.values()))) for v in VARIANTS]
)


def holed(rng: Random, rows: int, tokens: int) -> Frame:
    """A frame with holes and gaps anywhere; a row may be all holes."""
    at = torch.full((rows, tokens), -1)
    for row in range(rows):
        real = sorted(rng.sample(range(tokens), rng.randint(0, tokens)))
        at[row, real] = torch.tensor(sorted(rng.sample(range(CONTEXT), len(real))), dtype=at.dtype)
    return Frame(at, at.clamp(min=0) // 8, CONTEXT)


def cut(frame: Frame, start: int, stop: int) -> Frame:
    return Frame(frame.at[:, start:stop], frame.segment[:, start:stop], CONTEXT)


def real_part(y: Tensor, frame: Frame) -> Tensor:
    return y[frame.at >= 0]


@EVERY
@given(seed=st.integers(0, 10**6), tokens=st.integers(0, 24), dense=st.booleans())
@settings(max_examples=25)
def test_any_chunking_equals_the_whole(
    variant: Variant, seed: int, tokens: int, dense: bool
) -> None:
    rng, module = Random(seed), variant.probe(seed)
    x = variant.draw(3, tokens)
    frame = holed(rng, 3, tokens)
    if dense:
        frame = dense_frame(3, tokens, context=CONTEXT, segment=8)
    whole, end = module(x, None, frame)
    carry: Any = None
    parts = list[Tensor]()
    edges = sorted(rng.randint(0, tokens) for _ in range(4))
    for start, stop in zip([0, *edges], [*edges, tokens], strict=True):
        y, carry = module(x[:, start:stop], carry, cut(frame, start, stop))
        parts.append(y)
    chunked = torch.cat(parts, 1)
    torch.testing.assert_close(
        real_part(chunked, frame), real_part(whole, frame), rtol=0, atol=1e-8
    )
    for ours, theirs in zip(carry or (), end or (), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-8)


@EVERY
@given(seed=st.integers(0, 10**6))
@settings(max_examples=10)
def test_holes_change_nothing_even_if_they_hold_nonsense(variant: Variant, seed: int) -> None:
    rng, module = Random(seed), variant.probe(seed)
    frame, x = holed(rng, 2, 15), variant.draw(2, 15)
    nonsense = x.masked_fill(
        (frame.at < 0) if variant.embeds else (frame.at < 0)[..., None],
        -1 if variant.embeds else float("nan"),
    )
    y, carry = module(nonsense, None, frame)
    for row in range(2):
        real = frame.at[row] >= 0
        at = frame.at[row : row + 1, real]
        alone, end = module(x[row : row + 1, real], None, Frame(at, at // 8, CONTEXT))
        torch.testing.assert_close(y[row, real], alone[0], rtol=0, atol=1e-12)
        for ours, theirs in zip(carry or (), end or (), strict=True):
            torch.testing.assert_close(ours[row], theirs[0], rtol=0, atol=1e-12)


@EVERY
def test_the_future_changes_nothing(variant: Variant) -> None:
    module, x, other = variant.probe(1), variant.draw(2, 20), variant.draw(2, 20)
    frame = dense_frame(2, 20, context=CONTEXT, segment=8)
    changed, _ = module(torch.cat((x[:, :13], other[:, 13:]), 1), None, frame)
    torch.testing.assert_close(module(x, None, frame)[0][:, :13], changed[:, :13])


@EVERY
def test_a_carry_is_not_written_to(variant: Variant) -> None:
    module, x = variant.probe(2), variant.draw(2, 12)
    _, carry = module(x[:, :7], None, dense_frame(2, 7, context=CONTEXT, segment=8))
    before = [each.clone() for each in carry or ()]
    module(x[:, 7:], carry, dense_frame(2, 5, context=CONTEXT, segment=8, start=7))
    assert all(map(torch.equal, before, carry or ()))


@EVERY
@pytest.mark.parametrize("width", [32, 96])
@pytest.mark.parametrize("context", [1, 24])
def test_the_declared_costs_are_the_real_ones(variant: Variant, width: int, context: int) -> None:
    with torch.device("meta"):
        module = variant.build(width, context)
        x = variant.draw(1, context) if variant.embeds else torch.randn(1, context, width)
        frame = dense_frame(1, context, context=context, segment=8, device="meta")
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            _, carry = module(x, None, frame)
    cost = variant.declaration.cost(Size(width, context, 8, VOCABULARY), variant.settings)
    assert cost.parameters == sum(p.numel() for p in module.parameters())
    assert cost.flops == counter.get_total_flops()
    assert cost.carry == sum(each.numel() * each.element_size() for each in carry or ())
