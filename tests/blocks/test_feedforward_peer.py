"""Product keys find what brute force finds, and PEER is the sum over the experts found."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from praxis_evolve.blocks.feedforward.peer import PEER
from praxis_evolve.blocks.feedforward.product_keys import best_pairs
from praxis_evolve.blocks.frame import dense_frame

FRAME = dense_frame(2, 7, context=64, segment=16)


def peer(*, side: int = 16, heads: int = 2, k: int = 4, score: str = "softmax") -> PEER:
    return PEER(32, side=side, heads=heads, k=k, key_dim=16, score=score).double()


def all_scores(block: PEER, tokens: torch.Tensor) -> torch.Tensor:
    """The score of every expert by its whole key: (N, W) -> (N, h, side ** 2)."""
    side = block.side
    keys = torch.cat(
        (block.keys[0].repeat_interleave(side, 0), block.keys[1].repeat(side, 1)), -1
    )  # expert a * side + b has the half keys a and b
    query = (tokens @ block.query.weight.T).view(len(tokens), block.heads, -1)
    query = query / (query.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    return query @ keys.T


@given(seed=st.integers(0, 10_000), side=st.integers(1, 12), data=st.data())
def test_best_pairs_are_the_best_of_all(seed: int, side: int, data: st.DataObject):
    k = data.draw(st.integers(1, side))
    rng = torch.Generator().manual_seed(seed)
    first, second = torch.randn(2, 3, 5, side, generator=rng, dtype=torch.float64)
    a, b = best_pairs(first, second, k)
    sums = (first[..., :, None] + second[..., None, :]).flatten(-2)
    expected = sums.topk(k)
    assert torch.equal(a * side + b, expected.indices)
    found = first.gather(-1, a) + second.gather(-1, b)
    torch.testing.assert_close(found, expected.values, rtol=0, atol=0)


@pytest.mark.parametrize(("heads", "k"), [(1, 2), (2, 4), (4, 8)])
def test_retrieval_is_brute_force(heads: int, k: int):
    block = peer(heads=heads, k=k)
    tokens = torch.randn(50, 32, dtype=torch.float64)
    experts, scores = block.retrieve(tokens)
    expected = all_scores(block, tokens).topk(k)
    assert torch.equal(experts, expected.indices)
    torch.testing.assert_close(scores, expected.values)


@pytest.mark.parametrize("score", ["softmax", "sigmoid"])
def test_block_is_the_sum_over_all_experts_with_the_others_masked(score: str):
    block = peer(score=score)
    x = torch.randn(2, 7, 32, dtype=torch.float64)
    scores = all_scores(block, x.flatten(0, 1))  # (N, h, experts)
    least = scores.topk(block.k).values[..., -1:]
    if score == "softmax":
        weights = scores.masked_fill(scores < least, -torch.inf).softmax(-1)
    else:
        weights = scores.sigmoid() * (scores >= least)
    active = F.gelu(x.flatten(0, 1) @ block.down.T)  # (N, experts)
    expected = ((weights.sum(1) * active) @ block.up).view_as(x)
    torch.testing.assert_close(block(x, None, FRAME)[0], expected)


def test_gradients_are_those_of_the_masked_sum():
    block = peer()
    x = torch.randn(2, 7, 32, dtype=torch.float64, requires_grad=True)
    weights = torch.randn_like(x)
    inputs = [x, *block.parameters()]
    ours = torch.autograd.grad((block(x, None, FRAME)[0] * weights).sum(), inputs)
    scores = all_scores(block, x.flatten(0, 1))
    least = scores.topk(block.k).values[..., -1:]
    shares = scores.masked_fill(scores < least, -torch.inf).softmax(-1)
    y = ((shares.sum(1) * F.gelu(x.flatten(0, 1) @ block.down.T)) @ block.up).view_as(x)
    theirs = torch.autograd.grad((y * weights).sum(), inputs)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


def test_only_the_experts_found_get_a_gradient():
    block = peer(heads=2, k=4)
    x = torch.randn(1, 1, 32, dtype=torch.float64)
    found = torch.bincount(block.retrieve(x[0])[0].flatten(), minlength=16**2) > 0
    block(x, None, dense_frame(1, 1, context=64, segment=16))[0].sum().backward()
    for table in (block.down, block.up):
        assert table.grad is not None
        assert torch.equal(table.grad.abs().sum(-1) > 0, found)


def test_every_key_and_expert_is_alive_where_all_are_found():
    block = PEER(32, side=3, heads=1, k=3, key_dim=16, score="softmax").double()
    x = torch.randn(1, 200, 32, dtype=torch.float64)
    block(x, None, dense_frame(1, 200, context=200, segment=50))[0].square().sum().backward()
    for parameter in block.parameters():
        assert parameter.grad is not None
        assert (parameter.grad.flatten(0, -2).abs().sum(-1) > 0).all()
