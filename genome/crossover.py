"""Crossover: two genomes aligned by lineage; the route of one, with a piece of the other's.

Entries of equal lineage descend from one entry, so that they stand for the same thing and may take
block and settings from either parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from random import Random
from typing import Any

from .edit import moved, pruned
from .graph import EMBEDDING, Entry, Genome, Part, Stack, Training, Visit
from .identity import genome_id, same_value
from .offspring import another
from .repair import repair
from .space import Space

TRIES = 20
"""How many children ``cross`` draws for one that is the same as neither parent."""

SPLICED = 0.5
"""How often a piece of the other parent's route is spliced in."""


def cross(mother: Genome, father: Genome, space: Space, rng: Random, birth: str) -> Genome:
    """Return a legal genome mixed from two, the same as neither wherever that can be.

    Parents that are the same have no other child than themselves. Children that are not legal are
    repaired; ``birth`` is the root of the lineage ids of what repair draws.

    Raises:
        ValueError: the space holds no genome that could be drawn.
    """
    known = {genome_id(mother, space.catalog), genome_id(father, space.catalog)}
    for _ in range(TRIES):
        one, other = (mother, father) if rng.random() < 0.5 else (father, mother)
        child = another(mixed(one, other, space, rng), space, rng, known=known)
        if child is not None:
            return child
    one, other = (mother, father) if rng.random() < 0.5 else (father, mother)
    return repair(mixed(one, other, space, rng), space, rng, birth=birth)


def mixed(one: Genome, other: Genome, space: Space, rng: Random) -> Genome:
    """Return *one*'s route, now and then with a piece of *other*'s, and the genes of both.

    The result has a sound structure, but may break rules and limits of the space.
    """
    child = Genome(_mixed_pool(one, other, rng), one.route, one.stack, one.training)
    if rng.random() < SPLICED:
        child = spliced(child, other, rng, most=space.limits.visits)
    stack = _mixed_stack(one.stack, other.stack, rng)
    training = _mixed_training(one.training, other.training, rng)
    return pruned(Genome(child.pool, child.route, stack, training))


def spliced(one: Genome, other: Genome, rng: Random, *, most: int) -> Genome:
    """Return *one* with some visits in a row replaced by those of *other* at a like depth.

    What the piece read from outside becomes the value before the gap; what read the gap reads the
    end of the piece. Entries of a lineage that *one* has already are not taken over again. The
    piece is cut where the route would have more than *most* visits.
    """
    start, end = _cut(len(one.route), rng)
    first = start * len(other.route) // len(one.route)
    last = max(first + 1, end * len(other.route) // len(one.route))
    last = max(first + 1, min(last, first + most - (len(one.route) - (end - start))))
    pool = _Pool(one.pool)
    into = dict.fromkeys(range(EMBEDDING, first), start - 1)
    into |= {number: number - first + start for number in range(first, last)}
    piece = [_taken(other, visit, pool, into) for visit in other.route[first:last]]
    tip = start + len(piece) - 1
    place = dict.fromkeys(range(start, end), tip)
    place |= {number: number - end + tip + 1 for number in range(end, len(one.route))}
    rest = [moved(visit, place) for visit in one.route[end:]]
    route = (*one.route[:start], *piece, *rest)
    return Genome(tuple(pool.entries), route, one.stack, one.training)


def _taken(other: Genome, visit: Visit, pool: _Pool, place: Mapping[int, int]) -> Visit:
    """Return a visit of *other* as it stands in the child, whose pool grows where needed."""
    return moved(visit, place, pool.aligned(other.pool[visit.block]))


class _Pool:
    """The entries of a child, which stand for all of their lineages."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries: list[Entry] = []
        self._places: dict[str | int, int] = {}
        for entry in entries:
            self._add(entry)

    def aligned(self, entry: Entry) -> int:
        """Return the place of the entry's lineage or of itself, adding it if it has none."""
        number = self._places.get(entry.lineage or id(entry))
        return self._add(entry) if number is None else number

    def _add(self, entry: Entry) -> int:
        self.entries.append(entry)
        return self._places.setdefault(entry.lineage or id(entry), len(self.entries) - 1)


def _cut(length: int, rng: Random) -> tuple[int, int]:
    start = rng.randrange(length)
    return start, rng.randint(start + 1, length)


def _mixed_pool(one: Genome, other: Genome, rng: Random) -> tuple[Entry, ...]:
    partners = {entry.lineage: entry for entry in other.pool if entry.lineage}
    return tuple([_mixed_entry(entry, partners.get(entry.lineage), rng) for entry in one.pool])


def _mixed_entry(one: Entry, other: Entry | None, rng: Random) -> Entry:
    if other is None:
        return one
    block, prelude = _mixed_part(one.block, other.block, rng), one.prelude
    if one.prelude and other.prelude:
        prelude = _mixed_part(one.prelude, other.prelude, rng)
    elif rng.random() < 0.5:
        prelude = other.prelude
    precision = rng.choice((one.precision, other.precision))
    if block is one.block and prelude is one.prelude and precision == one.precision:
        return one
    return Entry(block, prelude, one.lineage, precision)


def _mixed_part(one: Part, other: Part, rng: Random) -> Part:
    """Return each setting from either if the parts have one name, else either part."""
    if one.name != other.name:
        return one if rng.random() < 0.5 else other
    names = [name for name in one.settings if name in other.settings]
    taken = [name for name in names if rng.random() < 0.5]
    if one is other:  # what was drawn is drawn wherever the parents come from
        return one
    others = {
        name: other.settings[name]
        for name in taken
        if not same_value(one.settings[name], other.settings[name])
    }
    return Part(one.name, {**one.settings, **others}) if others else one


def _mixed_stack(one: Stack, other: Stack, rng: Random) -> Stack:
    genes: dict[str, Any] = {}
    for gene in fields(Stack):
        mine, yours = getattr(one, gene.name), getattr(other, gene.name)
        if isinstance(mine, Part) and isinstance(yours, Part):
            genes[gene.name] = _mixed_part(mine, yours, rng)
        else:
            genes[gene.name] = mine if rng.random() < 0.5 else yours
    return one if _has_all(one, genes) else Stack(**genes)


def _mixed_training(one: Training, other: Training, rng: Random) -> Training:
    genes: dict[str, Any] = {
        gene.name: getattr(one if rng.random() < 0.5 else other, gene.name)
        for gene in fields(Training)
    }
    return one if _has_all(one, genes) else Training(**genes)


def _has_all(one: Stack | Training, genes: Mapping[str, Any]) -> bool:
    """Whether these are the genes of *one*, so that what is known of it holds."""
    return all(getattr(one, name) is gene for name, gene in genes.items())
