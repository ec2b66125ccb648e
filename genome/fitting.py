"""Fitting: what costs too much gives way elsewhere, so that a limit is no wall.

Good genomes stand at a limit. A step that costs more is illegal there by itself, and what would
make room for it is no better by itself: both must be done at once, or neither is ever seen.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from random import Random
from typing import NamedTuple, Protocol

from ..blocks.registry import Catalog
from .edit import (
    Place,
    living_settings,
    places,
    with_changed_entry,
    with_part,
    with_setting,
    without_visit,
)
from .graph import Genome, Part

TRIES = 128
"""How many changes are drawn until the limits hold or it is given up."""

REMOVED = 0.25
"""How often what is drawn takes a visit or a prelude away; else a setting moves."""

SPARED = 0.5
"""The share of settings, drawn by lot, that does not move in the first half of the tries.

Some setting frees more than all others (how many n-grams an embedding has): if any may move, it
nearly always does, and what stands high there is hardly ever seen.
"""


class Limited(Protocol):
    """Where costs are limited, and what else is a rule."""

    def legal(self, genome: Genome) -> bool:
        """Return whether *genome* keeps all rules and limits."""
        ...

    def excess(self, genome: Genome) -> float | None:
        """Return how far *genome* is above the limits of cost, 0 if it is within; exits may err.

        None if it breaks another rule.
        """
        ...

    def excess_of_costs(self, genome: Genome) -> float:
        """Return the same of a genome that breaks no other rule and has no dead visit."""
        ...


class Held(NamedTuple):
    """What does not give way: parts as they are, and parts by name, whose settings may move."""

    parts: Collection[Part] = ()
    names: Collection[str] = ()


NOTHING = Held()


def fitted(
    genome: Genome, limited: Limited, catalog: Catalog, rng: Random, *, held: Held = NOTHING
) -> Genome | None:
    """Return *genome* with changes of chance that each cost less, until the limits of cost hold.

    It is the same one where they hold already; None where another rule is broken, or where none
    of many changes helped. Settings that gave way for nothing, since others gave way later, have
    their old values again.
    """
    above = limited.excess(genome)
    if not above:
        return genome if above == 0 and limited.legal(genome) else None
    way, moves = _Way(catalog, rng, held), list[_Move]()
    for number in range(TRIES):
        found = way.changed(genome, sparing=2 * number < TRIES)
        if found is None:
            continue
        smaller, move = found
        # a setting that moves in its range breaks no rule, so that its costs alone are asked
        less = limited.excess(smaller) if move is None else limited.excess_of_costs(smaller)
        if less is not None and less < above:
            genome, above = smaller, less
            moves += [] if move is None else [move]
        if above == 0:
            fit = _moved_back(genome, limited, moves)
            return fit if limited.legal(fit) else None
    return None


def _moved_back(genome: Genome, limited: Limited, moves: Sequence[_Move]) -> Genome:
    """Take moves back, the last one first, as far as the limits hold without them."""
    for move in reversed(moves):
        place = next((place for place, part in places(genome) if part is move.after), None)
        if place is not None:
            larger = with_part(genome, place, move.before)
            genome = larger if limited.excess_of_costs(larger) == 0 else genome
    return genome


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


class _Move(NamedTuple):
    """A part before and after one of its settings moved."""

    before: Part
    after: Part


class _Way:
    """Draws what gives way."""

    def __init__(self, catalog: Catalog, rng: Random, held: Held) -> None:
        self._catalog = catalog
        self._rng = rng
        self._held = held
        self._lots: dict[tuple[str, str], bool] = {}
        self._free: tuple[Genome | None, Sequence[tuple[Place, Part, str]]] = None, ()

    def changed(self, genome: Genome, *, sparing: bool) -> tuple[Genome, _Move | None] | None:
        """Return *genome* with one change, and the move if a setting moved; None for no change."""
        if self._rng.random() >= REMOVED:
            return self._with_moved_setting(genome, sparing)
        smaller = self._with_less(genome)
        return None if smaller is None else (smaller, None)

    def _with_less(self, genome: Genome) -> Genome | None:
        number = self._rng.randrange(len(genome.route) + len(genome.pool))
        if number < len(genome.route):
            block = genome.pool[genome.route[number].block].block
            return None if self._is_held(block) else without_visit(genome, number)
        number -= len(genome.route)
        entry = genome.pool[number]
        if entry.prelude is None or self._is_held(entry.prelude):
            return None
        return with_changed_entry(genome, number, replace(entry, prelude=None))

    def _with_moved_setting(self, genome: Genome, sparing: bool) -> tuple[Genome, _Move] | None:
        settings = self._movable(genome)
        if not settings:
            return None
        place, part, name = self._rng.choice(settings)
        if sparing and self._is_spared(part.name, name):
            return None
        declared = self._catalog[part.name].settings[name]
        moved = with_setting(part, name, declared.range.near(part.settings[name], self._rng))
        return with_part(genome, place, moved), _Move(part, moved)

    def _movable(self, genome: Genome) -> Sequence[tuple[Place, Part, str]]:
        """Return the settings that may move; most tries are of the genome of the one before."""
        of, settings = self._free
        if of is not genome:
            settings = [
                each for each in living_settings(genome, self._catalog)
                if each[1] not in self._held.parts
            ]  # fmt: skip
            self._free = genome, settings
        return settings

    def _is_spared(self, part: str, name: str) -> bool:
        if (part, name) not in self._lots:
            self._lots[part, name] = self._rng.random() < SPARED
        return self._lots[part, name]

    def _is_held(self, part: Part) -> bool:
        return part in self._held.parts or part.name in self._held.names
