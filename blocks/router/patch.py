"""Patches: the block works once for several tokens."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..frame import Frame
from ..kinds import Carry, Inner
from .entropy import EntropyGate, guess_loss
from .gate import BoundaryGate
from .shares import key_size, patch_share
from .space import told, word_starts


class PatchCarry(NamedTuple):
    """What is remembered of each row between calls.

    ``last`` (B,) int64: the index of the last token, -1 before the first. ``total`` (B, W) and
    ``unseen`` (B,) int64: sum and number of the tokens that the block has not seen. ``output``
    (B, W): what the block gave for this patch. ``key`` (B, D): what the last token leaves for the
    decision about the next one, D = 0 for static patches. ``inner``: the block's own carry.
    """

    last: Tensor
    total: Tensor
    unseen: Tensor
    output: Tensor
    key: Tensor
    inner: Carry


class PatchRouter(nn.Module):
    """The block works once a patch, and all tokens of the patch get its output (arXiv:2412.09871).

    A row falls into patches p_1 p_2 ... without gaps. When the first token of a patch arrives, f
    sees the mean of the tokens that it has not seen: the rest of the patch before and this first
    token. y_t = c_t f(...) for every token t of the patch, so a token sees nothing later than
    itself, and a patch of one token is the block itself.

    Patching is ``static`` (a patch is the tokens of equal at // size), ``space`` (a patch is a word
    and what stands behind it, ``word_starts``; reads ``frame.tokens``), ``entropy`` (a patch begins
    where the next byte was hard to guess, ``EntropyGate``; reads them in training) or ``learned``
    (``BoundaryGate``; c_t = p_t where a patch begins and 1 - p_t elsewhere, the confidence of the
    decision, through which the gate learns). c = 1 but for learned patches. The first token always
    begins a patch.

    Shapes: x and y (B, T, W); f sees (B, k, W), one token a patch at its first token's place, k
    the most patches of a row. Notes: "kept" (share of the tokens that begin a patch); of a gate
    "margin" (in evaluation) and, in training, the loss "ratio" of learned patches or "guess" of
    those by entropy.
    """

    def __init__(self, width: int, *, patching: str, size: int, threshold: float) -> None:
        super().__init__()
        self.patching = patching
        self.size = size
        self.share = patch_share({"patching": patching, "size": size, "threshold": threshold})
        self.keys = key_size(width, patching)
        self.gate = BoundaryGate(width, size=size) if patching == "learned" else None
        self.surprise = EntropyGate(width, threshold=threshold) if patching == "entropy" else None

    def forward(
        self, x: Tensor, inner: Inner, carry: Carry, frame: Frame
    ) -> tuple[Tensor, Tensor, Carry]:
        """Return y (B, T, W), zero at holes, the real tokens (B, T), and the next carry."""
        packed, x = _packed(frame, x)
        past = self._fresh(x) if carry is None else PatchCarry(*carry)
        begins, weight, key = self._boundaries(x, past, packed, frame)
        _tell(begins, frame)
        index, real = self._places(begins)
        sums, counts = _running(x, past, packed)  # (B, T, W), (B, T)
        means, total, count = _between(sums, counts, past, index, real)
        y, after = inner(means, past.inner, packed.select(index, real))
        outputs = torch.cat((past.output.unsqueeze(1), y), 1)  # (B, k + 1, W)
        patch = begins.cumsum(1)  # 0 goes on with the patch of the call before
        y = _taken(outputs, patch)
        if weight is not None:
            y = y * weight.unsqueeze(-1)
        if not frame.dense:
            y = frame.unpack(torch.where(packed.real.unsqueeze(-1), y, 0))
        if not frame.keep:
            return y, frame.real, None
        output = _taken(outputs, begins.sum(1, keepdim=True)).squeeze(1)
        last = torch.cat((past.last.unsqueeze(1), packed.at), 1).amax(1)
        return y, frame.real, PatchCarry(last, total, count, output, key, after)

    def _fresh(self, x: Tensor) -> PatchCarry:
        rows, width = x.shape[0], x.shape[2]
        zeros = x.new_zeros(rows, width)
        last = torch.full((rows,), -1, device=x.device)
        count = torch.zeros_like(last)
        key = x.new_zeros(rows, self.keys)
        return PatchCarry(last, zeros, count, zeros, key, None)

    def _boundaries(
        self, x: Tensor, past: PatchCarry, packed: Frame, frame: Frame
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return where patches begin (B, T), the tokens' weights (B, T), and the last key (B, D).

        All are of the packed row.
        """
        before = torch.cat((past.last.unsqueeze(1), packed.at[:, :-1]), 1)[:, : x.shape[1]]
        if self.patching == "static":
            return packed.real & (packed.at // self.size != before // self.size), None, past.key
        weight, sure = None, (before < 0) | ~packed.real  # nothing to decide
        if self.gate is not None:
            margin, keys = self.gate(x, past.key)
            margin = margin.masked_fill(sure, math.inf)
            begins = packed.real & (margin > 0)
            weight = torch.where(begins, margin, -margin).sigmoid()
            self._note(margin, frame, "ratio", self.gate.ratio_loss)
        elif self.surprise is not None:
            margin, keys, guess = self.surprise(x, past.key)
            margin = margin.masked_fill(sure, math.inf)
            begins = packed.real & (margin > 0)
            self._note(margin, frame, "guess", lambda _: guess_loss(guess, packed))
        else:
            starts, keys = word_starts(told(packed), past.key)
            begins = packed.real & (sure | starts)
        keys = torch.cat((past.key.unsqueeze(1), keys), 1)
        return begins, weight, _taken(keys, packed.real.sum(1, keepdim=True)).squeeze(1)

    def _note(
        self, margin: Tensor, frame: Frame, name: str, loss: Callable[[Tensor], Tensor]
    ) -> None:
        """Note what the decisions cost in training, and how near they were in evaluation."""
        if self.training:
            frame.note(name, loss(margin))
        else:
            frame.note("margin", frame.unpack(margin), "margin")

    def _places(self, begins: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first tokens of the patches, (B, k), and which of these are no filling.

        On the meta device there is nothing to decide: k is what the share promises.
        """
        if begins.is_meta:
            most = math.ceil(self.share * begins.shape[1])
        else:
            most = int(begins.sum(1).max()) if begins.shape[0] else 0
        index = (~begins).to(torch.int8).sort(dim=1, stable=True).indices[:, :most]
        return index, begins.gather(1, index)


def _tell(begins: Tensor, frame: Frame) -> None:
    """Note the share of the tokens that the block works on."""
    frame.note("kept", begins.sum() / frame.real.sum().clamp(min=1), "count")


def _packed(frame: Frame, x: Tensor) -> tuple[Frame, Tensor]:
    """Return the frame and the stream with all holes at the end of the rows, zero there."""
    if frame.dense:
        return frame, x
    order, count = frame.packing
    real = torch.arange(x.shape[1], device=x.device) < count.unsqueeze(1)
    return frame.select(order, real), torch.where(real.unsqueeze(-1), frame.pack(x), 0)


def _running(x: Tensor, past: PatchCarry, packed: Frame) -> tuple[Tensor, Tensor]:
    """Return sum (B, T, W) and number (B, T) of the tokens so far, from the open patch's first.

    A mean is the difference of two sums over the whole row, so float32 would lose a digit for every
    ten times as long a row.
    """
    sums = past.total.unsqueeze(1) + x.cumsum(1, dtype=torch.float64)
    return sums, past.unseen.unsqueeze(1) + packed.real.cumsum(1)


def _between(
    sums: Tensor, counts: Tensor, past: PatchCarry, index: Tensor, real: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the means (B, k, W) of what ends at each place, and sum and number of what is left.

    Where a row has fewer places than others its filling repeats the last one, so that nothing lies
    between them.
    """
    start = torch.zeros_like(past.total, dtype=sums.dtype).unsqueeze(1)
    none = torch.zeros_like(past.unseen).unsqueeze(1)
    place = torch.where(real, index + 1, 0).cummax(1).values  # 0 stands for the start
    at = torch.cat((torch.zeros_like(none), place), 1)  # (B, k + 1)
    sum_at = _taken(torch.cat((start, sums), 1), at)
    count_at = torch.cat((none, counts), 1).gather(1, at)
    number = count_at.diff(dim=1).clamp(min=1).unsqueeze(-1)
    means = (sum_at.diff(dim=1) / number).to(past.total.dtype)
    whole = torch.cat((past.total.unsqueeze(1), sums), 1)[:, -1]
    seen = torch.cat((past.unseen.unsqueeze(1), counts), 1)[:, -1]
    return means, (whole - sum_at[:, -1]).to(means.dtype), seen - count_at[:, -1]


def _taken(x: Tensor, index: Tensor) -> Tensor:
    """Return the rows of x (B, N, W) at index (B, M): (B, M, W)."""
    return x.gather(1, index.unsqueeze(-1).expand(-1, -1, x.shape[-1]))
