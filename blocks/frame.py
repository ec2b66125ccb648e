"""The frame: what a block is told about the tokens besides their stream, and its side channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

Made = TypeVar("Made")

NoteKind = Literal["loss", "count", "margin"]


@dataclass(frozen=True)
class Note:
    """A value that a block gave besides its output.

    ``loss`` is added to the training loss, ``count`` is a measured activity, ``margin`` (B, T) is
    the distance of each token's decision from its boundary, read by the gate only.
    """

    visit: str
    name: str
    kind: NoteKind
    value: Tensor


@dataclass
class Frame:
    """Where the tokens of a call stand.

    ``at`` (B, T), int64: the absolute index of each token in its row, strictly increasing; -1 marks
    a hole (padding, or a token that a router left out). ``segment`` (B, T), int64: the segment that
    a token belongs to, non-decreasing; undefined at holes. ``context``: the most tokens of a row
    that a block may look back on. ``dense`` promises that there are no holes and that every row
    counts up by one from the same index, which allows the fast forms. ``keep`` is False when nobody
    will continue from this call: blocks then return None as their carry. ``span`` > 0 promises, of
    a dense frame, that the call begins a segment and that all rows end segments every ``span``
    tokens, which allows forms that work by whole segments; 0 where that is not known. ``begins``
    promises, of a dense frame, that these places of the call, and no others, are the first of a
    segment in every row; None where that is not known. It stands for ``segment`` where tensors have
    no data, on the meta device. ``tokens`` (B, T), int64, any value at holes: what the stream was
    made of, or None where nobody says. It is for routers that decide by bytes; a block maps its
    stream and has no use for it. It is as causal as the stream: what is decided at t may depend on
    the tokens up to t, never on later ones.
    """

    at: Tensor
    segment: Tensor
    context: int
    dense: bool = False
    keep: bool = True
    span: int = 0
    begins: tuple[int, ...] | None = None
    tokens: Tensor | None = None
    visit: str = ""
    notes: list[Note] = field(default_factory=list[Note])
    _memo: dict[Any, Any] = field(default_factory=dict[Any, Any], repr=False)

    def note(self, name: str, value: Tensor, kind: NoteKind = "loss") -> None:
        """Hand out a value beside the output, keyed by the visit that runs."""
        self.notes.append(Note(self.visit, name, kind, value))

    def once(self, key: Any, make: Callable[[], Made]) -> Made:
        """Return what ``make()`` gave for *key* in this call, making it at most once.

        Masks and rotations depend on positions only, so all visits share them. The key must name
        everything that the value depends on besides the frame.
        """
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]

    @property
    def real(self) -> Tensor:
        """The tokens that are no holes: (B, T) bool."""
        return self.once("real", lambda: self.at >= 0)

    @property
    def packing(self) -> tuple[Tensor, Tensor]:
        """A stable order that puts holes last, (B, T), and the number of real tokens, (B,)."""

        def make() -> tuple[Tensor, Tensor]:
            order = (~self.real).to(torch.int8).sort(dim=1, stable=True).indices
            return order, self.real.sum(1)

        return self.once("packing", make)

    def pack(self, x: Tensor) -> Tensor:
        """Move the real tokens of each row to the front, in order: (B, T, ...) to the same."""
        return x if self.dense else x.gather(1, along(self.packing[0], x))

    def unpack(self, x: Tensor) -> Tensor:
        """Undo ``pack``: (B, T, ...) to the same."""
        if self.dense:
            return x
        inverse = self.once("inverse", lambda: self.packing[0].argsort(dim=1))
        return x.gather(1, along(inverse, x))

    def select(self, index: Tensor, real: Tensor) -> Frame:
        """Return the frame of the tokens at *index* (B, N); where *real* is False stands a hole."""
        at = torch.where(real, self.at.gather(1, index), -1)
        segment = self.segment.gather(1, index)
        tokens = None if self.tokens is None else self.tokens.gather(1, index)
        return Frame(
            at,
            segment,
            self.context,
            keep=self.keep,
            tokens=tokens,
            visit=self.visit,
            notes=self.notes,
        )


def along(index: Tensor, x: Tensor) -> Tensor:
    """Return places (B, N) as the index by which x (B, T, ...) is gathered: (B, N, ...)."""
    return index.reshape(*index.shape, *(1,) * (x.dim() - 2)).expand(-1, -1, *x.shape[2:])


def dense_frame(
    rows: int,
    tokens: int,
    *,
    context: int,
    segment: int,
    start: int = 0,
    keep: bool = True,
    device: torch.device | str | None = None,
) -> Frame:
    """Return the frame of *rows* rows of *tokens* tokens without holes, counting from *start*."""
    at = torch.arange(start, start + tokens, device=device).expand(rows, -1)
    span = 0 if start % segment else segment
    begins = tuple(range(-start % segment, tokens, segment))
    return Frame(at, at // segment, context, dense=True, keep=keep, span=span, begins=begins)
