"""What queries read beside the tokens: vectors that stand nowhere in the row, or nothing at all."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..frame import Frame
from .near_scores import later_keys


class Beside(NamedTuple):
    """Queries without position (B, T, H, D), keys (N, G, D), values (N, G, E), and a key more.

    That is ``nothing``, with score 0 and value 0: it adds 1 to the sum that weights are divided by.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    nothing: bool


def read_beside(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None,
    beside: Beside,
    frame: Frame,
    *,
    scale: float | None,
) -> Tensor:
    """Return what is read from keys and from what stands beside them, (B, T, H, E).

    Weights are the softmax of the scores with both; scores with tokens have the bias, or are causal
    where there is none. q (B, T, H, D), k (B, S, G, D), v (B, S, G, E). Holes read nothing.
    """
    rows, tokens, heads, dim = q.shape
    seen, groups, added = k.shape[1], k.shape[2], beside.k.shape[0]
    factor = dim**-0.5 if scale is None else scale

    def by_key_head(x: Tensor) -> Tensor:
        x = (x * factor).transpose(1, 2)  # (B, T, H, D) -> (B, G, H / G T, D)
        return x.reshape(rows, groups, heads // groups * tokens, dim)

    scores = by_key_head(q) @ k.permute(0, 2, 3, 1)  # (B, G, H / G T, S)
    scores = scores.view(rows, heads, tokens, seen)
    parts = [scores + (later_keys(frame, q.dtype) if bias is None else bias)]
    if added:
        near = by_key_head(beside.q) @ beside.k.permute(1, 2, 0)  # (B, G, H / G T, N)
        parts.append(near.view(rows, heads, tokens, added))
    if beside.nothing:
        parts.append(q.new_zeros(rows, heads, tokens, 1))
    weights = torch.cat(parts, 3).softmax(3)
    weights = weights.view(rows, groups, heads // groups * tokens, weights.shape[3])
    y = weights[..., :seen] @ v.transpose(1, 2)  # (B, G, H / G T, E)
    if added:
        y = y + weights[..., seen : seen + added] @ beside.v.transpose(0, 1)
    y = y.view(rows, heads, tokens, v.shape[3]).transpose(1, 2)
    return y if frame.dense else y.masked_fill(~frame.real[:, :, None, None], 0.0)
