"""Fitting: what costs too much gives way elsewhere, so that a limit is no wall.

Good genomes stand at a limit. A step that costs more is illegal there by itself, and what would
make room for it is no better by itself: both must be done at once, or neither is ever seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from random import Random
from typing import NamedTuple

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

TRIES = 64
"""How many changes are drawn until the limits hold or it is given up."""

REMOVED = 0.25
"""How often what is drawn takes a visit or a prelude away; else a setting moves."""


Excess = Callable[[Genome], float | None]
"""How far a genome is above the limits of cost: 0 if legal, None if it breaks another rule."""


class Held(NamedTuple):
    """What does not give way: parts as they are, and parts by name, whose settings may move."""

    parts: Collection[Part] = ()
    names: Collection[str] = ()


NOTHING = Held()


def fitted(
    genome: Genome, excess: Excess, catalog: Catalog, rng: Random, *, held: Held = NOTHING
) -> Genome | None:
    """Return *genome* with changes of chance that each cost less, until the limits of cost hold.

    It is the same one where they hold already; None where another rule is broken, or where none
    of many changes helped.
    """
    above = excess(genome)
    for _ in range(TRIES):
        if not above:
            break
        smaller = _changed(genome, catalog, rng, held)
        less = None if smaller is None else excess(smaller)
        if smaller is not None and less is not None and less < above:
            genome, above = smaller, less
    return genome if above == 0 else None


def held_of(child: Genome, parent: Genome) -> Held:
    """Return what of *child* is the point of it: the parts that its parent has not.

    Those of a name that the parent has, too, are about their settings.
    """
    old = [part for _, part in places(parent)]
    names = {part.name for part in old}
    fresh = [part for _, part in places(child) if part not in old]
    return Held(
        [part for part in fresh if part.name in names],
        {part.name for part in fresh if part.name not in names},
    )


def _changed(genome: Genome, catalog: Catalog, rng: Random, held: Held) -> Genome | None:
    if rng.random() >= REMOVED:
        return _with_moved_setting(genome, catalog, rng, held)
    number = rng.randrange(len(genome.route) + len(genome.pool))
    if number < len(genome.route):
        block = genome.pool[genome.route[number].block].block
        return None if _is_held(block, held) else without_visit(genome, number)
    number -= len(genome.route)
    entry = genome.pool[number]
    if entry.prelude is None or _is_held(entry.prelude, held):
        return None
    return with_changed_entry(genome, number, replace(entry, prelude=None))


def _with_moved_setting(genome: Genome, catalog: Catalog, rng: Random, held: Held) -> Genome | None:
    settings = [each for each in living_settings(genome, catalog) if each[1] not in held.parts]
    if not settings:
        return None
    place, part, name = rng.choice(settings)
    value = catalog[part.name].settings[name].range.near(part.settings[name], rng)
    return with_part(genome, place, with_setting(part, name, value))


def _is_held(part: Part, held: Held) -> bool:
    return part in held.parts or part.name in held.names
