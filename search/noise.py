"""Noise: how far two trainings of one genome differ by luck alone, from those there are.

A difference of that size dominates nobody and promotes nobody. Before there is any repetition it is
what was measured once for all (``objectives.QUALITY``); every repetition corrects that.
"""

from __future__ import annotations

import math
from statistics import fmean

from ..evaluator.result import Result
from .scores import TRUSTED

PRIOR = 8
"""How many repetitions what is assumed weighs as much as."""


class Noise:
    """The standard deviation of one training, rung by rung: seeds of a genome about their mean.

    It is pooled over the genomes with several seeds from scratch at a rung, the search's and those
    of finals. The order of telling does not matter; different results of one seed make a mean.
    """

    def __init__(self) -> None:
        self._told: dict[int, dict[str, dict[int, dict[float, float]]]] = {}
        self._pooled: dict[int, tuple[int, float]] = {}

    def add(self, result: Result, weight: float) -> bool:
        """Take in a result; return whether the noise of its rung may be another one now."""
        bits = result.bits_per_byte
        if bits is None or not math.isfinite(bits) or result.inherited_tokens:
            return False
        seeds = self._told.setdefault(result.rung, {}).setdefault(result.genome, {})
        values = seeds.setdefault(result.replica, {})
        if values.get(bits) == weight:
            return False
        values[bits] = weight
        if len(seeds) < 2:
            return False
        self._pooled.pop(result.rung, None)
        return True

    def at(self, rung: int, *, assumed: float) -> float:
        """Return the noise at a rung; *assumed* without repetitions, and where it is 0."""
        if rung not in self._pooled:
            self._pooled[rung] = self._pool(rung)
        freedom, squares = self._pooled[rung]
        if not freedom or not assumed:
            return assumed
        return math.sqrt((PRIOR * assumed**2 + squares) / (PRIOR + freedom))

    def _pool(self, rung: int) -> tuple[int, float]:
        """Return the degrees of freedom and the sum of squares about the genomes' own means."""
        freedom, squares = 0, list[float]()
        for seeds in self._told.get(rung, {}).values():
            bits = [fmean(sound) for values in seeds.values() if (sound := _sound(values))]
            if len(bits) > 1:
                mean = fmean(bits)
                freedom += len(bits) - 1
                squares += [(each - mean) ** 2 for each in bits]
        return freedom, math.fsum(squares)


def _sound(values: dict[float, float]) -> list[float]:
    return [bits for bits, weight in values.items() if weight >= TRUSTED]
