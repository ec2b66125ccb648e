"""Where tokens may leave early: after a layer, at visits that every path to the output passes."""

from __future__ import annotations

from collections.abc import Sequence

from ..blocks.registry import Catalog
from .graph import Entry, Genome

Step = tuple[int, tuple[int, ...], int]
"""The pool entry, the reads and the base of a visit."""


def exit_places(genome: Genome, catalog: Catalog) -> tuple[int, ...]:
    """Return the visits after which a token may leave, in order; empty without an exit gene.

    A place is a visit that every path from the embedding to the output passes and whose follower
    in the route mixes tokens, which is where one layer ends and the next begins. Every visit of
    *genome* must reach the output.
    """
    if genome.stack.exit is None:
        return ()
    route = [(visit.block, visit.reads, visit.base_read) for visit in genome.route]
    return places_along(route, genome.pool, catalog)


def places_along(route: Sequence[Step], pool: Sequence[Entry], catalog: Catalog) -> tuple[int, ...]:
    """Return the places of a route of (pool entry, reads, base) in a genome with an exit gene."""
    return tuple(
        place for place in _cuts(route) if catalog[pool[route[place + 1][0]].block.name].mixes
    )


def _cuts(route: Sequence[Step]) -> list[int]:
    """Return the visits but the last that everything later reads at or after, in order."""
    found, earliest = list[int](), len(route)
    for place in range(len(route) - 2, -1, -1):
        _, reads, base = route[place + 1]
        earliest = min(earliest, base, *reads)
        if earliest >= place:
            found.append(place)
    return found[::-1]
