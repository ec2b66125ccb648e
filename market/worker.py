"""The only loop: ask, evaluate, publish, tell. A lone run and a peer of a swarm both run it.

Nothing here knows how a search decides, how a genome is trained, or where records are kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from ..evaluator.job import Job
from ..evaluator.pool import Pool
from ..evaluator.result import Result
from ..search.base import Assignment, Birth, Event, Search

LOOK = 0.25
"""The most seconds between two questions what finished, and what the owner wants."""

TRIES = 8
"""How often in a row a search is asked anew because others added to the journal meanwhile."""


class Wish(Enum):
    """What the owner of the machine wants of the loop now."""

    WORK = "work"
    PAUSE = "pause"
    """Hand out nothing and hold what runs where it is, until another wish."""
    CLOSE = "close"
    """Time is up for new genomes: train the finalists, then end."""
    FINISH = "finish"
    """Hand out nothing more, wait for what runs, then end."""
    STOP = "stop"
    """End at once; what runs is asked again by whoever resumes."""


class Journal(Protocol):
    """Where asks and tells are kept, in order, before they count. Others may add to it meanwhile:
    what the search is told, and in what order, is what the journal holds.
    """  # noqa: D205

    def heard(self) -> Sequence[Event]:
        """Return what the journal holds and has not returned yet, in order."""
        ...

    def asked(self, assignment: Assignment) -> Sequence[Event]:
        """Note that an assignment is handed out and return that, for the search to be told.

        If the journal holds what it has not returned yet, it notes nothing and returns nothing: it
        was asked for without knowing that.
        """
        ...

    def finished(self, result: Result) -> None:
        """Keep a result for good."""
        ...

    def closed(self) -> None:
        """Note that no new genomes are wanted."""
        ...


class Watcher(Protocol):
    """Somebody who looks on: a progress display, a log."""

    def on_asked(self, assignment: Assignment) -> None:
        """An assignment was handed out."""
        ...

    def on_finished(self, assignment: Assignment, result: Result) -> None:
        """A result was stored."""
        ...

    def on_wait(self, pending: int) -> None:
        """Called a few times a second while evaluations run."""
        ...


@dataclass
class Worked:
    """How a loop ended: its last wish, and the seconds that the engine itself took."""

    wish: Wish = Wish.WORK
    results: int = 0
    engine_seconds: float = 0.0
    seconds: float = 0.0


@dataclass
class Worker:
    """Drives one search with one pool until the search has nothing more, or a wish ends it.

    ``birth`` is the next birth of this author; ``waiting`` are assignments that were asked before
    (by a process that died) and not answered: they go out first, as they are. ``waits`` says
    whether results of others are still to come that the search needs.
    """

    search: Search
    pool: Pool[str]
    journal: Journal
    watcher: Watcher
    wish: Callable[[], Wish]
    birth: Birth
    job: Callable[[Assignment], Job]
    waiting: Sequence[Assignment] = ()
    waits: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.perf_counter
    rest: Callable[[float], None] = time.sleep
    _running: dict[str, Assignment] = field(default_factory=dict[str, Assignment], init=False)
    _closed: bool = field(default=False, init=False)
    _behind: bool = field(default=False, init=False)
    _paused: bool = field(default=False, init=False)

    def run(self) -> Worked:
        """Work until nothing is left to do or a wish ends it."""
        worked, started, waiting = Worked(), self.clock(), list(self.waiting)
        while True:
            began = self.clock()
            worked.wish = self.wish()
            self._pause(worked.wish is Wish.PAUSE)
            if worked.wish is Wish.CLOSE:
                self._close()
            if worked.wish in (Wish.WORK, Wish.CLOSE):
                self._hand_out(waiting)
            worked.engine_seconds += self.clock() - began
            if worked.wish is Wish.STOP or self._is_through(worked.wish):
                break
            finished = self.pool.wait(0.0 if self._paused else LOOK)
            if self._paused or not self._running:
                self.rest(LOOK)
            began = self.clock()
            for key, result in finished:
                self._take(key, result)
                worked.results += 1
            self._hear()
            self.watcher.on_wait(len(self._running))
            worked.engine_seconds += self.clock() - began
        worked.seconds = self.clock() - started
        return worked

    def _is_through(self, wish: Wish) -> bool:
        """Whether nothing runs here, and there is nothing to wait for."""
        if self._running or self._behind or self._paused:
            return False
        return wish is Wish.FINISH or not self.waits()

    def _pause(self, paused: bool) -> None:
        if paused != self._paused:
            self._paused = paused
            (self.pool.pause if paused else self.pool.resume)()

    def _hand_out(self, waiting: list[Assignment]) -> None:
        while len(self._running) < self.pool.capacity:
            assignment = waiting.pop(0) if waiting else self._asked()
            if assignment is None:
                return
            key = f"{assignment.birth.author}/{assignment.birth.number}"
            self._running[key] = assignment
            self.watcher.on_asked(assignment)
            self.pool.submit(key, self.job(assignment))

    def _asked(self) -> Assignment | None:
        """Return what the search asks for, knowing all that the journal holds.

        If others add to the journal faster than the search asks, it is for the next turn.
        """
        self._behind = False
        for _ in range(TRIES):
            if (assignment := self.search.ask(self.birth)) is None:
                return None
            if noted := self.journal.asked(assignment):
                self.search.tell(noted)
                self.birth = Birth(self.birth.run, self.birth.author, self.birth.number + 1)
                return assignment
            self._hear()
        self._behind = True
        return None

    def _hear(self) -> None:
        if heard := self.journal.heard():
            self.search.tell(heard)

    def _take(self, key: str, result: Result) -> None:
        assignment = self._running.pop(key)
        self.journal.finished(result)
        self._hear()
        self.watcher.on_finished(assignment, result)

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self.journal.closed()
            self._hear()
