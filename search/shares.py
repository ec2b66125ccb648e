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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import NormalDist
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..genome.traits import Trait
from .linear import Floats, decomposed, inverse, root, solved
from .priors import NONE, Expected, Priors

EVEN = 1 / 12
"""The variance of standings, which are even between 0 and 1."""

EXPLAINED = (0.1, 0.2, 0.4, 0.6, 0.8, 0.9)
"""Parts of that variance that all traits of a genome may explain; the likeliest is taken."""

TRIED = 64
"""How many genomes the likelihood is computed of: few tell which of six it is."""

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
NODES = [NormalDist().inv_cdf((step + 0.5) / STEPS) for step in range(STEPS)]


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


class Traits:
    """What genomes are made of, each read once: their traits by number."""

    def __init__(self, of: Mapping[str, Iterable[Trait]] = MappingProxyType({})) -> None:
        self._numbers: dict[Trait, int] = {}
        self._of: dict[str, list[int]] = {}
        for name, traits in of.items():
            self.add(name, traits)

    def add(self, name: str, traits: Iterable[Trait]) -> None:
        """Note the traits of a genome."""
        numbers = self._numbers
        self._of[name] = [numbers.setdefault(trait, len(numbers)) for trait in traits]

    def __contains__(self, name: object) -> bool:
        return name in self._of

    def table(self, names: Iterable[str]) -> tuple[dict[Trait, int], npt.NDArray[np.float32]]:
        """Return the columns of a table (genomes, traits) and the table: 1 for what each has."""
        owned = [self._of[name] for name in names]
        every = list(self._numbers)
        used = sorted(set[int]().union(*owned), key=every.__getitem__)  # whoever was read first
        column = np.zeros(len(self._numbers), dtype=np.intp)
        column[used] = np.arange(len(used))
        table = np.zeros((len(owned), len(used)), dtype=np.float32)  # whose counts stay exact
        for row, numbers in zip(table, owned, strict=True):
            row[column[numbers]] = 1.0
        return {every[number]: place for place, number in enumerate(used)}, table


class Shares:
    """The shares of all traits of some genomes.

    Args:
        standings: from 0 to 1 by genome.
        traits: of these genomes; those without a standing are passed over.
        births: when genomes were born, in any numbers that rise; by default all count alike.
        priors: what is expected of traits; results override it.
    """

    def __init__(
        self,
        standings: Mapping[str, float],
        traits: Traits,
        births: Mapping[str, int] | None = None,
        priors: Priors = NONE,
    ) -> None:
        weights = _weights([name for name in standings if name in traits], births or {})
        self._places, table = traits.table(weights)
        self._owners: list[int] = table.sum(axis=0).astype(int).tolist()
        above = np.array([standings[name] - 0.5 for name in weights])
        counts = np.array(list(weights.values()))
        self._contrasts = Contrasts(table, [trait.slot for trait in self._places])
        self._priors = priors
        self._expected = Expected(priors, self._places, self._contrasts.usual)
        above = above - self._expected.standings(self._contrasts.rows)  # what is not expected
        size = max(sum(self._owners) / len(weights), 1.0) if weights else 1.0
        self._effects = Effects(self._contrasts.rows, above, counts, size=size) if weights else None
        self._known: dict[Trait, Posterior] = {}

    @property
    def slots(self) -> list[str]:
        """The slots that something is known or expected of, in order."""
        return sorted({trait.slot for trait in (*self._places, *self._priors)})

    def posterior(self, trait: Trait) -> Posterior:
        """Return what is known of a trait."""
        if self._effects is None:
            return Posterior(0, 0.5 + self._expected.of(trait), math.sqrt(EVEN))
        known = self._known.get(trait)
        if known is None:
            place = self._places.get(trait)
            owners = 0 if place is None else self._owners[place]
            mean, spread = self._effects.of(*self._contrasts.to_usual(trait.slot, place))
            mean += round(self._expected.of(trait), DIGITS)
            known = self._known[trait] = Posterior(owners, 0.5 + mean, spread)
        return known

    def of(self, slot: str, options: Sequence[str] = ()) -> list[Share]:
        """Return the shares of a slot's values, known and expected, and of *options*.

        The largest comes first.
        """
        every = (*self._places, *self._priors)
        known = {trait.value for trait in every if trait.slot == slot}
        several = [Trait(slot, value) for value in sorted({*known, *options})]
        posteriors = [self.posterior(trait) for trait in several]
        chances = floored(best_of(posteriors))
        found = [
            Share(trait, each.genomes, each.mean, QUANTILE * each.spread, chance)
            for trait, each, chance in zip(several, posteriors, chances, strict=True)
        ]
        return sorted(found, key=lambda share: (-share.share, share.trait))


class Contrasts:
    """What genomes have of traits, told from what is usual where the slot is filled.

    What all have that fill a slot tells nothing of it: it would share the credit of what the slot
    is of (a setting that of its block), and stand above values that nobody tried.

    Args:
        table: (genomes, traits) 1 where a genome has a trait, else 0.
        slots: (traits,) the slot of each, all of a slot side by side.
    """

    def __init__(self, table: npt.NDArray[np.float32], slots: Sequence[str]) -> None:
        first = [n for n, slot in enumerate(slots) if n == 0 or slots[n - 1] != slot]
        self._slots = {slots[start]: number for number, start in enumerate(first)}
        counts = np.diff([*first, len(slots)])
        filled = _sums(table, first)  # (genomes, slots): how many traits of each slot a genome has
        self.usual = table.sum(axis=0, dtype=float) / np.repeat(filled.sum(axis=0), counts)
        """(traits,) How usual each is where its slot is filled; 1 in all of a slot."""
        self.rows = table - np.repeat(filled, counts, axis=1) * self.usual
        """(genomes, traits) How far each genome has more of a trait than is usual."""
        self._usual_row = _sums(self.rows * self.usual, first)  # (genomes, slots)
        self._usual_size = _sums(self.usual**2, first)  # (slots,)

    def to_usual(self, slot: str, place: int | None) -> tuple[Floats, float]:
        """Return what a trait in the place of the usual of its slot changes.

        That is its column of the rows less that of the usual mixture, (genomes,), and the square of
        its length in the space of traits, by which nothing is known before anything is measured.
        """
        number = self._slots.get(slot)
        if number is None:
            return np.zeros(len(self.rows)), 1.0
        usual, size = self._usual_row[:, number], float(self._usual_size[number])
        if place is None:
            return -usual, 1.0 + size
        return self.rows[:, place] - usual, 1.0 + size - 2.0 * float(self.usual[place])


def _sums(values: npt.NDArray[Any], first: Sequence[int]) -> Floats:
    """Return the sums over each slot of the last axis, by where each begins."""
    return np.add.reduceat(values, first, axis=-1, dtype=float) if first else values[..., :0]


def floor_of(options: int) -> float:
    """Return the least share of each of so many traits."""
    return min(FLOOR, 0.5 / options)


def floored(chances: Sequence[float]) -> list[float]:
    """Return chances that sum up to 1 with none below the floor."""
    floor = floor_of(len(chances)) if chances else 0.0
    return [floor + (1 - floor * len(chances)) * chance for chance in chances]


def best_of(posteriors: Sequence[Posterior]) -> list[float]:
    """Return how likely a draw from each is the greatest, by quadrature; they sum up to 1.

    The nodes are quantiles of each, so that one may be spread as little as it likes.
    """
    normals = [NormalDist(each.mean, each.spread) for each in posteriors]
    parts = [
        math.fsum(
            math.prod(
                other.cdf(each.mean + each.stdev * node)
                for n, other in enumerate(normals)
                if n != number
            )
            for node in NODES
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


class Effects:
    """What each trait adds to the standings of genomes, as far as these tell.

    Bayesian linear regression in its dual form; a genome of weight w has the noise of one divided
    by w. Of most traits nobody asks, so only what all have in common is computed at once.

    Args:
        rows: (genomes, traits) how far a genome has a trait, as ``Contrasts``.
        above: (genomes,) the standings, with the middle at 0.
        weights: (genomes,) what each counts.
        size: how many traits a genome has: as many share what they explain.
    """

    def __init__(self, rows: Floats, above: Floats, weights: Floats, *, size: float) -> None:
        shared = rows @ rows.T
        own = np.sqrt(weights)
        kernel, y = shared * np.outer(own, own) / size, above * own
        explained = _likeliest(kernel, y)
        noise = EVEN * (1 - explained) * np.eye(len(y))
        lower = root(EVEN * explained * kernel + noise)
        self._prior = EVEN * explained / size
        self._told = solved(lower, y) * own
        self._precision = inverse(lower) * np.outer(own, own)

    def of(self, column: Floats, size: float = 1.0) -> tuple[float, float]:
        """Return mean and spread of what a change of traits adds.

        Args:
            column: (genomes,) what each has of the change: rows times the change.
            size: the square of its length, in traits.
        """
        told, precision = self._told, self._precision
        have = column.nonzero()[0]
        if 4 * len(have) < len(column):  # most slots are filled in few genomes
            column, told, precision = column[have], told[have], precision[have[:, None], have]
        mean = self._prior * float(column @ told)
        known = self._prior**2 * float(column @ precision @ column)
        spread = math.sqrt(max(self._prior * size - known, self._prior * 1e-6))
        return round(mean, DIGITS), round(spread, DIGITS)


def _likeliest(kernel: Floats, y: Floats) -> float:
    """Return the explained part of the variance that makes *y*, or some of it, likeliest."""
    some = np.arange(0, len(y), math.ceil(len(y) / TRIED))
    values, vectors = decomposed(kernel[np.ix_(some, some)])
    turned = (vectors.T @ y[some]) ** 2
    fits: list[tuple[float, float]] = []
    for explained in EXPLAINED:
        variances = EVEN * (explained * np.maximum(values, 0.0) + 1 - explained)
        fits.append((-float((np.log(variances) + turned / variances).sum()), explained))
    return max(fits)[1]
