"""What shows a run while it works: a live display, lines of key=value, or lines of JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rich.live import Live

from .channel import Order
from .drawn import drawn, line_of, progress_of, pruned_text
from .output import event_json, notice, notices

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..evaluator.result import Result
    from ..search.base import Assignment
    from .conditions import Pause
    from .disk import Kept
    from .progress import Status

LINE_SECONDS = 60.0


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
class Minutes:
    """Says when a line is due: a minute after the last one, or after the begin."""

    now: Callable[[], float]
    _last: float = field(default=0.0, init=False)

    def begin(self) -> None:
        """Count from now."""
        self._last = self.now()

    def due(self) -> bool:
        """Return whether a line is due; then the next one is in a minute."""
        if self.now() - self._last < LINE_SECONDS:
            return False
        self.begin()
        return True


@dataclass
class Lines:
    """One line of key=value a minute, to stderr, and one where something changes."""

    status: Status
    _minutes: Minutes = field(init=False)

    def __post_init__(self) -> None:
        self._minutes = Minutes(self.status.now)

    def start(self) -> None:
        """Count from now."""
        self._minutes.begin()

    def result(self, assignment: Assignment, result: Result) -> None:
        """Wait for the next line."""

    def tick(self, pending: int) -> None:
        """Print a line if it is time."""
        if self._minutes.due():
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
    _minutes: Minutes = field(init=False)

    def __post_init__(self) -> None:
        self._minutes = Minutes(self.status.now)

    def start(self) -> None:
        """Say that the run begins, and within which limits."""
        self._minutes.begin()
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
        if self._minutes.due():
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
