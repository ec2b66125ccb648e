"""A surrogate of standings: a Gaussian process that knows genomes by the traits that they share.

Two genomes are as alike as their sets of traits: ``(w(A & B) / w(A | B)) ** p``, w the sum of the
weights of some traits (Tanimoto; Ralaivola et al. 2005; with it Griffiths et al. 2023,
arXiv:2212.04450, screen molecules). Its powers are kernels, too: a larger one reaches less far.
Rasmussen & Williams 2006, algorithm 2.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..genome.traits import Trait
from .linear import Floats, decomposed, root, solved, whitened

FOCI = (0.0, 0.5, 1.0)
"""To what power of what it tells a trait is weighed: 0 is all alike."""

POWERS = (1, 2, 4, 8)
NOISES = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Variances of the noise, in those of the process. Focus, power and noise are the likeliest."""

TRIED = 64
"""How many genomes the likelihood is computed of: it takes few to choose from as few."""

Traits = frozenset[Trait]


class Fit(NamedTuple):
    """Kernel and noise of a process, and the logarithm of their marginal likelihood."""

    likelihood: float
    focus: float
    power: int
    noise: float


class Surrogate:
    """A Gaussian process over sets of traits.

    Args:
        traits: of each genome.
        values: one each; they should be about normal with mean 0.
    """

    def __init__(self, traits: Sequence[Traits], values: Sequence[float]) -> None:
        every = sorted(frozenset[Trait]().union(*traits))
        self._places = {trait: place for place, trait in enumerate(every)}
        rows, y = self._rows(traits), np.asarray(values, dtype=float)
        told = _told(rows, y)
        self.fit = likeliest(rows, told, y)
        self._weights = told**self.fit.focus
        self._unknown = (1.0 / len(y)) ** self.fit.focus
        self._known = rows
        kernel = _alike(rows, rows, self._weights) ** self.fit.power
        self._root = root(kernel + self.fit.noise * np.eye(len(y)))
        self._solved = solved(self._root, y)
        self._scale = math.sqrt(max(float(y @ self._solved) / len(y), 1e-12))

    def predict(self, traits: Sequence[Traits]) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the value of each, noise left out.

        A trait that none of the known has makes a genome less like them, so less is known of it.
        """
        rows = self._rows(traits)
        new = np.array([len(each) for each in traits]) - rows.sum(axis=1)
        alike = _alike(rows, self._known, self._weights, new * self._unknown) ** self.fit.power
        known = whitened(self._root, alike.T)
        variance = np.maximum(1.0 - (known**2).sum(axis=0), 1e-12)
        return alike @ self._solved, self._scale * np.sqrt(variance)

    def _rows(self, traits: Sequence[Traits]) -> Floats:
        """Return which traits each has, of those that are known: (genomes, traits)."""
        rows = np.zeros((len(traits), len(self._places)))
        for row, each in zip(rows, traits, strict=True):
            row[[self._places[trait] for trait in each if trait in self._places]] = 1.0
        return rows


def likeliest(rows: Floats, told: Floats, values: Floats) -> Fit:
    """Return the kernel and the noise of the largest marginal likelihood of some of the values."""
    some = np.arange(0, len(values), math.ceil(len(values) / TRIED))
    fits: list[Fit] = []
    for focus in FOCI:
        alike = _alike(rows[some], rows[some], told**focus)
        for power in POWERS:
            chances = _likelihoods(alike**power, values[some])
            fits += (
                Fit(chance, focus, power, n) for chance, n in zip(chances, NOISES, strict=True)
            )
    return max(fits)


def _told(rows: Floats, values: Floats) -> Floats:
    """Return how much of the variance of the values the presence of each trait explains by itself.

    That is the squared correlation, with what chance would explain added for all.
    """
    centred, y = rows - rows.mean(axis=0), values - values.mean()
    total = (centred**2).sum(axis=0) * (y @ y)
    explained = (centred.T @ y) ** 2 / np.where(total > 0, total, 1.0)
    return explained + 1.0 / len(values)


def _alike(some: Floats, others: Floats, weights: Floats, besides: Floats | float = 0.0) -> Floats:
    """Return the Tanimoto similarity of each of *some* to each of *others*.

    *besides* weighs the traits of each of *some* that no other has.
    """
    shared = (some * weights) @ others.T
    either = (some @ weights + besides)[:, None] + others @ weights - shared
    return shared / np.where(either > 0, either, 1.0)


def _likelihoods(kernel: Floats, y: Floats) -> list[float]:
    """Return the logarithm of the likelihood for each noise, but for a constant.

    The process's own variance is the likeliest one. All noises share one decomposition.
    """
    values, vectors = decomposed(kernel)
    eigenvalues = np.maximum(values, 0.0) + np.array(NOISES)[:, None]
    variances = np.maximum(((vectors.T @ y) ** 2 / eigenvalues).mean(axis=1), 1e-12)
    return (-0.5 * (len(y) * np.log(variances) + np.log(eigenvalues).sum(axis=1))).tolist()
