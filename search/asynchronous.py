"""The search that never waits: proposals of new genomes on a ladder of promotions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..evaluator.ladder import Ladder
from ..evaluator.result import Result
from ..genome.graph import Genome
from .audits import AUDIT
from .base import Asked, Assignment, Birth, Closed, Event, Expired, Finished, Key, key_of
from .company import Company
from .draws import generator, name_of
from .judging import FromScratch, Judge
from .measures import NOTHING
from .population import Origin, Population
from .promotion import Promotion, Promotions
from .proposals import Proposer
from .reach import BOUNDLESS, Reach
from .scores import HEEDED, TRUSTED
from .work import Work

PROMOTE = "promote"
"""The origin of an assignment that trains a genome on."""

PROBE = Birth("", "", -1)
"""Asks whether there is anything to ask; nobody is born of it."""


class AsynchronousSearch:
    """A ``Search`` over what *propose* offers; ``evolution`` and ``random`` compose it.

    An ask hands out, in this order: work that its workers gave up, a promotion, a new genome while
    fewer than ``births`` were born. Its answer hangs on the events told and on the birth alone.

    Only replica 0 is the search's; of others only the noise is learned. A result of weight below
    0.5 ends the work that it answers, but it neither ranks, breeds nor promotes, and its genome may
    be proposed all the same, unless it is a starter; one of weight 0 takes back what it was. What
    ranks is for *judge* to say; it is ``FromScratch`` unless given. Whoever breaks *limits*, which
    only measuring shows, is not promoted. What is beyond the *reach* of the machine is not asked
    for, and the search is not done while others may do it.
    """

    def __init__(
        self,
        propose: Proposer,
        identify: Callable[[Genome], str],
        *,
        seed: int,
        ladder: Ladder,
        population: int,
        births: int,
        judge: Judge | None = None,
        limits: Mapping[str, float] = NOTHING,
        reach: Reach = BOUNDLESS,
    ) -> None:
        if population < 1 or births < 1:
            raise ValueError(
                f"a search needs at least one genome, but {population=} and {births=}; "
                "give numbers above 0"
            )
        self.births = births
        self.population = Population(
            size=population, rungs=ladder.rungs, limits=limits, elsewhere=self._born_elsewhere
        )
        self.work = Work()
        self._propose = propose
        self._identify = identify
        self._seed = seed
        self._rungs = ladder.rungs
        self._promotions = Promotions(ladder, seed=seed)
        self._company = Company()
        self._judge = judge or FromScratch()
        self._limits = limits
        self._reach = reach
        self._closed = False

    @property
    def done(self) -> bool:
        """Whether nobody works, here or elsewhere, and there is nothing more to ask."""
        waits = self._company.searches()
        others = self._reach.limited and self.population.births < self.births
        if self.work.pending or ((waits or others) and not self._closed):
            return False
        return self._next(PROBE, BOUNDLESS) is None

    def ask(self, birth: Birth) -> Assignment | None:
        """Propose the next assignment; None while there is nothing to do but wait.

        None while nobody works means that nothing will come any more: the births are used up, or
        the space has nothing new, or the search was closed.
        """
        return self._next(birth, self._reach)

    def _next(self, birth: Birth, reach: Reach) -> Assignment | None:
        if self._closed:
            return None
        genomes = self.population.genomes
        several = [
            each
            for each in self._promotions.promotables()
            if not self._elsewhere(each) and reach.fits(genomes[each.genome], each.rung)
        ]
        own = (each for each in several if self._company.turn(birth, *each))
        return (
            self._again(birth, reach)
            or self._promote(birth, next(own, None))
            or self._bear(birth, reach)
            or self._promote(birth, self._left(birth, several))
        )

    def tell(self, events: Sequence[Event]) -> None:
        """Learn from events, in order; the same event again changes nothing."""
        for event in events:
            self._company.tell(event)
            match event:
                case Asked(assignment):
                    self._note(assignment)
                case Finished(result, weight, asked):
                    if asked is not None and weight >= TRUSTED:
                        self._meet(asked)
                    if weight < TRUSTED:
                        author = "" if asked is None else asked.birth.author
                        self.population.claim(result.genome, author, weight >= HEEDED)
                    self._learn(result, weight)
                case Expired(birth):
                    self.work.lapse(birth)
                case Closed():
                    self._closed = True
                case _:
                    pass  # what can be asked may be another; what was learned stays

    def _left(self, birth: Birth, several: Sequence[Promotion]) -> Promotion | None:
        """Return what is left of the promotions of others, who may be gone.

        Whoever looks for something to do goes by an order of its own.
        """
        highest = max((each.rung for each in several), default=0)
        works = (Key(each.genome, each.rung, 0) for each in several if each.rung == highest)
        work = min(works, key=lambda work: self._company.place(birth, work), default=None)
        return work and Promotion(work.genome, work.rung)

    def _born_elsewhere(self, genome_id: str) -> bool:
        """Whether another trains a genome to the lowest rung now, or says so."""
        work = Key(genome_id, self._rungs[0], 0)
        return self._company.works_on(work) or self._company.is_said(work)

    def _elsewhere(self, promotion: Promotion) -> bool:
        """Whether another makes a promotion now."""
        return self._company.works_on(Key(promotion.genome, promotion.rung, 0))

    def _again(self, birth: Birth, reach: Reach) -> Assignment | None:
        lapsed = self.work.lapsed(reach.fits)
        return lapsed and replace(lapsed, birth=birth)

    def _promote(self, birth: Birth, promotion: Promotion | None) -> Assignment | None:
        if promotion is None:
            return None
        genome = self.population.genomes[promotion.genome]
        parents = (promotion.genome,)
        return Assignment(genome, promotion.rung, 0, birth, PROMOTE, parents)

    def _bear(self, birth: Birth, reach: Reach) -> Assignment | None:
        if self.population.births >= self.births:
            return None
        offer = self._propose(self.population, generator(self._seed, birth), name_of(birth))
        if offer is None or not reach.fits(offer.genome, self._rungs[0]):
            return None
        genome, origin, parents = offer
        return Assignment(genome, self._rungs[0], 0, birth, origin, parents)

    def _note(self, assignment: Assignment) -> None:
        if assignment.replica != 0:
            return
        genome_id, rung = self._identify(assignment.genome), assignment.rung
        self.work.ask(Key(genome_id, rung, 0), assignment)
        self._promotions.settle(genome_id, rung)
        self._meet(assignment)

    def _meet(self, assignment: Assignment) -> None:
        """Take a genome for one of the population, whoever asked for it."""
        if assignment.replica != 0:
            return
        genome_id = self._identify(assignment.genome)
        self.population.know(genome_id, assignment.genome)
        self._promotions.know(genome_id)
        if assignment.rung == self._rungs[0]:
            parents = () if assignment.origin == AUDIT else assignment.parents  # it bred nothing
            origin = Origin(assignment.origin, parents)
            self.population.bear(genome_id, assignment.birth, origin)

    def _learn(self, result: Result, weight: float) -> None:
        if weight > 0:
            self.work.answer(key_of(result))
        if result.rung not in self._rungs:
            return
        self.population.learn(result, weight)
        changed = self._judge.learn(result, weight)
        if changed and weight >= TRUSTED:
            self._promotions.settle(result.genome, result.rung)
        known = self.population.scores(result.rung)
        for genome_id, score in changed.items():
            if score is None and weight < TRUSTED and genome_id not in known:
                continue  # a claim is no reason to leave a genome alone
            self.population.score(genome_id, result.rung, score)
            self._rank(genome_id, result.rung)
        for rung in self._rungs if self._limits else ():
            self._rank(result.genome, rung)

    def _rank(self, genome_id: str, rung: int) -> None:
        """Let a genome stand for promotion by its score, unless it breaks a limit of measures."""
        feasible = self.population.feasible(genome_id)
        score = self.population.scores(rung).get(genome_id) if feasible else None
        self._promotions.score(genome_id, rung, score)
