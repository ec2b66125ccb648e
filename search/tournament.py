"""Tournaments: how parents are selected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import Protocol

from ..genome.cost import Costs
from ..genome.graph import Genome
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
    known: dict[str, Costs] = {}
    fronts: list[tuple[tuple[int, int], list[str]]] = []

    def costs(genome_id: str, genome: Genome) -> Costs:
        if genome_id not in known:
            known[genome_id] = breeding.costs(genome)
        return known[genome_id]

    def points(population: Population, rung: int, names: Sequence[str]) -> list[list[float]]:
        wanted, scores = resolved(objectives, population.noise, rung), population.scores(rung)
        several = [
            Shown(scores[name], costs(name, population.genomes[name]), population.measures.of(name))
            for name in names
        ]
        return [[objective.coordinate(shown) for objective in wanted] for shown in several]

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
        ground = [genome_id for genome_id in ground if genome_id != without]
        if not ground:
            return None
        scores = population.scores(rung)
        count = min(len(ground), max(2, math.ceil(len(ground) * size / among)))
        drawn = rng.sample(ground, count)
        contenders = [genome_id for genome_id in drawn if population.feasible(genome_id)] or drawn
        contenders.sort(key=lambda genome_id: (scores[genome_id], genome_id))
        if len(objectives) == 1 or rng.random() < LEAD:
            return contenders[0]
        return contenders[best(points(population, rung, contenders))]

    return select
