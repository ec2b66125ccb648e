"""Optuna's TPE and NSGA-II on flat genomes: what most people would use instead of this package.

The more they know, the more often they propose what was tried. Optuna would evaluate that again;
here mutations lead from it to the next genome that is new. Workers are kept apart by that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import MappingProxyType

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseGASampler, BaseSampler, NSGAIISampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from ..blocks.ranges import Choice, Range, Value
from ..evaluator.ladder import Ladder
from ..genome.graph import Genome
from .asynchronous import AsynchronousSearch
from .breeding import remembering
from .coding import Coding
from .objectives import QUALITY, Objective, Shown
from .optuna_study import distribution, empty_study
from .population import Population
from .proposals import Proposal, Proposer, first, fresh, sampling, starting
from .reach import BOUNDLESS, Reach

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
    starters: Mapping[str, Genome] | None = None,
    multivariate: bool = False,
    reach: Reach = BOUNDLESS,
) -> AsynchronousSearch:
    """Return a search whose genomes TPE proposes, from all that have a score at one rung.

    That rung is the highest at which more genomes have one than there are choices (the rule of
    BOHB, arXiv:1807.01774), and at least ``STARTUP``.

    Args:
        coding: the space, flat.
        seed: seed of the run.
        ladder: the rungs of training.
        births: how many genomes are tried.
        objectives: what is minimised; for several, by hypervolume (MOTPE).
        starters: named genomes to begin with.
        multivariate: whether TPE looks at all choices together or at each by itself.
        reach: what the machine can train; all else is left to others.
    """

    def sampler(seed: int) -> TPESampler:
        make = _JointTPE if multivariate else TPESampler
        return make(
            seed=seed, n_startup_trials=STARTUP, multivariate=multivariate, constant_liar=False
        )

    history = _History(coding, objectives, sampler, _add)
    return _search(
        history,
        "tpe",
        seed=seed,
        ladder=ladder,
        births=births,
        starters=starters or {},
        reach=reach,
    )


def optuna_nsga2(
    coding: Coding,
    *,
    seed: int,
    ladder: Ladder,
    births: int,
    objectives: Sequence[Objective] = (QUALITY,),
    population: int = 50,
    reach: Reach = BOUNDLESS,
) -> AsynchronousSearch:
    """Return a search whose genomes Optuna's NSGA-II proposes, from the scores at one rung.

    Generations are those of a study that was told the genomes in the order of age. The arguments
    are those of ``optuna_tpe``, and how many are born in a generation and survive it.
    """

    def sampler(seed: int) -> NSGAIISampler:
        return _NSGAII(seed=seed, population_size=population)

    history = _History(coding, objectives, sampler, _ask_and_tell)
    return _search(history, "nsga2", seed=seed, ladder=ladder, births=births, reach=reach)


def _search(
    history: _History,
    origin: str,
    *,
    seed: int,
    ladder: Ladder,
    births: int,
    starters: Mapping[str, Genome] = MappingProxyType({}),
    reach: Reach,
) -> AsynchronousSearch:
    identify = remembering(history.coding.identify)
    asking = _leading_on(_asking(history, origin), history.coding)
    sample = sampling(history.coding)
    propose = first(
        starting(starters, identify, reach=reach),
        fresh((asking,), identify, tries=1, reach=reach),
        fresh((sample,), identify, reach=reach),
    )
    return AsynchronousSearch(
        propose, identify, seed=seed, ladder=ladder, population=births, births=births, reach=reach
    )


def _asking(history: _History, origin: str) -> Proposer:
    def propose(population: Population, rng: Random, birth: str) -> Proposal:
        study = history.study(population)
        study.sampler = history.sampler(rng.getrandbits(32))
        trial = study.ask(history.distributions)
        study.tell(trial, state=TrialState.FAIL)  # which samplers do not see
        return Proposal(history.coding.decode(trial.params, birth), origin)

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

    def __init__(
        self,
        coding: Coding,
        objectives: Sequence[Objective],
        sampler: Callable[[int], BaseSampler],
        add: Callable[[optuna.Study, FrozenTrial], None],
    ) -> None:
        unknown = [objective.name for objective in objectives if objective.measured]
        if unknown:
            raise ValueError(
                f"Optuna's searches take no objectives of machines, but have {unknown}"
            )
        self.coding = coding
        self.sampler = sampler
        self.distributions = dict[str, BaseDistribution]()
        self._objectives = objectives
        self._add = add
        self._written = dict[str, dict[str, Value]]()
        self._held: list[tuple[str, float]] = []
        self._study = empty_study(objectives)

    def study(self, population: Population) -> optuna.Study:
        """Return the study; trials can only be added, so another past makes another study.

        So do other choices: blocks may join the space.
        """
        distributions = {
            name: _distribution(values) for name, values in self.coding.choices.items()
        }
        if distributions != self.distributions:
            self.distributions = distributions
            self._written, self._held = {}, []
            self._study = empty_study(self._objectives)
        rung, ground = population.ground(max(STARTUP, len(distributions) + 1))
        scores = population.scores(rung)
        told = [(genome_id, scores[genome_id]) for genome_id in ground]
        if told[: len(self._held)] != self._held:
            self._held, self._study = [], empty_study(self._objectives)
        self._study.sampler = self.sampler(0)
        for genome_id, score in told[len(self._held) :]:
            self._add(self._study, self._trial(genome_id, population.genomes[genome_id], score))
        self._held = told
        return self._study

    def _trial(self, genome_id: str, genome: Genome, score: float) -> FrozenTrial:
        costs = self.coding.costs(genome)
        if genome_id not in self._written:
            self._written[genome_id] = dict(self.coding.encode(genome))
        return create_trial(
            params=self._written[genome_id],
            distributions=self.distributions,
            values=[objective.coordinate(Shown(score, costs)) for objective in self._objectives],
        )


class _JointTPE(TPESampler):
    """TPE over all choices at once, which it need not look for in all trials."""

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the choices that all trials have in common."""
        del trial
        return _common_choices(study)


class _NSGAII(NSGAIISampler):
    """NSGA-II that need not look for the choices in all trials, and whose asks change nothing.

    Optuna finds the parents of a generation by rank and remembers them by age, so that the first
    ask of a generation would have them in another order than the next.
    """

    def select_parent(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        """Return the parents of a generation in the order of age."""
        return sorted(super().select_parent(study, generation), key=lambda trial: trial.number)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the choices that all trials have in common."""
        del trial
        return _common_choices(study)


def _common_choices(study: optuna.Study) -> dict[str, BaseDistribution]:
    """Return what Optuna would find by comparing every trial, for each ask: all have the same."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    found = trials[-1].distributions if trials else {}
    return {name: each for name, each in sorted(found.items()) if not each.single()}


def _distribution(values: Sequence[Value] | Range) -> BaseDistribution:
    return distribution(values if isinstance(values, Range) else Choice(tuple(values)))


def _add(study: optuna.Study, trial: FrozenTrial) -> None:
    study.add_trial(trial)


def _ask_and_tell(study: optuna.Study, trial: FrozenTrial) -> None:
    """Add a trial as if the study had proposed it, by which it belongs to a generation."""
    study.enqueue_trial(trial.params)
    asked = study.ask(trial.distributions)
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))[-1]
    if isinstance(study.sampler, BaseGASampler):  # it is not asked where all is given
        study.sampler.get_trial_generation(study, running)
    study.tell(asked, trial.values)
