"""What a peer saw for itself: who asked here, and which records of others came before it asked.

A record that was here before this peer asked for the same work cannot be a copy of what it then
measured; of one that came later nobody can tell. No record says that, only the order of the log
does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ..genome.graph import Genome
from ..search.asynchronous import PROMOTE
from ..search.audits import AUDIT
from ..search.base import Asked, Assignment, Finished, Key, key_of
from .reading import Told


@dataclass(frozen=True)
class Witness:
    """What the log of one peer says beside the records.

    ``own`` are the authors who asked here. ``early`` are the ids of the records of others that were
    here before an own ask for the same work, ``brought`` of those that were here before an own ask
    for their genome or for a child of it. ``bred`` are the genomes that were born here, each with
    those who asked for it, and ``parents`` the genomes that each of them came from. ``weights``
    are how far each record counts in the search of this peer, by its id.
    """

    own: frozenset[str]
    early: frozenset[str]
    brought: frozenset[str]
    bred: Mapping[str, frozenset[str]]
    parents: Mapping[str, frozenset[str]]
    weights: Mapping[str, float]

    def line(self, genome: str) -> frozenset[str]:
        """Return a genome with its ancestors, as far as they were bred here."""
        found, ahead = {genome}, [genome]
        while ahead:
            fresh = self.parents.get(ahead.pop(), frozenset()) - found
            found |= fresh
            ahead += sorted(fresh)
        return frozenset(found)


def witness(told: Iterable[Told], identify: Callable[[Genome], str]) -> Witness:
    """Return what a log says, in its order; *identify* returns the id of a genome."""
    seen = _Seen()
    for event, record in told:
        if isinstance(event, Asked):
            seen.ask(identify(event.assignment.genome), event.assignment)
        elif record is not None and isinstance(event, Finished):
            if record.id not in seen.weights:
                seen.hear(record.id, key_of(record.result))
            seen.weights[record.id] = event.weight
    authors = {name: frozenset(several) for name, several in seen.bred.items()}
    parents = {name: frozenset(several) for name, several in seen.parents.items()}
    own = frozenset(seen.own)
    return Witness(
        own, frozenset(seen.early), frozenset(seen.brought), authors, parents, seen.weights
    )


class _Seen:
    """What was seen so far."""

    def __init__(self) -> None:
        self.own, self.weights = set[str](), dict[str, float]()
        self.early, self.brought = set[str](), set[str]()
        self.bred, self.parents = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
        self._asked, self._used = set[Key](), set[str]()

    def ask(self, name: str, asked: Assignment) -> None:
        """Note an own ask for the genome called *name*."""
        self.own.add(asked.birth.author)
        self._asked.add(Key(name, asked.rung, asked.replica))
        self._used.update((name, *asked.parents))
        if asked.replica == 0 and asked.origin not in (AUDIT, PROMOTE):
            self.bred[name].add(asked.birth.author)
            self.parents[name].update(asked.parents)

    def hear(self, record: str, work: Key) -> None:
        """Note a record that came in."""
        if work not in self._asked:
            self.early.add(record)
        if work.genome not in self._used:
            self.brought.add(record)
