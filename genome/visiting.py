"""A visit as it runs: its references resolved, its norms, router, residual and feedback applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from ..blocks.declaration import Place
from ..blocks.frame import Frame
from ..blocks.kinds import Block, Carry, Exit, Inner, Norm, Residual, Router


@dataclass(frozen=True)
class Step:
    """A visit with its references resolved."""

    number: int
    name: str
    merged: Callable[[list[Tensor]], Tensor]
    residual: Residual
    router: Router | None
    work: Inner
    after: Norm
    reads: tuple[int, ...]
    base: int
    exit: Exit | None
    carry_free: bool
    above: tuple[int, ...]
    feedback: Tensor | None


class PoolEntry(nn.Module):
    """A block of the pool with its prelude: the weights that visits share."""

    def __init__(self, block: nn.Module, prelude: nn.Module | None) -> None:
        super().__init__()
        self.block = block
        self.prelude = prelude


class VisitModule(nn.Module):
    """What belongs to one visit: norms by place, residual, router, merge, feedback's factor."""

    def __init__(
        self,
        norms: Mapping[str, nn.Module],
        residual: nn.Module,
        router: nn.Module | None,
        merge: nn.Module | None,
        feedback: nn.Parameter | None,
    ) -> None:
        super().__init__()
        self.norms = nn.ModuleDict(dict(norms))
        self.residual = residual
        self.router = router
        self.merge = merge
        self.feedback = feedback

    def norm(self, place: Place) -> Norm:
        """Return the norm at a place, the identity where there is none."""
        return cast(Norm, self.norms[place]) if place in self.norms else _same

    def merged(self, streams: list[Tensor]) -> Tensor:
        """Merge what was read: k streams (B, T[, n], W) -> (B, T[, n], W)."""
        return streams[0] if self.merge is None else cast(Tensor, self.merge(streams))


def _same(x: Tensor) -> Tensor:
    return x


def work_of(visit: VisitModule, entry: PoolEntry) -> Inner:
    """Return norm, prelude, block and norm of the branch as one function."""
    before, after = visit.norm("before"), visit.norm("branch")
    block = cast(Block, entry.block)
    if entry.prelude is None:
        return partial(_normed, before, block, after)
    return partial(_preceded, before, cast(Block, entry.prelude), block, after)


def _normed(
    before: Norm, block: Block, after: Norm, x: Tensor, carry: Carry, frame: Frame
) -> tuple[Tensor, Carry]:
    y, carry = block(before(x), carry, frame)
    return after(y), carry


def _preceded(
    before: Norm, prelude: Block, block: Block, after: Norm, x: Tensor, carry: Carry, frame: Frame
) -> tuple[Tensor, Carry]:
    first, own = (None, None) if carry is None else carry
    x, first = prelude(before(x), first, frame)
    y, own = block(x, own, frame)
    return after(y), (first, own) if frame.keep else None


def run_visit(
    step: Step, base: Tensor, read: Tensor, heard: Tensor | None, carry: Carry, frame: Frame
) -> tuple[Tensor, Carry]:
    """Run one visit: streams (B, T[, n], W) to the same, and its next carry."""
    x = step.residual.read(read)  # (B, T, W)
    if step.router is None:
        y, carry = step.work(x, carry, frame)
        return _written(step, base, read, y, heard), carry
    y, worked, carry = step.router(x, step.work, carry, frame)
    new = _written(step, base, read, y, heard)
    return torch.where(over(worked, new), new, base), carry


def _written(step: Step, base: Tensor, read: Tensor, y: Tensor, heard: Tensor | None) -> Tensor:
    """Return the stream with the block's output y (B, T, W) and what was heard."""
    new = step.residual.write(base, read, y)
    if heard is not None and step.feedback is not None:
        new = torch.addcmul(new, heard, step.feedback)
    return step.after(new)


def over(mask: Tensor, streams: Tensor) -> Tensor:
    """Broadcast (B, T) over streams (B, T[, n], W)."""
    return mask.reshape(*mask.shape, *(1,) * (streams.dim() - 2))
