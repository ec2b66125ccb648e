"""The model of a genome: the graph is resolved once, a forward pass is a straight loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..blocks.declaration import Place
from ..blocks.frame import Frame, Note
from ..blocks.kinds import Block, Carry, Exit, Inner, Norm, Residual, Router
from ..blocks.registry import Catalog
from .cost import carry_free, segment_length
from .feedback import Echo, Heard, joined_notes, piece_of, pieces
from .graph import EMBEDDING, Genome, Visit


class ModelCarry(NamedTuple):
    """What a model remembers of each row: the next index (B,), and what its parts remember.

    ``heard`` is what the visits said, where the stack has feedback.
    """

    position: Tensor
    embedding: Carry
    visits: tuple[Carry, ...]
    heard: Heard | None = None


class Output(NamedTuple):
    """Logits (B, T, V), the carry to go on with (None without ``keep``), and the blocks' notes."""

    logits: Tensor
    carry: ModelCarry | None
    notes: list[Note]


@dataclass(frozen=True)
class _Step:
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


class Model(nn.Module):
    """A language model built from a genome.

    ``forward(tokens, carry)`` maps tokens (B, T), int64, to logits (B, T, V). In ``eval()`` feeding
    a sequence in any chunking with the carry equals feeding it whole.

    Args:
        genome: in canonical form.
        catalog: what its names mean.
        context: the most tokens that one may look back on.
        embedding: tokens to vectors; a tied head shares its ``table``.
        pool: the blocks, one for each entry of the pool.
        visits: what belongs to each visit.
        norm: the final norm.
        head: a linear layer to the vocabulary, None where it is tied.
        exits: the tests by the visits after which tokens may leave.
    """

    def __init__(
        self,
        genome: Genome,
        catalog: Catalog,
        *,
        context: int,
        embedding: nn.Module,
        pool: Iterable[PoolEntry],
        visits: Iterable[VisitModule],
        norm: nn.Module,
        head: nn.Module | None,
        exits: Mapping[int, nn.Module],
    ) -> None:
        super().__init__()
        self.genome = genome
        self.context = context
        self.segment = segment_length(genome, context)
        self.embedding = embedding
        self.pool = nn.ModuleList(pool)
        self.visits = nn.ModuleList(visits)
        self.norm = norm
        self.head = head
        self.exits = nn.ModuleDict({str(place): test for place, test in exits.items()})
        self.speakers = genome.speakers()
        self.streams = int(cast(VisitModule, self.visits[0]).residual.streams)  # pyright: ignore
        self._steps = [self._step(i, v, catalog) for i, v in enumerate(genome.route)]
        self._after = [m.after_step for m in self.modules() if callable(_hook(m))]

    def forward(
        self,
        tokens: Tensor,
        carry: ModelCarry | None = None,
        *,
        at: Tensor | None = None,
        segment: Tensor | None = None,
        keep: bool = True,
    ) -> Output:
        """Map tokens (B, T) to logits (B, T, V).

        Args:
            tokens: int64, (B, T); the value at a hole is ignored.
            carry: what an earlier call returned, or None at the start of the rows.
            at: index of each token in its row, (B, T), -1 at holes; counted on from the carry
                where it is not given.
            segment: segment of each token, (B, T); by default ``at // self.segment``.
            keep: whether the caller will go on from this call.
        """
        frame = self._frame(tokens, carry, at, segment, keep)
        steps = self._steps if keep or carry else self._order()
        if not self.speakers:
            return self._pass(tokens, carry, frame, steps)
        found = list[Output]()
        cuts = pieces(frame, self.genome.stack.feedback, counted=at is None)
        for start, stop in cuts:
            piece = piece_of(frame, start, stop)
            found.append(self._pass(tokens[:, start:stop], carry, piece, steps))
            carry = found[-1].carry
        notes = joined_notes([each.notes for each in found], [stop - start for start, stop in cuts])
        return Output(torch.cat([each.logits for each in found], 1), carry, notes)

    def _pass(
        self, tokens: Tensor, carry: ModelCarry | None, frame: Frame, steps: list[_Step]
    ) -> Output:
        """Map tokens to logits at once."""
        x, embedded = self.embedding(tokens, carry.embedding if carry else None, frame)
        streams = x if self.streams == 1 else x.unsqueeze(2).expand(-1, -1, self.streams, -1)
        echo = self._echo(carry, frame)
        values, carries = self._run(streams, carry.visits if carry else None, frame, steps, echo)
        logits = self.decode(self._reduce(values[-1]))
        if self.training and self.exits:
            self._exit_losses(streams, values, logits, frame)
        if not frame.keep:
            return Output(logits, None, frame.notes)
        heard = None if echo is None else echo.after(dict(enumerate(values)))
        position = self._position(carry, frame)
        return Output(logits, ModelCarry(position, embedded, carries, heard), frame.notes)

    def decode(self, x: Tensor) -> Tensor:
        """Map a reduced stream (B, T, W) to logits (B, T, V) by the final norm and the head."""
        x = cast(Norm, self.norm)(x)
        if self.head is not None:
            return self.head(x)
        tied = cast("Callable[[Tensor], Tensor] | None", getattr(self.embedding, "logits", None))
        return F.linear(x, cast(Tensor, self.embedding.table)) if tied is None else tied(x)

    def after_step(self) -> None:
        """Run the updates without gradient that blocks ask for; call after each optimizer step."""
        for update in self._after:
            update()  # pyright: ignore[reportCallIssue]

    def _echo(self, carry: ModelCarry | None, frame: Frame) -> Echo | None:
        if not self.speakers:
            return None
        heard = None if carry is None or carry.heard is None else Heard(*carry.heard)
        return Echo(self.genome.stack.feedback, self.speakers, heard, frame)

    def _run(
        self,
        streams: Tensor,
        carries: tuple[Carry, ...] | None,
        frame: Frame,
        steps: list[_Step],
        echo: Echo | None,
    ) -> tuple[list[Tensor], tuple[Carry, ...]]:
        values = dict[int, Tensor]({EMBEDDING: streams})
        after = list[Carry]()
        leaver = _Leaver(self, frame)
        for step in steps:
            frame.visit = step.name
            carry = carries[step.number] if carries else None
            base = values[step.base]
            if leaver.skips(step):
                value, carry = base, None
            else:
                read = step.merged([values[i] for i in step.reads])
                heard = None if echo is None else echo.of(step.above)
                value, carry = _visit(step, base, read, heard, carry, frame)
            values[step.number] = leaver.pass_on(step, base, value)
            after.append(carry)
        return [values[step.number] for step in self._steps], tuple(after)

    def _order(self) -> list[_Step]:
        """Return the steps; in training now and then with their work in another order.

        The graph of reads stays; what the visits do with them moves (LayerShuffle,
        arXiv:2407.04513). The lot comes from torch's generator, which the loop seeds by the step.
        Where a carry is kept, every visit keeps its own place.
        """
        share = self.genome.training.shuffle
        if not self.training or not share or torch.rand(()) >= share:
            return self._steps
        order = cast("list[int]", torch.randperm(len(self._steps)).tolist())  # pyright: ignore
        return [
            replace(
                step, residual=does.residual, router=does.router, work=does.work, after=does.after
            )
            for step, does in zip(self._steps, (self._steps[i] for i in order), strict=True)
        ]

    def _exit_losses(
        self, streams: Tensor, values: list[Tensor], logits: Tensor, frame: Frame
    ) -> None:
        for step in self._steps:
            if step.exit is not None:
                frame.visit = step.name
                before = streams if step.base == EMBEDDING else values[step.base]
                loss = step.exit.loss(
                    self._reduce(before), self._reduce(values[step.number]), logits, self.decode
                )
                frame.note("exit", loss / len(self.exits))

    def _reduce(self, streams: Tensor) -> Tensor:
        """Sum the streams: (B, T[, n], W) -> (B, T, W)."""
        return streams if self.streams == 1 else streams.sum(2)

    def _frame(
        self,
        tokens: Tensor,
        carry: ModelCarry | None,
        at: Tensor | None,
        segment: Tensor | None,
        keep: bool,
    ) -> Frame:
        dense = carry is None and at is None
        if at is None:
            count = torch.arange(tokens.shape[1], device=tokens.device).expand(tokens.shape)
            at = count if carry is None else carry.position[:, None] + count
        span = self.segment if dense and segment is None else 0
        if segment is None:
            segment = at.div(self.segment, rounding_mode="floor")
        begins = tuple(range(0, tokens.shape[1], span)) if span else None
        return Frame(
            at,
            segment,
            self.context,
            dense=dense,
            keep=keep,
            span=span,
            begins=begins,
            tokens=tokens,
        )

    def _position(self, before: ModelCarry | None, frame: Frame) -> Tensor:
        """Return the index (B,) of the token after these."""
        position = frame.at.new_zeros(frame.at.shape[0]) if before is None else before.position
        if frame.at.shape[1]:
            position = torch.maximum(position, frame.at.amax(1) + 1)
        return position

    def _step(self, number: int, visit: Visit, catalog: Catalog) -> _Step:
        module = cast(VisitModule, self.visits[number])
        entry = cast(PoolEntry, self.pool[visit.block])
        exits = dict(self.exits.items())
        return _Step(
            number,
            f"visits.{number}",
            module.merged,
            cast(Residual, module.residual),
            cast("Router | None", module.router),
            _work(module, entry),
            module.norm("sum"),
            visit.reads,
            visit.base_read,
            cast("Exit | None", exits.get(str(number))),
            carry_free(self.genome, visit, catalog),
            self.genome.readers(number),
            module.feedback,
        )


class _Leaver:
    """Early exit within one pass: a token that left keeps the state that it left with."""

    def __init__(self, model: Model, frame: Frame) -> None:
        self._model = model
        self._frame = frame
        self._active = bool(model.exits) and not model.training
        self._gone: Tensor | None = None  # (B, T) bool
        self._kept: Tensor | None = None  # (B, T[, n], W)

    def skips(self, step: _Step) -> bool:
        """Whether nobody needs this visit: one token a row, all of them gone."""
        gone = self._gone
        if gone is None or not step.carry_free or gone.shape[1] != 1:
            return False
        return bool(gone.all())

    def pass_on(self, step: _Step, base: Tensor, value: Tensor) -> Tensor:
        """Copy the state of the tokens that left up to this visit, then let others leave."""
        if not self._active:
            return value
        if self._gone is not None and self._kept is not None:
            value = torch.where(_over(self._gone, value), self._kept, value)
        if step.exit is not None:
            self._leave(step.exit, base, value)
        return value

    def _leave(self, test: Exit, base: Tensor, value: Tensor) -> None:
        reduce, decode = self._model._reduce, self._model.decode  # pyright: ignore[reportPrivateUsage]
        margin = test(reduce(base), reduce(value), decode)
        if self._gone is not None:  # who left decides nothing any more
            margin = margin.masked_fill(self._gone, torch.inf)
        self._gone = margin > 0
        self._kept = value
        real = self._frame.real
        share = (self._gone & real).sum() / real.sum().clamp(min=1)
        self._frame.note("exit", margin, "margin")
        self._frame.note("left", share, "count")


def _same(x: Tensor) -> Tensor:
    return x


def _work(visit: VisitModule, entry: PoolEntry) -> Inner:
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


def _visit(
    step: _Step, base: Tensor, read: Tensor, heard: Tensor | None, carry: Carry, frame: Frame
) -> tuple[Tensor, Carry]:
    """Run one visit: streams (B, T[, n], W) to the same, and its next carry."""
    x = step.residual.read(read)  # (B, T, W)
    if step.router is None:
        y, carry = step.work(x, carry, frame)
        return _written(step, base, read, y, heard), carry
    y, worked, carry = step.router(x, step.work, carry, frame)
    new = _written(step, base, read, y, heard)
    return torch.where(_over(worked, new), new, base), carry


def _written(step: _Step, base: Tensor, read: Tensor, y: Tensor, heard: Tensor | None) -> Tensor:
    """Return the stream with the block's output y (B, T, W) and what was heard."""
    new = step.residual.write(base, read, y)
    if heard is not None and step.feedback is not None:
        new = torch.addcmul(new, heard, step.feedback)
    return step.after(new)


def _over(mask: Tensor, streams: Tensor) -> Tensor:
    """Broadcast (B, T) over streams (B, T[, n], W)."""
    return mask.reshape(*mask.shape, *(1,) * (streams.dim() - 2))


def _hook(module: nn.Module) -> object:
    return getattr(module, "after_step", None) if not isinstance(module, Model) else None
