"""Shares: how often each trait is assigned, learned from the standings of the genomes that have it.

Each trait has a normal posterior of the standing of genomes with it; where traits compete for a
slot, one is drawn by Thompson sampling (Thompson 1933; Russo et al. 2018, arXiv:1707.02038): a draw
from each posterior, the greatest wins. A floor keeps every trait on trial. All of it is a function
of what was measured, so that peers with the same records have the same shares.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import NormalDist

from ..genome.traits import Trait

PRIOR = 4.0
"""How many genomes of middling standing a trait begins with."""

SPREAD = 1 / math.sqrt(12)
"""The standard deviation of standings, which are even between 0 and 1."""

FLOOR = 0.02
"""The least share of a trait, or half of an even share where there are many."""

HALF_LIFE = 128
"""After how many births a genome counts half as much, so that shares follow the population."""

QUANTILE = NormalDist().inv_cdf(0.975)
STEPS = 400


@dataclass(frozen=True)
class Share:
    """A trait among those of its slot.

    ``genomes`` have it; ``mean`` is the posterior mean of their standing and ``half_interval`` half
    of its 95 % interval; ``share`` is the chance to be drawn, which is 1 in all of a slot.
    """

    trait: Trait
    genomes: int
    mean: float
    half_interval: float
    share: float


@dataclass(frozen=True)
class Posterior:
    """The standing of genomes with a trait, normal; ``genomes`` have it and weigh ``weight``."""

    genomes: int
    weight: float
    mean: float

    @property
    def spread(self) -> float:
        """The standard deviation of the mean."""
        return SPREAD / math.sqrt(PRIOR + self.weight)


UNKNOWN = Posterior(0, 0.0, 0.5)
"""Of a trait that nobody has tried."""


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
        told = defaultdict[Trait, list[tuple[float, float]]](list)
        weights = _weights([name for name in standings if name in traits], births or {})
        for name in sorted(weights):
            for trait in traits[name]:
                told[trait].append((weights[name], standings[name]))
        self._posteriors = {trait: _posterior(each) for trait, each in told.items()}

    @property
    def slots(self) -> list[str]:
        """The slots that something is known of, in order."""
        return sorted({trait.slot for trait in self._posteriors})

    def of(self, slot: str, options: Sequence[str] = ()) -> list[Share]:
        """Return the shares of a slot's known values and of *options*, the largest first."""
        known = {trait.value for trait in self._posteriors if trait.slot == slot}
        several = [Trait(slot, value) for value in sorted({*known, *options})]
        posteriors = [self._posteriors.get(trait, UNKNOWN) for trait in several]
        chances = floored(best_of(posteriors))
        found = [
            Share(trait, each.genomes, each.mean, QUANTILE * each.spread, chance)
            for trait, each, chance in zip(several, posteriors, chances, strict=True)
        ]
        return sorted(found, key=lambda share: (-share.share, share.trait))

    def draw(self, slot: str, options: Sequence[str], rng: Random) -> str:
        """Draw one of *options* by its share among them."""
        if rng.random() < floor_of(len(options)) * len(options):
            return rng.choice(options)
        posteriors = [self._posteriors.get(Trait(slot, value), UNKNOWN) for value in options]
        draws = [rng.gauss(each.mean, each.spread) for each in posteriors]
        return options[max(range(len(options)), key=draws.__getitem__)]


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
    return {
        name: 0.5 ** ((len(ordered) - 1 - number) / HALF_LIFE)
        for number, name in enumerate(ordered)
    }


def _posterior(told: Sequence[tuple[float, float]]) -> Posterior:
    weight = math.fsum(weight for weight, _ in told)
    total = math.fsum(weight * standing for weight, standing in told)
    return Posterior(len(told), weight, (PRIOR * 0.5 + total) / (PRIOR + weight))
