"""Tournaments: how parents are selected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import Protocol

from ..genome.cost import Costs
from .breeding import Breeding
from .objectives import Objective, Shown, best, resolved, undominated
from .population import Population

LEAD = 0.25
"""The share of tournaments that quality alone decides, as it decides who is promoted: the winner is
reported by it.
"""


class Select(Protocol):
    """Chooses a parent; ``without`` names one that is not to be chosen."""

    def __call__(self, population: Population, rng: Random, without: str = "") -> str | None:
        """Return an id, or None where nobody can be chosen."""
        ...


def tournament(
    breeding: Breeding, objectives: Sequence[Objective], *, size: int, among: int
) -> Select:
    """Select the best of *size* living genomes of *among*, drawn without repeats.

    All contenders stand at one rung (``Population.ground``). Fewer stand at the higher rungs, for
    they were selected once by promotion; there the same share of them contends. With several
    objectives, who is not dominated there contends whatever its age, and ``objectives.best`` of all
    objectives decides, but for some tournaments (``LEAD``), which the first decides alone. Whoever
    breaks a limit that only measuring shows stands behind all others.
    """
    costs: dict[str, Costs] = {}
    priced: dict[str, list[float]] = {}
    fronts: list[tuple[tuple[int, int], list[str]]] = []
    others = objectives[1:]
    is_measured = any(objective.measured for objective in others)

    def further(population: Population, name: str) -> list[float]:
        """Return the coordinates beside quality; those of costs alone are computed once."""
        if name not in costs:
            costs[name] = breeding.costs(population.genomes[name])
        if name in priced:
            return priced[name]
        shown = Shown(0.0, costs[name], population.measures.of(name))
        found = [objective.coordinate(shown) for objective in others]
        if not is_measured:
            priced[name] = found
        return found

    def points(population: Population, rung: int, names: Sequence[str]) -> list[list[float]]:
        quality, scores = resolved(objectives, population.noise, rung)[0], population.scores(rung)
        beside = [further(population, name) for name in names]
        return [
            [quality.coordinate(Shown(scores[name], costs[name])), *there]
            for name, there in zip(names, beside, strict=True)
        ]

    def front(population: Population, rung: int) -> list[str]:
        """Return who is not dominated at a rung, of all that were ever there."""
        state = population.version, rung
        if not fronts or fronts[0][0] != state:
            names = [
                name for name in population.scores(rung)
                if name in population.genomes and population.feasible(name)
            ]  # fmt: skip
            sound = undominated(points(population, rung, names))
            fronts[:] = [(state, [names[n] for n in sound])]
        return fronts[0][1]

    def select(population: Population, rng: Random, without: str = "") -> str | None:
        rung, ground = population.ground(size)
        if len(objectives) > 1:
            ground = list(dict.fromkeys((*ground, *front(population, rung))))
        if without in ground:
            ground = [genome_id for genome_id in ground if genome_id != without]
        if not ground:
            return None
        scores = population.scores(rung)
        count = min(len(ground), max(2, math.ceil(len(ground) * size / among)))
        drawn = rng.sample(ground, count)
        contenders = population.feasible_of(drawn) or drawn
        if len(objectives) == 1 or rng.random() < LEAD:
            return min(contenders, key=lambda genome_id: (scores[genome_id], genome_id))
        contenders = sorted(contenders, key=lambda genome_id: (scores[genome_id], genome_id))
        return contenders[best(points(population, rung, contenders))]

    return select
