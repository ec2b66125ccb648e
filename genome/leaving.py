"""Early exit: a token that left keeps the state that it left with."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..blocks.frame import Frame
from ..blocks.kinds import Exit
from .visiting import Step, over


class Leaver:
    """Early exit within one pass.

    Args:
        frame: of the pass.
        active: whether tokens may leave; in training none does.
        reduce: the streams of a visit to one, (B, T[, n], W) -> (B, T, W).
        decode: that to logits, (B, T, W) -> (B, T, V).
    """

    def __init__(
        self,
        frame: Frame,
        *,
        active: bool,
        reduce: Callable[[Tensor], Tensor],
        decode: Callable[[Tensor], Tensor],
    ) -> None:
        self._frame = frame
        self._active = active
        self._reduce = reduce
        self._decode = decode
        self._gone: Tensor | None = None  # (B, T) bool
        self._kept: Tensor | None = None  # (B, T[, n], W)

    def skips(self, step: Step) -> bool:
        """Whether nobody needs this visit: one token a row, all of them gone."""
        gone = self._gone
        if gone is None or not step.carry_free or gone.shape[1] != 1:
            return False
        return bool(gone.all())

    def pass_on(self, step: Step, base: Tensor, value: Tensor) -> Tensor:
        """Copy the state of the tokens that left up to this visit, then let others leave."""
        if not self._active:
            return value
        if self._gone is not None and self._kept is not None:
            value = torch.where(over(self._gone, value), self._kept, value)
        if step.exit is not None:
            self._leave(step.exit, base, value)
        return value

    def _leave(self, test: Exit, base: Tensor, value: Tensor) -> None:
        margin = test(self._reduce(base), self._reduce(value), self._decode)
        if self._gone is not None:  # who left decides nothing any more
            margin = margin.masked_fill(self._gone, torch.inf)
        self._gone = margin > 0
        self._kept = value
        real = self._frame.real
        share = (self._gone & real).sum() / real.sum().clamp(min=1)
        self._frame.note("exit", margin, "margin")
        self._frame.note("left", share, "count")
