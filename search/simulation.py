"""Workers without machines: a search at work in simulated time, for tests and benchmarks."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random

from ..evaluator.result import Result
from .base import Asked, Assignment, Birth, Event, Expired, Finished, Search


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
    """Run *search* until nothing is asked and nobody works; return the ordered log.

    Each evaluation takes ``seconds(rng)`` of simulated time. With probability *deaths* its worker
    dies instead; that is told as ``Expired`` when it would have ended. With probability *late* it
    is given up by mistake: that is told as ``Expired``, too, and its result comes in later.
    """
    log: list[Event] = []
    due: list[tuple[float, int, Assignment]] = []
    given_up: set[Birth] = set()
    now, number = 0.0, 0

    def tell(event: Event) -> None:
        log.append(event)
        search.tell([event])

    while True:
        while len(due) - len(given_up) < workers and (
            asked := search.ask(Birth(run, author, number))
        ):
            tell(Asked(asked))
            heapq.heappush(due, (now + seconds(rng), number, asked))
            number += 1
        if not due:
            return log
        now, place, ended = heapq.heappop(due)
        if ended.birth in given_up:
            given_up.remove(ended.birth)
            tell(Finished(evaluate(ended)))
        elif rng.random() < deaths:
            tell(Expired(ended.birth))
        elif late and rng.random() < late:
            given_up.add(ended.birth)
            heapq.heappush(due, (now + seconds(rng), place, ended))
            tell(Expired(ended.birth))
        else:
            tell(Finished(evaluate(ended)))
