"""Lines: from whom the genomes of a run inherit their weights, as its asks were told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..genome.graph import Genome
from .base import Asked, Assignment, Event


class Lines:
    """Which genome each genome begins with, from those that were bred.

    It is settled when a child is first asked for, and stays: of two parents the child has the one
    with which it shares more pool entries by lineage id, of equal ones the first.
    """

    def __init__(self, identify: Callable[[Genome], str], *, lowest: int) -> None:
        self._identify = identify
        self._lowest = lowest
        self._genomes = dict[str, Genome]()
        self._parents = dict[str, str | None]()

    def tell(self, events: Sequence[Event]) -> None:
        """Note whose children are asked for."""
        for event in events:
            if isinstance(event, Asked):
                self._note(event.assignment)

    def of(self, assignment: Assignment) -> tuple[Genome, ...]:
        """Return the ancestors that an assignment goes on from, the oldest first.

        There are none for finals and for what has no parents: starters, samples, baselines.
        """
        if assignment.replica or not assignment.parents:
            return ()
        return self.line(assignment.genome)

    def line(self, genome: Genome) -> tuple[Genome, ...]:
        """Return the ancestors of a genome of the search, the oldest first."""
        found = list[Genome]()
        name = self._parents.get(self._identify(genome))
        while name is not None:
            found.insert(0, self._genomes[name])
            name = self._parents[name]
        return tuple(found)

    def _note(self, assignment: Assignment) -> None:
        if assignment.replica or assignment.rung != self._lowest:
            return
        name = self._identify(assignment.genome)
        if name not in self._genomes:
            self._genomes[name] = assignment.genome
            known = [parent for parent in assignment.parents if parent in self._parents]
            self._parents[name] = max(
                known, key=lambda parent: self._in_common(assignment.genome, parent), default=None
            )

    def _in_common(self, child: Genome, parent: str) -> int:
        lineages = {entry.lineage for entry in self._genomes[parent].pool}
        return sum(entry.lineage in lineages for entry in child.pool)
