"""Credit of operators: what their children gain on the better parent."""

from __future__ import annotations

from random import Random
from statistics import fmean, pstdev

import pytest

from praxis_evolve.search.credit import LEAST, PRIOR, Credit
from praxis_evolve.search.population import Origin

STANDINGS = {"a": 0.5, "b": 0.7, "c": 0.9, "d": 0.6, "e": 0.2, "f": 0.75}
ORIGINS = {
    "a": Origin("starter:llama", ()),
    "c": Origin("swap", ("a",)),
    "d": Origin("swap+merge", ("a",)),
    "e": Origin("merge", ("b",)),
    "f": Origin("crossover", ("a", "b")),
    "unscored": Origin("swap", ("a",)),
    "orphan": Origin("swap", ("unscored",)),
}


def test_gains_are_counted_and_losses_are_none():
    credit, every = Credit(STANDINGS, ORIGINS), [0.4, 0.1, 0.1, 0.0, 0.05]
    middle = fmean(every)
    for operator, gains in {"swap": [0.4, 0.1], "merge": [0.1, 0.0], "crossover": [0.05]}.items():
        count, mean, spread = credit.of(operator)
        assert count == len(gains)
        assert mean == pytest.approx((PRIOR * middle + sum(gains)) / (PRIOR + count))
        assert spread == pytest.approx(pstdev(every) / (PRIOR + count) ** 0.5)
    assert credit.of("never")[:2] == (0, pytest.approx(middle))


def test_the_order_of_what_is_known_does_not_matter():
    turned = dict(reversed(ORIGINS.items()))
    one, other = Credit(STANDINGS, ORIGINS), Credit(STANDINGS, turned)
    assert [one.of(name) for name in ("swap", "merge")] == [
        other.of(name) for name in ("swap", "merge")
    ]


def test_draws_are_around_the_credit_and_never_nothing():
    credit, rng = Credit(STANDINGS, ORIGINS), Random(0)
    draws = [credit.draw("swap", rng) for _ in range(4000)]
    assert min(draws) >= LEAST
    middle = fmean([0.4, 0.1, 0.1, 0.0, 0.05])
    assert fmean(draws) == pytest.approx(credit.of("swap")[1] / middle, abs=0.05)
    assert fmean(draws) > fmean(credit.draw("merge", rng) for _ in range(4000))


def test_where_nothing_gained_all_are_alike():
    assert Credit({}, {}).draw("swap", Random(0)) == 1.0
    assert Credit({"a": 0.9, "b": 0.1}, {"b": Origin("swap", ("a",))}).draw("x", Random(0)) == 1.0
