"""The board: scores of genomes in columns, so that the standings of all are a few array operations.

What ``standing.standings`` says of each genome by name, this says of all of them at once: a search
asks it of every snapshot, and most of the standings nobody looks at.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .linear import Floats
from .standing import standings

Numbers = npt.NDArray[np.intp]


class Board:
    """The scores of genomes, which have a number each for good, at rungs."""

    def __init__(self, rungs: Sequence[int]) -> None:
        self.names: list[str] = []
        """The genomes by number."""
        self._numbers: dict[str, int] = {}
        self._columns = {rung: array("d") for rung in sorted(rungs)}
        self._order: Numbers = np.arange(0)

    def number(self, name: str) -> int:
        """Return the number of a genome, a new one if it has none."""
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self.names)
            self.names.append(name)
            for column in self._columns.values():
                column.append(math.nan)
        return number

    def score(self, name: str, rung: int, bits: float | None) -> None:
        """Set the score of a genome at a rung, or take it away."""
        self._columns[rung][self.number(name)] = math.nan if bits is None else bits

    def standings(self, scores: Mapping[int, Mapping[str, float]]) -> Standings:
        """Return the standings of now, *scores* being the same ones by name."""
        columns = [np.array(column) for column in self._columns.values()]
        self._order = self._rising(columns[0])
        order = self._order[: len(scores[min(self._columns)])]
        return Standings(self._numbers, order, columns, scores)

    def _rising(self, bits: Floats) -> Numbers:
        """Return all numbers by their scores, those without one last.

        Most of them are in order already, which a stable sort finds out.
        """
        order = np.concatenate([self._order, np.arange(len(self._order), len(bits))])
        return order[np.argsort(bits[order], kind="stable")]


class Standings(Mapping[str, float]):
    """The standings of a moment by name, computed when somebody looks.

    Args:
        numbers: the numbers of genomes, of those that came later, too.
        order: the numbers of those with a score at the lowest rung, by that.
        columns: the scores by number for each rung, the lowest first; NaN where there is none.
        scores: the same by name.
    """

    def __init__(
        self,
        numbers: Mapping[str, int],
        order: Numbers,
        columns: Sequence[Floats],
        scores: Mapping[int, Mapping[str, float]],
    ) -> None:
        self._numbers = numbers
        self._order = order
        self._columns = columns
        self._scores = scores

    @cached_property
    def places(self) -> Floats:
        """The standing of each genome by its number, NaN where it has none."""
        found = _places(self._order, self._columns)
        return self._with_equals() if found is None else found

    @cached_property
    def ranked(self) -> Numbers:
        """The numbers of those with a standing from the best to the worst.

        Equals stand in the order of the lowest rung, and equals there in that of their names.
        """
        order = self._order[np.argsort(-self.places[self._order], kind="stable")]
        falling = self.places[order]
        if not _has_equals(falling):
            return order
        lowest, names = self._columns[0], list(self._numbers)
        numbers: list[int] = order.tolist()
        numbers.sort(key=lambda n: (-self.places[n], lowest[n], names[n]))
        return np.array(numbers, dtype=np.intp)

    def __getitem__(self, name: str) -> float:
        place = self._place(name)
        if math.isnan(place):
            raise KeyError(name)
        return place

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and not math.isnan(self._place(name))

    def __iter__(self) -> Iterator[str]:
        names = list(self._numbers)
        numbers: list[int] = self.ranked.tolist()
        return iter([names[number] for number in numbers])

    def __len__(self) -> int:
        return len(self.ranked)

    def _place(self, name: str) -> float:
        number = self._numbers.get(name)
        known = number is not None and number < len(self.places)
        return float(self.places[number]) if known else math.nan

    def _with_equals(self) -> Floats:
        """Return the standings where some are equal, who share their places."""
        found = np.full(len(self._columns[0]), math.nan)
        for name, place in standings(self._scores).items():
            found[self._numbers[name]] = place
        return found


def _places(order: Numbers, columns: Sequence[Floats]) -> Floats | None:
    """Return the standings by number, None where two genomes have the same score at a rung."""
    lowest, *higher = columns
    places = np.full(len(lowest), math.nan)
    places[order] = 1 - (np.arange(len(order)) + 0.5) / max(len(order), 1)
    if _has_equals(lowest[order]):
        return None
    for column in higher:
        there = order[~np.isnan(column[order])]
        there = there[np.argsort(column[there])]
        if _has_equals(column[there]):
            return None
        places[there] = np.sort(places[there])[::-1]
    return places


def _has_equals(ordered: Floats) -> bool:
    return bool(np.any(ordered[1:] == ordered[:-1]))
