"""Attention inside the segment of each token, and the tokens kept of a segment that goes on."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..frame import Frame
from .pieces import ranks


class Open(NamedTuple):
    """Keys and values (B, H, S, D) of the open segment and their indices (B, S), -1 at holes."""

    k: Tensor
    v: Tensor
    at: Tensor


def attend_segment(
    q: Tensor, k: Tensor, v: Tensor, kept: Open, frame: Frame, segment: Tensor
) -> Tensor:
    """Return causal attention inside segments, (B, H, T, D).

    Args:
        q: queries, (B, H, T, D) with T > 0.
        k: keys, as q.
        v: values, as q.
        kept: the tokens of the open segment that earlier calls saw.
        frame: where the tokens stand.
        segment: the open segment of each row, (B,), -1 for none.
    """
    if frame.span:
        return _whole_segments(q, k, v, frame)
    rank = ranks(frame, segment)
    goes_on = (kept.at >= 0)[:, None, :] & (rank == 0)[:, :, None] & frame.real[:, :, None]
    visible = torch.cat((goes_on, _visible(rank, frame)), 2)
    k, v = torch.cat((kept.k, k), 2), torch.cat((kept.v, v), 2)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=visible[:, None])


def keep_open(k: Tensor, v: Tensor, kept: Open, frame: Frame, segment: Tensor) -> Open:
    """Return the tokens of the segments that are open after the call; arguments as above."""
    if frame.span:
        start = (k.shape[2] - 1) // frame.span * frame.span
        tail = k[:, :, start:], v[:, :, start:], frame.at[:, start:]
        return Open(*(part.contiguous() for part in tail))
    rank = F.pad(ranks(frame, segment), (kept.at.shape[1], 0))  # kept tokens have rank 0
    at = torch.where(rank == rank[:, -1:], torch.cat((kept.at, frame.at), 1), -1)
    return _trim(Open(torch.cat((kept.k, k), 2), torch.cat((kept.v, v), 2), at), frame)


def _visible(rank: Tensor, frame: Frame) -> Tensor:
    """Which tokens of the call each one sees, (B, T, T); a hole sees itself, lest it see none."""
    same = (rank[:, :, None] == rank[:, None, :]) & frame.real[:, None, :]
    itself = torch.eye(rank.shape[1], dtype=torch.bool, device=rank.device)
    return same.tril() & frame.real[:, :, None] | itself


def _whole_segments(q: Tensor, k: Tensor, v: Tensor, frame: Frame) -> Tensor:
    rows, heads, tokens, size = q.shape
    length = min(frame.span, tokens)
    q, k, v = (
        F.pad(part, (0, 0, 0, -tokens % length)).reshape(rows, -1, length, size)
        for part in (q, k, v)
    )  # (B, H S, L, D)
    y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return y.view(rows, heads, -1, size)[:, :, :tokens]


def _trim(kept: Open, frame: Frame) -> Open:
    """Drop holes, as many columns as the fullest row allows."""
    real = kept.at >= 0
    if kept.at.is_meta:  # without data the last segment begins where the frame says
        most = frame.at.shape[1] - frame.begins[-1] if frame.begins else kept.at.shape[1]
    else:
        most = int(real.sum(1).max())
    order = real.to(torch.int8).sort(dim=1, stable=True).indices[:, real.shape[1] - most :]
    index = order[:, None, :, None].expand(-1, kept.k.shape[1], -1, kept.k.shape[3])
    return Open(kept.k.gather(2, index), kept.v.gather(2, index), kept.at.gather(1, order))
