"""Local search with restarts: from a sample to the first better mutant, until none is better.

White et al. 2021 (arXiv:2005.02960) found it hard to beat on tables of small spaces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from ..evaluator.ladder import Ladder
from ..genome.graph import Genome
from .asynchronous import AsynchronousSearch
from .base import Asked, Assignment, Birth, Event
from .breeding import Breeding, remembering
from .population import Age, Population
from .proposals import fresh, mutating, sampling
from .reach import BOUNDLESS, Reach
from .tournament import Select

TRIES = 200
"""How many mutants in a row must be known until a genome is taken to have no other neighbour.

Of a hundred neighbours, all equally likely, the last is missed in an eighth of the cases.
"""


class LocalSearch:
    """A ``Search`` that breeds from one genome at a time, the best of the present climb.

    A climb is a sample and all that descends from it. Nobody waits: while neighbours are being
    evaluated others are asked for, and when none is left the next climb begins; what comes of the
    one before then counts as a result, but is not climbed on from.
    """

    def __init__(
        self,
        breeding: Breeding,
        *,
        seed: int,
        ladder: Ladder,
        births: int,
        tries: int = TRIES,
        reach: Reach = BOUNDLESS,
    ) -> None:
        self._identify: Callable[[Genome], str] = remembering(breeding.identify)
        self._rung = ladder.lowest
        self._climbs = _Climbs()
        climbing = mutating(breeding, _standing(self._climbs, self._rung))
        self._search = AsynchronousSearch(
            fresh((climbing, sampling(breeding)), self._identify, tries=tries, reach=reach),
            self._identify,
            seed=seed,
            ladder=ladder,
            population=births,
            births=births,
            reach=reach,
        )

    @property
    def done(self) -> bool:
        """Whether nobody works and there is nothing more to ask."""
        return self._search.done

    @property
    def population(self) -> Population:
        """All genomes that were born."""
        return self._search.population

    def ask(self, birth: Birth) -> Assignment | None:
        """Propose a neighbour, a promotion, or the sample of a new climb."""
        return self._search.ask(birth)

    def tell(self, events: Sequence[Event]) -> None:
        """Learn from events, in order; the same event again changes nothing."""
        for event in events:
            match event:
                case Asked(a) if a.replica == 0 and a.rung == self._rung:
                    self._climbs.hear(self._identify(a.genome), a)
                case _:
                    pass
            self._search.tell([event])


class _Climbs:
    """Which genome descends from which sample, from the assignments in any order."""

    def __init__(self) -> None:
        self._births: dict[str, tuple[Age, str]] = {}  # the first birth, and the parent it had
        self._parents: set[str] = set()
        self._roots: dict[str, str] = {}  # of all, or none while they are to be sorted again
        self._climbs: dict[str, list[str]] = {}

    def hear(self, genome_id: str, assignment: Assignment) -> None:
        """Note where a genome comes from; of several births the first counts."""
        birth, parent = assignment.birth, next(iter(assignment.parents), "")
        origin = ((birth.number, birth.author), parent)
        known = self._births.get(genome_id)
        if known is not None and known <= origin:
            return
        in_order = not parent or parent in self._roots
        if known is None and in_order and genome_id not in self._parents:
            self._enter(genome_id, self._roots.get(parent, genome_id))
        else:
            self._roots.clear()
            self._climbs.clear()
        self._births[genome_id] = origin
        self._parents.add(parent)

    def last(self) -> list[str]:
        """Return the genomes of the climb that was begun last, in no order that means anything."""
        if len(self._roots) < len(self._births):
            self._climbs.clear()
            for genome_id in self._births:
                self._enter(genome_id, self._root(genome_id))
        last = max(self._climbs, key=lambda root: self._births[root], default="")
        return self._climbs.get(last, [])

    def age(self, genome_id: str) -> Age:
        """Return the age of a genome."""
        return self._births[genome_id][0]

    def _enter(self, genome_id: str, root: str) -> None:
        self._roots[genome_id] = root
        self._climbs.setdefault(root, []).append(genome_id)

    def _root(self, genome_id: str) -> str:
        passed: set[str] = set()  # peers who breed the same by chance can make each a parent
        while genome_id not in passed:
            passed.add(genome_id)
            parent = self._births[genome_id][1]
            genome_id = parent if parent in self._births else genome_id
        return genome_id


def _standing(climbs: _Climbs, rung: int) -> Select:
    """Select the best of the present climb at *rung*, or its eldest while there is no result."""

    def select(population: Population, rng: Random, without: str = "") -> str | None:
        scores = population.scores(rung)
        there = [genome_id for genome_id in climbs.last() if genome_id != without]
        scored = [genome_id for genome_id in there if genome_id in scores]
        if scored:
            return min(scored, key=lambda genome_id: (scores[genome_id], genome_id))
        return min(there, key=climbs.age, default=None)

    return select
