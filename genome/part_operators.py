"""Mutations of parts: blocks, sharing, settings, preludes, routers and the parts of the stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from ..blocks.declaration import Declaration, Kind
from ..blocks.registry import Catalog
from .draw import blocks, fresh_of, fresh_part, pick, preludes
from .edit import (
    living_settings,
    with_changed_entry,
    with_changed_visit,
    with_part,
    with_setting,
)
from .genes import PRECISIONS
from .graph import Genome, Part
from .identity import same_value
from .space import Space
from .traits import Trait, block_trait, setting_trait

Operator = Callable[[Genome, Space, Random, str], Genome | None]
"""A mutation: (genome, space, rng, lineage of what is new) to a genome, or None if it does not
apply. The result may be illegal or the same; ``mutate`` looks.
"""

WITHIN_FAMILY = 0.5
WITHIN_ROLE = 0.35
"""How often a swapped block comes from the same family, and from those that mix alike; the rest
comes from anywhere.
"""

AFRESH = 0.15
"""How often a perturbed setting is drawn from its whole range instead of near its value."""


def swap_block(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Put another block into a pool entry, keeping the settings of equal name and range.

    The entry keeps its lineage, so that crossover aligns what stands in its place.
    """
    del lineage
    number = rng.randrange(len(genome.pool))
    old = genome.pool[number].block
    options = _swaps(old, space.catalog, rng)
    if not options:
        return None
    declaration = space.taste.choose(rng, options, block_trait)
    block = _like(fresh_part(declaration, rng, space.taste), old, declaration)
    return with_part(genome, ("block", number), block)


def share(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Let a visit use the entry of another visit, most often one with the same block."""
    del space, lineage
    number = rng.randrange(len(genome.route))
    own = genome.route[number].block
    others = [entry for entry in range(len(genome.pool)) if entry != own]
    alike = [e for e in others if genome.pool[e].block.name == genome.pool[own].block.name]
    other = pick(rng, alike if alike and rng.random() < 0.8 else others)
    if other is None:
        return None
    return with_changed_visit(genome, number, replace(genome.route[number], block=other))


def unshare(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Give a visit its own copy of an entry that it shares."""
    del space
    users = [visit.block for visit in genome.route]
    number = pick(rng, [n for n, block in enumerate(users) if users.count(block) > 1])
    if number is None:
        return None
    copy = replace(genome.pool[users[number]], lineage=lineage)
    grown = replace(genome, pool=(*genome.pool, copy))
    visit = replace(genome.route[number], block=len(genome.pool))
    return with_changed_visit(grown, number, visit)


def perturb_setting(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Move one living setting of one part to a near value, now and then to any value."""
    del lineage
    choice = pick(rng, living_settings(genome, space.catalog))
    if choice is None:
        return None
    place, part, name = choice
    declaration, old = space.catalog[part.name], part.settings[name]
    range_, afresh = declaration.settings[name].range, rng.random() < AFRESH
    value = space.taste.draw(
        rng,
        lambda: range_.sample(rng) if afresh else range_.near(old, rng),
        lambda value: setting_trait(declaration, name, value),
    )
    if same_value(value, old):
        return None
    return with_part(genome, place, with_setting(part, name, value))


def change_prelude(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Give an entry a prelude or another one, or take its prelude away."""
    del lineage
    number = rng.randrange(len(genome.pool))
    old = genome.pool[number].prelude
    new = _other_or_none("prelude", old, preludes(space.catalog), space, rng)
    if old is None and new is None:
        return None
    return with_changed_entry(genome, number, replace(genome.pool[number], prelude=new))


def change_precision(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Hold the weights of an entry's projections in another way."""
    del lineage
    places = [n for n, e in enumerate(genome.pool) if space.catalog[e.block.name].projects]
    number = pick(rng, places)
    if number is None:
        return None
    old = genome.pool[number]
    others = [option for option in PRECISIONS if option != old.precision]
    precision = space.taste.choose(rng, others, lambda option: Trait("precision", option))
    return with_changed_entry(genome, number, replace(old, precision=precision))


def change_router(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Give a visit a router or another one, or take its router away."""
    del lineage
    number = rng.randrange(len(genome.route))
    old = genome.route[number].router
    new = _other_or_none("router", old, space.catalog.of("router"), space, rng)
    if old is None and new is None:
        return None
    return with_part(genome, ("router", number), new)


def change_exit(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Give the stack an exit or another one, or take its exit away."""
    del lineage
    old = genome.stack.exit
    new = _other_or_none("exit", old, space.catalog.of("exit"), space, rng)
    if old is None and new is None:
        return None
    return with_part(genome, ("exit", 0), new)


def change_stack_part(kind: Kind) -> Operator:
    """Return the operator that puts another residual, norm or embedding into the stack."""

    def change(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
        del lineage
        old: Part = getattr(genome.stack, kind)
        others = [d for d in space.catalog.of(kind) if d.name != old.name]
        if not others:
            return None
        return with_part(genome, (kind, 0), fresh_of(kind, others, rng, space.taste))

    return change


def _swaps(old: Part, catalog: Catalog, rng: Random) -> Sequence[Declaration]:
    """Return the blocks that may take the place of *old*, by a lot: family, role or any."""
    before = catalog[old.name]
    others = [d for d in blocks(catalog) if d.name != old.name]
    family = [d for d in others if d.family == before.family]
    role = [d for d in others if d.mixes == before.mixes]
    lot = rng.random()
    if lot < WITHIN_FAMILY and family:
        return family
    return role if lot < WITHIN_FAMILY + WITHIN_ROLE and role else others


def _like(fresh: Part, old: Part, declaration: Declaration) -> Part:
    """Return *fresh* with the settings of *old* that are legal for it, too."""
    kept = {
        name: value
        for name, value in old.settings.items()
        if name in declaration.settings and declaration.settings[name].range.problem(value) is None
    }
    return Part(fresh.name, {**fresh.settings, **kept})


def _other_or_none(
    slot: str, old: Part | None, options: Sequence[Declaration], space: Space, rng: Random
) -> Part | None:
    """Return a fresh part where there is none; where there is one, None or another in turn."""
    others = [d for d in options if old is None or d.name != old.name]
    if not others or (old is not None and rng.random() < 0.5):
        return None
    return fresh_of(slot, others, rng, space.taste)
