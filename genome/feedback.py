"""Layerwise feedback: a visit also hears what the layer above it said a while ago.

    value_i(t) += g_i * mean over the visits j that read i of stopgrad(value_j(t - D))

with g_i learned from 0 and nothing where t - D is before the row. A stack with feedback runs in
pieces of at most D tokens, so that what is heard has been said. In a chain j is i + 1. Source: the
layerwise feedback of the discrete-memory transformer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from ..blocks.frame import Frame, Note, along
from .visiting import over


class Heard(NamedTuple):
    """The last D tokens of each row: their index (B, D), and the values (B, D[, n], W) by visit.

    The token of index t stands at t modulo D; the index is -1 where no token has been.
    """

    at: Tensor
    values: tuple[Tensor, ...]


class Echo:
    """What the visits of one call hear of earlier calls, and what they say to later ones.

    Args:
        delay: D, in tokens.
        speaking: the visits that are heard, in the order of the carry.
        heard: the carry of the call before, None at the start of the rows.
        frame: of a call in which every row's tokens lie less than D apart.
    """

    def __init__(
        self, delay: int, speaking: Sequence[int], heard: Heard | None, frame: Frame
    ) -> None:
        self._delay = delay
        self._speaking = speaking
        self._heard = heard
        self._frame = frame
        self._slot = torch.where(frame.real, frame.at % delay, 0)
        if heard is not None:
            self._values = dict(zip(speaking, heard.values, strict=True))
            written = heard.at.gather(1, self._slot) == frame.at - delay
            self._said = written & frame.real & (frame.at >= delay)  # (B, T)

    def of(self, above: Sequence[int]) -> Tensor | None:
        """Return the mean of what these visits said D tokens ago, (B, T[, n], W); None: nothing."""
        if self._heard is None or not above:
            return None
        values = self._values
        mean = sum((values[visit] for visit in above[1:]), values[above[0]]) / len(above)
        return mean.gather(1, along(self._slot, mean)) * over(self._said, mean).to(mean.dtype)

    def after(self, values: Mapping[int, Tensor]) -> Heard:
        """Return the carry after this call, in which the visits had *values*."""
        frame, delay = self._frame, self._delay
        slot = torch.where(frame.real, self._slot, delay)  # holes are written beside the ring
        old = self._heard
        at = frame.at.new_full((frame.at.shape[0], delay), -1) if old is None else old.at
        said = [values[visit].detach() for visit in self._speaking]
        rings = (
            [value.new_zeros(value.shape[0], delay, *value.shape[2:]) for value in said]
            if old is None
            else old.values
        )
        return Heard(
            _written(at, slot, frame.at),
            tuple(_written(ring, slot, value) for ring, value in zip(rings, said, strict=True)),
        )


def pieces(frame: Frame, delay: int, *, counted: bool) -> list[tuple[int, int]]:
    """Return the columns (start, stop) of pieces in which no two tokens of a row lie D apart.

    Where the model *counted* the tokens itself they have no gaps and need not be looked at.
    """
    tokens = frame.at.shape[1]
    if counted or tokens <= 1:
        edges = [*range(0, tokens, delay), tokens]
        return list(pairwise(edges)) or [(0, 0)]
    edges, first = [0], dict[int, int]()
    columns = cast("list[list[int]]", frame.at.T.tolist())  # pyright: ignore
    for column, places in enumerate(columns):
        real = {row: at for row, at in enumerate(places) if at >= 0}
        if any(at - first.get(row, at) >= delay for row, at in real.items()):
            edges.append(column)
            first = real
        else:
            first = {**real, **first}
    return list(pairwise([*edges, tokens]))


def piece_of(frame: Frame, start: int, stop: int) -> Frame:
    """Return the frame of some columns; whoever runs them goes on with the next."""
    aligned = frame.span and start % frame.span == 0
    begins = frame.begins and tuple(at - start for at in frame.begins if start <= at < stop)
    return Frame(
        frame.at[:, start:stop],
        frame.segment[:, start:stop],
        frame.context,
        dense=frame.dense,
        keep=frame.keep or stop < frame.at.shape[1],
        span=frame.span if aligned else 0,
        begins=begins,
        tokens=None if frame.tokens is None else frame.tokens[:, start:stop],
    )


def joined_notes(notes: Sequence[Sequence[Note]], lengths: Sequence[int]) -> list[Note]:
    """Return the notes of pieces of these lengths as those of one call.

    Margins (B, T) stand side by side; of all else the mean by tokens is taken.
    """
    if len(notes) == 1:
        return list(notes[0])
    found = dict[tuple[object, ...], list[tuple[Note, float]]]()
    for each, length in zip(notes, lengths, strict=True):
        seen = Counter[tuple[object, ...]]()
        for note in each:
            key = (note.visit, note.name, note.kind)
            found.setdefault((*key, seen[key]), []).append((note, length / sum(lengths)))
            seen[key] += 1
    return [_joined(parts) for parts in found.values()]


def _joined(parts: list[tuple[Note, float]]) -> Note:
    first = parts[0][0]
    if first.kind == "margin":
        return replace(first, value=torch.cat([note.value for note, _ in parts], 1))
    return replace(first, value=torch.stack([note.value * share for note, share in parts]).sum(0))


def _written(ring: Tensor, slot: Tensor, value: Tensor) -> Tensor:
    """Return the ring (B, D, ...) with values (B, T, ...) in these slots; slot D is nowhere."""
    wide = F.pad(ring, (0, 0) * (ring.dim() - 2) + (0, 1))
    return wide.scatter(1, along(slot, value), value)[:, :-1]
