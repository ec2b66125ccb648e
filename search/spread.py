"""Spread: founders that lie far apart in what is known of them before anything is trained.

Samples of chance crowd at a middling size, and a front is filled from there slowly. Of several
offers the one farthest from all that were born is taken (a maximin design; Johnson, Moore &
Ylvisaker 1990, Journal of Statistical Planning and Inference 26), in the objectives that are
computed from the genome itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np

from ..genome.graph import Genome
from .breeding import Breeding
from .linear import Floats
from .objectives import Objective, Shown
from .population import Population
from .proposals import Proposal, Proposer
from .screen import CANDIDATES


def spreading(propose: Proposer, breeding: Breeding, objectives: Sequence[Objective]) -> Proposer:
    """Offer the most remote of several offers by the costs that are objectives, if any is one.

    Offers are as many as the screen chooses a child from. The distance of two genomes is that of
    the objective in which they differ most, each in the range of all that were born or are offered.
    """
    costs = [each for each in objectives[1:] if not each.measured]
    known = dict[str, list[float]]()

    def point(genome: Genome) -> list[float]:
        shown = Shown(0.0, breeding.costs(genome))
        return [each.coordinate(shown) for each in costs]

    def remote(population: Population, rng: Random, birth: str) -> Proposal | None:
        several = [propose(population, rng, birth) for _ in range(CANDIDATES)]
        found = [offer for offer in several if offer is not None]
        born = population.by_birth()
        for name in born:
            if name not in known:
                known[name] = point(population.genomes[name])
        if not found or not born:
            return next(iter(found), None)
        points = np.array([point(offer.genome) for offer in found])
        return found[farthest(points, np.array([known[name] for name in born]))]

    return remote if costs else propose


def farthest(points: Floats, others: Floats) -> int:
    """Return the place of the point whose nearest of *others* is farthest, the first of several.

    Args:
        points: (N, D).
        others: (M, D), M at least 1.
    """
    span = np.ptp(np.vstack([points, others]), axis=0)
    apart = np.abs(points[:, None] - others) / np.where(span > 0, span, 1.0)
    return int(np.argmax(apart.max(axis=2).min(axis=1)))
