"""Traits: the choices that a genome is made of, each among others that could stand in its place."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..blocks.ranges import Integer, Range, Real, Value
from ..blocks.registry import Catalog
from .genes import SEGMENTS, TRAINING
from .graph import EMBEDDING, Entry, Genome, Part, Visit
from .identity import canonical

BINS = 5
"""Into how many stretches of equal length a range of numbers is cut."""

NONE = "none"


@dataclass(frozen=True, order=True)
class Trait:
    """What stands at a slot of a genome: ``value`` competes with the others of its ``slot``.

    Slots: ``mixer`` and ``feed-forward`` (blocks of the pool), ``after A`` (the block that reads
    block A: a step of the route), ``A.setting``, ``prelude``, ``precision``, ``router``, ``merge``,
    the parts and genes of the stack, and the genes of training.
    """

    slot: str
    value: str


def traits(genome: Genome, catalog: Catalog) -> frozenset[Trait]:
    """Return the traits of a genome, dead genes and unreachable visits left out.

    Raises:
        ValueError, KeyError: as ``canonical``.
    """
    return frozenset(_Reader(canonical(genome, catalog), catalog).all())


def bin_text(range_: Range, value: Value) -> str:
    """Return the name of a value among those that count as one: its stretch of a range."""
    if not isinstance(range_, Integer | Real):
        return str(value)
    low, high, place = float(range_.low), float(range_.high), float(value)
    if range_.log:
        low, high, place = math.log(low), math.log(high), math.log(place)
    number = min(BINS - 1, int(BINS * (place - low) / (high - low))) if high > low else 0
    ends = (low + (high - low) * edge / BINS for edge in (number, number + 1))
    return "..".join(f"{math.exp(end) if range_.log else end:.3g}" for end in ends)


class _Reader:
    def __init__(self, genome: Genome, catalog: Catalog) -> None:
        self._genome = genome
        self._catalog = catalog

    def all(self) -> Iterator[Trait]:
        for entry in self._genome.pool:
            yield from self._entry(entry)
        for visit in self._genome.route:
            yield from self._visit(visit)
        yield from self._stack()
        for name, range_ in TRAINING.items():
            yield Trait(name, bin_text(range_, getattr(self._genome.training, name)))

    def _entry(self, entry: Entry) -> Iterator[Trait]:
        declared = self._catalog[entry.block.name]
        yield Trait("mixer" if declared.mixes else "feed-forward", entry.block.name)
        yield from self._settings(entry.block)
        yield from self._optional("prelude", entry.prelude)
        if declared.projects:
            yield Trait("precision", entry.precision)

    def _visit(self, visit: Visit) -> Iterator[Trait]:
        own = self._name(visit)
        for read in visit.reads:
            before = "embedding" if read == EMBEDDING else self._name(self._genome.route[read])
            yield Trait(f"after {before}", own)
        yield from self._optional("router", visit.router)
        if len(visit.reads) > 1:
            yield Trait("merge", visit.merge)

    def _stack(self) -> Iterator[Trait]:
        stack = self._genome.stack
        for name in ("residual", "norm", "embedding", "exit"):
            yield from self._optional(name, getattr(stack, name))
        parts = [part for part in self._genome.parts() if self._catalog[part.name].segmented]
        if parts:
            yield Trait("segments", bin_text(SEGMENTS, stack.segments))
        yield Trait("width", str(stack.width))
        yield Trait("tied", str(stack.tied))
        yield Trait("feedback", str(stack.feedback))

    def _optional(self, slot: str, part: Part | None) -> Iterator[Trait]:
        yield Trait(slot, NONE if part is None else part.name)
        if part is not None:
            yield from self._settings(part)

    def _settings(self, part: Part) -> Iterator[Trait]:
        declared = self._catalog[part.name]
        for name, value in declared.alive(part.settings).items():
            text = bin_text(declared.settings[name].range, value)
            yield Trait(f"{part.name}.{name}", text)

    def _name(self, visit: Visit) -> str:
        return self._genome.pool[visit.block].block.name
