"""Effects of traits: Bayesian linear regression, however few genomes have a trait."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.search.shares import EVEN, EXPLAINED, Effects


@given(st.integers(0, 2**32), st.integers(2, 40), st.integers(1, 12))
def test_effects_are_those_of_the_primal_form(seed: int, genomes: int, traits: int) -> None:
    rng = np.random.default_rng(seed)
    frequent = rng.random(traits)
    rows = (rng.random((genomes, traits)) < frequent).astype(float)
    above, weights = rng.random(genomes) - 0.5, rng.uniform(0.2, 1.0, genomes)
    size = max(float(rows.sum(axis=1).mean()), 1.0)
    effects = Effects(rows, above, weights, size=size)
    found = [effects.of(rows[:, place]) for place in range(traits)]
    expected = [_primal(rows, above, weights, size, part) for part in EXPLAINED]
    assert any(np.allclose(found, each, atol=2e-6) for each in expected)


def _primal(
    rows: np.ndarray, above: np.ndarray, weights: np.ndarray, size: float, explained: float
) -> np.ndarray:
    """Return mean and spread of each trait's coefficient, whose prior is normal."""
    prior, noise = EVEN * explained / size, EVEN * (1 - explained)
    precision = np.eye(rows.shape[1]) / prior + rows.T * weights @ rows / noise
    covariance = np.linalg.inv(precision)
    mean = covariance @ (rows.T @ (weights * above)) / noise
    return np.stack([mean, np.sqrt(np.diagonal(covariance))], axis=1)


def test_of_a_trait_that_nobody_has_only_the_prior_is_known() -> None:
    effects = Effects(np.ones((8, 3)), np.linspace(-0.5, 0.5, 8), np.ones(8), size=3.0)
    mean, spread = effects.of(np.zeros(8))
    assert mean == 0
    assert any(spread == pytest.approx((EVEN * part / 3) ** 0.5, abs=1e-6) for part in EXPLAINED)
