"""Ranks and hypervolumes against brute force."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.genome.cost import Costs
from praxis_evolve.search.objectives import (
    OBJECTIVES,
    QUALITY,
    REFERENCE,
    Shown,
    best,
    objectives,
    undominated,
)

Point = tuple[float, ...]
steps = st.integers(0, 6).map(float)
planes = st.lists(st.tuples(steps, steps), min_size=1, max_size=8)
spaces = st.lists(st.tuples(steps, steps, steps), min_size=1, max_size=6)


def dominates(a: Point, b: Point) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True)) and a != b


def volume(points: list[Point]) -> float:
    """Sum the cells of the grid through all coordinates that some point dominates."""
    if not points:
        return 0.0
    axes = [sorted({*column, REFERENCE}) for column in zip(*points, strict=True)]
    total = 0.0
    for cell in itertools.product(*(list(itertools.pairwise(axis)) for axis in axes)):
        corner = tuple(low for low, _ in cell)
        if any(all(x <= y for x, y in zip(p, corner, strict=True)) for p in points):
            size = 1.0
            for low, high in cell:
                size *= high - low
            total += size
    return total


def scaled(points: list[Point]) -> list[Point]:
    lows = [min(column) for column in zip(*points, strict=True)]
    spans = [max(column) - min(column) or 1.0 for column in zip(*points, strict=True)]
    return [tuple((x - lo) / s for x, lo, s in zip(p, lows, spans, strict=True)) for p in points]


def check_best(points: list[Point]) -> None:
    chosen, unit = best(points), scaled(points)
    assert not any(dominates(p, points[chosen]) for p in points)

    front = [i for i, p in enumerate(unit) if not any(dominates(q, p) for q in unit)]

    def share(i: int) -> float:
        return volume([unit[j] for j in front]) - volume([unit[j] for j in front if j != i])

    assert share(chosen) == pytest.approx(max(share(i) for i in front))
    assert chosen == points.index(points[chosen])


@given(planes)
def test_the_best_of_two_objectives_adds_the_largest_area(points: list[Point]):
    check_best(points)


@given(spaces)
def test_the_best_of_three_objectives_adds_the_largest_volume(points: list[Point]):
    check_best(points)


def test_what_is_not_known_of_all_is_passed_over_and_who_lacks_it_is_in_no_front():
    nan = float("nan")
    assert best([(2.0, 1.0, nan), (1.0, 3.0, 0.0), (1.0, 2.0, 5.0)]) == 2
    assert best([(2.0, nan), (1.0, 5.0)]) == 1
    assert undominated([(2.0, nan), (1.0, 5.0), (3.0, 6.0), (3.0, 1.0)]) == [1, 3]
    assert undominated([(2.0, nan)]) == []
    assert undominated([]) == []


@given(planes)
def test_the_front_is_what_nothing_dominates(points: list[Point]):
    expected = [i for i, p in enumerate(points) if not any(dominates(q, p) for q in points)]
    assert undominated(points) == expected


def test_what_machines_measure_is_compared_by_steps_and_the_faster_is_the_better():
    costs = Costs(100, 1.0, 1.0, 1.0)

    def speed(amount: float) -> float:
        shown = Shown(3.0, costs, {"tokens_per_second": amount})
        return OBJECTIVES["tokens_per_second"].coordinate(shown)

    assert speed(2000.0) < speed(1000.0)
    assert speed(1000.0) == speed(1100.0)
    assert math.isnan(OBJECTIVES["peak_memory_bytes"].coordinate(Shown(3.0, costs)))


def test_noise_is_no_difference():
    costs = Costs(100, 1.0, 1.0, 1.0)
    assert QUALITY.coordinate(Shown(3.000, costs)) == QUALITY.coordinate(Shown(3.010, costs))
    assert QUALITY.coordinate(Shown(3.00, costs)) < QUALITY.coordinate(Shown(3.06, costs))


def test_costs_are_compared_by_order_of_size():
    def flops(amount: float) -> float:
        return OBJECTIVES["flops"].coordinate(Shown(3.0, Costs(1, amount, 1.0, 1.0)))

    assert flops(4e6) - flops(2e6) == pytest.approx(flops(2e6) - flops(1e6))
    assert flops(0.0) == 0.0


def test_objectives_are_found_by_name():
    found = objectives(["bits_per_byte", "parameters"])
    costs = Costs(7, 1.0, 2.0, 3.0)
    assert [objective.value(Shown(3.0, costs)) for objective in found] == [3.0, 7]


def test_an_unknown_objective_suggests_the_nearest():
    with pytest.raises(KeyError, match=r"'flop'.*nearest.*'flops'"):
        objectives(["bits_per_byte", "flop"])


@pytest.mark.parametrize("names", [[], ["flops"], ["bits_per_byte", "flops", "flops"]])
def test_quality_leads_and_nothing_stands_twice(names: list[str]):
    with pytest.raises(ValueError, match="must be 'bits_per_byte' and then others"):
        objectives(names)
