"""Draws of fresh parts, entries and whole genomes from a catalog, before any limit is asked.

Defaults are good priors, so half of all fresh parts stand at theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar, cast

from ..blocks.declaration import Declaration
from ..blocks.ranges import Value
from ..blocks.registry import Catalog
from .genes import MERGES, PRECISIONS, SEGMENTS, TIED, TRAINING, feedback_range
from .graph import EMBEDDING, Entry, Genome, Part, Stack, Training, Visit

Thing = TypeVar("Thing")

AT_DEFAULTS = 0.5
WITH_PRELUDE = 0.25
WITH_ROUTER = 0.08
WITH_EXIT = 0.1
WITH_FEEDBACK = 0.05
ROUNDED = 0.05
SHUFFLED = 0.1
SHARED = 0.1
BRANCHED = 0.15
UNIFORM = 0.5
"""The shares of draws that are special: the share of fresh parts at their defaults, of entries with
a prelude, of visits with a router, of stacks with an exit, of stacks with feedback, of entries with
rounded weights, of trainings that shuffle, of visits that share an earlier entry, of visits off the
plain chain, and of genomes whose layers are all alike.
"""


def fresh_part(declaration: Declaration, rng: Random) -> Part:
    """Return a part at its defaults or with every setting drawn from its range."""
    if rng.random() < AT_DEFAULTS:
        return Part(declaration.name, declaration.defaults())
    return Part(
        declaration.name,
        {name: setting.range.sample(rng) for name, setting in declaration.settings.items()},
    )


def pick(rng: Random, options: Sequence[Thing]) -> Thing | None:
    """Return one of *options*, or None where there is none."""
    return rng.choice(options) if options else None


def blocks(catalog: Catalog, *, mixes: bool | None = None) -> Sequence[Declaration]:
    """Return the blocks of a catalog, those that mix tokens or those that do not where asked."""
    return [d for d in catalog.of("block") if mixes is None or d.mixes == mixes]


def preludes(catalog: Catalog) -> Sequence[Declaration]:
    """Return the blocks that may stand before another block's input."""
    return [d for d in catalog.of("block") if d.prelude]


def fresh_block(catalog: Catalog, rng: Random, *, mixes: bool | None = None) -> Part:
    """Return a fresh block, first choosing its family, so that large families do not crowd.

    Where the catalog has none of the kind asked for, any block will do.
    """
    options = blocks(catalog, mixes=mixes) or blocks(catalog)
    family = rng.choice(sorted({declaration.family for declaration in options}))
    return fresh_part(rng.choice([d for d in options if d.family == family]), rng)


def fresh_entry(catalog: Catalog, rng: Random, lineage: str, *, mixes: bool | None = None) -> Entry:
    """Return a pool entry with a fresh block, now and then with a prelude."""
    block = fresh_block(catalog, rng, mixes=mixes)
    options = preludes(catalog)
    prelude = fresh_part(rng.choice(options), rng) if _chance(rng, WITH_PRELUDE, options) else None
    rounded = catalog[block.name].projects and rng.random() < ROUNDED
    return Entry(block, prelude, lineage, rng.choice(PRECISIONS[1:]) if rounded else "full")


def fresh_stack(catalog: Catalog, widths: Sequence[int], context: int, rng: Random) -> Stack:
    """Return a stack with every gene drawn."""
    exits = catalog.of("exit")
    delays = cast("tuple[int, ...]", feedback_range(context).options[1:])
    return Stack(
        width=rng.choice(widths),
        residual=fresh_part(rng.choice(catalog.of("residual")), rng),
        norm=fresh_part(rng.choice(catalog.of("norm")), rng),
        embedding=fresh_part(rng.choice(catalog.of("embedding")), rng),
        exit=fresh_part(rng.choice(exits), rng) if _chance(rng, WITH_EXIT, exits) else None,
        segments=cast(int, SEGMENTS.sample(rng)),
        tied=cast(bool, TIED.sample(rng)),
        feedback=rng.choice(delays) if _chance(rng, WITH_FEEDBACK, delays) else 0,
    )


def fresh_training(rng: Random) -> Training:
    """Return training genes: the defaults, or all drawn."""
    if rng.random() < AT_DEFAULTS:
        return Training()
    drawn: dict[str, Value] = {name: range_.sample(rng) for name, range_ in TRAINING.items()}
    if rng.random() >= SHUFFLED:
        drawn["shuffle"] = 0.0
    return Training(**cast("dict[str, float]", drawn))


def fresh_genome(
    catalog: Catalog, widths: Sequence[int], rng: Random, birth: str, *, visits: int, context: int
) -> Genome:
    """Return a genome of *visits* visits: mostly a chain of mixers and others in turn.

    Half of the genomes repeat their first two blocks (with weights of their own), as the models
    that everybody copies do; some visits share an entry, branch off the chain or have a router.
    """
    pool: list[Entry] = []
    route: list[Visit] = []
    uniform = rng.random() < UNIFORM
    for number in range(visits):
        if len(pool) > 2 and rng.random() < SHARED:
            block = rng.randrange(len(pool))
        else:
            block = len(pool)
            pool.append(_next_entry(catalog, rng, f"{birth}/{number}", pool, uniform=uniform))
        reads, base = _sources(number, rng)
        route.append(Visit(block, reads, base, rng.choice(MERGES), _router(catalog, rng)))
    stack = fresh_stack(catalog, widths, context, rng)
    return Genome(tuple(pool), tuple(route), stack, fresh_training(rng))


def _next_entry(
    catalog: Catalog, rng: Random, lineage: str, pool: Sequence[Entry], *, uniform: bool
) -> Entry:
    if uniform and len(pool) >= 2:
        model = pool[len(pool) % 2]
        return replace(model, lineage=lineage)
    return fresh_entry(catalog, rng, lineage, mixes=len(pool) % 2 == 0)


def _sources(number: int, rng: Random) -> tuple[tuple[int, ...], int]:
    """Return reads and base of a visit: the one before, or one that stands further back too."""
    last = number - 1
    if last == EMBEDDING or rng.random() >= BRANCHED:
        return (last,), last
    back = rng.randrange(EMBEDDING, last)
    reads = rng.choice(((last,), (back,), (back, last)))
    return reads, rng.choice((back, last))


def _router(catalog: Catalog, rng: Random) -> Part | None:
    options = catalog.of("router")
    return fresh_part(rng.choice(options), rng) if _chance(rng, WITH_ROUTER, options) else None


def _chance(rng: Random, share: float, options: Sequence[object]) -> bool:
    return bool(options) and rng.random() < share
