"""Objectives: what is minimised, and which of several candidates are better than the others.

Quality leads: the first objective is bits per byte, by which winners are reported. Further ones are
costs, computed from the genome itself and never taken from a record.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import moocore
import numpy as np
import numpy.typing as npt

from ..genome.cost import Costs

REFERENCE = 1.1
"""The reference point of hypervolumes in every objective, after scaling the points to [0, 1]."""


@dataclass(frozen=True)
class Objective:
    """Something to minimise, computed from the bits per byte and the costs of a genome.

    ``noise`` is the difference that a repetition with another seed makes: values are compared on
    a grid of that step, so that luck alone dominates nobody. ``log`` compares orders of size.
    """

    name: str
    value: Callable[[float, Costs], float]
    noise: float = 0.0
    log: bool = False

    def coordinate(self, bits_per_byte: float, costs: Costs) -> float:
        """Return the value on the scale on which candidates are compared."""
        value = self.value(bits_per_byte, costs)
        if self.log:
            value = math.log(max(value, 1.0))
        return round(value / self.noise) * self.noise if self.noise else value


QUALITY = Objective("bits_per_byte", lambda bits, costs: bits, noise=0.03)
"""Bits per byte on the search split; two seeds of a genome differ by about 0.03 (ENGINE 4)."""

OBJECTIVES = {
    objective.name: objective
    for objective in (
        QUALITY,
        Objective("flops", lambda bits, costs: costs.flops, log=True),
        Objective("active_flops", lambda bits, costs: costs.active_flops, log=True),
        Objective("parameters", lambda bits, costs: costs.parameters, log=True),
        Objective("carry_bytes", lambda bits, costs: costs.carry_bytes, log=True),
    )
}
"""The objectives by name."""


def objectives(names: Iterable[str]) -> tuple[Objective, ...]:
    """Return the objectives of these names.

    Raises:
        KeyError: there is no such objective; the text suggests the nearest.
        ValueError: the first is not ``bits_per_byte``, or one stands twice.
    """
    listed = tuple(names)
    for name in listed:
        if name not in OBJECTIVES:
            nearest = difflib.get_close_matches(name, OBJECTIVES, n=3) or list(OBJECTIVES)
            raise KeyError(f"no objective is called {name!r}; the nearest are {nearest}")
    if not listed or listed[0] != QUALITY.name or len(set(listed)) != len(listed):
        raise ValueError(
            f"objectives must be {QUALITY.name!r} and then others, each once, since winners are "
            f"reported by it; they are {list(listed)}"
        )
    return tuple(OBJECTIVES[name] for name in listed)


def undominated(points: Sequence[Sequence[float]]) -> list[int]:
    """Return the places of the points that no other dominates; equals do not."""
    if not points:
        return []
    sound = moocore.is_nondominated(np.asarray(points, dtype=float), keep_weakly=True)
    return np.flatnonzero(sound).tolist()


def best(points: Sequence[Sequence[float]]) -> int:
    """Return the place of the point to prefer; smaller coordinates are better.

    It is not dominated, and of those the one that alone adds most to their hypervolume, with the
    points scaled to [0, 1]; then the one that stands first. Equal points add nothing.
    """
    scaled = _scaled(np.asarray(points, dtype=float))
    front = np.flatnonzero(moocore.is_nondominated(scaled, keep_weakly=True))
    return int(front[np.argmax(moocore.hv_contributions(scaled[front], ref=REFERENCE))])


def _scaled(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    return (points - low) / np.where(span > 0, span, 1.0)
