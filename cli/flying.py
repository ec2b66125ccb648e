"""What is worked on here, told to the node of the run, and what others work on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..market.swarm.flights import MOST_WORKS
from ..search.base import Key, key_of

if TYPE_CHECKING:
    from ..evaluator.result import Result
    from ..genome.graph import Genome
    from ..market.swarm.parent import Told
    from ..market.worker import Watcher
    from ..search.base import Assignment
    from .node import Node

LINGER = 240.0
"""The seconds that a work is still told of once it is done, until its record is everywhere: of a
thousand peers it may be held back for 110 at first (``commitments``), and spreads in 100.
"""

FRESH = 20.0
"""The seconds after which what a node said of others is of a node that is gone."""


@dataclass
class Flying:
    """A watcher that also tells the node what is worked on here, for others to leave alone."""

    watcher: Watcher
    node: Node
    identify: Callable[[Genome], str]
    clock: Callable[[], float] = time.monotonic
    _until: dict[Key, float | None] = field(default_factory=dict[Key, "float | None"], init=False)

    def on_asked(self, assignment: Assignment) -> None:
        """Tell of one more."""
        work = Key(self.identify(assignment.genome), assignment.rung, assignment.replica)
        self._until[work] = None
        self._tell()
        self.watcher.on_asked(assignment)

    def on_finished(self, assignment: Assignment, result: Result) -> None:
        """Tell of it for a little while."""
        self._until[key_of(result)] = self.clock() + LINGER
        self.watcher.on_finished(assignment, result)

    def on_wait(self, pending: int) -> None:
        """Tell no more of what was done a while ago."""
        now = self.clock()
        gone = [work for work, until in self._until.items() if until is not None and until <= now]
        for work in gone:
            del self._until[work]
        if gone:
            self._tell()
        self.watcher.on_wait(pending)

    def others(self) -> Mapping[str, Sequence[Key]]:
        """Return what others work on, by author."""
        said = self._said("flights")
        if said is None:
            return {}
        return {author: list(map(Key._make, works)) for author, works in said["others"].items()}

    def committed(self) -> Sequence[str]:
        """Return the records to which their authors were bound before they could have copied."""
        said = self._said("committed")
        return () if said is None else said["records"]

    def _said(self, event: str) -> Told | None:
        """Return what the node said last, None if it has been gone for a while."""
        fresh = self.clock() - self.node.heard <= FRESH
        return self.node.process.latest.get(event) if fresh else None

    def _tell(self) -> None:
        """Tell of what runs first; of what is done, as much as a node takes, the last first.

        The records of those are everywhere last.
        """
        untils = {w: math.inf if until is None else until for w, until in self._until.items()}
        order = sorted(untils, key=untils.__getitem__, reverse=True)
        self.node.process.tell("flights", again=True, works=order[:MOST_WORKS])
