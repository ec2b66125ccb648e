"""Lines: from whom the genomes of a run inherit their weights, as asks and results were told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..genome.graph import Genome
from .base import Asked, Assignment, Event, Finished
from .scores import TRUSTED


class Lines:
    """Which genome each genome begins with, from those that were bred.

    It is settled when a child is first asked for, and stays: of two parents the child has the one
    with which it shares more pool entries by lineage id, of equal ones the first. Of a genome that
    another peer bred the first result that is trusted says it, once its parent's line is known.
    """

    def __init__(self, identify: Callable[[Genome], str], *, lowest: int) -> None:
        self._identify = identify
        self._lowest = lowest
        self._genomes = dict[str, Genome]()
        self._parents = dict[str, str | None]()
        self._orphans = dict[str, dict[str, Genome]]()
        """By the parent whose line is not known yet: genomes of others by name."""

    def tell(self, events: Sequence[Event]) -> None:
        """Note whose children are asked for, and whose others measured."""
        for event in events:
            match event:
                case Asked(assignment):
                    self._note(assignment)
                case Finished(result, weight, asked) if result.ok and weight >= TRUSTED:
                    if asked is not None and not result.replica and result.rung == self._lowest:
                        self._hear(result.genome, asked.genome, result.parent)
                case _:
                    pass

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
            known = [parent for parent in assignment.parents if parent in self._parents]
            parent = max(
                known, key=lambda parent: self._in_common(assignment.genome, parent), default=None
            )
            self._settle(name, assignment.genome, parent)

    def _hear(self, name: str, genome: Genome, parent: str) -> None:
        if name in self._genomes:
            return
        if not parent or parent in self._genomes:
            self._settle(name, genome, parent or None)
        else:
            self._orphans.setdefault(parent, {})[name] = genome

    def _settle(self, name: str, genome: Genome, parent: str | None) -> None:
        """Note the parent of a genome, and with it those of all who waited for its line."""
        settled: list[tuple[str, Genome, str | None]] = [(name, genome, parent)]
        while settled:
            name, genome, parent = settled.pop()
            if name not in self._genomes:
                self._genomes[name], self._parents[name] = genome, parent
                waited = self._orphans.pop(name, {})
                settled += [(child, each, name) for child, each in waited.items()]

    def _in_common(self, child: Genome, parent: str) -> int:
        lineages = {entry.lineage for entry in self._genomes[parent].pool}
        return sum(entry.lineage in lineages for entry in child.pool)
