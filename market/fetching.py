"""Fetching: the state of a parent that others trained is asked of them before its child goes out.

It spares the training of the whole line of ancestors, and nothing hangs on it: where nobody sends
it in time, or what came is not sound, the line is trained. While it is on its way others go out.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from ..evaluator.job import Job, Offer, Setup, received_name, state_bytes
from ..evaluator.pool import Answers, Pool
from ..genome.graph import Genome
from .plan import Plan
from .tally import TOLERANCE

PATIENCE = 30.0
"""The most seconds that a job waits for a state, of which each that is asked for has its share."""

OFFERS = 3
"""Of how many trainings of one parent the states are asked for; all have about the same."""

LOOK = 0.05
"""Seconds between looks whether something came, where nothing else is to be waited for."""


class Source(Protocol):
    """Where files of weights come from: each to ``Setup.received_path``."""

    def fetch(self, weights: str, size: int) -> None:
        """Begin to fetch the file with this SHA-256, of at most *size* bytes."""
        ...

    def fetched(self, weights: str) -> bool | None:
        """Whether the file came, None as long as that is not known."""
        ...


def offers_of(plan: Plan, job: Job) -> Sequence[Offer]:
    """Return the states of the last ancestor of *job* that trusted results name, the first first.

    They are results of just that training: of the same genome and line.
    """
    if not job.line:
        return ()
    parent = plan.identify(job.line[-1])
    heritage = Job(job.line[-1], plan.manifest.rungs[0], line=job.line[:-1]).heritage
    training = (parent, plan.manifest.rungs[0], job.replica, heritage)
    found = dict[str, Offer]()
    for result in plan.results:
        weights, costs, bits = result.measured.weights, result.costs, result.bits_per_byte
        same = (result.genome, result.rung, result.replica, result.heritage) == training
        if same and weights and weights not in found and costs is not None and bits is not None:
            size = state_bytes(costs.parameters)
            found[weights] = Offer(
                weights, size, bits, result.inherited_tokens, TOLERANCE, result.curve
            )
    return list(found.values())[:OFFERS]


def fetching(pool: Pool[str], setup: Setup, plan: Plan, source: Source) -> Pool[str]:
    """Return *pool* as one that fetches what the jobs of a plan may begin with."""
    return FetchingPool(pool, setup, plan.identify, lambda job: offers_of(plan, job), source)


@dataclass
class _Held:
    """A job that waits for one of several states: the one that is asked for, and those left."""

    job: Job
    until: float
    asked: Offer
    left: deque[Offer]


@dataclass
class FetchingPool:
    """A pool that fetches what a job may begin with before it hands it out.

    As many jobs as the pool has room for may wait beside those that run, so no worker stands idle.

    Args:
        pool: where jobs run.
        setup: what it evaluates with.
        identify: the id of a genome.
        offers: the states that a job may begin with.
        source: where they come from.
        clock: seconds, monotonic.
    """

    pool: Pool[str]
    setup: Setup
    identify: Callable[[Genome], str]
    offers: Callable[[Job], Sequence[Offer]]
    source: Source
    clock: Callable[[], float] = time.monotonic
    _held: dict[str, _Held] = field(default_factory=dict[str, _Held], init=False)
    _out: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._clear()  # of a process that was killed

    @property
    def capacity(self) -> int:
        """How many jobs run at once, and beside them those that wait for a state."""
        return self.pool.capacity + min(len(self._held), self.pool.capacity)

    def submit(self, key: str, job: Job) -> None:
        """Take a job. A key that is out may not be submitted again."""
        offers = deque(self.offers(job) if self._lacks_a_state(job) else ())
        if not offers:
            self._hand_out(key, job)
            return
        job = replace(job, offers=tuple(offers))
        held = _Held(job, self.clock() + PATIENCE, offers.popleft(), offers)
        self._held[key] = held
        self._fetch(held.asked)

    def wait(self, timeout: float | None = None) -> Answers[str]:
        """Return what finished, as ``Pool.wait``; what came is handed out meanwhile."""
        end = None if timeout is None else self.clock() + timeout
        while True:
            self._release()
            if not self._held:
                left = None if end is None else max(0.0, end - self.clock())
                return self._done(self.pool.wait(left))
            if self._out and (found := self._done(self.pool.wait(LOOK))):
                return found
            if end is not None and self.clock() >= end:
                return []
            if not self._out:
                time.sleep(LOOK)

    def pause(self) -> None:
        """Begin nothing until ``resume``; what is fetched comes meanwhile."""
        self.pool.pause()

    def resume(self) -> None:
        """Go on where the pause began."""
        self.pool.resume()

    def close(self) -> None:
        """Stop at once; what is out or waits is lost."""
        self._held.clear()
        self.pool.close()
        self._clear()  # what came too late

    def _clear(self) -> None:
        """Remove what was received and is of no job."""
        for left in Path(self.setup.folder).glob(f"{received_name('*')}*"):
            left.unlink(missing_ok=True)

    def _done(self, answers: Answers[str]) -> Answers[str]:
        self._out -= len(answers)
        return answers

    def _hand_out(self, key: str, job: Job) -> None:
        self._out += 1
        self.pool.submit(key, job)

    def _release(self) -> None:
        """Hand out what waits no longer, and ask for the next state of those whose did not come."""
        for key, held in list(self._held.items()):
            came, late = self.source.fetched(held.asked.weights), self.clock() >= held.until
            if came is False and held.left and not late:
                held.asked = held.left.popleft()
                self._fetch(held.asked)
            elif came is not None or late:
                del self._held[key]
                self._hand_out(key, held.job)

    def _fetch(self, offer: Offer) -> None:
        self.source.fetch(offer.weights, offer.size)

    def _lacks_a_state(self, job: Job) -> bool:
        """Whether neither the genome of a job nor its parent was trained here before."""
        if not job.line:
            return False
        *older, parent = job.line
        before = replace(job, genome=parent, line=tuple(older))
        rungs = (rung for rung in self.setup.rungs if rung <= job.rung)
        own = [self._state(job, rung) for rung in rungs]
        paths = [*own, self._state(before, self.setup.ladder.lowest)]
        return not any(path.exists() for path in paths)

    def _state(self, job: Job, rung: int) -> Path:
        name = self.identify(job.genome)
        return self.setup.checkpoint_path(name, rung, job.replica, job.heritage)
