"""The screen: several children are bred and the most promising by a surrogate is proposed.

A surrogate that drives gets stuck where it errs; here some proposals pass it by, and all descend
from genomes that were measured (pre-selection; Jin 2011, Swarm and Evolutionary Computation 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from statistics import NormalDist

import moocore
import numpy as np

from ..genome.cost import Costs
from ..genome.graph import Genome
from ..genome.traits import Trait
from .breeding import TraitBreeding
from .linear import Floats, normal_scores
from .objectives import REFERENCE, Objective, Shown, resolved
from .population import Population, Snapshot
from .proposals import Proposal, Proposer
from .surrogate import Surrogate

CANDIDATES = 8
BYPASS = 0.2
"""How many children a proposal is chosen from, and the share of proposals that is not chosen."""

QUANTILE = NormalDist().inv_cdf(0.975)

MOST = 1024
"""How many genomes the surrogate learns from, the last of them: its cost is their third power."""

Choose = Callable[[Sequence[Genome]], int]
"""Returns the place of the most promising genome."""


def screened(
    propose: Proposer,
    choosing: Callable[[Population], Choose | None],
    *,
    candidates: int = CANDIDATES,
    bypass: float = BYPASS,
) -> Proposer:
    """Offer the best of several offers, by what the population has taught, if that is enough."""

    def screen(population: Population, rng: Random, birth: str) -> Proposal | None:
        choose = None if rng.random() < bypass else choosing(population)
        if choose is None:
            return propose(population, rng, birth)
        offers = [propose(population, rng, birth) for _ in range(candidates)]
        found = [offer for offer in offers if offer is not None]
        return found[choose([offer.genome for offer in found])] if found else None

    return screen


def choosing(
    breeding: TraitBreeding, objectives: Sequence[Objective]
) -> Callable[[Population], Choose | None]:
    """Return what learns to choose from a population, once for each of its states.

    What machines measure is not known of a genome before, so it has no say here.
    """
    traits: dict[str, frozenset[Trait]] = {}
    costs: dict[str, Costs] = {}
    foreseen = [objective for objective in objectives if not objective.measured]
    last: list[tuple[int, Choose]] = []

    def choice(population: Population) -> Choose | None:
        snapshot = population.snapshot
        if len(snapshot.standings) < population.size:
            return None  # the founders are what there is to learn from
        if not last or last[0][0] != snapshot.version:
            last[:] = [(snapshot.version, learned(population, snapshot))]
        return last[0][1]

    def learned(population: Population, snapshot: Snapshot) -> Choose:
        places = snapshot.standings
        names = [name for name in population.by_birth() if name in places][-MOST:]
        for name in names:
            if name not in traits:
                traits[name] = breeding.traits(population.genomes[name])
        merits = normal_scores([places[name] for name in names])
        surrogate = Surrogate([traits[name] for name in names], merits.tolist())
        if len(foreseen) == 1:
            return _by_merit(breeding, surrogate)
        for name in names:
            if name not in costs:
                costs[name] = breeding.costs(population.genomes[name])
        wanted = resolved(foreseen, population.noise, population.lowest)
        scores = snapshot.scores[population.lowest]
        values = sorted((scores[name] for name in names), reverse=True)
        ranked = sorted(zip(merits.tolist(), names, strict=True))
        measured = [
            (merit, value, costs[name]) for (merit, name), value in zip(ranked, values, strict=True)
        ]
        return _by_front(breeding, surrogate, _Front(wanted, measured))

    return choice


def _optimistic(breeding: TraitBreeding, surrogate: Surrogate, genomes: Sequence[Genome]) -> Floats:
    """Return the upper end of the 95 % interval of the merit of each genome."""
    mean, spread = surrogate.predict([breeding.traits(genome) for genome in genomes])
    return mean + QUANTILE * spread


def _by_merit(breeding: TraitBreeding, surrogate: Surrogate) -> Choose:
    return lambda genomes: int(np.argmax(_optimistic(breeding, surrogate, genomes)))


def _by_front(breeding: TraitBreeding, surrogate: Surrogate, front: _Front) -> Choose:
    def choose(genomes: Sequence[Genome]) -> int:
        merits = _optimistic(breeding, surrogate, genomes)
        gains = [
            front.gain(merit, breeding.costs(genome))
            for genome, merit in zip(genomes, merits.tolist(), strict=True)
        ]
        return max(range(len(gains)), key=gains.__getitem__)

    return choose


class _Front:
    """What is not dominated of what was measured, and what a genome would add to it.

    *measured* has merit, value and costs of each genome, the merits rising. Values are those of the
    lowest rung: a genome that did well at a higher one has the value of its place among all.
    """

    def __init__(
        self, objectives: Sequence[Objective], measured: Sequence[tuple[float, float, Costs]]
    ) -> None:
        self._objectives = objectives
        self._merits = np.array([merit for merit, _, _ in measured])
        self._values = np.array([value for _, value, _ in measured])
        points = np.array([self._point(value, costs) for _, value, costs in measured])
        front = points[moocore.is_nondominated(points)]
        self._low, self._span = front.min(axis=0), np.ptp(front, axis=0)
        self._front = self._scaled(front)
        self._volume = moocore.hypervolume(self._front, ref=REFERENCE)

    def gain(self, merit: float, costs: Costs) -> tuple[float, float]:
        """Return the hypervolume that a genome adds, and how far it is from being dominated."""
        point = self._scaled(np.array(self._point(self._value(merit), costs)))
        volume = moocore.hypervolume(np.vstack([self._front, point]), ref=REFERENCE)
        return volume - self._volume, float((self._front - point).max(axis=1).min())

    def _value(self, merit: float) -> float:
        """Return the value at a place among the measured ones, or beyond the best of them."""
        best, some = self._merits[-1], -1 - len(self._merits) // 4
        if merit <= best:
            return float(np.interp(merit, self._merits, self._values))
        run = best - self._merits[some]
        slope = (self._values[-1] - self._values[some]) / run if run > 0 else 0.0
        return float(self._values[-1] + slope * (merit - best))

    def _point(self, value: float, costs: Costs) -> list[float]:
        shown = Shown(value, costs)
        return [objective.coordinate(shown) for objective in self._objectives]

    def _scaled(self, points: Floats) -> Floats:
        return (points - self._low) / np.where(self._span > 0, self._span, 1.0)
