"""Shares: how often each trait is assigned, learned from the standings of the genomes that have it.

The standing of a genome is taken as the sum of what its traits add, with a normal prior on each, so
that a trait is not paid for the good company it is in: genomes descend from few, and what a lucky
ancestor had is in all of them. Where traits compete for a slot, one is drawn by Thompson sampling
from these posteriors (Thompson 1933; linear: Agrawal & Goyal 2013, arXiv:1209.3352), with a floor
that keeps every trait on trial. All of it is a function of what was measured, so that peers with
the same records have the same shares.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import NormalDist

import numpy as np

from ..genome.traits import Trait
from .linear import Floats, decomposed, root, solved, whitened

EVEN = 1 / 12
"""The variance of standings, which are even between 0 and 1."""

EXPLAINED = (0.1, 0.2, 0.4, 0.6, 0.8, 0.9)
"""Parts of that variance that all traits of a genome may explain; the likeliest is taken."""

FLOOR = 0.02
"""The least share of a trait, or half of an even share where there are many."""

HALF_LIFE = 128
HORIZON = 2 * HALF_LIFE
"""After how many births a genome counts half as much, so that shares follow the population, and
after how many it does not count any more.
"""

DIGITS = 6
"""Decimals of means and spreads: rounding errors differ between machines, shares must not."""

QUANTILE = NormalDist().inv_cdf(0.975)
STEPS = 400


@dataclass(frozen=True)
class Share:
    """A trait among those of its slot.

    ``genomes`` have it; ``mean`` is the posterior mean of the standing of a genome that has it and
    is middling otherwise, ``half_interval`` half of its 95 % interval; ``share`` is the chance to
    be drawn, which is 1 in all of a slot.
    """

    trait: Trait
    genomes: int
    mean: float
    half_interval: float
    share: float


@dataclass(frozen=True)
class Posterior:
    """The standing of a genome with a trait and middling otherwise, normal; ``genomes`` have it."""

    genomes: int
    mean: float
    spread: float

    def draw(self, rng: Random) -> float:
        """Draw a standing."""
        return rng.gauss(self.mean, self.spread)


class Shares:
    """The shares of all traits of some genomes.

    Args:
        standings: from 0 to 1 by genome.
        traits: of these genomes; those without a standing are passed over.
        births: when genomes were born, in any numbers that rise; by default all count alike.
    """

    def __init__(
        self,
        standings: Mapping[str, float],
        traits: Mapping[str, Iterable[Trait]],
        births: Mapping[str, int] | None = None,
    ) -> None:
        weights = _weights([name for name in standings if name in traits], births or {})
        each = {name: frozenset(traits[name]) for name in weights}
        counts = Counter(trait for have in each.values() for trait in have)
        self._posteriors: dict[Trait, Posterior] = {}
        self._unknown = Posterior(0, 0.5, math.sqrt(EVEN))
        if counts:
            self._learn(
                sorted(counts),
                counts,
                list(each.values()),
                np.array([standings[name] - 0.5 for name in weights]),
                np.array(list(weights.values())),
            )

    def _learn(
        self,
        every: Sequence[Trait],
        counts: Mapping[Trait, int],
        each: Sequence[frozenset[Trait]],
        above: Floats,
        weights: Floats,
    ) -> None:
        places = {trait: place for place, trait in enumerate(every)}
        rows = np.zeros((len(each), len(every)))
        for row, have in zip(rows, each, strict=True):
            row[[places[trait] for trait in have]] = 1.0
        means, spreads, prior = _effects(rows, above, weights)
        for trait, mean, spread in zip(every, means, spreads, strict=True):
            self._posteriors[trait] = Posterior(counts[trait], 0.5 + mean, spread)
        self._unknown = Posterior(0, 0.5, prior)

    @property
    def slots(self) -> list[str]:
        """The slots that something is known of, in order."""
        return sorted({trait.slot for trait in self._posteriors})

    def posterior(self, trait: Trait) -> Posterior:
        """Return what is known of a trait."""
        return self._posteriors.get(trait, self._unknown)

    def of(self, slot: str, options: Sequence[str] = ()) -> list[Share]:
        """Return the shares of a slot's known values and of *options*, the largest first."""
        known = {trait.value for trait in self._posteriors if trait.slot == slot}
        several = [Trait(slot, value) for value in sorted({*known, *options})]
        posteriors = [self.posterior(trait) for trait in several]
        chances = floored(best_of(posteriors))
        found = [
            Share(trait, each.genomes, each.mean, QUANTILE * each.spread, chance)
            for trait, each, chance in zip(several, posteriors, chances, strict=True)
        ]
        return sorted(found, key=lambda share: (-share.share, share.trait))


def floor_of(options: int) -> float:
    """Return the least share of each of so many traits."""
    return min(FLOOR, 0.5 / options)


def floored(chances: Sequence[float]) -> list[float]:
    """Return chances that sum up to 1 with none below the floor."""
    floor = floor_of(len(chances)) if chances else 0.0
    return [floor + (1 - floor * len(chances)) * chance for chance in chances]


def best_of(posteriors: Sequence[Posterior]) -> list[float]:
    """Return how likely a draw from each is the greatest, by quadrature; they sum up to 1."""
    normals = [NormalDist(each.mean, each.spread) for each in posteriors]
    if len(normals) < 2:
        return [1.0] * len(normals)
    low = min(each.mean - 6 * each.stdev for each in normals)
    high = max(each.mean + 6 * each.stdev for each in normals)
    places = [low + (high - low) * (step + 0.5) / STEPS for step in range(STEPS)]
    below = [[each.cdf(place) for each in normals] for place in places]
    parts = [
        math.fsum(
            each.pdf(place) * math.prod(cdf[:number] + cdf[number + 1 :])
            for place, cdf in zip(places, below, strict=True)
        )
        for number, each in enumerate(normals)
    ]
    return [part / math.fsum(parts) for part in parts]


def _weights(names: Iterable[str], births: Mapping[str, int]) -> dict[str, float]:
    """Return what each genome counts: half as much for every ``HALF_LIFE`` born after it."""
    ordered = sorted(names, key=lambda name: (births.get(name, 0), name))
    if not births:
        return dict.fromkeys(ordered, 1.0)
    last = ordered[-HORIZON:]
    return {name: 0.5 ** ((len(last) - 1 - n) / HALF_LIFE) for n, name in enumerate(last)}


def _effects(
    rows: Floats, above: Floats, weights: Floats
) -> tuple[list[float], list[float], float]:
    """Return mean and spread of what each trait adds, and the spread of the prior.

    Bayesian linear regression of *above* (genomes,) on *rows* (genomes, traits), in its dual form;
    a genome of weight w has the noise of one divided by w.
    """
    size = max(float(rows.sum(axis=1).mean()), 1.0)
    own = np.sqrt(weights)
    scaled, y = rows * own[:, None], above * own
    kernel = scaled @ scaled.T / size
    explained = _likeliest(kernel, y)
    prior, noise = EVEN * explained / size, EVEN * (1 - explained)
    lower = root(prior * size * kernel + noise * np.eye(len(y)))
    means = prior * (scaled.T @ solved(lower, y))
    known = whitened(lower, scaled)
    spreads = np.sqrt(np.maximum(prior - prior**2 * (known**2).sum(axis=0), prior * 1e-6))
    return means.round(DIGITS).tolist(), spreads.round(DIGITS).tolist(), math.sqrt(prior)


def _likeliest(kernel: Floats, y: Floats) -> float:
    """Return the explained part of the variance that makes *y* likeliest."""
    values, vectors = decomposed(kernel)
    turned = (vectors.T @ y) ** 2
    fits: list[tuple[float, float]] = []
    for explained in EXPLAINED:
        variances = EVEN * (explained * np.maximum(values, 0.0) + 1 - explained)
        fits.append((-float((np.log(variances) + turned / variances).sum()), explained))
    return max(fits)[1]
