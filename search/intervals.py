"""Means over a few seeds and parts of a count, with their intervals; without scipy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist, fmean, stdev

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Summary:
    """The mean of ``count`` values and the 95 % interval of it, infinite for a single value.

    A part of a count is the mean of values that are 0 or 1, and bounded by these.
    """

    mean: float
    low: float
    high: float
    count: int

    @property
    def half(self) -> float:
        """Half the width of the interval: the figure after the plus-minus."""
        return (self.high - self.low) / 2


def summary(values: Sequence[float]) -> Summary:
    """Return mean and interval of *values*.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("a mean needs at least one value, but there is none")
    mean, count = fmean(values), len(values)
    if count == 1:
        return Summary(mean, -math.inf, math.inf, 1)
    half = t_quantile(count - 1) * stdev(values) / math.sqrt(count)
    return Summary(mean, mean - half, mean + half, count)


def paired(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Summary:
    """Return the mean and interval of *ours* - *theirs* over the replicas that both have.

    Raises:
        ValueError: they have no replica in common.
    """
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        raise ValueError(
            f"a paired difference needs a common replica, but one has {sorted(ours)} "
            f"and the other {sorted(theirs)}"
        )
    return summary([ours[replica] - theirs[replica] for replica in shared])


def proportion(hits: int, count: int) -> Summary:
    """Return the part that *hits* are of *count*, with its interval by Wilson's score (1927).

    Raises:
        ValueError: there is nothing that it could be a part of.
    """
    if count < 1:
        raise ValueError(f"a part needs at least one thing to be of, but there are {count}")
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    part, more = hits / count, z * z / count
    middle = (part + more / 2) / (1 + more)
    half = z * math.sqrt(part * (1 - part) / count + more / (4 * count)) / (1 + more)
    return Summary(part, middle - half, middle + half, count)


@cache
def t_quantile(freedom: int) -> float:
    """Return the t that holds the central 95 % of Student's distribution of *freedom* degrees."""
    low, high = 0.0, 20.0  # freedom 1 has the largest, 12.7
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if _central(middle, freedom) < CONFIDENCE else (low, middle)
    return middle


def _central(t: float, freedom: int) -> float:
    """Return P(-t < T < t) by the finite sums of Abramowitz & Stegun, 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(freedom))
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for k in range(odd + 2, freedom + 1, 2):
        total += term
        term *= math.cos(angle) ** 2 * (k - 1) / k
    total *= math.sin(angle)
    return 2 / math.pi * (angle + total) if odd else total
