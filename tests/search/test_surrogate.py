"""The surrogate against sets, plain inverses and scipy's normal densities."""

from __future__ import annotations

from random import Random
from typing import Any, cast

import numpy as np
import pytest
from scipy import stats

from praxis_evolve.genome.traits import Trait
from praxis_evolve.search.surrogate import FOCI, NOISES, POWERS, Surrogate, likeliest

Traits = frozenset[Trait]


def words(count: int, rng: Random) -> list[Traits]:
    """Sets of unlike sizes: five places of four letters, the last place now and then missing."""
    return [
        frozenset(Trait(str(p), rng.choice("abcd")) for p in range(4 + (rng.random() < 0.7)))
        for _ in range(count)
    ]


def worth(word: Traits) -> float:
    """The first place counts most, the others little, and two of them together."""
    good = {trait.slot for trait in word if trait.value == "a"}
    return 2.0 * ("0" in good) + 0.3 * len(good) + 0.5 * ({"1", "2"} <= good)


def weighed(some: Traits, weights: dict[Trait, float]) -> float:
    return sum(weights[trait] for trait in some)


def kernel_of(every: list[Traits], weights: dict[Trait, float], power: int) -> np.ndarray:
    alike = [[weighed(a & b, weights) / weighed(a | b, weights) for b in every] for a in every]
    return np.array(alike) ** power


def told(every: list[Traits], values: np.ndarray) -> dict[Trait, float]:
    """The squared correlation of having a trait with the values, and that of chance."""
    found: dict[Trait, float] = {}
    for trait in sorted(frozenset[Trait]().union(*every)):
        has = [float(trait in each) for each in every]
        found[trait] = float(np.corrcoef(has, values)[0, 1]) ** 2 + 1 / len(every)
    return found


def test_it_is_the_gaussian_process_of_its_kernel() -> None:
    rng = Random(0)
    every = words(60, rng)
    values = np.array([worth(word) + rng.gauss(0, 0.1) for word in every])
    values -= values.mean()
    surrogate = Surrogate(every[:50], values[:50].tolist())
    fit = surrogate.fit
    weights = {trait: w**fit.focus for trait, w in told(every[:50], values[:50]).items()}
    kernel = kernel_of(every, weights, fit.power)
    inverse = np.linalg.inv(kernel[:50, :50] + fit.noise * np.eye(50))
    scale = values[:50] @ inverse @ values[:50] / 50
    across = kernel[50:, :50]
    mean, spread = surrogate.predict(every[50:])
    np.testing.assert_allclose(mean, across @ inverse @ values[:50], rtol=1e-6, atol=1e-9)
    expected = scale * (1 - np.einsum("ij,jk,ik->i", across, inverse, across))
    np.testing.assert_allclose(spread**2, expected, rtol=1e-6, atol=1e-9)


def test_focus_reach_and_noise_are_the_likeliest() -> None:
    rng = Random(1)
    every = words(40, rng)
    values = np.array([worth(word) + rng.gauss(0, 0.3) for word in every])
    values -= values.mean()
    best, fits = Surrogate(every, values.tolist()).fit, dict[tuple[float, int, float], float]()
    correlations = told(every, values)
    for focus in FOCI:
        weights = {trait: w**focus for trait, w in correlations.items()}
        for power in POWERS:
            kernel = kernel_of(every, weights, power)
            for noise in NOISES:
                covariance = kernel + noise * np.eye(40)
                scale = values @ np.linalg.inv(covariance) @ values / 40
                density = cast(Any, stats).multivariate_normal(np.zeros(40), scale * covariance)
                fits[focus, power, noise] = float(density.logpdf(values))
    assert max(fits, key=fits.__getitem__) == (best.focus, best.power, best.noise)
    constant = 40 / 2 * (1 + np.log(2 * np.pi))
    assert best.likelihood - constant == pytest.approx(max(fits.values()), rel=1e-6)


def test_what_tells_nothing_is_weighed_less() -> None:
    rng = Random(2)
    every = words(200, rng)
    values = [2.0 * (Trait("0", "a") in word) + rng.gauss(0, 0.1) for word in every]
    surrogate = Surrogate(every, (np.array(values) - np.mean(values)).tolist())
    assert surrogate.fit.focus > 0
    mean, _ = surrogate.predict([frozenset({Trait("0", "a")}), frozenset({Trait("1", "a")})])
    assert mean[0] > mean[1] + 0.5


def test_it_ranks_what_it_has_not_seen() -> None:
    rng = Random(3)
    every = words(300, rng)
    values = np.array([worth(word) for word in every])
    seen = values[:100] + np.array([rng.gauss(0, 0.5) for _ in range(100)])
    mean, _ = Surrogate(every[:100], (seen - seen.mean()).tolist()).predict(every[100:])
    ranked = cast(Any, stats).spearmanr(mean, values[100:])
    assert ranked.statistic > 0.8


def test_of_strange_traits_nothing_is_known() -> None:
    rng = Random(4)
    every = words(30, rng)
    surrogate = Surrogate(every, [rng.gauss(0, 1) for _ in every])
    mean, spread = surrogate.predict([frozenset({Trait("new", "x")}), every[0]])
    assert mean[0] == 0
    assert spread[0] > spread[1]


def test_values_that_are_all_equal_are_no_failure() -> None:
    every = words(10, Random(5))
    mean, spread = Surrogate(every, [0.0] * 10).predict(every)
    assert np.all(mean == 0)
    assert np.all(np.isfinite(spread))
    assert likeliest(np.ones((1, 1)), np.ones(1), np.zeros(1)).power in POWERS


def test_less_is_known_of_what_has_a_trait_that_none_has() -> None:
    rng = Random(4)
    every = words(80, rng)
    surrogate = Surrogate(every, [worth(word) - 1 for word in every])
    fit = surrogate.fit
    weights = {
        trait: w**fit.focus for trait, w in told(every, np.array([worth(w) for w in every])).items()
    }
    new = Trait("0", "z")
    weights[new] = (1 / 80) ** fit.focus
    stranger = frozenset({trait for trait in every[0] if trait.slot != "0"} | {new})
    alike = [weighed(stranger & b, weights) / weighed(stranger | b, weights) for b in every]
    kernel = kernel_of(every, weights, fit.power) + fit.noise * np.eye(80)
    near = np.array(alike) ** fit.power
    _, (known, spread) = surrogate.predict([every[0], stranger])
    _, (without,) = surrogate.predict([stranger - {new}])
    explained = near @ np.linalg.solve(kernel, near)
    values = np.array([worth(word) - 1 for word in every])
    scale = values @ np.linalg.solve(kernel, values) / 80
    assert spread == pytest.approx(np.sqrt(scale * (1 - explained)), rel=1e-6)
    assert spread > known
    assert spread > without
