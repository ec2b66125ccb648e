"""Mutations of the route: visits and what they read. None where an operator does not apply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from .draw import fresh_entry, pick
from .edit import with_changed_visit, with_visit, without_visit
from .genes import MERGES
from .graph import EMBEDDING, Entry, Genome, Visit
from .space import Space
from .traits import Trait, block_name, step_trait

LIKE_ANOTHER = 0.4
"""How often a new entry copies the genes (not the weights) of an entry that is there."""

BRANCHING = 0.25
"""How often an inserted visit serves only one of the visits that read its source."""


def insert(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Insert a visit to a new pool entry after some visit or the embedding."""
    if not _has_room(genome, space) or not _pool_has_room(genome, space):
        return None
    grown = replace(genome, pool=(*genome.pool, _new_entry(genome, space, rng, lineage)))
    return _inserted(grown, len(genome.pool), space, rng)


def revisit(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Insert a visit to an entry of the pool, which shares its weights: recurrent depth."""
    del lineage
    if not _has_room(genome, space):
        return None
    return _inserted(genome, rng.randrange(len(genome.pool)), space, rng)


def remove(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Remove a visit; its readers read its base."""
    del space, lineage
    return without_visit(genome, rng.randrange(len(genome.route)))


def branch(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Set a new visit beside another one: it reads the same, and a reader of both merges them."""
    if not _has_room(genome, space) or not _pool_has_room(genome, space):
        return None
    beside = rng.randrange(len(genome.route))
    readers = genome.readers(beside)
    if not readers:
        return None
    entry = _new_entry(genome, space, rng, lineage)
    model = genome.route[beside]
    visit = Visit(len(genome.pool), model.reads, model.base_read, model.merge)
    grown = with_visit(replace(genome, pool=(*genome.pool, entry)), beside, visit, readers=())
    reader = grown.route[(number := rng.choice(readers) + 1)]
    both = replace(
        reader, reads=(*reader.reads, beside), base=reader.base_read, merge=rng.choice(MERGES)
    )
    return with_changed_visit(grown, number, both)


def rewire(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Let a visit read something else instead of one of its reads; half the time its base too."""
    del lineage
    number, visit, other = _with_other_read(genome, space, rng)
    if other is None:
        return None
    old = rng.choice(visit.reads)
    reads = tuple(other if read == old else read for read in visit.reads)
    follows = visit.base_read == old and rng.random() < 0.5
    changed = replace(visit, reads=reads, base=other if follows else visit.base_read)
    return with_changed_visit(genome, number, changed)


def add_read(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Let a visit read one more earlier value."""
    del lineage
    number, visit, other = _with_other_read(genome, space, rng)
    if other is None:
        return None
    merge = rng.choice(MERGES) if len(visit.reads) == 1 else visit.merge
    changed = replace(visit, reads=(*visit.reads, other), base=visit.base_read, merge=merge)
    return with_changed_visit(genome, number, changed)


def remove_read(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Take one of several reads away; the base stays."""
    del space, lineage
    number = pick(rng, [n for n, visit in enumerate(genome.route) if len(visit.reads) > 1])
    if number is None:
        return None
    visit = genome.route[number]
    lost = rng.choice(visit.reads)
    reads = tuple(read for read in visit.reads if read != lost)
    return with_changed_visit(genome, number, replace(visit, reads=reads, base=visit.base_read))


def change_merge(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Merge the reads of a visit in another way."""
    del space, lineage
    number = pick(rng, [n for n, visit in enumerate(genome.route) if len(visit.reads) > 1])
    if number is None:
        return None
    visit = genome.route[number]
    merge = rng.choice([option for option in MERGES if option != visit.merge])
    return with_changed_visit(genome, number, replace(visit, merge=merge))


def change_base(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Let a visit add to another earlier value: a sibling as base gives the parallel form."""
    del space, lineage
    number = rng.randrange(len(genome.route))
    visit = genome.route[number]
    base = pick(rng, [read for read in _earlier(number) if read != visit.base_read])
    if base is None:
        return None
    return with_changed_visit(genome, number, replace(visit, base=base))


def _inserted(genome: Genome, block: int, space: Space, rng: Random) -> Genome:
    """Insert a visit to *block* after some source; the source's readers move to it."""
    sources = range(EMBEDDING, len(genome.route))
    source = space.taste.choose(rng, sources, _step_to(genome, block))
    readers = genome.readers(source)
    if len(readers) > 1 and rng.random() < BRANCHING:
        readers = (rng.choice(readers),)
    number = min(readers, default=len(genome.route))
    return with_visit(genome, number, Visit(block, (source,), source), readers=readers)


def _new_entry(genome: Genome, space: Space, rng: Random, lineage: str) -> Entry:
    if rng.random() < LIKE_ANOTHER:
        model = rng.choice(genome.pool)
        return replace(model, lineage=lineage)
    mixes = rng.random() < 0.5
    return fresh_entry(space.catalog, rng, lineage, mixes=mixes, taste=space.taste)


def _has_room(genome: Genome, space: Space) -> bool:
    return len(genome.route) < space.limits.visits


def _pool_has_room(genome: Genome, space: Space) -> bool:
    return space.limits.pool is None or len(genome.pool) < space.limits.pool


def _with_other_read(genome: Genome, space: Space, rng: Random) -> tuple[int, Visit, int | None]:
    """Return a random visit with its number, and an earlier value that it does not read."""
    number = rng.randrange(len(genome.route))
    visit = genome.route[number]
    others = [read for read in _earlier(number) if read not in visit.reads]
    if not others:
        return number, visit, None
    return number, visit, space.taste.choose(rng, others, _step_to(genome, visit.block))


def _step_to(genome: Genome, block: int) -> Callable[[int], Trait]:
    own = genome.pool[block].block.name
    return lambda read: step_trait(block_name(genome, read), own)


def _earlier(number: int) -> range:
    return range(EMBEDDING, number)
