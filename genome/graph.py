"""Genomes: a pool of blocks, a route of visits over it, and genes of the stack and of training.

All of it is frozen plain data. ``Genome.problems`` says whether the structure is sound by itself;
whether it is legal in a space (catalog, ranges, limits) is the space's to say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from ..blocks.declaration import Precision
from ..blocks.ranges import Value
from .memory import Recent

Settings = Mapping[str, Value]
Merge = Literal["mean", "gate", "sum", "concat"]

EMBEDDING = -1
"""The index that a visit reads to read the token embedding."""

_live = Recent[tuple[tuple[int, ...], tuple[int, ...]]]()
_needed = Recent[float]()
"""What is asked of the routes of all children, most of which have their parent's."""


def frozen(settings: Settings) -> Settings:
    """Return a read-only copy of *settings* in the order of the names."""
    return MappingProxyType(dict(sorted(settings.items())))


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Part:
    """A thing of the catalog by name, with its settings."""

    name: str
    settings: Settings = field(default_factory=dict[str, Value])

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", frozen(self.settings))

    def __hash__(self) -> int:
        return hash((self.name, tuple(self.settings.items())))

    def __reduce__(self) -> tuple[type[Part], tuple[str, dict[str, Value]]]:
        return Part, (self.name, dict(self.settings))


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Entry:
    """A block of the pool: its weights are shared by all visits to it.

    ``prelude`` is a cheap mixing block before its input (short convolution, token shift).
    ``precision`` is how the block's projections hold their weights.
    ``lineage`` says where the entry comes from, for crossover and inherited weights; it is no part
    of the genome's identity or equality.
    """

    block: Part
    prelude: Part | None = None
    lineage: str = field(default="", compare=False)
    precision: Precision = "full"


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Visit:
    """One step of the route: ``value = base (+) f(norm(merge(reads)))``.

    ``block`` indexes the pool. ``reads`` are indices of earlier visits or ``EMBEDDING``, without
    repeats. ``base`` is one of those indices, too; None means the first read. ``merge`` matters
    where there are several reads: their mean or sum, a learned mixture, or a projection of all of
    them side by side. ``router`` chooses the tokens that are worked on.
    """

    block: int
    reads: tuple[int, ...] = (EMBEDDING,)
    base: int | None = None
    merge: Merge = "mean"
    router: Part | None = None

    @property
    def base_read(self) -> int:
        """The index of the stream that the visit adds to."""
        return self.reads[0] if self.base is None else self.base


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Stack:
    """The genes that concern all visits.

    ``segments`` is the number of segments in a context, for blocks that summarise by segment;
    ``tied`` shares the embedding table with the head. ``feedback`` is the number of tokens after
    which a visit hears what the visits that read it said (layerwise feedback), 0 for never.
    """

    width: int = 64
    residual: Part = Part("pre")
    norm: Part = Part("rmsnorm")
    embedding: Part = Part("token")
    exit: Part | None = None
    segments: int = 4
    tied: bool = True
    feedback: int = 0


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Training:
    """The genes of the optimizer (AdamW): decoupled decay, momenta, warm-up and clipping.

    ``warmup`` is the share of the lowest rung's tokens over which the learning rate rises.
    ``shuffle`` is how often a training step runs the visits' work in a random order (LayerShuffle,
    arXiv:2407.04513).
    """

    learning_rate: float = 0.01
    weight_decay: float = 0.1
    beta2: float = 0.95
    warmup: float = 0.1
    clip: float = 1.0
    shuffle: float = 0.0


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Genome:
    """An architecture and how to train it. Visit *i* reads only before *i*: no cycles.

    The last visit is the output.
    """

    pool: tuple[Entry, ...]
    route: tuple[Visit, ...]
    stack: Stack = Stack()
    training: Training = Training()

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the structure, a sentence each; nothing if it is sound."""
        if not self.route:
            yield "the route has no visit; a genome needs at least one"
        if len(self.pool) > _needed.of(self.route, None, lambda: _needed_entries(self.route)):
            return
        for number, visit in enumerate(self.route):
            yield from _visit_problems(number, visit, len(self.pool))

    def live_visits(self) -> tuple[int, ...]:
        """Return the visits that reach the output, in order."""
        return self.living()[0]

    def live_entries(self) -> tuple[int, ...]:
        """Return the pool entries whose visits reach the output, in order."""
        return self.living()[1]

    def living(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the visits that reach the output and the pool entries that these name."""
        return _live.of(self.route, None, lambda: _reaching(self.route))

    def readers(self, source: int) -> tuple[int, ...]:
        """Return the visits that read *source* or add to it, in order."""
        return tuple(
            number
            for number, visit in enumerate(self.route)
            if source in visit.reads or source == visit.base_read
        )

    def speakers(self) -> tuple[int, ...]:
        """Return the visits that others hear by layerwise feedback: all that read another one."""
        if not self.stack.feedback:
            return ()
        reading = (self.readers(source) for source in range(len(self.route)))
        return tuple(sorted({number for above in reading for number in above}))

    def parts(self) -> Iterator[Part]:
        """Yield every named thing of the genome."""
        return parts_of(self.pool, self.route, self.stack)


def parts_of(pool: Iterable[Entry], route: Iterable[Visit], stack: Stack) -> Iterator[Part]:
    """Yield every named thing of these."""
    for entry in pool:
        yield entry.block
        if entry.prelude is not None:
            yield entry.prelude
    for visit in route:
        if visit.router is not None:
            yield visit.router
    yield from (stack.residual, stack.norm, stack.embedding)
    if stack.exit is not None:
        yield stack.exit


def _reaching(route: Sequence[Visit]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the visits that reach the last one, and the pool entries that they name."""
    live = [False] * len(route)
    live[-1] = True  # which is also the number of the embedding
    for number in range(len(route) - 1, -1, -1):  # readers stand behind what they read
        if live[number]:
            visit = route[number]
            live[visit.base_read] = True
            for read in visit.reads:
                live[read] = True
    visits = tuple([number for number, alive in enumerate(live) if alive])
    return visits, tuple(sorted({route[number].block for number in visits}))


def _needed_entries(route: Sequence[Visit]) -> float:
    """Return the number of the last pool entry that a sound route names; no pool suits another."""
    needed = -1
    for number, visit in enumerate(route):
        if not _is_sound(number, visit):
            return math.inf
        needed = max(needed, visit.block)
    return needed


def _is_sound(number: int, visit: Visit) -> bool:
    """Return whether a visit has no problem in a genome with a pool that is large enough."""
    reads, base = visit.reads, visit.base
    if visit.block < 0 or not (base is None or EMBEDDING <= base < number):
        return False
    if len(reads) == 1:
        return EMBEDDING <= reads[0] < number
    return len(set(reads)) == len(reads) > 0 and EMBEDDING <= min(reads) <= max(reads) < number


def _visit_problems(number: int, visit: Visit, pool: int) -> Iterator[str]:
    if not 0 <= visit.block < pool:
        yield f"visit {number} names pool entry {visit.block}, but the pool has {pool}"
    if not visit.reads:
        yield f"visit {number} reads nothing; it needs at least one read"
    if len(set(visit.reads)) != len(visit.reads):
        yield f"visit {number} reads {list(visit.reads)}; each read may stand once"
    sources = visit.reads if visit.base is None else (*visit.reads, visit.base)
    for read in sources:
        if not EMBEDDING <= read < number:
            yield (
                f"visit {number} reads {read}; it may read {EMBEDDING} (the embedding) "
                f"or a visit before {number}"
            )
