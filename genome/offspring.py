"""Offspring: what a mutation or a crossing made, if it is legal and another genome."""

from __future__ import annotations

from collections.abc import Collection
from random import Random

from .fitting import NOTHING, held_of
from .graph import Genome
from .identity import genome_id
from .space import Space


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
    held = NOTHING if parent is None else held_of(genome, parent)
    fit = space.fitted(genome, rng, held=held)
    return None if fit is None or genome_id(fit, space.catalog) in known else fit
