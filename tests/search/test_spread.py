"""Founders lie far apart in the costs that are objectives."""

from __future__ import annotations

from random import Random
from statistics import fmean, pstdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.search.base import Asked, Birth
from praxis_evolve.search.evolution import regularized_evolution
from praxis_evolve.search.objectives import objectives
from praxis_evolve.search.population import Population
from praxis_evolve.search.proposals import Proposal, sampling
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
    sample = sampling(toy)
    assert spreading(sample, toy, objectives(("bits_per_byte",))) is sample
    assert spreading(sample, toy, objectives(("bits_per_byte", "tokens_per_second"))) is sample


def test_where_nothing_is_offered_nothing_is_and_the_first_founder_is_the_first_offer() -> None:
    toy, population = Toy(), Population(size=4, rungs=(100,))
    wanted = objectives(("bits_per_byte", "parameters"))
    offers = [Proposal(toy.spell([n] * toy.length, ""), "sample") for n in (3, 0, 5)]

    def in_turn(population: Population, rng: Random, birth: str) -> Proposal | None:
        return offers.pop(0) if offers else None

    first, propose = offers[0], spreading(in_turn, toy, wanted)
    assert propose(population, Random(0), "") is first
    assert propose(population, Random(0), "") is None
