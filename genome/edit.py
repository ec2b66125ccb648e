"""Edits of a genome that draw nothing: renumbering, pruning, adding and taking away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from ..blocks.ranges import Value
from ..blocks.registry import Catalog
from .graph import Entry, Genome, Part, Visit
from .memory import PerObject

_alive = PerObject[tuple[str, ...]]()
"""The settings of parts that have an effect."""


def pruned(genome: Genome) -> Genome:
    """Return *genome* without visits that do not reach the output and unused pool entries."""
    live, entries = genome.living()
    if len(live) == len(genome.route) and len(entries) == len(genome.pool):
        return genome
    place = {old: new for new, old in enumerate(live)}
    block = {old: new for new, old in enumerate(entries)}
    route = (moved(genome.route[old], place, block[genome.route[old].block]) for old in live)
    pool = tuple([genome.pool[old] for old in entries])
    return Genome(pool, tuple(route), genome.stack, genome.training)


def moved(visit: Visit, place: Mapping[int, int], block: int | None = None) -> Visit:
    """Return *visit* with its reads and base renumbered, of *block* if given; the base is explicit.

    Reads that become one are one. What *place* does not name keeps its number.
    """
    if block is None:
        block = visit.block
    reads, base = visit.reads, visit.base_read
    base = place.get(base, base)
    if len(reads) == 1:
        reads = (place.get(reads[0], reads[0]),)
    else:
        reads = tuple(dict.fromkeys([place.get(read, read) for read in reads]))
    if (block, reads, base) == (visit.block, visit.reads, visit.base):
        return visit
    return Visit(block, reads, base, visit.merge, visit.router)


def with_visit(genome: Genome, number: int, visit: Visit, *, readers: Iterable[int]) -> Genome:
    """Return *genome* with *visit* inserted at *number*.

    ``readers`` are visits (in the old numbering) that read the new visit wherever they read the
    source that it continues: its base.
    """
    place = {old: old + 1 for old in range(number, len(genome.route))}
    following = set(readers)
    route = [*genome.route[:number], visit]
    for old in range(number, len(genome.route)):
        later = genome.route[old]
        moves = {**place, visit.base_read: number} if old in following else place
        route.append(moved(later, moves))
    return _with_route(genome, route)


def without_visit(genome: Genome, number: int) -> Genome | None:
    """Return *genome* without a visit, whose readers read its base instead.

    None if nothing would remain: the last visit's base is the embedding.
    """
    bypass = genome.route[number].base_read
    if number == len(genome.route) - 1:
        return pruned(_with_route(genome, genome.route[: bypass + 1])) if bypass >= 0 else None
    place = {old: old - 1 for old in range(number + 1, len(genome.route))} | {number: bypass}
    route = (moved(visit, place) for old, visit in enumerate(genome.route) if old != number)
    return pruned(_with_route(genome, route))


def with_changed_visit(genome: Genome, number: int, visit: Visit) -> Genome:
    """Return *genome* with another visit in the place of one."""
    return _with_route(genome, (*genome.route[:number], visit, *genome.route[number + 1 :]))


def with_changed_entry(genome: Genome, number: int, entry: Entry) -> Genome:
    """Return *genome* with another pool entry in the place of one."""
    pool = (*genome.pool[:number], entry, *genome.pool[number + 1 :])
    return Genome(pool, genome.route, genome.stack, genome.training)


def _with_route(genome: Genome, route: Iterable[Visit]) -> Genome:
    return Genome(genome.pool, tuple(route), genome.stack, genome.training)


def with_setting(part: Part, name: str, value: Value) -> Part:
    """Return *part* with one setting changed."""
    return Part(part.name, {**part.settings, name: value})


Place = tuple[str, int]
"""Where in a genome a part stands: a field's name, and the number of its entry or visit."""


def places(genome: Genome) -> Sequence[tuple[Place, Part]]:
    """Return every part of the genome with its place."""
    found: list[tuple[Place, Part]] = []
    for number, entry in enumerate(genome.pool):
        found.append((("block", number), entry.block))
        if entry.prelude is not None:
            found.append((("prelude", number), entry.prelude))
    for number, visit in enumerate(genome.route):
        if visit.router is not None:
            found.append((("router", number), visit.router))
    stack = genome.stack
    found += [
        (("residual", 0), stack.residual),
        (("norm", 0), stack.norm),
        (("embedding", 0), stack.embedding),
    ]
    return found if stack.exit is None else [*found, (("exit", 0), stack.exit)]


def living_settings(genome: Genome, catalog: Catalog) -> Sequence[tuple[Place, Part, str]]:
    """Return every setting that has an effect, with its part and where that stands."""
    found = places(genome)
    names = _alive.each((part for _, part in found), catalog, lambda part: _living(part, catalog))
    return [
        (place, part, name)
        for (place, part), several in zip(found, names, strict=True)
        for name in several
    ]


def _living(part: Part, catalog: Catalog) -> tuple[str, ...]:
    return tuple(catalog[part.name].alive(part.settings))


def with_part(genome: Genome, place: Place, part: Part | None) -> Genome:
    """Return *genome* with *part* at *place*; None takes away what may be absent."""
    name, number = place
    if name == "router":
        visit = genome.route[number]
        visit = Visit(visit.block, visit.reads, visit.base, visit.merge, part)
        return with_changed_visit(genome, number, visit)
    if name not in ("block", "prelude"):
        stack = replace(genome.stack, **cast("dict[str, Any]", {name: part}))
        return Genome(genome.pool, genome.route, stack, genome.training)
    entry = genome.pool[number]
    block, prelude = (part, entry.prelude) if name == "block" else (entry.block, part)
    entry = Entry(cast(Part, block), prelude, entry.lineage, entry.precision)
    return with_changed_entry(genome, number, entry)
