"""The few nearest of many keys, as weights of all of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

BELOW = 4.0  # is taken off the cosines of what is not legal
NEVER = -1.5  # a cosine is above, and one from which that was taken is not
LEAST = 1e-24  # square of a length by which a vector is divided


def weigh_nearest(
    similar: Tensor, legal: Tensor, scale: Tensor, count: int, *, rest: bool = False
) -> Tensor:
    """Return softmax(scale * similar) over each query's nearest legal keys, zero for all others.

    A query without legal keys gets zeros, with fewer than ``count`` it weighs them all.

    Args:
        similar: cosines of queries and keys, (B, H, T, S).
        legal: which keys a query may take, broadcastable to them.
        scale: the factor of the cosines, broadcastable to them.
        count: the most keys that a query takes.
        rest: whether a key of cosine 0 and value 0 is always beside them and takes its weight.
    """
    with torch.no_grad():  # what is not taken has no weight and needs no gradient
        masked = similar + (legal.to(similar.dtype) - 1) * BELOW
        best, index = masked.topk(min(count, masked.shape[-1]), dim=-1, sorted=False)
        found = (best > NEVER).to(best.dtype)
        lowered = (found - 1) * torch.finfo(best.dtype).max
    scores = torch.addcmul(lowered, similar.gather(-1, index), scale)
    weights = F.pad(scores, (0, 1)).softmax(-1)[..., :-1] if rest else scores.softmax(-1) * found
    return torch.zeros_like(similar).scatter(-1, index, weights)


def unit(x: Tensor) -> Tensor:
    """Return vectors (..., D) at length 1, zeros as they are: fewer steps than a division has."""
    return x * x.square().sum(-1, keepdim=True).clamp(min=LEAST).rsqrt()
