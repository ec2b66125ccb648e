"""The core of attention by softmax: what a call's queries read from its keys and the kept ones."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ..frame import Frame
from .beside import Beside, read_beside
from .cache import Cache, extend, trim
from .mask import score_bias
from .window import reach
from .xpos import faded


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    carry: Cache | None,
    frame: Frame,
    *,
    window: float,
    slopes: tuple[float, ...] = (),
    scale: float | None = None,
    xpos: bool = False,
    beside: Beside | None = None,
) -> tuple[Tensor, Cache | None]:
    """Return softmax(scale q k^T + bias) v, (B, T, H, E), and the next cache where it is kept.

    Args:
        q: queries, (B, T, H, D).
        k: keys, (B, T, G, D); each serves H / G query heads in a row.
        v: values, (B, T, G, E); the fused kernel of CPUs wants E = D.
        carry: the cache that the call before returned, or None.
        frame: where the tokens stand.
        window: how far back a query sees, as a share of the context.
        slopes: the fall of the scores with distance for each query head; empty for none.
        scale: the factor of the scores, 1 / sqrt(D) if None.
        xpos: whether each pair of channels of turned q and k fades with distance.
        beside: what queries read besides the tokens, if anything.
    """
    limit = reach(window, frame.context)
    kept = None if carry is None else Cache(*carry).at
    bias = score_bias(frame, kept, limit=limit, slopes=slopes, dtype=q.dtype)
    cache = extend(carry, k, v, frame)
    q, keys = faded(q, cache.k, frame, kept) if xpos else (q, cache.k)
    if beside is None:
        y = read(q, keys, cache.v, bias, scale=scale)
    else:
        y = read_beside(q, keys, cache.v, bias, beside, frame, scale=scale)
    if not frame.keep:
        return y, None
    return y, trim(cache, limit=limit, dense=frame.dense and carry is None)


def read(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, *, scale: float | None) -> Tensor:
    """Return softmax(scale q k^T + bias) v, causal where there is no bias: (B, T, H, E)."""
    return F.scaled_dot_product_attention(
        q.transpose(1, 2),  # (B, H, T, D)
        k.transpose(1, 2),  # (B, G, S, D)
        v.transpose(1, 2),  # (B, G, S, E)
        attn_mask=bias,
        is_causal=bias is None,
        scale=scale,
        enable_gqa=k.shape[2] < q.shape[2],
    ).transpose(1, 2)
