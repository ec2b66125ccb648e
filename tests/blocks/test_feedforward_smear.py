"""SMEAR routes a segment on what came before it, merges weights, and keeps the carry law."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from praxis_evolve.blocks.feedforward.smear import SMEAR
from praxis_evolve.blocks.frame import Frame, dense_frame
from praxis_evolve.blocks.kinds import Carry

WIDTH, ROWS = 8, 3


def smear(*, experts: int = 3, expert: str = "glu", seed: int = 0) -> SMEAR:
    torch.manual_seed(seed)
    block = SMEAR(WIDTH, experts=experts, expert=expert, multiple=1.0).double().eval()
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter)
    return block


def random_frame(rng: Random, tokens: int) -> Frame:
    """Holes anywhere, gaps in the count, and segments that differ between rows and may skip."""
    at, segment = torch.full((ROWS, tokens), -1), torch.zeros(ROWS, tokens, dtype=torch.int64)
    for row in range(ROWS):
        place, own = rng.randint(-1, 4), rng.randint(0, 2)
        for t in range(tokens):
            segment[row, t] = rng.randint(0, 99)  # undefined at holes
            if rng.random() < 0.7:
                place, own = place + rng.randint(1, 3), own + rng.choice((0, 0, 0, 1, 2))
                at[row, t], segment[row, t] = place, own
    return Frame(at, segment, 512)


def cut(frame: Frame, start: int, stop: int) -> Frame:
    return Frame(frame.at[:, start:stop], frame.segment[:, start:stop], frame.context)


def one_by_one(block: SMEAR, x: torch.Tensor, frame: Frame) -> torch.Tensor:
    """Merge the weights of each token by itself, from the mean of all earlier segments."""
    y = torch.zeros_like(x)
    real = [(row, t) for row in range(ROWS) for t in range(x.shape[1]) if frame.at[row, t] >= 0]
    for row, t in real:
        earlier = (frame.at[row] >= 0) & (frame.segment[row] < frame.segment[row, t])
        share = torch.full((len(block.into),), 1 / len(block.into), dtype=x.dtype)
        if earlier.any():
            mean = x[row, earlier].mean(0)
            mean = mean / (mean.square().mean() + 1e-6).sqrt()
            share = (block.router.weight @ mean).softmax(0)
        y[row, t] = expert(block, share, x[row, t])
    return y


def expert(block: SMEAR, share: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Run x (..., W) through the expert whose weights are the mixture by share (E,)."""
    into = torch.einsum("e,ewh->wh", share, block.into)
    out = torch.einsum("e,ehw->hw", share, block.out)
    hidden = x @ into
    if not block.gated:
        return F.gelu(hidden) @ out
    gate, value = hidden.chunk(2, -1)
    return (F.silu(gate) * value) @ out


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), tokens=st.integers(1, 20), kind=st.sampled_from(("glu", "mlp")))
def test_every_token_runs_through_its_own_mixture(seed: int, tokens: int, kind: str):
    rng, block = Random(seed), smear(expert=kind, seed=seed)
    frame = random_frame(rng, tokens)
    x = torch.randn(ROWS, tokens, WIDTH, dtype=torch.float64)
    y, _ = block(x, None, frame)
    real = frame.at >= 0
    torch.testing.assert_close(y[real], one_by_one(block, x, frame)[real], rtol=1e-8, atol=1e-8)


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), tokens=st.integers(1, 40))
def test_any_chunking_with_the_carry_is_the_whole(seed: int, tokens: int):
    rng, block = Random(seed), smear(seed=seed)
    frame = random_frame(rng, tokens)
    x = torch.randn(ROWS, tokens, WIDTH, dtype=torch.float64)
    whole, end = block(x, None, frame)
    edges = sorted([0, tokens, *(rng.randint(0, tokens) for _ in range(rng.randint(0, 6)))])
    carry: Carry = None
    parts = list[torch.Tensor]()
    for start, stop in pairwise(edges):
        y, carry = block(x[:, start:stop], carry, cut(frame, start, stop))
        parts.append(y)
    real = frame.at >= 0
    torch.testing.assert_close(torch.cat(parts, 1)[real], whole[real], rtol=1e-8, atol=1e-8)
    for mine, other in zip(carry, end, strict=True):
        torch.testing.assert_close(mine, other)


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), tokens=st.integers(2, 24))
def test_the_future_and_other_rows_change_nothing(seed: int, tokens: int):
    rng, block = Random(seed), smear(seed=seed)
    frame = random_frame(rng, tokens)
    x = torch.randn(ROWS, tokens, WIDTH, dtype=torch.float64)
    other = torch.randn_like(x)
    t = rng.randint(1, tokens - 1)
    other[0, :t] = x[0, :t]
    y, _ = block(x, None, frame)
    changed, _ = block(other, None, frame)
    torch.testing.assert_close(changed[0, :t], y[0, :t], rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["glu", "mlp"])
@pytest.mark.parametrize(("tokens", "span"), [(24, 8), (23, 8), (5, 8), (8, 8), (9, 1), (17, 16)])
def test_whole_segments_are_merged_as_tokens_are(kind: str, tokens: int, span: int):
    block = smear(expert=kind)
    x = torch.randn(ROWS, 2 * span + tokens, WIDTH, dtype=torch.float64)
    carry_a: Carry = None
    carry_b: Carry = None
    for start, stop in ((0, 2 * span), (2 * span, 2 * span + tokens)):
        fast = dense_frame(ROWS, stop - start, context=64, segment=span, start=start)
        plain = Frame(fast.at, fast.segment, 64)
        assert fast.span == span
        a, carry_a = block(x[:, start:stop], carry_a, fast)
        b, carry_b = block(x[:, start:stop], carry_b, plain)
        torch.testing.assert_close(a, b)
    for mine, other in zip(carry_a, carry_b, strict=True):
        torch.testing.assert_close(mine, other)


def test_both_forms_have_the_same_gradients():
    block = smear()
    x = torch.randn(ROWS, 20, WIDTH, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(ROWS, 20, WIDTH, dtype=torch.float64)
    fast = dense_frame(ROWS, 20, context=64, segment=8, keep=False)
    grads = [
        torch.autograd.grad((block(x, None, f)[0] * weights).sum(), [x, *block.parameters()])
        for f in (fast, Frame(fast.at, fast.segment, 64))
    ]
    for mine, other in zip(*grads, strict=True):
        assert mine.abs().max() > 0
        torch.testing.assert_close(mine, other)


def test_a_single_share_is_that_expert_and_identical_experts_need_no_router():
    block = smear(experts=4)
    x = torch.randn(5, WIDTH, dtype=torch.float64)
    gate, value = (x @ block.into[2]).chunk(2, -1)
    alone = (F.silu(gate) * value) @ block.out[2]
    one_hot = torch.eye(4, dtype=torch.float64)[2]
    torch.testing.assert_close(expert(block, one_hot, x), alone)
    with torch.no_grad():
        block.into.copy_(block.into[2].expand_as(block.into))
        block.out.copy_(block.out[2].expand_as(block.out))
    frame = dense_frame(1, 5, context=64, segment=2)
    torch.testing.assert_close(block(x[None], None, frame)[0][0], alone)


def test_the_router_picks_one_expert_where_it_is_certain():
    block = smear(experts=2)
    with torch.no_grad():
        block.router.weight.copy_(torch.tensor([1e6, -1e6])[:, None].expand(2, WIDTH))
    x = torch.rand(ROWS, 6, WIDTH, dtype=torch.float64) + 0.5  # a positive mean: expert 0
    y, _ = block(x, None, dense_frame(ROWS, 6, context=64, segment=3))
    sure = torch.tensor([1.0, 0.0], dtype=torch.float64)
    even = torch.tensor([0.5, 0.5], dtype=torch.float64)
    torch.testing.assert_close(y[:, :3], expert(block, even, x[:, :3]))
    torch.testing.assert_close(y[:, 3:], expert(block, sure, x[:, 3:]))


def test_holes_may_hold_anything_and_keep_changes_no_output():
    block = smear()
    frame = random_frame(Random(1), 20)
    x = torch.randn(ROWS, 20, WIDTH, dtype=torch.float64)
    y, _ = block(x, None, frame)
    real = frame.at >= 0
    dirty = torch.where(real[..., None], x, torch.nan)
    unkept = Frame(frame.at, frame.segment, 512, keep=False)
    again, carry = block(dirty, None, unkept)
    assert carry is None
    assert torch.equal(again[real], y[real])
