"""Where tokens may leave early: after a layer, at visits that every path to the output passes."""

from __future__ import annotations

from ..blocks.registry import Catalog
from .graph import Genome


def exit_places(genome: Genome, catalog: Catalog) -> tuple[int, ...]:
    """Return the visits after which a token may leave, in order; empty without an exit gene.

    A place is a visit that every path from the embedding to the output passes and whose follower
    in the route mixes tokens, which is where one layer ends and the next begins. Every visit of
    *genome* must reach the output.
    """
    if genome.stack.exit is None:
        return ()
    return tuple(place for place in _cuts(genome) if _mixes(genome, place + 1, catalog))


def _cuts(genome: Genome) -> list[int]:
    """Return the visits but the last that everything later reads at or after, in order."""
    found, earliest = list[int](), len(genome.route)
    for place in range(len(genome.route) - 2, -1, -1):
        later = genome.route[place + 1]
        earliest = min(earliest, later.base_read, *later.reads)
        if earliest >= place:
            found.append(place)
    return found[::-1]


def _mixes(genome: Genome, visit: int, catalog: Catalog) -> bool:
    return catalog[genome.pool[genome.route[visit].block].block.name].mixes
