"""Replay: ask a run again, from its log, why it did what it did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from .base import Asked, Assignment, Event, Search


@dataclass(frozen=True)
class Reasked:
    """An ask of a log and what a replay answers there; ``place`` counts the log's events from 0."""

    place: int
    logged: Assignment
    replayed: Assignment | None

    @property
    def equal(self) -> bool:
        """Whether both are the same in all that is in them, lineage included."""
        return repr(self.replayed) == repr(self.logged)  # equality passes over lineage ids

    @property
    def differing(self) -> tuple[str, ...]:
        """What differs, by the names of an assignment's fields, or ``lineage`` alone."""
        names = [field.name for field in fields(Assignment)]
        other = self.replayed
        if other is None:
            return tuple(names)
        found = [name for name in names if getattr(self.logged, name) != getattr(other, name)]
        return tuple(found) if found or self.equal else ("lineage",)

    def __str__(self) -> str:
        birth = self.logged.birth
        replayed = "nothing" if self.replayed is None else _told(self.replayed)
        return (
            f"event {self.place}, ask {birth.number} of {birth.author}: the log has "
            f"{_told(self.logged)}, the replay {replayed}; "
            "the log, the seed, the space or the code is another one"
        )


def reask(
    search: Search, events: Iterable[Event], *, author: str | None = None
) -> Iterator[Reasked]:
    """Feed an ordered log to a new *search* and yield each of its asks, asked again.

    Each is asked from what the log says of before, whatever was answered to the others. With an
    *author*, the asks of others are only told: they came from another state.
    """
    for place, event in enumerate(events):
        if isinstance(event, Asked) and author in (None, event.assignment.birth.author):
            yield Reasked(place, event.assignment, search.ask(event.assignment.birth))
        search.tell([event])


def replay(search: Search, events: Iterable[Event], *, author: str) -> Reasked | None:
    """Feed the ordered log of *author* to a new *search*; return the first ask that differs."""
    return next((asked for asked in reask(search, events, author=author) if not asked.equal), None)


def _told(assignment: Assignment) -> str:
    parents = " and ".join(assignment.parents) or "nothing"
    return f"{assignment.origin or 'an ask'} from {parents} to rung {assignment.rung}"
