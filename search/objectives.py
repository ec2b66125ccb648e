"""Objectives: what is minimised, and which of several candidates are better than the others.

Quality leads: the first objective is bits per byte, by which winners are reported. Further ones are
costs, computed from the genome itself and never taken from a record, and what machines measured.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import moocore
import numpy as np
import numpy.typing as npt

from ..genome.cost import Costs
from .measures import NOTHING
from .noise import Noise

REFERENCE = 1.1
"""The reference point of hypervolumes in every objective, after scaling the points to [0, 1]."""


class Shown(NamedTuple):
    """What is known of a genome at a rung: quality, costs, and measures by name."""

    bits_per_byte: float
    costs: Costs
    measured: Mapping[str, float] = NOTHING


@dataclass(frozen=True)
class Objective:
    """Something to minimise, or to maximise, of what a genome showed.

    ``noise`` is the difference that a repetition makes: values are compared on a grid of that step,
    so that luck alone dominates nobody. ``log`` compares orders of size. What is ``measured`` by
    machines is not known of every genome, and of none before it is evaluated.
    """

    name: str
    value: Callable[[Shown], float | None]
    noise: float = 0.0
    log: bool = False
    measured: bool = False
    maximised: bool = False

    def place(self, value: float | None) -> float:
        """Return a value on the scale on which candidates are compared, smaller is better.

        What is not known has no place: NaN.
        """
        if value is None:
            return math.nan
        if self.log:
            value = math.log(max(value, 1.0))
        return -value if self.maximised else value

    def coordinate(self, shown: Shown) -> float:
        """Return the place of what was shown, on the grid of the noise."""
        place = self.place(self.value(shown))
        if not self.noise or math.isnan(place):
            return place
        return round(place / self.noise) * self.noise


QUALITY = Objective("bits_per_byte", lambda shown: shown.bits_per_byte, noise=0.03)
"""Bits per byte on the search split; two seeds of a genome differ by about 0.03."""

LOUD = math.log(2) / 2
"""The step of what machines measure, a factor of 1.4: equal trainings beside others differ so."""

OBJECTIVES = {
    objective.name: objective
    for objective in (
        QUALITY,
        Objective("flops", lambda shown: shown.costs.flops, log=True),
        Objective("active_flops", lambda shown: shown.costs.active_flops, log=True),
        Objective("parameters", lambda shown: shown.costs.parameters, log=True),
        Objective("carry_bytes", lambda shown: shown.costs.carry_bytes, log=True),
        Objective(
            "tokens_per_second",
            lambda shown: shown.measured.get("tokens_per_second"),
            noise=LOUD,
            log=True,
            measured=True,
            maximised=True,
        ),
        Objective(
            "peak_memory_bytes",
            lambda shown: shown.measured.get("peak_memory_bytes"),
            noise=LOUD,
            log=True,
            measured=True,
        ),
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


def resolved(objectives: Sequence[Objective], noise: Noise, rung: int) -> tuple[Objective, ...]:
    """Return the objectives with the noise of the first as it was found at a rung."""
    quality, *others = objectives
    return replace(quality, noise=noise.at(rung, assumed=quality.noise)), *others


def undominated(points: Sequence[Sequence[float]]) -> list[int]:
    """Return the places of the points that no other dominates; equals do not.

    A point that is not known in all coordinates is not compared.
    """
    found = np.asarray(points, dtype=float)
    whole = np.flatnonzero(~np.isnan(found).any(axis=1)) if points else np.array([], dtype=int)
    if not len(whole):
        return []
    return whole[moocore.is_nondominated(found[whole], keep_weakly=True)].tolist()


def best(points: Sequence[Sequence[float]]) -> int:
    """Return the place of the point to prefer; smaller coordinates are better.

    It is not dominated, and of those the one that alone adds most to their hypervolume, with the
    points scaled to [0, 1]; then the one that stands first. Equal points add nothing. A coordinate
    that is not known of all of them is passed over.
    """
    found = np.asarray(points, dtype=float)
    found = found[:, ~np.isnan(found).any(axis=0)]
    if found.shape[1] == 1:
        return int(np.argmin(found))
    scaled = _scaled(found)
    front = np.flatnonzero(moocore.is_nondominated(scaled, keep_weakly=True))
    return int(front[np.argmax(moocore.hv_contributions(scaled[front], ref=REFERENCE))])


def _scaled(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    return (points - low) / np.where(span > 0, span, 1.0)
