"""Student's intervals against scipy."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # pyright: ignore[reportMissingTypeStubs]

from praxis_evolve.search.intervals import Summary, paired, proportion, summary, t_quantile

# On a grid, for scipy warns of values that differ in their last digit alone.
bits = st.integers(10**6, 8 * 10**6).map(lambda millionths: millionths / 10**6)


@pytest.mark.parametrize("freedom", [*range(1, 40), 100, 1001])
def test_quantiles_are_those_of_scipy(freedom: int):
    assert t_quantile(freedom) == pytest.approx(float(stats.t.ppf(0.975, freedom)), rel=1e-9)


@given(st.lists(bits, min_size=2, max_size=8, unique=True))
def test_intervals_are_those_of_scipy(values: list[float]):
    bounds: Any = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    low, high = float(bounds.low), float(bounds.high)
    found = summary(values)
    assert found.count == len(values)
    assert found.low == pytest.approx(low, abs=1e-9)
    assert found.high == pytest.approx(high, abs=1e-9)
    assert found.half == pytest.approx((high - low) / 2, abs=1e-9)


def test_one_value_has_no_bounds():
    assert summary([3.0]) == Summary(3.0, -math.inf, math.inf, 1)


def test_a_mean_needs_a_value():
    with pytest.raises(ValueError, match="at least one value"):
        summary([])


@given(st.lists(st.tuples(bits, bits), min_size=2, max_size=6))
def test_pairs_are_compared_replica_by_replica(pairs: list[tuple[float, float]]):
    ours = {replica: a for replica, (a, _) in enumerate(pairs)}
    theirs = {replica: b for replica, (_, b) in enumerate(pairs)} | {99: 1.0}
    assert paired(ours, theirs) == summary([a - b for a, b in pairs])


def test_pairs_need_a_common_replica():
    with pytest.raises(ValueError, match=r"one has \[1\] and the other \[2\]"):
        paired({1: 3.0}, {2: 3.0})


def test_pairing_takes_away_what_the_seeds_share():
    ours, theirs = {1: 3.0, 2: 3.5, 3: 4.0}, {1: 3.1, 2: 3.61, 3: 4.09}
    assert summary(list(ours.values())).high > summary(list(theirs.values())).low
    assert paired(ours, theirs).high < 0


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_parts_have_the_wilson_intervals_of_scipy(case: tuple[int, int]):
    hits, count = case
    wanted: Any = stats.binomtest(hits, count).proportion_ci(0.95, method="wilson")
    found = proportion(hits, count)
    assert (found.mean, found.count) == (hits / count, count)
    assert found.low == pytest.approx(float(wanted.low), abs=1e-12)
    assert found.high == pytest.approx(float(wanted.high), abs=1e-12)


def test_nothing_has_no_parts():
    with pytest.raises(ValueError, match="at least one"):
        proportion(0, 0)
