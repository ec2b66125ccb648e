"""Operator credit: how much the children of each operator gain on their parents.

What counts is the gain of those that gain, zero for the others: an operator that mostly ruins and
now and then improves is worth more than one that never changes anything (adaptive operator
selection; Fialho et al. 2010, Annals of Mathematics and Artificial Intelligence 60).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from random import Random
from statistics import NormalDist
from typing import NamedTuple

from .population import Origin

PRIOR = 4.0
"""How many children of middling gain an operator begins with."""

QUANTILE = NormalDist().inv_cdf(0.975)

LEAST = 0.1
"""The least credit of an operator, in that of all."""


class Gain(NamedTuple):
    """The gain of an operator's children: how many there are, their mean, the spread of that."""

    children: int
    mean: float
    spread: float

    @property
    def half_interval(self) -> float:
        """Half of the 95 % interval of the mean."""
        return QUANTILE * self.spread


class Credit:
    """The credit of operators, by the standings of children and of the best of their parents.

    Args:
        standings: from 0 to 1 by genome.
        origins: the operators that made a genome, joined by ``+``, and its parents, of those that
            are to count.
    """

    def __init__(self, standings: Mapping[str, float], origins: Mapping[str, Origin]) -> None:
        gains = defaultdict[str, list[float]](list)
        for child, (operators, parents) in origins.items():
            own = standings.get(child) if parents else None
            if own is None:
                continue
            known = [standings[parent] for parent in parents if parent in standings]
            if known:
                gain = max(0.0, own - max(known))
                for operator in set(operators.split("+")):
                    gains[operator].append(gain)
        self._gains = dict(gains)
        every = [gain for each in gains.values() for gain in each]
        self._mean, self._spread = _mean_and_spread(every) if every else (0.0, 0.0)
        self._known = {name: self._of(name) for name in self._gains}

    @property
    def operators(self) -> list[str]:
        """The operators that have children with a standing, in order."""
        return sorted(self._gains)

    def of(self, operator: str) -> Gain:
        """Return the gain of an operator, which begins with ``PRIOR`` children of middling gain."""
        return self._known.get(operator) or self._of(operator)

    def _of(self, operator: str) -> Gain:
        gains = self._gains.get(operator, ())
        weight = PRIOR + len(gains)
        mean = (PRIOR * self._mean + math.fsum(gains)) / weight
        return Gain(len(gains), mean, self._spread / math.sqrt(weight))

    def draw(self, operator: str, rng: Random) -> float:
        """Draw the credit of an operator, 1 being that of all; 1 where nothing is known."""
        if self._mean <= 0:
            return 1.0
        gain = self.of(operator)
        return max(LEAST, rng.gauss(gain.mean, gain.spread) / self._mean)


def _mean_and_spread(gains: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard deviation, whatever the order of what is summed up."""
    mean = math.fsum(gains) / len(gains)
    return mean, math.sqrt(math.fsum([(gain - mean) ** 2 for gain in gains]) / len(gains))
