"""Successive halving and Hyperband with genomes by chance: early stopping as it is published.

Jamieson & Talwalkar 2016 (arXiv:1502.07943); Li et al. 2018 (arXiv:1603.06560). The asynchronous
form, in which nobody waits for a bracket, is ``random`` on a ladder of several rungs.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from ..evaluator.ladder import Ladder
from ..evaluator.result import Result
from .asynchronous import PROBE, PROMOTE
from .base import Asked, Assignment, Birth, Closed, Event, Expired, Finished, Key, key_of
from .breeding import Breeding, remembering
from .draws import generator, name_of
from .population import Age, Population
from .proposals import fresh, sampling
from .reach import BOUNDLESS, Reach
from .scores import Scores, comparable
from .work import Work


class Bracket(NamedTuple):
    """So many genomes, trained to a rung; the best of them go on from there."""

    rung: int
    size: int


def successive_halving(
    breeding: Breeding, *, seed: int, ladder: Ladder, births: int, reach: Reach = BOUNDLESS
) -> BracketSearch:
    """Return brackets from the lowest rung, of so many genomes that one of each reaches the top."""
    size = ladder.eta ** (len(ladder.rungs) - 1)
    brackets = (Bracket(ladder.lowest, size),)
    return BracketSearch(breeding, brackets, seed=seed, ladder=ladder, births=births, reach=reach)


def hyperband(
    breeding: Breeding, *, seed: int, ladder: Ladder, births: int, reach: Reach = BOUNDLESS
) -> BracketSearch:
    """Return brackets from each rung in turn, of about equal work, for short rungs may mislead."""
    rungs, eta = ladder.rungs, ladder.eta
    above = range(len(rungs) - 1, -1, -1)  # rungs above the one that a bracket starts from
    sizes = (math.ceil(len(rungs) / (steps + 1) * eta**steps) for steps in above)
    brackets = tuple(map(Bracket, rungs, sizes))
    return BracketSearch(breeding, brackets, seed=seed, ladder=ladder, births=births, reach=reach)


class BracketSearch:
    """A ``Search`` of brackets, one after the other.

    When all of a bracket that are trained to a rung have ended, one in ``eta`` of them goes on to
    the next. Who would have to wait for that begins the next bracket. The last one, which the
    births may leave short, is closed with as many as it has.

    Args:
        breeding: the space, as functions.
        brackets: what is filled in turn, again and again; each starts from another rung.
        seed: seed of the run.
        ladder: the rungs of training.
        births: how many genomes are tried.
        reach: what the machine can train; all else is left to others.

    Raises:
        ValueError: two brackets start from one rung.
    """

    def __init__(
        self,
        breeding: Breeding,
        brackets: Sequence[Bracket],
        *,
        seed: int,
        ladder: Ladder,
        births: int,
        reach: Reach = BOUNDLESS,
    ) -> None:
        if len({bracket.rung for bracket in brackets}) < len(brackets):
            raise ValueError(f"brackets must start from different rungs, but are {brackets}")
        self.births = births
        self.population = Population(size=births, rungs=ladder.rungs)
        self.work = Work()
        self._brackets = brackets
        self._ladder = ladder
        self._seed = seed
        self._reach = reach
        self._identify = remembering(breeding.identify)
        self._propose = fresh((sampling(breeding),), self._identify, reach=reach)
        self._scores = Scores()
        self._starts: dict[int, list[tuple[Age, str]]] = {b.rung: [] for b in brackets}
        self._started: dict[str, tuple[Age, int]] = {}
        self._closed = False

    @property
    def done(self) -> bool:
        """Whether nobody works and there is nothing more to ask."""
        others = self._reach.limited and self.population.births < self.births
        if self.work.pending or (others and not self._closed):
            return False
        return self._next(PROBE, BOUNDLESS) is None

    def ask(self, birth: Birth) -> Assignment | None:
        """Propose work that was given up, a promotion, or a new genome; None when all is asked."""
        return self._next(birth, self._reach)

    def _next(self, birth: Birth, reach: Reach) -> Assignment | None:
        if self._closed:
            return None
        return self._again(birth, reach) or self._promote(birth, reach) or self._bear(birth, reach)

    def tell(self, events: Sequence[Event]) -> None:
        """Learn from events, in any order; the same event again changes nothing."""
        for event in events:
            match event:
                case Asked(assignment) if assignment.replica == 0:
                    self._note(assignment)
                case Finished(result, weight) if weight > 0:
                    self._learn(result, weight)
                case Expired(birth):
                    self.work.lapse(birth)
                case Closed():
                    self._closed = True
                case _:
                    pass

    def _again(self, birth: Birth, reach: Reach) -> Assignment | None:
        lapsed = self.work.lapsed(reach.fits)
        return lapsed and replace(lapsed, birth=birth)

    def _promote(self, birth: Birth, reach: Reach) -> Assignment | None:
        for key in self._wanted():
            genome = self.population.genomes[key.genome]
            if not self.work.taken(key) and reach.fits(genome, key.rung):
                return Assignment(genome, key.rung, 0, birth, PROMOTE, (key.genome,))
        return None

    def _bear(self, birth: Birth, reach: Reach) -> Assignment | None:
        if self.population.births >= self.births:
            return None
        offer = self._propose(self.population, generator(self._seed, birth), name_of(birth))
        if offer is None:
            return None
        for rung in self._next_rungs():
            if reach.fits(offer.genome, rung):
                return Assignment(offer.genome, rung, 0, birth, offer.origin)
        return None

    def _next_rungs(self) -> Iterator[int]:
        """Yield where brackets start from, of the first that is not full first."""

        def filled(bracket: Bracket) -> int:
            return len(self._starts[bracket.rung]) // bracket.size

        return (bracket.rung for bracket in sorted(self._brackets, key=filled))

    def _wanted(self) -> Iterator[Key]:
        """Yield the promotions of all brackets, those that were made included."""
        over = self.population.births >= self.births
        for rung, size in self._brackets:
            ids = [genome_id for _, genome_id in self._starts[rung]]
            for start in range(0, len(ids), size):
                group = ids[start : start + size]
                if len(group) == size or over:
                    yield from self._promotions(group, rung)

    def _promotions(self, group: list[str], start: int) -> Iterator[Key]:
        """Yield the promotions of a bracket, as far as its rungs are through."""
        rungs = self._ladder.rungs
        for rung, above in pairwise(rungs[rungs.index(start) :]):
            if not all(self.work.answered(Key(genome_id, rung, 0)) for genome_id in group):
                return
            scores = self.population.scores(rung)
            ranked = sorted((scores[each], each) for each in group if each in scores)
            group = [genome_id for _, genome_id in ranked[: len(group) // self._ladder.eta]]
            yield from (Key(genome_id, above, 0) for genome_id in group)

    def _note(self, assignment: Assignment) -> None:
        genome_id, rung = self._identify(assignment.genome), assignment.rung
        self.work.ask(Key(genome_id, rung, 0), assignment)
        self.population.know(genome_id, assignment.genome)
        if assignment.origin == PROMOTE or rung not in self._starts:
            return
        self.population.bear(genome_id, assignment.birth)
        self._start(genome_id, (assignment.birth.number, assignment.birth.author), rung)

    def _start(self, genome_id: str, age: Age, rung: int) -> None:
        """Put a genome into its bracket: that of its first birth, if peers drew the same."""
        known = self._started.get(genome_id)
        if known is not None:
            if known <= (age, rung):
                return
            self._starts[known[1]].remove((known[0], genome_id))
        self._started[genome_id] = (age, rung)
        insort(self._starts[rung], (age, genome_id))

    def _learn(self, result: Result, weight: float) -> None:
        self.work.answer(key_of(result))
        if comparable(result) and result.rung in self._ladder.rungs:
            score = self._scores.add(result, weight)
            self.population.score(result.genome, result.rung, score)
