"""Fitting: what costs too much gives way elsewhere, so that a limit is no wall.

Good genomes stand at a limit. A step that costs more is illegal there by itself, and what would
make room for it is no better by itself: both must be done at once, or neither is ever seen.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from random import Random

from ..blocks.registry import Catalog
from .edit import (
    living_settings,
    places,
    with_changed_entry,
    with_part,
    with_setting,
    without_visit,
)
from .graph import Genome, Part
from .identity import genome_id
from .space import Space

TRIES = 64
"""How many changes are drawn until the limits hold or it is given up."""

REMOVED = 0.25
"""How often what is drawn takes a visit or a prelude away; else a setting moves."""


def another(
    genome: Genome,
    space: Space,
    rng: Random,
    *,
    known: Collection[str],
    parent: Genome | None = None,
) -> Genome | None:
    """Return *genome*, fitted where it must be, if it is legal then and none of *known* by its id.

    What it has not from its *parent* does not give way.
    """
    form = space.legal_form(genome)
    if form is not None:
        return None if form.genome_id() in known else genome
    if not space.limits.of_cost:
        return None
    held = () if parent is None else _fresh(genome, parent)
    fit = fitted(genome, space, rng, held=held)
    return None if fit is None or genome_id(fit, space.catalog) in known else fit


def fitted(
    genome: Genome, space: Space, rng: Random, *, held: Collection[Part] = ()
) -> Genome | None:
    """Return *genome* with changes of chance that each cost less, until the limits of cost hold.

    It is the same one where they hold already; None where another rule is broken, or where none
    of many changes helped. The parts *held* are not changed.
    """
    excess = space.excess(genome)
    for _ in range(TRIES):
        if not excess:
            break
        smaller = _changed(genome, space.catalog, rng, held)
        less = None if smaller is None else space.excess(smaller)
        if smaller is not None and less is not None and less < excess:
            genome, excess = smaller, less
    return genome if excess == 0 else None


def _fresh(genome: Genome, parent: Genome) -> Collection[Part]:
    """Return the parts of *genome* that its parent has not."""
    old = [part for _, part in places(parent)]
    return [part for _, part in places(genome) if part not in old]


def _changed(
    genome: Genome, catalog: Catalog, rng: Random, held: Collection[Part]
) -> Genome | None:
    if rng.random() >= REMOVED:
        return _with_moved_setting(genome, catalog, rng, held)
    number = rng.randrange(len(genome.route) + len(genome.pool))
    if number < len(genome.route):
        block = genome.pool[genome.route[number].block].block
        return None if block in held else without_visit(genome, number)
    number -= len(genome.route)
    entry = genome.pool[number]
    if entry.prelude is None or entry.prelude in held:
        return None
    return with_changed_entry(genome, number, replace(entry, prelude=None))


def _with_moved_setting(
    genome: Genome, catalog: Catalog, rng: Random, held: Collection[Part]
) -> Genome | None:
    settings = [each for each in living_settings(genome, catalog) if each[1] not in held]
    if not settings:
        return None
    place, part, name = rng.choice(settings)
    value = catalog[part.name].settings[name].range.near(part.settings[name], rng)
    return with_part(genome, place, with_setting(part, name, value))
