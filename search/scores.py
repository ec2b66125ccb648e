"""What the results say about each genome at each rung, as far as they are trusted."""

from __future__ import annotations

import math
from dataclasses import replace

from ..evaluator.result import Measurement, Result

BLANK = Measurement()

TRUSTED = 0.5
"""The weight from which a result counts. Many results of less do not add up: claims are cheap."""

HEEDED = 0.2
"""The weight from which a claim is worth a look: less is for who was wrong more than right."""


class Scores:
    """The bits per byte of genomes at rungs, from every result that was told.

    A result is told twice if it differs in nothing but what the machine measured; the last weight
    told counts. Different trusted results of the same work are samples: their weighted mean counts.
    A failure is a result without a score: another peer may have the memory or the time.
    """

    def __init__(self) -> None:
        self._samples: dict[tuple[str, int], list[tuple[Result, float]]] = {}
        self._places: dict[tuple[str, int], dict[Result, int]] = {}
        """Where each sample of those that several results are of stands, by what was found."""

    def add(self, result: Result, weight: float) -> float | None:
        """Take in a result; return the score of its genome at its rung, None if there is none."""
        key = result.genome, result.rung
        samples = self._samples.setdefault(key, [])
        if samples:
            places = self._places.setdefault(key, {_found(samples[0][0]): 0})
            place = places.setdefault(_found(result), len(samples))
            samples[place : place + 1] = [(result, weight)]
        else:
            samples.append((result, weight))
        sound = [
            (weight, bits)
            for sample, weight in samples
            if weight >= TRUSTED and (bits := _bits(sample)) is not None
        ]
        total = math.fsum(weight for weight, _ in sound)
        return math.fsum(weight * bits for weight, bits in sound) / total if sound else None


def _found(result: Result) -> Result:
    """Return a result without what the machine added: the same for all that are told twice."""
    return replace(result, measured=BLANK)


def comparable(result: Result) -> bool:
    """Whether a result ranks genomes in the search.

    Those of further replicas are finals; those of genomes that inherited weights stand apart.
    """
    return result.replica == 0 and result.inherited_tokens == 0


def _bits(result: Result) -> float | None:
    bits = result.bits_per_byte
    return bits if result.ok and bits is not None and math.isfinite(bits) else None
