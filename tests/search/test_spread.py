"""Founders lie far apart in the costs that are objectives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from statistics import fmean, pstdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.genome.cost import Costs
from praxis_evolve.genome.space import Limits, Space
from praxis_evolve.genome.starters import llama
from praxis_evolve.search.base import Asked, Birth
from praxis_evolve.search.evolution import regularized_evolution
from praxis_evolve.search.objectives import objectives
from praxis_evolve.search.population import Population
from praxis_evolve.search.proposals import sampling
from praxis_evolve.search.screen import CANDIDATES
from praxis_evolve.search.species import Species
from praxis_evolve.search.spread import farthest, spreading
from praxis_evolve.search.toy import Toy

FOUNDERS = 16
POINT = st.tuples(st.integers(0, 20), st.integers(0, 3))


@given(st.lists(POINT, min_size=1, max_size=6), st.lists(POINT, min_size=1, max_size=6))
def test_the_farthest_is_that_of_a_search_through_all(
    points: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    ranges = [max(axis) - min(axis) or 1 for axis in zip(*points, *others, strict=True)]

    def gap(point: tuple[int, int]) -> float:
        return min(
            max(abs(a - b) / r for a, b, r in zip(point, other, ranges, strict=True))
            for other in others
        )

    found = farthest(np.array(points, dtype=float), np.array(others, dtype=float))
    assert gap(points[found]) == pytest.approx(max(map(gap, points)))


def costs(names: tuple[str, ...], seed: int) -> list[int]:
    """Return the parameters of the founders of a search, in order."""
    toy = Toy(seed=seed)
    search = regularized_evolution(
        toy,
        seed=seed,
        ladder=Ladder((100,)),
        objectives=objectives(names),
        population=FOUNDERS,
        births=FOUNDERS,
    )
    found = list[int]()
    for number in range(FOUNDERS):
        assignment = search.ask(Birth("run", "me", number))
        assert assignment is not None
        search.tell([Asked(assignment)])
        found.append(toy.costs(assignment.genome).parameters)
    return sorted(found)


def test_founders_cover_more_of_a_cost_that_is_an_objective_and_more_evenly() -> None:
    for seed in range(4):
        near, far = costs(("bits_per_byte",), seed), costs(("bits_per_byte", "parameters"), seed)
        assert far[-1] - far[0] > near[-1] - near[0]
        gaps = np.diff(far) / (far[-1] - far[0])
        assert pstdev(gaps) < fmean(gaps), "as exponential gaps, those of chance, would be"


def test_what_only_machines_measure_spreads_nobody() -> None:
    toy = Toy()
    assert spreading(toy, objectives(("bits_per_byte",))) is sampling
    assert spreading(toy, objectives(("bits_per_byte", "tokens_per_second"))) is sampling


def test_the_first_founder_is_the_first_sample_and_the_next_the_farthest_of_several() -> None:
    toy, population = Toy(), Population(size=4, rungs=(100,))
    propose = spreading(toy, objectives(("bits_per_byte", "parameters")))(toy)
    founder = propose(population, Random(0), "")
    assert founder is not None
    assert founder.genome == toy.sample(Random(0), "")
    population.know("first", founder.genome)
    population.bear("first", Birth("run", "me", 0))
    rng, size = Random(1), toy.costs(founder.genome).parameters
    sizes = [toy.costs(toy.sample(rng, "")).parameters for _ in range(CANDIDATES)]
    second = propose(population, Random(1), "")
    assert second is not None
    apart = [abs(math.log(each / size)) for each in sizes]
    assert toy.costs(second.genome).parameters == sizes[apart.index(max(apart))]


def test_only_the_chosen_draft_is_fitted_and_what_costs_too_much_is_shown_at_the_limit() -> None:
    space = Space(installed(), widths=(32,), context=64)
    most = round(space.costs(llama(space, layers=2)).flops)
    space = replace(space, limits=Limits(flops=most))
    for seed in range(20):
        shown = list[Costs]()

        def largest(several: Sequence[Costs], shown: list[Costs] = shown) -> int:
            shown += several
            return max(range(len(several)), key=lambda n: several[n].flops)

        genome = Species(space).sample_of(Random(seed), "", CANDIDATES, largest)
        assert space.legal(genome)
        assert 1 < len(shown) <= CANDIDATES
        assert max(each.flops for each in shown) <= most
        assert max(each.flops for each in shown) == most or space.costs(genome) in shown
