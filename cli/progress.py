"""What has happened in a run so far, for whatever shows it, and what counts it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from ..blocks.registry import installed
from ..evaluator.ladder import Ladder
from ..evaluator.result import Result
from ..genome.identity import genome_id
from ..market.manifest import Manifest
from ..search.base import Asked, Assignment, Birth, Event, Finished, Key, key_of
from .conditions import Pause
from .counted import counted
from .launch import finals_of, stage_tokens
from .places import short, short_tokens

if TYPE_CHECKING:
    from .display import Display
    from .node import Node

Best = tuple[int, float, str]
"""Rung, bits per byte and genome."""


@dataclass
class Status:
    """What has happened so far, for all displays.

    Times and ``tokens`` are of this call alone; ``running`` are genome and rung by birth. ``terms``
    are the limits that its owner set.
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
    running: dict[Birth, str] = field(default_factory=dict[Birth, str])
    pause: Pause | None = None
    terms: Mapping[str, object] = field(default_factory=dict[str, object])
    _day: date | None = field(default=None, init=False)
    _of_day: int = field(default=0, init=False)
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

    @property
    def results_today(self) -> int:
        """Results of this call since local midnight."""
        return self._of_day if self._day == self.today() else 0

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
            self._day, self._of_day = day, 0
        self._of_day += 1
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
    """Return the status of a run that was worked on before, here or by others who are believed."""
    status = Status(manifest)
    asked, elsewhere, several = dict[Key, Assignment](), dict[Key, Assignment](), list(events)
    catalog = installed()
    for event in several:
        if isinstance(event, Asked):
            a = event.assignment
            asked.setdefault(Key(genome_id(a.genome, catalog), a.rung, a.replica), a)
        elif isinstance(event, Finished) and event.asked is not None:
            elsewhere.setdefault(key_of(event.result), event.asked)
    for result in counted(several):
        assignment = asked.get(key_of(result)) or elsewhere.get(key_of(result))
        if assignment is not None:
            status.take(assignment, result)
    status.tokens_before, status.tokens = status.tokens, 0
    return status


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
