"""A surrogate of standings: a Gaussian process that knows genomes by the traits that they share.

Two genomes are as alike as their sets of traits A and B: ``(|A & B| / |A | B|) ** p`` (Tanimoto;
Ralaivola et al. 2005, with which Griffiths et al. 2023, arXiv:2212.04450, screen molecules). Its
powers are kernels, too: a larger one reaches less far. Rasmussen & Williams 2006, algorithm 2.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, cholesky, solve_triangular

from ..genome.traits import Trait

POWERS = (1, 2, 4, 8)
NOISES = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Variances of the noise, in those of the process. Power and noise are the likeliest of these."""

TRIED = 128
"""How many genomes the likelihood is computed of: it takes few to choose from as few."""

Floats = npt.NDArray[np.float64]
Traits = frozenset[Trait]


class Fit(NamedTuple):
    """Reach and noise of a process, and the logarithm of their marginal likelihood."""

    likelihood: float
    power: int
    noise: float


class Surrogate:
    """A Gaussian process over sets of traits.

    Args:
        traits: of each genome.
        values: one each; they should be about normal with mean 0 (``standing.normal_scores``).
    """

    def __init__(self, traits: Sequence[Traits], values: Sequence[float]) -> None:
        every = sorted(frozenset[Trait]().union(*traits))
        self._places = {trait: place for place, trait in enumerate(every)}
        self._traits = self._rows(traits)
        self._sizes = np.array([len(each) for each in traits], dtype=float)
        y, alike = np.asarray(values, dtype=float), self._alike(self._traits, self._sizes)
        self.fit = likeliest(alike, y)
        self._root = _root(alike, self.fit.power, self.fit.noise)
        self._weights: Floats = cho_solve((self._root, True), y)
        self._scale = math.sqrt(max(float(y @ self._weights) / len(y), 1e-12))

    def predict(self, traits: Sequence[Traits]) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the value of each, noise left out."""
        sizes = np.array([len(each) for each in traits], dtype=float)
        alike = self._alike(self._rows(traits), sizes) ** self.fit.power
        known: Floats = solve_triangular(self._root, alike.T, lower=True)
        variance = np.maximum(1.0 - (known**2).sum(axis=0), 1e-12)
        return alike @ self._weights, self._scale * np.sqrt(variance)

    def _rows(self, traits: Sequence[Traits]) -> Floats:
        """Return which traits each has, of those that are known: (genomes, traits)."""
        rows = np.zeros((len(traits), len(self._places)))
        for row, each in zip(rows, traits, strict=True):
            row[[self._places[trait] for trait in each if trait in self._places]] = 1.0
        return rows

    def _alike(self, rows: Floats, sizes: Floats) -> Floats:
        """Return the Tanimoto similarity of each to each that is known."""
        shared = rows @ self._traits.T
        return shared / np.maximum(sizes[:, None] + self._sizes - shared, 1.0)


def likeliest(alike: Floats, values: Floats) -> Fit:
    """Return the reach and noise of the largest marginal likelihood of (some of) the values."""
    some = np.arange(0, len(values), math.ceil(len(values) / TRIED))
    part, y = alike[np.ix_(some, some)], values[some]
    return max(_fitted(part, y, power, noise) for power, noise in product(POWERS, NOISES))


def _fitted(alike: Floats, y: Floats, power: int, noise: float) -> Fit:
    """Return the likelihood with the process's own variance at its best, to a constant."""
    root = _root(alike, power, noise)
    whitened: Floats = solve_triangular(root, y, lower=True)
    variance = max(float(whitened @ whitened) / len(y), 1e-12)
    spread = float(np.log(np.diag(root)).sum())
    return Fit(-0.5 * len(y) * math.log(variance) - spread, power, noise)


def _root(alike: Floats, power: int, noise: float) -> Floats:
    covariance = alike**power
    covariance[np.diag_indices_from(covariance)] += noise
    return cholesky(covariance, lower=True)
