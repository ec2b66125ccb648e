"""Latent attention against its definition, and its two forms against each other."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from praxis_evolve.blocks.attention.attend import read
from praxis_evolve.blocks.attention.cache import Cache
from praxis_evolve.blocks.attention.latent import LatentAttention
from praxis_evolve.blocks.frame import Frame, dense_frame
from praxis_evolve.blocks.projection import set_precision

PLAIN: dict[str, Any] = {
    "heads": 2,
    "kv_rank": 0.25,
    "q_rank": 0.0,
    "rope_share": 0.5,
    "rope_base": 100.0,
    "window": 1.0,
}
CONTEXT = 16
WIDTH = 32


def block(**settings: Any) -> LatentAttention:
    torch.manual_seed(1)
    module = LatentAttention(WIDTH, **(PLAIN | settings)).double().eval()
    for norm in (module.norm, module.query_norm):
        if norm is not None:
            torch.nn.init.uniform_(norm, 0.5, 2.0)
    return module


def inputs(tokens: int) -> Tensor:
    rng = torch.Generator().manual_seed(tokens)
    return torch.randn(2, tokens, WIDTH, dtype=torch.float64, generator=rng)


def run(module: LatentAttention, x: Tensor) -> Tensor:
    frame = dense_frame(*x.shape[:2], context=CONTEXT, segment=4)
    return module(x, None, frame)[0].detach()


def turned(x: Tensor, base: float) -> Tensor:
    """Turn the pairs of x (B, T, R) by cosines and sines."""
    size = x.shape[-1]
    places = torch.arange(x.shape[1], dtype=x.dtype)[:, None]
    angle = places * base ** (-torch.arange(0, size, 2, dtype=x.dtype) / size)
    even, odd = x[..., 0::2], x[..., 1::2]
    cos, sin = angle.cos(), angle.sin()
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


def normed(x: Tensor, gain: Tensor) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt() * gain


def definition(module: LatentAttention, x: Tensor, settings: dict[str, Any]) -> Tensor:
    """Follow the paper head by head."""
    heads, rank = settings["heads"], int(settings["kv_rank"] * WIDTH)
    size = WIDTH // heads
    extra = max(2, int(settings["rope_share"] * size))
    down = x @ module.down.weight.T
    c = normed(down[..., :rank], module.norm)
    r = turned(down[..., rank:], settings["rope_base"])
    source = x
    if module.query_down is not None and module.query_norm is not None:
        source = normed(x @ module.query_down.weight.T, module.query_norm)
    q = (source @ module.queries.weight.T).view(*x.shape[:2], heads, size + extra)
    k, v = (c @ module.up.weight.T).chunk(2, -1)
    distance = torch.arange(x.shape[1])[:, None] - torch.arange(x.shape[1])
    seen = (distance >= 0) & (distance < int(settings["window"] * CONTEXT))
    done: list[Tensor] = []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        scores = q[:, :, head, :size] @ k[..., part].mT
        scores = scores + turned(q[:, :, head, size:], settings["rope_base"]) @ r.mT
        weights = torch.where(seen, (scores / math.sqrt(size + extra)).exp(), 0.0)
        done.append(weights / weights.sum(-1, keepdim=True) @ v[..., part])
    return (torch.cat(done, -1) @ module.output.weight.T).detach()


@pytest.mark.parametrize("heads", [1, 2, 8])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"kv_rank": 0.0625, "window": 0.25},
        {"q_rank": 0.5, "rope_share": 0.25},
        {"q_rank": 0.125, "kv_rank": 0.5, "rope_share": 1.0},
    ],
)
def test_equals_the_definition(heads: int, more: dict[str, Any]):
    settings = PLAIN | {"heads": heads} | more
    module, x = block(**settings), inputs(CONTEXT)
    torch.testing.assert_close(run(module, x), definition(module, x, settings))


@pytest.mark.parametrize("kv_rank", [0.0625, 0.25, 0.5])
@pytest.mark.parametrize("heads", [1, 8])
@pytest.mark.parametrize("precision", ["full", "ternary", "binary"])
def test_the_absorbed_form_is_the_naive_one(kv_rank: float, heads: int, precision: Any):
    module = block(kv_rank=kv_rank, heads=heads)
    set_precision(module, precision)
    q = torch.randn(2, 9, heads, module.dim + module.turned, dtype=torch.float64)
    c = torch.randn(2, 9, 1, module.rank, dtype=torch.float64)
    r = torch.randn(2, 9, 1, module.turned, dtype=torch.float64)
    cache = Cache(c, r, torch.arange(9).expand(2, -1))
    naive, absorbed = (form(q, cache, None) for form in (module._naive, module._absorbed))  # pyright: ignore[reportPrivateUsage]
    assert naive.shape == (2, 9, heads, module.dim)
    torch.testing.assert_close(absorbed, naive)


def test_the_cache_holds_the_short_vector_and_the_turned_channels_only():
    module = block(kv_rank=0.125, window=0.5)
    frame = dense_frame(2, CONTEXT, context=CONTEXT, segment=4)
    _, carry = module(inputs(CONTEXT), None, frame)
    assert carry is not None
    assert [tuple(part.shape) for part in carry] == [(2, 7, 1, 4), (2, 7, 1, 8), (2, 7)]


@pytest.mark.parametrize("precision", ["ternary", "binary"])
def test_rounded_weights_obey_the_carry_law(precision: Any):
    module, x = block(), inputs(11)
    exact = run(module, x)
    set_precision(module, precision)
    whole = run(module, x)
    assert not torch.allclose(whole, exact, atol=1e-2)
    carry, parts = None, list[Tensor]()
    for start, end in itertools.pairwise((0, 4, 5, 11)):
        at = torch.arange(start, end).expand(2, -1)
        y, carry = module(x[:, start:end], carry, Frame(at, at // 4, CONTEXT))
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts, 1), whole)


def test_a_rank_of_everything_without_places_is_multi_head_attention():
    """With c = x (a norm of equal sizes is a factor) and no turned queries heads see plain keys."""
    module, x = block(kv_rank=0.5), inputs(7)
    x[..., WIDTH // 2 :] = 0.0
    x = normed(x, torch.ones(()))  # so that its first half has a mean square of 2
    with torch.no_grad():
        module.norm.fill_(math.sqrt(2))
        module.down.weight.copy_(torch.eye(module.rank + module.turned, WIDTH))
        module.queries.weight.view(2, -1, WIDTH)[:, module.dim :] = 0.0
    q = x @ module.queries.weight.view(2, -1, WIDTH)[:, : module.dim].flatten(0, 1).T
    k, v = (x[..., : WIDTH // 2] @ module.up.weight.T).chunk(2, -1)
    q, k, v = (part.view(2, 7, 2, module.dim) for part in (q, k, v))
    scale = (module.dim + module.turned) ** -0.5
    plain = read(q, k, v, None, scale=scale).flatten(2) @ module.output.weight.T
    torch.testing.assert_close(run(module, x), plain.detach(), rtol=1e-5, atol=1e-5)
