"""The segments of a call, one after the other: memories change between segments, never inside.

What a row has seen of its last segment is *open*; it is closed when the first token of a later
segment arrives, in whatever call that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..frame import Frame


class Piece(NamedTuple):
    """The tokens of one segment of every row.

    ``tokens`` is where they are; the last slice may go beyond the row. ``mine`` (B, L) says which
    of these belong to the piece, None for all. ``begins`` (B,) says in which rows the piece begins
    a segment, None for all.
    """

    tokens: slice
    mine: Tensor | None
    begins: Tensor | None


def pieces(frame: Frame, segment: Tensor) -> list[Piece]:
    """Return the pieces of a call of T > 0 tokens whose rows stand in *segment* (B,), -1 for none.

    With a span they are slices. Elsewhere rows end segments in different places: piece r has the
    tokens of the r-th segment of each row, and is a mask over all tokens.
    """
    tokens = frame.at.shape[1]
    if frame.span:
        length = min(frame.span, tokens)
        starts = range(0, tokens, length)
        return [Piece(slice(start, start + length), None, None) for start in starts]
    rank = ranks(frame, segment)
    last = _most_begun(frame) if rank.is_meta else int(rank.max())
    everything = slice(0, tokens)
    return [
        Piece(everything, (rank == r) & frame.real, (rank[:, -1] >= r) & (r > 0))
        for r in range(last + 1)
    ]


def _most_begun(frame: Frame) -> int:
    """Return how many segments a row of a call without data begins at most, on the meta device.

    The call goes on where the one before it ended; every token may begin a segment if nobody knows.
    """
    return frame.at.shape[1] if frame.begins is None else len(frame.begins)


def ranks(frame: Frame, segment: Tensor) -> Tensor:
    """Count the segments begun in this call up to each token, (B, T); 0 goes on with *segment*."""
    seen = torch.where(frame.real, frame.segment, -1).cummax(1).values
    seen = torch.cat((segment[:, None], seen.maximum(segment[:, None])), 1)
    return (seen.diff(dim=1) > 0).cumsum(1)


def last_segment(frame: Frame, segment: Tensor) -> Tensor:
    """Return the segment in which each row stands after this call, (B,)."""
    if frame.span:
        return frame.segment[:, -1].contiguous()
    return torch.where(frame.real, frame.segment, -1).amax(1).maximum(segment)


def parts(x: Tensor, each: Sequence[Piece]) -> Sequence[Tensor]:
    """Return the tokens of every piece from all, (B, H, T, D); masked pieces have all of them."""
    if each[0].mine is not None:
        return [x] * len(each)
    return torch.split(x, each[0].tokens.stop, 2)


def joined(outputs: Sequence[Tensor], each: Sequence[Piece]) -> Tensor:
    """Return the outputs of masked pieces, (B, H, T, D) each, in the places of their tokens."""
    y = outputs[0]
    for output, piece in zip(outputs, each, strict=True):
        if piece.mine is not None:
            y = torch.where(piece.mine[:, None, :, None], output, y)
    return y


def by_segment(x: Tensor, each: Sequence[Piece]) -> Tensor:
    """Return the tokens of pieces with a span, filled with zeros: (B, H, T, D) to five axes."""
    x = F.pad(x, (0, 0, 0, each[-1].tokens.stop - x.shape[2]))
    return x.reshape(*x.shape[:2], len(each), -1, x.shape[3])


def whole(x: Tensor, tokens: int) -> Tensor:
    """Undo ``by_segment``: (B, H, S, L, D) to (B, H, T, D)."""
    return x.flatten(2, 3)[:, :, :tokens]


def where_rows(rows: Tensor | None, new: Tensor, old: Tensor) -> Tensor:
    """Return *new* in these rows (B,), None for all, and *old* in the others: (B, ...)."""
    return new if rows is None else torch.where(rows.view(-1, *(1,) * (new.dim() - 1)), new, old)
