"""Workers without machines: a search at work in simulated time, for tests and benchmarks."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from enum import IntEnum
from random import Random

from ..evaluator.result import Result
from .base import Asked, Assignment, Birth, Event, Expired, Finished, Search


class _Due(IntEnum):
    """What happens next to an assignment."""

    END = 0
    EXPIRY = 1
    ARRIVAL = 2


def simulate(
    search: Search,
    evaluate: Callable[[Assignment], Result],
    *,
    workers: int,
    seconds: Callable[[Random], float],
    rng: Random,
    deaths: float = 0.0,
    late: float = 0.0,
    run: str = "simulation",
    author: str = "worker",
) -> list[Event]:
    """Return the ordered log of ``timed``, with times that do not hang on the assignment."""
    events = timed(
        search,
        evaluate,
        workers=workers,
        seconds=lambda _, rng: seconds(rng),
        rng=rng,
        deaths=deaths,
        late=late,
        run=run,
        author=author,
    )
    return [event for _, event in events]


def timed(
    search: Search,
    evaluate: Callable[[Assignment], Result],
    *,
    workers: int,
    seconds: Callable[[Assignment, Random], float],
    rng: Random,
    deaths: float = 0.0,
    late: float = 0.0,
    lease: float = 0.0,
    run: str = "simulation",
    author: str = "worker",
) -> Iterator[tuple[float, Event]]:
    """Run *search* until nothing is asked and nobody works; yield the time and what it is told.

    Each evaluation takes ``seconds(assignment, rng)`` of simulated time. With probability *deaths*
    its worker dies just before the end, the worst moment: another takes its place at once, and
    after *lease* the loss is noticed and told as ``Expired``. With probability *late* a result is
    on its way for longer than the lease, as long as ``seconds`` says when asked again: that is told
    as ``Expired``, too, and it comes in later.
    """
    due: list[tuple[float, int, _Due, Assignment]] = []
    idle, now, number = workers, 0.0, 0
    while True:
        while idle and (asked := search.ask(Birth(run, author, number))):
            search.tell([Asked(asked)])
            yield now, Asked(asked)
            heapq.heappush(due, (now + seconds(asked, rng), number, _Due.END, asked))
            idle, number = idle - 1, number + 1
        if not due:
            return
        now, place, what, assignment = heapq.heappop(due)
        if what is _Due.END:
            idle += 1
            lost = rng.random() < deaths
            delayed = not lost and late > 0 and rng.random() < late
            if delayed:
                arrival = now + lease + seconds(assignment, rng)
                heapq.heappush(due, (arrival, place, _Due.ARRIVAL, assignment))
            if lost or delayed:
                heapq.heappush(due, (now + lease, place, _Due.EXPIRY, assignment))
                continue
        expired = what is _Due.EXPIRY
        event = Expired(assignment.birth) if expired else Finished(evaluate(assignment))
        search.tell([event])
        yield now, event
