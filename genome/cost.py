"""What a genome costs, by the declarations' formulas: no torch, so cheap enough for every ask.

The figures equal those of the built module on the meta device (``tests/genome/test_cost.py``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..blocks.declaration import Cost, Size
from ..blocks.registry import Catalog
from .exits import exit_places
from .facts import facts_of
from .graph import Entry, Genome, Part, Stack, Visit
from .identity import full_part
from .memory import PerObject

FLOAT_BYTES, INDEX_BYTES = 4, 8

POSITION_BYTES = INDEX_BYTES
"""The carry of the model itself: the index of the next token."""

_costs = PerObject[dict[int, Cost]]()
"""What parts cost at sizes by their numbers: children share most with their parents."""

_numbers = dict[Size, int]()
"""Sizes by number: few, and each is asked for often."""


@dataclass(frozen=True)
class Costs:
    """The size of a genome at a context, by formula (float32).

    ``parameters`` of the whole model; ``flops`` and ``active_flops`` are forward operations per
    token at full context, the second without what routers and exits skip; ``carry_bytes`` per
    token.
    """

    parameters: int
    flops: float
    active_flops: float
    carry_bytes: float


def size_of(genome: Genome, catalog: Catalog, *, context: int, vocabulary: int = 256) -> Size:
    """Return the measures that the declarations' formulas need.

    Where a tied head is no plain matrix its embedding says what decoding takes; one that is not in
    the catalog says nothing.
    """
    stack = genome.stack
    size = Size(stack.width, context, segment_length(genome, context), vocabulary)
    embedding = stack.embedding
    if not stack.tied or embedding.name not in catalog:
        return size
    declaration = catalog[embedding.name]
    if declaration.head is None:
        return size
    settings = {**declaration.defaults(), **embedding.settings}
    return replace(size, head=declaration.head(size, settings))


def segment_length(genome: Genome, context: int) -> int:
    """Return the tokens of one segment, at least one."""
    return max(1, context // genome.stack.segments)


def costs(
    genome: Genome,
    *,
    catalog: Catalog,
    context: int,
    vocabulary: int = 256,
    left: Sequence[float] = (),
) -> Costs:
    """Return what a canonical *genome* costs at a context.

    ``left`` is the measured share of tokens that have left by each exit place, in order; without
    it nobody leaves. A token that left still passes the blocks that mix tokens, because their
    carry needs it.
    """
    size = size_of(genome, catalog, context=context, vocabulary=vocabulary)
    stays = _staying(genome, catalog, left)
    calls = [_call(genome, catalog, piece) for piece in pieces_of(size, genome.stack.feedback)]
    full = active = 0.0
    for shell, visits in calls:
        full += shell.flops + sum([visit.flops for visit in visits])
        active += shell.flops + sum(
            [visit.active_flops * stay for visit, stay in zip(visits, stays, strict=True)]
        )
    shell, visits = calls[-1]
    carry = POSITION_BYTES + shell.carry + sum([visit.carry for visit in visits])
    carry += heard_bytes(genome)
    parameters = _Counter(catalog, size).pool(genome) + shell.parameters + len(hearing(genome))
    parameters += sum([visit.parameters for visit in visits])
    return Costs(parameters, full / context, active / context, carry / context)


def block_parameters(genome: Genome, *, catalog: Catalog, context: int) -> int:
    """Return the parameters of the blocks that reach the output: the cheapest measure of size."""
    key, total = (genome.stack.width, context, segment_length(genome, context)), 0
    known = facts_of(genome.pool, catalog)
    for number in genome.live_entries():
        counts = known[number].parameters
        if key not in counts:
            counts[key] = _entry_parameters(genome.pool[number], Size(*key), catalog)
        total += counts[key]
    return total


def _entry_parameters(entry: Entry, size: Size, catalog: Catalog) -> int:
    parts = (entry.block,) if entry.prelude is None else (entry.block, entry.prelude)
    full = (full_part(part, catalog) for part in parts)
    return sum(_Counter(catalog, size).part(part).parameters for part in full)


def _call(genome: Genome, catalog: Catalog, size: Size) -> tuple[Cost, list[_VisitCost]]:
    """Return what one call costs: the shell, and each visit."""
    counter = _Counter(catalog, size)
    around = counter.around(genome.stack)
    return counter.shell(genome), [counter.visit(genome, visit, around) for visit in genome.route]


def pieces_of(size: Size, feedback: int) -> list[Size]:
    """Return the sizes of the calls that make up a row: of a stack with feedback its pieces."""
    if not feedback:
        return [size]
    return [
        replace(size, tokens=min(feedback, size.row - start), past=start)
        for start in range(0, size.row, feedback)
    ]


def hearing(genome: Genome) -> list[int]:
    """Return the visits with a factor of feedback: those that others read, where there is any."""
    if not genome.stack.feedback:
        return []
    return [number for number in range(len(genome.route)) if genome.readers(number)]


def heard_bytes(genome: Genome) -> int:
    """Return the bytes of what a row carries for its feedback: an index and values of D tokens."""
    stack, speakers = genome.stack, genome.speakers()
    if not speakers:
        return 0
    channels = len(speakers) * streams(stack.residual) * stack.width
    return stack.feedback * (INDEX_BYTES + FLOAT_BYTES * channels)


class _VisitCost(NamedTuple):
    """What a visit has, takes if it works on all tokens, and takes and carries of those picked."""

    parameters: int
    flops: float
    active_flops: float
    carry: float


class _Counter:
    """What parts cost at a size; sums are of plain numbers, for they are most of the work."""

    def __init__(self, catalog: Catalog, size: Size) -> None:
        self.catalog = catalog
        self.size = size
        self._number = _numbers.setdefault(size, len(_numbers))

    def part(self, part: Part) -> Cost:
        known = _costs.of(part, self.catalog, dict)
        found = known.get(self._number)
        if found is None:
            found = known[self._number] = self.catalog[part.name].cost(self.size, part.settings)
        return found

    def pool(self, genome: Genome) -> int:
        """The parameters of the pool: each entry once, however often it is visited."""
        parts = [entry.block for entry in genome.pool]
        parts += [entry.prelude for entry in genome.pool if entry.prelude is not None]
        return sum(self.part(part).parameters for part in parts)

    def shell(self, genome: Genome) -> Cost:
        """Embedding, final norm, head and exits."""
        size, stack = self.size, genome.stack
        own = 0 if stack.tied else size.width * size.vocabulary
        total = self.part(stack.embedding) + self.part(stack.norm)
        total += Cost(parameters=own, flops=size.decoding * size.row)
        if stack.exit is not None:
            for _ in exit_places(genome, self.catalog):
                total += self.part(stack.exit)
        return total

    def around(self, stack: Stack) -> Cost:
        """Residual and norms, which every visit has."""
        total = self.part(stack.residual)
        for _ in self.catalog[stack.residual.name].norms:
            total += self.part(stack.norm)
        return total

    def visit(self, genome: Genome, visit: Visit, around: Cost) -> _VisitCost:
        parameters, flops, carry = around.parameters, around.flops, around.carry
        if len(visit.reads) > 1:
            merge = merge_cost(visit, self.size, streams=streams(genome.stack.residual))
            parameters, flops = parameters + merge.parameters, flops + merge.flops
        full, kept = self._work(genome, visit)
        if visit.router is None:
            return _VisitCost(parameters, flops + full, flops + full, carry + kept)
        router = self.part(visit.router)
        parameters, flops = parameters + router.parameters, flops + router.flops
        active, kept = self._behind(visit.router, genome.stack.feedback)._work(genome, visit)
        carry += router.carry
        return _VisitCost(parameters, flops + full, flops + active, carry + kept)

    def _behind(self, router: Part, delay: int) -> _Counter:
        """Return the counter of what stands behind a router."""
        declared, size = self.catalog[router.name].share, self.size
        share = declared(router.settings) if declared else 1.0
        picked, past = math.ceil(share * size.row), _picked(share, size.past, delay)
        return _Counter(self.catalog, replace(size, tokens=picked, past=past, gaps=True))

    def _work(self, genome: Genome, visit: Visit) -> tuple[float, float]:
        """Operations and carry of block and prelude; their parameters belong to the pool."""
        entry = genome.pool[visit.block]
        block = self.part(entry.block)
        if entry.prelude is None:
            return block.flops, block.carry
        prelude = self.part(entry.prelude)
        return block.flops + prelude.flops, block.carry + prelude.carry


def _picked(share: float, past: int, delay: int) -> int:
    """Return how many of *past* tokens a router picked, rounded up call by call.

    A stack with feedback runs in calls of *delay* tokens; 0 stands for one call.
    """
    calls, rest = divmod(past, delay) if delay else (0, past)
    return calls * math.ceil(share * delay) + math.ceil(share * rest)


def merge_cost(visit: Visit, size: Size, *, streams: int) -> Cost:
    """Return what it costs to make one of a visit's reads."""
    reads = len(visit.reads)
    if reads == 1 or visit.merge in ("mean", "sum"):
        return Cost()
    if visit.merge == "gate":
        return Cost(parameters=reads)
    weights = reads * size.width**2
    return Cost(parameters=weights, flops=2 * weights * size.row * streams)


def streams(residual: Part) -> int:
    """Return the number of streams that a residual keeps: its setting of that name, else one."""
    return int(residual.settings.get("streams", 1))


def carry_free(genome: Genome, visit: Visit, catalog: Catalog) -> bool:
    """Whether a token that left early need not pass this visit: nothing in it remembers tokens."""
    entry = genome.pool[visit.block]
    mixes = catalog[entry.block.name].mixes or entry.prelude is not None
    return not mixes and visit.router is None


def _staying(genome: Genome, catalog: Catalog, left: Sequence[float]) -> list[float]:
    """The share of tokens that each visit works on, after those that left."""
    gone = dict(zip(exit_places(genome, catalog), left, strict=False))
    stays, stay = list[float](), 1.0
    for number, visit in enumerate(genome.route):
        stays.append(stay if carry_free(genome, visit, catalog) else 1.0)
        stay = min(stay, 1.0 - gone.get(number, 0.0))
    return stays
