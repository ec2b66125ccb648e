"""What counts of a log: what people are shown is of results that are believed, each once."""

from __future__ import annotations

from collections.abc import Iterable

from ..evaluator.result import Result
from ..market.evidence import Work, work_of
from ..search.base import Event, Finished
from ..search.scores import TRUSTED


def last_weights(events: Iterable[Event]) -> dict[Result, float]:
    """Return how far each result counts by the end of a log, in its order.

    A log tells of a result again where it comes to count otherwise; what it told last is so.
    """
    found = dict[Result, float]()
    for event in events:
        if isinstance(event, Finished):
            found[event.result] = event.weight
    return found


def counted(events: Iterable[Event]) -> list[Result]:
    """Return the results that count by the end of a log, in its order.

    Of work that several did the first success stands for all. A claim that is not believed, or not
    any more, is none.
    """
    found, done = list[Result](), set[Work]()
    for result, weight in last_weights(events).items():
        if weight < TRUSTED or work_of(result) in done:
            continue
        found.append(result)
        if result.ok:
            done.add(work_of(result))
    return found
