"""Spread: founders that lie far apart in what is known of them before anything is trained.

Samples of chance crowd at a middling size, and a front is filled from there slowly. Of several
samples the one farthest from all that were born is taken (a maximin design; Johnson, Moore &
Ylvisaker 1990, Journal of Statistical Planning and Inference 26), in the objectives that are
computed from the genome itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random

import numpy as np

from ..genome.cost import Costs
from .breeding import Breeding, TraitBreeding
from .linear import Floats
from .objectives import Objective, Shown
from .population import Population
from .proposals import Proposal, Proposer, sampling
from .screen import CANDIDATES


def spreading(
    breeding: Breeding, objectives: Sequence[Objective]
) -> Callable[[TraitBreeding], Proposer]:
    """Return what samples a breeding: the most remote of several by the costs that are objectives.

    If no cost is one, any. There are as many samples as the screen chooses a child from. The
    distance of two genomes is that of the objective in which they differ most, each in the range
    of all that were born or are drawn.
    """
    foreseen = [each for each in objectives[1:] if not each.measured]
    known = dict[str, list[float]]()

    def point(costs: Costs) -> list[float]:
        return [each.coordinate(Shown(0.0, costs)) for each in foreseen]

    def remote(born: Sequence[str], costs: Sequence[Costs]) -> int:
        points = np.array([point(each) for each in costs])
        return farthest(points, np.array([known[name] for name in born])) if born else 0

    def spread(guided: TraitBreeding) -> Proposer:
        def propose(population: Population, rng: Random, birth: str) -> Proposal:
            born = population.by_birth()
            for name in born:
                if name not in known:
                    known[name] = point(breeding.costs(population.genomes[name]))
            drawn = guided.sample_of(rng, birth, CANDIDATES, partial(remote, born))
            return Proposal(drawn, "sample")

        return propose

    return spread if foreseen else sampling


def farthest(points: Floats, others: Floats) -> int:
    """Return the place of the point whose nearest of *others* is farthest, the first of several.

    Args:
        points: (N, D).
        others: (M, D), M at least 1.
    """
    span = np.ptp(np.vstack([points, others]), axis=0)
    apart = np.abs(points[:, None] - others) / np.where(span > 0, span, 1.0)
    return int(np.argmax(apart.max(axis=2).min(axis=1)))
