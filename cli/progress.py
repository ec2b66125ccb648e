"""What a run shows while it works: a live display, lines of key=value, or lines of JSON."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..blocks.registry import installed
from ..evaluator.ladder import Ladder
from ..evaluator.result import Result
from ..genome.identity import genome_id
from ..market.manifest import Manifest
from ..reports.quantities import duration
from ..search.base import Asked, Assignment, Event, Finished
from .launch import finals_of, stage_tokens
from .output import event_json, notice, notices
from .places import short, short_tokens

if TYPE_CHECKING:
    from .node import Node

LINE_SECONDS = 30.0

Best = tuple[int, float, str]
"""Rung, bits per byte and genome."""


@dataclass
class Status:
    """What has happened so far, for all displays; times and ``tokens`` are of this call alone."""

    manifest: Manifest
    now: Callable[[], float] = time.monotonic
    born: int = 0
    finals_done: int = 0
    failed: int = 0
    tokens: int = 0
    tokens_before: int = 0
    rungs: Counter[int] = field(default_factory=Counter[int])
    best: Best | None = None
    best_heir: Best | None = None
    baseline: dict[int, float] = field(default_factory=dict[int, float])
    node: Node | None = None
    started: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.started = self.now()
        self.births = self.manifest.births
        self.finals = finals_of(self.manifest)
        self.rival = self.manifest.rival
        self._ladder = Ladder(self.manifest.rungs)
        self._total = sum(stage_tokens(self.manifest).values())

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self.now() - self.started

    def left(self) -> float:
        """About how many seconds are left, at the speed so far; 0 before there is any."""
        return self._seconds(max(0, self._total - self.tokens - self.tokens_before))

    def finals_seconds(self) -> float:
        """About how many seconds the finals take from now, at the speed so far."""
        return self._seconds(self._ladder.top * max(0, self.finals - self.finals_done))

    def take(self, assignment: Assignment, result: Result) -> None:
        """Count a result."""
        promoted = assignment.origin == "promote"
        self.tokens += self._ladder.work(result.rung) if promoted else result.rung
        self.failed += not result.ok
        if assignment.replica != 0:
            self.finals_done += 1
            return
        self.born += result.rung == self._ladder.lowest
        self.rungs[result.rung] += 1
        bits = result.bits_per_byte
        if bits is None:
            return
        if assignment.origin in (f"starter:{self.rival}", "tuning"):
            self.baseline[result.rung] = min(bits, self.baseline.get(result.rung, bits))
        found = (result.rung, bits, result.genome)
        if result.inherited_tokens:
            self.best_heir = _better(found, self.best_heir)
        else:
            self.best = _better(found, self.best)

    def _seconds(self, tokens: int) -> float:
        return tokens * self.elapsed / self.tokens if self.tokens else 0.0


def _better(one: Best, other: Best | None) -> Best:
    """Return the one at the higher rung, or with fewer bits, of equals the other."""
    if other is None or (-one[0], one[1]) < (-other[0], other[1]):
        return one
    return other


def restored(manifest: Manifest, events: Iterable[Event]) -> Status:
    """Return the status of a run that was worked on before."""
    status = Status(manifest)
    asked = dict[tuple[str, int, int], Assignment]()
    catalog = installed()
    for event in events:
        if isinstance(event, Asked):
            a = event.assignment
            asked[genome_id(a.genome, catalog), a.rung, a.replica] = a
        elif isinstance(event, Finished):
            result = event.result
            assignment = asked.get((result.genome, result.rung, result.replica))
            if assignment is not None:
                status.take(assignment, result)
    status.tokens_before, status.tokens = status.tokens, 0
    return status


class Display(Protocol):
    """Shows a status; a ``Watcher`` of the loop tells it when."""

    def start(self) -> None:
        """Begin to show."""
        ...

    def result(self, assignment: Assignment, result: Result) -> None:
        """Show that a result came in."""
        ...

    def tick(self, pending: int) -> None:
        """Show that time passes."""
        ...

    def stop(self) -> None:
        """End the display."""
        ...


@dataclass
class Lines:
    """One line of key=value each half minute, to stderr."""

    status: Status
    _last: float = field(default=0.0, init=False)

    def start(self) -> None:
        """Count from now."""
        self._last = self.status.now()

    def result(self, assignment: Assignment, result: Result) -> None:
        """Wait for the next line."""

    def tick(self, pending: int) -> None:
        """Print a line if it is time."""
        if self.status.now() - self._last >= LINE_SECONDS:
            self._last = self.status.now()
            notice(line_of(self.status, pending))

    def stop(self) -> None:
        """Print the last line."""
        notice(line_of(self.status, 0))


@dataclass
class JsonLines:
    """One JSON object for each event, to stdout."""

    status: Status

    def start(self) -> None:
        """Say that the run begins."""
        event_json("run/1", 0.0, "start", births=self.status.births, finals=self.status.finals)

    def result(self, assignment: Assignment, result: Result) -> None:
        """Print the result."""
        event_json(
            "run/1",
            self.status.elapsed,
            "result",
            genome=result.genome,
            rung_tokens=result.rung,
            replica=result.replica,
            origin=assignment.origin,
            bits_per_byte=result.bits_per_byte,
            test_bits_per_byte=result.test_bits_per_byte,
            inherited_tokens=result.inherited_tokens,
            failure=result.failure,
            reason=result.reason,
            seconds=round(result.measured.seconds, 3),
        )

    def tick(self, pending: int) -> None:
        """Print nothing: events speak."""

    def stop(self) -> None:
        """Print nothing: the command says how it ended."""


@dataclass
class Screen:
    """A display that moves, for a terminal."""

    status: Status
    _live: Live | None = field(default=None, init=False)

    def start(self) -> None:
        """Take the lower lines of the terminal."""
        self._live = Live(console=notices(), refresh_per_second=4, transient=True)
        self._live.start()

    def result(self, assignment: Assignment, result: Result) -> None:
        """Show it at the next tick."""

    def tick(self, pending: int) -> None:
        """Draw the bars and the best so far."""
        if self._live is not None:
            self._live.update(drawn(self.status, pending))

    def stop(self) -> None:
        """Give the lines back and leave the last state."""
        if self._live is not None:
            self._live.stop()
            notices().print(drawn(self.status, 0))


@dataclass
class Quiet:
    """Shows nothing."""

    def start(self) -> None:
        """Show nothing."""

    def result(self, assignment: Assignment, result: Result) -> None:
        """Show nothing."""

    def tick(self, pending: int) -> None:
        """Show nothing."""

    def stop(self) -> None:
        """Show nothing."""


def line_of(status: Status, pending: int) -> str:
    """Return the status as one line of key=value."""
    pairs = {
        "t": duration(status.elapsed).replace(" ", ""),
        "births": f"{status.born}/{status.births}",
        "rungs": ",".join(f"{short_tokens(r)}:{n}" for r, n in sorted(status.rungs.items())),
        "finals": f"{status.finals_done}/{status.finals}",
        "running": pending,
        "failed": status.failed,
        "left": duration(status.left()).replace(" ", ""),
    }
    if status.node is not None:
        pairs |= status.node.field()
    if status.best is not None:
        rung, bits, genome = status.best
        pairs |= {"best": f"{bits:.3f}", "genome": short(genome), "at": short_tokens(rung)}
        if rung in status.baseline:
            pairs[status.rival] = f"{status.baseline[rung]:.3f}"
    if status.best_heir is not None:
        rung, bits, genome = status.best_heir
        pairs |= {"inherited": f"{bits:.3f}", "heir": short(genome), "heir_at": short_tokens(rung)}
    return " ".join(f"{key}={value}" for key, value in pairs.items())


def drawn(status: Status, pending: int) -> Group:
    """Return the status as bars and a line."""
    grid = Table.grid(padding=(0, 2))
    for label, done, total in (
        ("search", status.born, status.births),
        ("finals", status.finals_done, status.finals),
    ):
        bar = ProgressBar(total=max(1, total), completed=done, width=30)
        grid.add_row(label, bar, f"{done}/{total}")
    rungs = " | ".join(f"{short_tokens(r)} {n}" for r, n in sorted(status.rungs.items()))
    grid.add_row("ladder", Text(rungs or "-"), f"failed {status.failed}, running {pending}")
    if status.node is not None:
        told = status.node.field()
        grid.add_row("others", Text(f"peers {told['peers']}, records {told['foreign']}"), "")
    best = "-"
    if status.best is not None:
        rung, bits, genome = status.best
        best = f"{short(genome)} {bits:.3f} bits/byte at {short_tokens(rung)} tokens"
        if rung in status.baseline:
            best += f"  ({status.rival} {status.baseline[rung]:.3f})"
    if status.best_heir is not None:
        rung, bits, genome = status.best_heir
        best += f"; inherited: {short(genome)} {bits:.3f} at {short_tokens(rung)}"
    times = f"{duration(status.elapsed)}, about {duration(status.left())} left"
    return Group(grid, Text(f"best    {escape(best)}"), Text(f"time    {times}"))


@dataclass
class Watching:
    """The watcher of the loop: counts, and tells the display."""

    status: Status
    display: Display
    on_search_result: Callable[[], None]

    def on_asked(self, assignment: Assignment) -> None:
        """Nothing is shown of an ask."""

    def on_finished(self, assignment: Assignment, result: Result) -> None:
        """Count and show a result."""
        self.status.take(assignment, result)
        if assignment.replica == 0:
            self.on_search_result()
        self.display.result(assignment, result)

    def on_wait(self, pending: int) -> None:
        """Let the display move."""
        self.display.tick(pending)
