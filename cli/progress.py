"""What a run shows while it works: a live display, lines of key=value, or lines of JSON."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
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
from ..search.base import Asked, Assignment, Birth, Event, Finished, Key, key_of
from .channel import Order
from .conditions import Pause, bytes_text
from .disk import Kept
from .launch import finals_of, stage_tokens
from .output import event_json, notice, notices
from .places import short, short_tokens

if TYPE_CHECKING:
    from .node import Node

LINE_SECONDS = 60.0

Best = tuple[int, float, str]
"""Rung, bits per byte and genome."""


@dataclass
class Status:
    """What has happened so far, for all displays.

    Times, ``tokens`` and ``results_today`` (since local midnight) are of this call alone;
    ``running`` are genome and rung by birth. ``terms`` are the limits that its owner set.
    """

    manifest: Manifest
    now: Callable[[], float] = time.monotonic
    today: Callable[[], date] = date.today
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
    results_today: int = 0
    running: dict[Birth, str] = field(default_factory=dict[Birth, str])
    pause: Pause | None = None
    terms: Mapping[str, object] = field(default_factory=dict[str, object])
    _day: date | None = field(default=None, init=False)
    _paused: float = field(default=0.0, init=False)
    _since: float = field(default=0.0, init=False)
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

    @property
    def worked(self) -> float:
        """Seconds since the call began, less those of pauses."""
        now = self.now()
        return now - self.started - self._paused - (now - self._since if self.pause else 0.0)

    def hold(self, pause: Pause | None) -> None:
        """Note that a pause begins, or that it ended."""
        if self.pause is not None:
            self._paused += self.now() - self._since
        self.pause, self._since = pause, self.now()

    def begin(self, assignment: Assignment) -> None:
        """Note what is evaluated from now on."""
        name = short(genome_id(assignment.genome, installed()))
        self.running[assignment.birth] = f"{name}@{short_tokens(assignment.rung)}"

    def end(self, assignment: Assignment, result: Result) -> None:
        """Count a result of this call."""
        self.running.pop(assignment.birth, None)
        if (day := self.today()) != self._day:
            self._day, self.results_today = day, 0
        self.results_today += 1
        self.take(assignment, result)

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
        return tokens * self.worked / self.tokens if self.tokens else 0.0


def _better(one: Best, other: Best | None) -> Best:
    """Return the one at the higher rung, or with fewer bits, of equals the other."""
    if other is None or (-one[0], one[1]) < (-other[0], other[1]):
        return one
    return other


def restored(manifest: Manifest, events: Iterable[Event]) -> Status:
    """Return the status of a run that was worked on before."""
    status = Status(manifest)
    asked = dict[Key, Assignment]()
    catalog = installed()
    for event in events:
        if isinstance(event, Asked):
            a = event.assignment
            asked[Key(genome_id(a.genome, catalog), a.rung, a.replica)] = a
        elif isinstance(event, Finished):
            result = event.result
            assignment = asked.get(key_of(result))
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

    def paused(self, pause: Pause | None) -> None:
        """Show that a pause begins, or with None that it ended."""
        ...

    def told(self, order: Order) -> None:
        """Show that the owner gave an order."""
        ...

    def pruned(self, kept: Kept) -> None:
        """Show that old checkpoints went."""
        ...

    def stop(self) -> None:
        """End the display."""
        ...


@dataclass
class Lines:
    """One line of key=value a minute, to stderr, and one where something changes."""

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

    def paused(self, pause: Pause | None) -> None:
        """Print why, or that work goes on."""
        notice("working     again" if pause is None else f"paused      {pause}")

    def told(self, order: Order) -> None:
        """Print the order."""
        notice(f"told        to {order.value}")

    def pruned(self, kept: Kept) -> None:
        """Print how much went."""
        notice(pruned_text(kept))

    def stop(self) -> None:
        """Print the last line."""
        notice(line_of(self.status, 0))


@dataclass
class JsonLines:
    """One JSON object for each event, and one a minute, to stdout."""

    status: Status
    _last: float = field(default=0.0, init=False)

    def start(self) -> None:
        """Say that the run begins, and within which limits."""
        self._last = self.status.now()
        event_json(
            "run/1", 0.0, "start", births=self.status.births, finals=self.status.finals,
            limits=dict(self.status.terms),
        )  # fmt: skip

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
        """Print how far it is, if it is time."""
        if self.status.now() - self._last >= LINE_SECONDS:
            self._last = self.status.now()
            event_json(
                "run/1", self.status.elapsed, "progress", **progress_of(self.status, pending)
            )

    def paused(self, pause: Pause | None) -> None:
        """Print why, or that work goes on."""
        if pause is None:
            event_json("run/1", self.status.elapsed, "resumed")
            return
        event_json(
            "run/1", self.status.elapsed, "paused", by=pause.by, why=pause.why, until=pause.until
        )

    def told(self, order: Order) -> None:
        """Print the order."""
        event_json("run/1", self.status.elapsed, "told", order=order.value)

    def pruned(self, kept: Kept) -> None:
        """Print how much went."""
        event_json(
            "run/1", self.status.elapsed, "pruned", checkpoints=kept.files,
            pruned_bytes=kept.pruned, kept_bytes=kept.bytes,
        )  # fmt: skip

    def stop(self) -> None:
        """Print nothing: the command says how it ended."""


@dataclass
class Screen:
    """A display that moves, for a terminal; ``keys`` says which are taken."""

    status: Status
    keys: str = ""
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
            self._live.update(drawn(self.status, pending, self.keys))

    def paused(self, pause: Pause | None) -> None:
        """Show it at the next tick."""

    def told(self, order: Order) -> None:
        """Print what cannot be seen at the next tick."""
        if order in (Order.FINISH, Order.STOP):
            notice(f"told        to {order.value}; everything finished is stored")

    def pruned(self, kept: Kept) -> None:
        """Print how much went."""
        notice(pruned_text(kept))

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

    def paused(self, pause: Pause | None) -> None:
        """Show nothing."""

    def told(self, order: Order) -> None:
        """Show nothing."""

    def pruned(self, kept: Kept) -> None:
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
        "now": now_text(status) or "-",
        "today": status.results_today,
        "failed": status.failed,
        "left": duration(status.left()).replace(" ", ""),
    }
    if status.pause is not None:
        pairs |= {"paused": status.pause.by, "until": status.pause.until.replace(" ", "")}
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


def progress_of(status: Status, pending: int) -> dict[str, object]:
    """Return the status as the figures of an event."""
    return {
        "births_done": status.born,
        "births": status.births,
        "finals_done": status.finals_done,
        "finals": status.finals,
        "running": pending,
        "now": list(status.running.values()),
        "results_today": status.results_today,
        "failed": status.failed,
        "seconds_left": round(status.left()),
        "paused": status.pause and status.pause.by,
        **({} if status.node is None else status.node.field()),
    }


def now_text(status: Status) -> str:
    """Return genome and rung of what is evaluated; of several the first, and how many more."""
    first, *others = [*status.running.values(), ""]
    return f"{first}+{len(others) - 1}" if len(others) > 1 else first


def pruned_text(kept: Kept) -> str:
    """Return what was removed, in words."""
    return (
        f"disk        {kept.files} old checkpoints of {bytes_text(kept.pruned)} are removed; "
        f"{bytes_text(kept.bytes)} are kept"
    )


def drawn(status: Status, pending: int, keys: str = "") -> Group:
    """Return the status as bars and lines."""
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
        held = f"held {told['held']}, acknowledged {told['acknowledged']}, behind {told['behind']}"
        grid.add_row("others", Text(f"peers {told['peers']}, records {told['foreign']}"), held)
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
    lines = {"best": escape(best), "now": now_text(status), "time": times, "keys": keys}
    lines["paused"] = "" if status.pause is None else str(status.pause)
    return Group(grid, *(Text(f"{name:<7} {text}") for name, text in lines.items() if text))


@dataclass
class Watching:
    """The watcher of the loop: counts, and tells the display."""

    status: Status
    display: Display
    on_search_result: Callable[[], None]
    on_begin: Callable[[], None] = lambda: None

    def on_asked(self, assignment: Assignment) -> None:
        """Note what begins."""
        self.status.begin(assignment)
        self.on_begin()

    def on_finished(self, assignment: Assignment, result: Result) -> None:
        """Count and show a result."""
        self.status.end(assignment, result)
        if assignment.replica == 0:
            self.on_search_result()
        self.display.result(assignment, result)

    def on_wait(self, pending: int) -> None:
        """Let the display move."""
        self.display.tick(pending)
