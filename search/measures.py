"""Measures: what machines measured of genomes beside their quality, made comparable.

A speed or a memory of one machine says little about another. What compares is measured on one kind
of device: what comes from another kind is scaled by the ratio of the medians of both, so a genome
that is twice as fast as most is so on either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import median
from types import MappingProxyType
from typing import NamedTuple

from ..evaluator.result import Measurement, Result
from .scores import TRUSTED

MEASURED = ("tokens_per_second", "peak_memory_bytes")
"""What is measured, by the names of the columns."""

NOTHING: Mapping[str, float] = MappingProxyType({})


class _Sample(NamedTuple):
    rung: int
    inherited_tokens: int
    measured: Measurement


class Measures:
    """Speed and memory of genomes, from the trusted results of the search that were told.

    The order of telling does not matter, and what is told twice counts once; the last weight told
    counts. Several results of a genome, of whatever rung, make a median.
    """

    def __init__(self) -> None:
        self._told: dict[str, dict[_Sample, float]] = {}
        self._devices: Counter[str] = Counter()
        self._known: dict[str, Mapping[str, float]] = {}
        self._scales: Mapping[str, Mapping[str, float]] | None = None

    def add(self, result: Result, weight: float) -> bool:
        """Take in a result; return whether anything is another one now."""
        if not result.ok or result.replica:
            return False
        samples = self._told.setdefault(result.genome, {})
        sample = _Sample(result.rung, result.inherited_tokens, result.measured)
        counted, counts = samples.get(sample, 0.0) >= TRUSTED, weight >= TRUSTED
        samples[sample] = weight
        if counted == counts:
            return False
        several = self._is_mixed()
        self._devices[result.measured.device] += 1 if counts else -1
        self._known.pop(result.genome, None)
        if several or self._is_mixed():  # their ratio is another one, and with it all others
            self._known.clear()
        self._scales = None
        return True

    def of(self, genome: str) -> Mapping[str, float]:
        """Return what was measured of a genome, comparable; of what never was there is nothing."""
        if genome not in self._told:
            return NOTHING
        if genome not in self._known:
            self._known[genome] = self._medians(genome, self._ratios())
        return self._known[genome]

    def within(self, genome: str, limits: Mapping[str, float]) -> bool:
        """Whether the medians as measured are within *limits*; what is not measured is."""
        if not limits:
            return True
        found = self._medians(genome, {})
        return all(found.get(name, 0.0) <= limit for name, limit in limits.items())

    def _medians(
        self, genome: str, ratios: Mapping[str, Mapping[str, float]]
    ) -> Mapping[str, float]:
        values: dict[str, list[float]] = {}
        for sample in self._sound(genome):
            measured = sample.measured
            for name in MEASURED:
                if value := getattr(measured, name):  # 0 says that it was not measured
                    scale = ratios.get(measured.device, NOTHING).get(name, 1.0)
                    values.setdefault(name, []).append(scale * value)
        return {name: median(found) for name, found in values.items()}

    def _ratios(self) -> Mapping[str, Mapping[str, float]]:
        """Return by device and name how many times its median the main device's is."""
        if self._scales is None:
            self._scales = self._compared() if self._is_mixed() else {}
        return self._scales

    def _is_mixed(self) -> bool:
        """Whether devices of several kinds measured."""
        return len(self._devices) > 1 and len(+self._devices) > 1

    def _compared(self) -> Mapping[str, Mapping[str, float]]:
        columns: dict[str, dict[str, list[float]]] = {}
        for genome in self._told:
            for sample in self._sound(genome):
                of_device = columns.setdefault(sample.measured.device, {})
                for name in MEASURED:
                    if value := getattr(sample.measured, name):
                        of_device.setdefault(name, []).append(value)
        usual = {
            device: {name: median(values) for name, values in found.items()}
            for device, found in columns.items()
        }
        main = usual[min(self._devices, key=lambda device: (-self._devices[device], device))]
        return {
            device: {name: main[name] / found[name] for name in found.keys() & main.keys()}
            for device, found in usual.items()
        }

    def _sound(self, genome: str) -> list[_Sample]:
        samples = self._told.get(genome, {})
        return [sample for sample, weight in samples.items() if weight >= TRUSTED]


def measures_of(told: Iterable[tuple[Result, float]]) -> Measures:
    """Return what results with the weights of their trust say."""
    measures = Measures()
    for result, weight in told:
        measures.add(result, weight)
    return measures
