"""Optuna's TPE on flat genomes: what most people would use instead of this package."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from ..evaluator.ladder import Ladder
from ..genome.graph import Genome
from .asynchronous import AsynchronousSearch
from .breeding import remembering
from .coding import Coding
from .objectives import QUALITY, Objective
from .population import Population
from .proposals import Proposal, Proposer, first, fresh, sampling

STARTUP = 10
"""How many genomes are drawn by chance before; Optuna's own default."""

STEPS = 64
"""How many mutations lead away from a proposal that was tried, before a sample is taken."""


def optuna_tpe(
    coding: Coding,
    *,
    seed: int,
    ladder: Ladder,
    births: int,
    objectives: Sequence[Objective] = (QUALITY,),
    multivariate: bool = False,
) -> AsynchronousSearch:
    """Return a search whose genomes TPE proposes, from all that have a score at one rung.

    That rung is the highest at which ``STARTUP`` genomes have one. The more it knows, the more
    often TPE proposes what was tried; Optuna would evaluate that again, here mutations lead from it
    to the next genome that is new. Workers are kept apart by that, not by a liar.

    Args:
        coding: the space, flat.
        seed: seed of the run.
        ladder: the rungs of training.
        births: how many genomes are tried.
        objectives: what is minimised; for several, by hypervolume (MOTPE).
        multivariate: whether TPE looks at all choices together or at each by itself.
    """
    identify = remembering(coding.identify)
    history = _History(coding, objectives)
    asking = _leading_on(_asking(history, multivariate=multivariate), coding)
    propose = first(fresh((asking,), identify, tries=1), fresh((sampling(coding),), identify))
    return AsynchronousSearch(
        propose, identify, seed=seed, ladder=ladder, population=births, births=births
    )


def _asking(history: _History, *, multivariate: bool) -> Proposer:
    def propose(population: Population, rng: Random, birth: str) -> Proposal:
        study = history.study(population)
        study.sampler = TPESampler(
            seed=rng.getrandbits(32),
            n_startup_trials=STARTUP,
            multivariate=multivariate,
            constant_liar=False,
        )
        trial = study.ask(history.distributions)
        study.tell(trial, state=TrialState.FAIL)  # which samplers do not see
        return Proposal(history.coding.decode(trial.params, birth), "tpe")

    return propose


def _leading_on(propose: Proposer, coding: Coding) -> Proposer:
    """Mutate what *propose* offers until it is new, for so many steps."""

    def led(population: Population, rng: Random, birth: str) -> Proposal | None:
        offer = propose(population, rng, birth)
        for _ in range(STEPS):
            if offer is None or not population.seen(coding.identify(offer.genome)):
                break
            offer = offer._replace(genome=coding.mutate(offer.genome, rng, birth).genome)
        return offer

    return led


class _History:
    """A study in memory that holds the scores of a population, in the order of age."""

    def __init__(self, coding: Coding, objectives: Sequence[Objective]) -> None:
        self.coding = coding
        self.distributions: dict[str, BaseDistribution] = {
            name: CategoricalDistribution(values) for name, values in coding.choices.items()
        }
        self._objectives = objectives
        self._held: list[tuple[str, float]] = []
        self._study = self._empty()

    def study(self, population: Population) -> optuna.Study:
        """Return the study; trials can only be added, so another past makes another study."""
        rung, ground = population.ground(STARTUP)
        scores = population.scores(rung)
        told = [(genome_id, scores[genome_id]) for genome_id in ground]
        if told[: len(self._held)] != self._held:
            self._held, self._study = [], self._empty()
        for genome_id, score in told[len(self._held) :]:
            self._study.add_trial(self._trial(population.genomes[genome_id], score))
        self._held = told
        return self._study

    def _trial(self, genome: Genome, score: float) -> FrozenTrial:
        costs = self.coding.costs(genome)
        return create_trial(
            params=dict(self.coding.encode(genome)),
            distributions=self.distributions,
            values=[objective.coordinate(score, costs) for objective in self._objectives],
        )

    def _empty(self) -> optuna.Study:
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # it announces every study
        try:
            return optuna.create_study(directions=[StudyDirection.MINIMIZE] * len(self._objectives))
        finally:
            optuna.logging.set_verbosity(level)
