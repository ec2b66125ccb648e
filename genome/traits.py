"""Traits: the choices that a genome is made of, each among others that could stand in its place."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from ..blocks.declaration import Declaration
from ..blocks.ranges import Choice, Integer, Range, Real, Value
from ..blocks.registry import Catalog
from .genes import SEGMENTS, TRAINING
from .graph import EMBEDDING, Entry, Genome, Part, Visit
from .identity import canonical
from .memory import PerObject

BINS = 5
"""Into how many stretches of equal length a range of numbers is cut."""

NONE = "none"


class Trait(NamedTuple):
    """What stands at a slot of a genome: ``value`` competes with the others of its ``slot``.

    Slots: ``mixer`` and ``feed-forward`` (blocks of the pool), ``mixer family`` and ``feed-forward
    family``, ``after A`` (the block that reads block A: a step of the route), ``A.setting``,
    ``prelude``, ``precision``, ``router``, ``merge``, the parts and genes of the stack, and the
    genes of training.
    """

    slot: str
    value: str


class _Slot:
    """A slot of values of a range, with its traits: of few values each is asked for often."""

    def __init__(self, name: str, range_: Range) -> None:
        self._name = name
        self._range = range_
        self._traits: dict[str, Trait] = {}

    def trait(self, value: Value) -> Trait:
        """Return the trait of a value."""
        text = bin_text(self._range, value)
        known = self._traits.get(text)
        if known is None:
            known = self._traits[text] = Trait(self._name, text)
        return known


_TRAINING = {name: _Slot(name, range_) for name, range_ in TRAINING.items()}

_slots = PerObject[dict[str, _Slot]]()
_stretches = PerObject[tuple[float, float, tuple[str, ...]]]()
"""The slots of what declarations have settings of, and the stretches of ranges."""

_known = PerObject[frozenset[Trait]]()
"""The traits of entries, parts and training, which children share with their parents; sets know
the hashes of what is in them.
"""


def traits(genome: Genome, catalog: Catalog) -> frozenset[Trait]:
    """Return the traits of a genome, dead genes and unreachable visits left out.

    Raises:
        ValueError, KeyError: as ``canonical``.
    """
    return form_traits(canonical(genome, catalog), catalog)


def form_traits(form: Genome, catalog: Catalog) -> frozenset[Trait]:
    """Return the traits of a genome in canonical form."""
    return _Reader(form, catalog).all()


def bin_text(range_: Range, value: Value) -> str:
    """Return the name of a value among those that count as one: its stretch of a range."""
    if not isinstance(range_, Integer | Real):
        return str(value)
    low, high, texts = _stretches.of(range_, None, lambda: _cut(range_))
    place = math.log(float(value)) if range_.log else float(value)
    return texts[min(BINS - 1, int(BINS * (place - low) / (high - low))) if high > low else 0]


def bin_texts(range_: Range) -> list[str]:
    """Return the names of all options or stretches of a range, each once."""
    if isinstance(range_, Integer | Real):
        return list(dict.fromkeys(_stretches.of(range_, None, lambda: _cut(range_))[2]))
    return list(map(str, range_.options)) if isinstance(range_, Choice) else []


def _cut(range_: Integer | Real) -> tuple[float, float, tuple[str, ...]]:
    """Return the ends of a range on its own scale, and the names of its stretches."""
    low, high = float(range_.low), float(range_.high)
    if range_.log:
        low, high = math.log(low), math.log(high)
    edges = [low + (high - low) * edge / BINS for edge in range(BINS + 1)]
    texts = [f"{math.exp(edge) if range_.log else edge:.3g}" for edge in edges]
    return low, high, tuple(f"{one}..{other}" for one, other in pairwise(texts))


def block_trait(declared: Declaration) -> Trait:
    """Return the trait of a pool with this block."""
    return Trait(_role(declared), declared.name)


def family_trait(declared: Declaration) -> Trait:
    """Return the trait of a pool with a block of this family."""
    return Trait(f"{_role(declared)} family", declared.family)


def step_trait(before: str, own: str) -> Trait:
    """Return the trait of a route in which block *own* reads block *before*."""
    return Trait(f"after {before}", own)


def part_trait(slot: str, part: Declaration | Part | None) -> Trait:
    """Return the trait of what stands at a slot for parts, nothing included."""
    return Trait(slot, NONE if part is None else part.name)


def setting_trait(declared: Declaration, name: str, value: Value) -> Trait:
    """Return the trait of a setting's value."""
    slots = _slots.of(declared, None, dict)
    if name not in slots:
        slots[name] = _Slot(f"{declared.name}.{name}", declared.settings[name].range)
    return slots[name].trait(value)


def training_trait(name: str, value: Value) -> Trait:
    """Return the trait of a training gene's value."""
    return _TRAINING[name].trait(value)


def block_name(genome: Genome, read: int) -> str:
    """Return the name of the block that a read is the value of."""
    return "embedding" if read == EMBEDDING else genome.pool[genome.route[read].block].block.name


def _role(declared: Declaration) -> str:
    return "mixer" if declared.mixes else "feed-forward"


def _setting_traits(part: Part, catalog: Catalog) -> frozenset[Trait]:
    declared = catalog[part.name]
    alive = declared.alive(part.settings)
    return frozenset(setting_trait(declared, name, value) for name, value in alive.items())


class _Reader:
    def __init__(self, genome: Genome, catalog: Catalog) -> None:
        self._genome = genome
        self._catalog = catalog

    def all(self) -> frozenset[Trait]:
        found = set(_known.of(self._genome.training, self._catalog, self._training))
        found.update(self._stack())
        found.update(*_known.each(self._genome.pool, self._catalog, self._entry))
        for visit in self._genome.route:
            found.update(self._visit(visit))
        return frozenset(found)

    def _entry(self, entry: Entry) -> frozenset[Trait]:
        return frozenset(self._entry_traits(entry))

    def _entry_traits(self, entry: Entry) -> Iterator[Trait]:
        declared = self._catalog[entry.block.name]
        yield family_trait(declared)
        yield block_trait(declared)
        yield from self._settings(entry.block)
        yield from self._optional("prelude", entry.prelude)
        if declared.projects:
            yield Trait("precision", entry.precision)

    def _visit(self, visit: Visit) -> Iterator[Trait]:
        own = self._genome.pool[visit.block].block.name
        for read in visit.reads:
            before = block_name(self._genome, read)
            yield step_trait(before, own)
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
        yield part_trait(slot, part)
        if part is not None:
            yield from self._settings(part)

    def _training(self) -> frozenset[Trait]:
        genes = self._genome.training
        return frozenset(training_trait(name, getattr(genes, name)) for name in TRAINING)

    def _settings(self, part: Part) -> frozenset[Trait]:
        return _known.of(part, self._catalog, lambda: _setting_traits(part, self._catalog))
