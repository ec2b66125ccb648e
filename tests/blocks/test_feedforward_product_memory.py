"""A product-key memory reads the best of all its entries."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from praxis_evolve.blocks.feedforward.product_memory import ProductMemory
from praxis_evolve.blocks.frame import dense_frame

FRAME = dense_frame(2, 7, context=64, segment=16)


def memory(
    *, side: int = 16, heads: int = 2, k: int = 4, value: float = 0.5, gate: bool = True
) -> ProductMemory:
    torch.manual_seed(side + heads + k)
    return ProductMemory(
        32, side=side, heads=heads, k=k, key_dim=16, value=value, gate=gate
    ).double()


def all_scores(block: ProductMemory, tokens: torch.Tensor) -> torch.Tensor:
    """The score of every entry by its whole key: (N, W) -> (N, h, side ** 2)."""
    query = (tokens @ block.query.weight.T).view(len(tokens), block.heads, -1)
    query = query / (query.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    scores = list[torch.Tensor]()
    for head in range(block.heads):
        first, second = block.keys[:, head]
        keys = torch.cat(
            (first.repeat_interleave(block.side, 0), second.repeat(block.side, 1)), -1
        )  # entry a * side + b has the half keys a and b
        scores.append(query[:, head] @ keys.T)
    return torch.stack(scores, 1)


def by_hand(block: ProductMemory, x: torch.Tensor) -> torch.Tensor:
    """Read all entries, with those masked that a head does not find."""
    tokens = x.flatten(0, 1)
    scores = all_scores(block, tokens)
    least = scores.sort(-1, descending=True).values[..., block.k - 1 : block.k]
    weights = scores.masked_fill(scores < least, -torch.inf).softmax(-1).sum(1)
    read = weights @ block.values
    if block.gate is not None:
        read = read * F.silu(tokens @ block.gate.weight.T)
    return (read @ block.out.weight.T).view_as(x)


@pytest.mark.parametrize(("heads", "k"), [(1, 4), (2, 8), (4, 16)])
def test_retrieval_is_brute_force(heads: int, k: int):
    block = memory(heads=heads, k=k)
    tokens = torch.randn(50, 32, dtype=torch.float64)
    entries, scores = block.retrieve(tokens)
    expected = all_scores(block, tokens).topk(k)
    assert torch.equal(entries, expected.indices)
    torch.testing.assert_close(scores, expected.values)


@pytest.mark.parametrize("gate", [False, True])
@pytest.mark.parametrize("value", [0.25, 1.0])
def test_block_and_its_gradients_are_those_of_the_masked_sum(gate: bool, value: float):
    block = memory(gate=gate, value=value)
    x = torch.randn(2, 7, 32, dtype=torch.float64, requires_grad=True)
    y, carry = block(x, None, FRAME)
    expected = by_hand(block, x)
    assert carry is None
    torch.testing.assert_close(y, expected)
    weights = torch.randn_like(x)
    inputs = [x, *block.parameters()]
    ours = torch.autograd.grad((y * weights).sum(), inputs)
    theirs = torch.autograd.grad((expected * weights).sum(), inputs)
    for mine, other in zip(ours, theirs, strict=True):
        assert other.abs().max() > 0
        torch.testing.assert_close(mine, other)


def test_only_the_entries_found_get_a_gradient():
    block = memory()
    x = torch.randn(1, 1, 32, dtype=torch.float64)
    found = torch.bincount(block.retrieve(x[0])[0].flatten(), minlength=16**2) > 0
    block(x, None, dense_frame(1, 1, context=64, segment=16))[0].sum().backward()
    assert block.values.grad is not None
    assert torch.equal(block.values.grad.abs().sum(-1) > 0, found)


def test_every_key_and_entry_is_alive_where_all_are_found():
    block = memory(side=4, heads=1, k=4)
    x = torch.randn(1, 400, 32, dtype=torch.float64)
    block(x, None, dense_frame(1, 400, context=400, segment=50))[0].square().sum().backward()
    for parameter in block.parameters():
        assert parameter.grad is not None
        assert (parameter.grad.flatten(0, -2).abs().sum(-1) > 0).all()
