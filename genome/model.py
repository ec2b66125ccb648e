"""The model of a genome: the graph is resolved once, a forward pass is a straight loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..blocks.frame import Frame, Note
from ..blocks.kinds import Carry, Exit, Norm, Residual, Router
from ..blocks.registry import Catalog
from .cost import carry_free, segment_length
from .feedback import Echo, Heard, joined_notes, piece_of, pieces
from .graph import EMBEDDING, Genome, Visit
from .leaving import Leaver
from .visiting import PoolEntry, Step, VisitModule, run_visit, work_of


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
        self, tokens: Tensor, carry: ModelCarry | None, frame: Frame, steps: list[Step]
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
        steps: list[Step],
        echo: Echo | None,
    ) -> tuple[list[Tensor], tuple[Carry, ...]]:
        values = dict[int, Tensor]({EMBEDDING: streams})
        after = list[Carry]()
        leaving = bool(self.exits) and not self.training
        leaver = Leaver(frame, active=leaving, reduce=self._reduce, decode=self.decode)
        for step in steps:
            frame.visit = step.name
            carry = carries[step.number] if carries else None
            base = values[step.base]
            if leaver.skips(step):
                value, carry = base, None
            else:
                read = step.merged([values[i] for i in step.reads])
                heard = None if echo is None else echo.of(step.above)
                value, carry = run_visit(step, base, read, heard, carry, frame)
            values[step.number] = leaver.pass_on(step, base, value)
            after.append(carry)
        return [values[step.number] for step in self._steps], tuple(after)

    def _order(self) -> list[Step]:
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

    def _step(self, number: int, visit: Visit, catalog: Catalog) -> Step:
        module = cast(VisitModule, self.visits[number])
        entry = cast(PoolEntry, self.pool[visit.block])
        exits = dict(self.exits.items())
        return Step(
            number,
            f"visits.{number}",
            module.merged,
            cast(Residual, module.residual),
            cast("Router | None", module.router),
            work_of(module, entry),
            module.norm("sum"),
            visit.reads,
            visit.base_read,
            cast("Exit | None", exits.get(str(number))),
            carry_free(self.genome, visit, catalog),
            self.genome.readers(number),
            module.feedback,
        )


def _hook(module: nn.Module) -> object:
    return getattr(module, "after_step", None) if not isinstance(module, Model) else None
