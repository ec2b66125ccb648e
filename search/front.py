"""The front of a search: what nothing dominates at a rung, and the hypervolume that it covers.

Values are exact here: a front is what was found, noise and all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import moocore
import numpy as np

from ..genome.cost import Costs
from .measures import NOTHING, Measures
from .objectives import Objective, Shown, undominated

ENOUGH = 5
"""Results that a rung needs for a front of its own; with fewer the rung below has it."""


class Member(NamedTuple):
    """A genome of a front and its value in each objective."""

    genome: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Front:
    """The genomes that nothing dominates at ``rung``, of ``compared``, those with most bits first.

    ``hypervolume`` is what they dominate below a reference point, in bits per byte times octaves of
    each other objective; None without a reference.
    """

    rung: int
    members: tuple[Member, ...]
    compared: int
    hypervolume: float | None


def front(
    scores: Mapping[int, Mapping[str, float]],
    costs: Callable[[str], Costs],
    measures: Measures,
    objectives: Sequence[Objective],
    *,
    reference: Sequence[float] = (),
    limits: Mapping[str, float] = NOTHING,
) -> Front | None:
    """Return the front of the highest rung with enough scores; None where there are none at all.

    Who breaks limits, or was not measured by all objectives, is not compared.
    """
    rungs = sorted((rung for rung, there in scores.items() if there), reverse=True)
    if not rungs:
        return None
    rung = next((rung for rung in rungs if len(scores[rung]) >= ENOUGH), rungs[-1])
    found = list[Member]()
    for genome, bits in scores[rung].items():
        shown = Shown(bits, costs(genome), measures.of(genome))
        values = [objective.value(shown) for objective in objectives]
        known = tuple(value for value in values if value is not None)
        if len(known) == len(values) and measures.within(genome, limits):
            found.append(Member(genome, known))
    best = [found[n] for n in undominated([_places(objectives, one.values) for one in found])]
    best.sort(key=lambda one: (-one.values[0], one))
    volume = hypervolume(objectives, [one.values for one in best], reference) if reference else None
    return Front(rung, tuple(best), len(found), volume)


def hypervolume(
    objectives: Sequence[Objective],
    values: Sequence[Sequence[float]],
    reference: Sequence[float],
) -> float:
    """Return what these values dominate below a reference point; what is beyond it adds nothing."""
    if not values:
        return 0.0
    places = np.array([_places(objectives, each) for each in values])
    return float(moocore.hypervolume(places, ref=_places(objectives, reference)))


def _places(objectives: Sequence[Objective], values: Sequence[float]) -> list[float]:
    """Return values on the scales of their objectives, those of size in octaves."""
    return [
        objective.place(value) / (math.log(2) if objective.log else 1.0)
        for objective, value in zip(objectives, values, strict=True)
    ]
