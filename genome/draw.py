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
from .memory import Recent
from .taste import EVEN, Taste
from .traits import Trait, block_trait, family_trait, part_trait, setting_trait, training_trait

Thing = TypeVar("Thing")

_families = Recent[dict[str, list[Declaration]]]()
"""The families of the blocks of catalogs."""

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


def fresh_part(declaration: Declaration, rng: Random, taste: Taste = EVEN) -> Part:
    """Return a part at its defaults or with every setting drawn from its range."""
    if rng.random() < AT_DEFAULTS:
        return Part(declaration.name, declaration.defaults())
    drawn = {name: _setting(declaration, name, rng, taste) for name in declaration.settings}
    return Part(declaration.name, drawn)


def _setting(declaration: Declaration, name: str, rng: Random, taste: Taste) -> Value:
    range_ = declaration.settings[name].range
    return taste.draw(
        rng, lambda: range_.sample(rng), lambda value: setting_trait(declaration, name, value)
    )


def pick(rng: Random, options: Sequence[Thing]) -> Thing | None:
    """Return one of *options*, or None where there is none."""
    return rng.choice(options) if options else None


def fresh_of(slot: str, options: Sequence[Declaration], rng: Random, taste: Taste = EVEN) -> Part:
    """Return a fresh part for a slot, of one of the declarations."""
    declaration = taste.choose(rng, options, lambda option: part_trait(slot, option))
    return fresh_part(declaration, rng, taste)


def blocks(catalog: Catalog, *, mixes: bool | None = None) -> Sequence[Declaration]:
    """Return the blocks of a catalog, those that mix tokens or those that do not where asked."""
    return catalog.of("block") if mixes is None else catalog.mixing[mixes]


def preludes(catalog: Catalog) -> Sequence[Declaration]:
    """Return the blocks that may stand before another block's input."""
    return catalog.preludes


def fresh_block(
    catalog: Catalog, rng: Random, *, mixes: bool | None = None, taste: Taste = EVEN
) -> Part:
    """Return a fresh block, first choosing its family, so that large families do not crowd.

    Where the catalog has none of the kind asked for, any block will do.
    """
    options = blocks(catalog, mixes=mixes) or blocks(catalog)
    families = _families.of(options, None, lambda: _by_family(options))
    chosen = taste.choose(rng, [first for first, *_ in families.values()], family_trait)
    return fresh_part(taste.choose(rng, families[chosen.family], block_trait), rng, taste)


def _by_family(options: Sequence[Declaration]) -> dict[str, list[Declaration]]:
    """Return the declarations of each family, the families in the order of their names."""
    names = sorted({declaration.family for declaration in options})
    return {name: [d for d in options if d.family == name] for name in names}


def fresh_entry(
    catalog: Catalog,
    rng: Random,
    lineage: str,
    *,
    mixes: bool | None = None,
    taste: Taste = EVEN,
) -> Entry:
    """Return a pool entry with a fresh block, now and then with a prelude."""
    block = fresh_block(catalog, rng, mixes=mixes, taste=taste)
    options = preludes(catalog)
    chance = _chance(rng, WITH_PRELUDE, options)
    prelude = fresh_of("prelude", options, rng, taste) if chance else None
    rounded = catalog[block.name].projects and rng.random() < ROUNDED
    return Entry(block, prelude, lineage, rng.choice(PRECISIONS[1:]) if rounded else "full")


def fresh_stack(
    catalog: Catalog,
    widths: Sequence[int],
    context: int,
    rng: Random,
    taste: Taste = EVEN,
) -> Stack:
    """Return a stack with every gene drawn."""
    exits = catalog.of("exit")
    delays = cast("tuple[int, ...]", feedback_range(context).options[1:])
    return Stack(
        width=taste.choose(rng, widths, lambda width: Trait("width", str(width))),
        residual=fresh_of("residual", catalog.of("residual"), rng, taste),
        norm=fresh_of("norm", catalog.of("norm"), rng, taste),
        embedding=fresh_of("embedding", catalog.of("embedding"), rng, taste),
        exit=fresh_of("exit", exits, rng, taste) if _chance(rng, WITH_EXIT, exits) else None,
        segments=cast(int, SEGMENTS.sample(rng)),
        tied=cast(bool, TIED.sample(rng)),
        feedback=rng.choice(delays) if _chance(rng, WITH_FEEDBACK, delays) else 0,
    )


def fresh_training(rng: Random, taste: Taste = EVEN) -> Training:
    """Return training genes: the defaults, or all drawn."""
    if rng.random() < AT_DEFAULTS:
        return Training()
    drawn: dict[str, Value] = {name: _gene(name, rng, taste) for name in TRAINING}
    if rng.random() >= SHUFFLED:
        drawn["shuffle"] = 0.0
    return Training(**cast("dict[str, float]", drawn))


def _gene(name: str, rng: Random, taste: Taste) -> Value:
    range_ = TRAINING[name]
    return taste.draw(rng, lambda: range_.sample(rng), lambda value: training_trait(name, value))


def fresh_genome(
    catalog: Catalog,
    widths: Sequence[int],
    rng: Random,
    birth: str,
    *,
    visits: int,
    context: int,
    taste: Taste = EVEN,
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
            lineage = f"{birth}/{number}"
            pool.append(_next_entry(catalog, rng, lineage, pool, uniform=uniform, taste=taste))
        reads, base = _sources(number, rng)
        route.append(Visit(block, reads, base, rng.choice(MERGES), _router(catalog, rng, taste)))
    stack = fresh_stack(catalog, widths, context, rng, taste)
    return Genome(tuple(pool), tuple(route), stack, fresh_training(rng, taste))


def _next_entry(
    catalog: Catalog,
    rng: Random,
    lineage: str,
    pool: Sequence[Entry],
    *,
    uniform: bool,
    taste: Taste,
) -> Entry:
    if uniform and len(pool) >= 2:
        model = pool[len(pool) % 2]
        return replace(model, lineage=lineage)
    return fresh_entry(catalog, rng, lineage, mixes=len(pool) % 2 == 0, taste=taste)


def _sources(number: int, rng: Random) -> tuple[tuple[int, ...], int]:
    """Return reads and base of a visit: the one before, or one that stands further back too."""
    last = number - 1
    if last == EMBEDDING or rng.random() >= BRANCHED:
        return (last,), last
    back = rng.randrange(EMBEDDING, last)
    reads = rng.choice(((last,), (back,), (back, last)))
    return reads, rng.choice((back, last))


def _router(catalog: Catalog, rng: Random, taste: Taste) -> Part | None:
    options = catalog.of("router")
    return fresh_of("router", options, rng, taste) if _chance(rng, WITH_ROUTER, options) else None


def _chance(rng: Random, share: float, options: Sequence[object]) -> bool:
    return bool(options) and rng.random() < share
