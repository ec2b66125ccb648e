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
from .facts import Facts, facts_of
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

_stacks = PerObject[dict[tuple[int, int, int], list["_Call"]]]()
_behind = PerObject[dict[tuple[int, int], "_Counter"]]()
"""The calls of rows by context, vocabulary and delay; what is behind routers by size and delay."""


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
    """Return what a *genome* costs at a context; all of its visits must reach the output.

    Equal genomes cost the same, but for rounding and for exits, whose places hang on the order of
    the route: in canonical form (``identity.canonical``) they cost exactly the same. ``left`` is
    the measured share of tokens that have left by each exit place, in order; without it nobody
    leaves. A token that left still passes the blocks that mix tokens, because their carry needs it.
    """
    exits = len(exit_places(genome, catalog))
    stays = _staying(genome, catalog, left) if left else [1.0] * len(genome.route)
    calls = _calls(genome, catalog, context, vocabulary)
    costs = [(call.shell(exits), call.visits(genome)) for call in calls]
    full = active = 0.0
    for shell, visits in costs:
        full += shell.flops + sum([visit.flops for visit in visits])
        active += shell.flops + sum(
            [visit.active_flops * stay for visit, stay in zip(visits, stays, strict=True)]
        )
    shell, visits = costs[-1]
    carry = POSITION_BYTES + shell.carry + sum([visit.carry for visit in visits])
    carry += heard_bytes(genome)
    parameters = calls[-1].pool(genome) + shell.parameters + len(hearing(genome))
    parameters += sum([visit.parameters for visit in visits])
    return Costs(parameters, full / context, active / context, carry / context)


def block_parameters(genome: Genome, *, catalog: Catalog, context: int) -> int:
    """Return the parameters of the blocks that reach the output: the cheapest measure of size."""
    size = Size(genome.stack.width, context, segment_length(genome, context))
    counter, pool, known = _Counter(catalog, size), genome.pool, facts_of(genome.pool, catalog)
    return sum([counter.work(pool[n], known[n]).parameters for n in genome.live_entries()])


def _calls(genome: Genome, catalog: Catalog, context: int, vocabulary: int) -> list[_Call]:
    """Return the calls that make up a row."""
    stack = genome.stack
    delay = stack.feedback if len(genome.route) > 1 else 0  # else there is nothing to hear
    known, key = _stacks.of(stack, catalog, dict), (context, vocabulary, delay)
    if key not in known:
        size = size_of(genome, catalog, context=context, vocabulary=vocabulary)
        known[key] = [_Call(stack, catalog, piece, delay) for piece in pieces_of(size, delay)]
    return known[key]


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
    """What parts and entries cost at a size; each is asked once, for children share most."""

    def __init__(self, catalog: Catalog, size: Size) -> None:
        self.catalog = catalog
        self.size = size
        self.number = _numbers.setdefault(size, len(_numbers))

    def part(self, part: Part) -> Cost:
        known = _costs.of(part, self.catalog, dict)
        found = known.get(self.number)
        if found is None:
            settings = full_part(part, self.catalog).settings
            found = known[self.number] = self.catalog[part.name].cost(self.size, settings)
        return found

    def work(self, entry: Entry, facts: Facts) -> Cost:
        """Block and prelude of an entry, whose parameters are its own however often it works."""
        found = facts.costs.get(self.number)
        if found is None:
            found = self.part(entry.block)
            if entry.prelude is not None:
                found += self.part(entry.prelude)
            facts.costs[self.number] = found
        return found

    def behind(self, router: Part, delay: int) -> _Counter:
        """Return the counter of what stands behind a router."""
        known, key = _behind.of(router, self.catalog, dict), (self.number, delay)
        if key not in known:
            declared, size = self.catalog[router.name].share, self.size
            share = declared(full_part(router, self.catalog).settings) if declared else 1.0
            picked, past = math.ceil(share * size.row), _picked(share, size.past, delay)
            behind = replace(size, tokens=picked, past=past, gaps=True)
            known[key] = _Counter(self.catalog, behind)
        return known[key]


class _Call:
    """What a call costs, of genomes that have one stack: what is around visits, and the visits.

    Sums are of plain numbers, for they are most of the work.
    """

    def __init__(self, stack: Stack, catalog: Catalog, size: Size, delay: int) -> None:
        self._stack, self._delay = stack, delay
        self._counter = counter = _Counter(catalog, size)
        self._streams = streams(full_part(stack.residual, catalog))
        own = 0 if stack.tied else size.width * size.vocabulary
        self._shell = counter.part(stack.embedding) + counter.part(stack.norm)
        self._shell += Cost(parameters=own, flops=size.decoding * size.row)
        self._around = counter.part(stack.residual)
        for _ in catalog[stack.residual.name].norms:
            self._around += counter.part(stack.norm)

    def shell(self, exits: int) -> Cost:
        """Embedding, final norm, head and so many exits."""
        total, exit_ = self._shell, self._stack.exit
        if exit_ is not None:
            for _ in range(exits):
                total += self._counter.part(exit_)
        return total

    def pool(self, genome: Genome) -> int:
        """The parameters of the pool: each entry once, however often it is visited."""
        pool, counter = genome.pool, self._counter
        known = facts_of(pool, counter.catalog)
        return sum([counter.work(*each).parameters for each in zip(pool, known, strict=True)])

    def visits(self, genome: Genome) -> list[_VisitCost]:
        """Each visit, with the residual and the norms that every visit has."""
        known = facts_of(genome.pool, self._counter.catalog)
        return [
            self._visit(visit, genome.pool[visit.block], known[visit.block])
            for visit in genome.route
        ]

    def _visit(self, visit: Visit, entry: Entry, facts: Facts) -> _VisitCost:
        around, counter = self._around, self._counter
        parameters, flops, carry = around.parameters, around.flops, around.carry
        if len(visit.reads) > 1:
            merge = merge_cost(visit, counter.size, streams=self._streams)
            parameters, flops = parameters + merge.parameters, flops + merge.flops
        work = counter.work(entry, facts)
        full = flops + work.flops
        if visit.router is None:
            return _VisitCost(parameters, full, full, carry + work.carry)
        router = counter.part(visit.router)
        flops += router.flops
        picked = counter.behind(visit.router, self._delay).work(entry, facts)
        return _VisitCost(
            parameters + router.parameters,
            flops + work.flops,
            flops + picked.flops,
            carry + router.carry + picked.carry,
        )


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
