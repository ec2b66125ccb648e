"""Lines: from whom the genomes of a run inherit their weights, as asks and results were told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..evaluator.job import heritage_of
from ..evaluator.result import Result
from ..genome.graph import Genome
from .audits import AUDIT
from .base import Asked, Assignment, Event, Finished
from .scores import TRUSTED


class Descent(NamedTuple):
    """With what an heir is said to have begun: the genome of its parent, by id, and its line."""

    parent: str
    heritage: str


def descent_of(result: Result) -> Descent:
    """Return with what a result says that its training began."""
    return Descent(result.parent, result.heritage)


class Lines:
    """Which genome each genome begins with, from those that were bred.

    It is settled when a child is first asked for, and stays: of two parents the child has the one
    with which it shares more pool entries by lineage id, of equal ones the first. Of a genome that
    another peer bred the first result that is trusted says it, once its parent's line is known.

    What others claim of an heir can be measured again where its line is known by that, text for
    text: both would train the same.
    """

    def __init__(self, identify: Callable[[Genome], str], *, lowest: int) -> None:
        self._identify = identify
        self._lowest = lowest
        self._genomes = dict[str, Genome]()
        self._parents = dict[str, str | None]()
        self._orphans = dict[str, dict[str, Genome]]()
        """By the parent whose line is not known yet: genomes of others by name."""
        self._heritages = dict[str, str]()
        self._claimed: dict[str, dict[str, Genome]] = {}
        """By the parent whose line is not known yet: genomes of heirs by heritage."""
        self.followed = set[Descent]()
        """With what heirs began that is known here, of what was claimed."""

    def tell(self, events: Sequence[Event]) -> None:
        """Note whose children are asked for, and whose others measured."""
        for event in events:
            match event:
                case Asked(assignment):
                    self._note(assignment)
                case Finished(result, weight, Assignment(genome)) if (
                    result.ok and not result.replica
                ):
                    if result.heritage:
                        self._claim(result, genome)
                    if weight >= TRUSTED and result.rung == self._lowest:
                        self._hear(result.genome, genome, result.parent)
                case _:
                    pass

    def of(self, assignment: Assignment) -> tuple[Genome, ...]:
        """Return the ancestors that an assignment goes on from, the oldest first.

        There are none for finals and for what has no parents: starters, samples, baselines.
        """
        if assignment.replica or not assignment.parents:
            return ()
        return self.line(assignment.genome)

    def follows(self, claim: Result) -> bool:
        """Whether an audit of what is claimed of an heir would begin with the same line."""
        parent = self._parents.get(claim.genome, claim.parent)
        return parent == claim.parent and descent_of(claim) in self.followed

    def line(self, genome: Genome) -> tuple[Genome, ...]:
        """Return the ancestors of a genome of the search, the oldest first."""
        found = list[Genome]()
        name = self._parents.get(self._identify(genome))
        while name is not None:
            found.insert(0, self._genomes[name])
            name = self._parents[name]
        return tuple(found)

    def _note(self, assignment: Assignment) -> None:
        is_audit = assignment.origin == AUDIT and bool(assignment.parents)
        if assignment.replica or not (is_audit or assignment.rung == self._lowest):
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
                for heritage, heir in self._claimed.pop(name, {}).items():
                    self._follow(name, heritage, heir)

    def _claim(self, result: Result, genome: Genome) -> None:
        """Look whether the line of an heir is known, now or once its parent's is."""
        if descent_of(result) in self.followed:
            return
        if result.parent in self._genomes:
            self._follow(result.parent, result.heritage, genome)
        else:
            self._claimed.setdefault(result.parent, {})[result.heritage] = genome

    def _follow(self, parent: str, heritage: str, genome: Genome) -> None:
        if heritage_of(self._heritage(parent), genome) == heritage:
            self.followed.add(Descent(parent, heritage))

    def _heritage(self, name: str) -> str:
        """Return the name of the line up to a genome that is settled."""
        unnamed = list[str]()
        ancestor: str | None = name
        while ancestor is not None and ancestor not in self._heritages:
            unnamed.append(ancestor)
            ancestor = self._parents[ancestor]
        found = "" if ancestor is None else self._heritages[ancestor]
        for each in reversed(unnamed):
            found = self._heritages[each] = heritage_of(found, self._genomes[each])
        return found

    def _in_common(self, child: Genome, parent: str) -> int:
        lineages = {entry.lineage for entry in self._genomes[parent].pool}
        return sum(entry.lineage in lineages for entry in child.pool)
