"""Canonical labelling: an order of a route's visits that does not depend on how it was written.

Visits are coloured by what they are and by how deep they stand, colours are refined over reads,
base, users and pool classes until nothing changes, and ties are broken by individualisation: each
member of the first ambiguous cell is tried and the smallest code wins. Members that a mere swap
exchanges (interchangeable twins) are tried once.

A colour is only ever split, and depth comes first, so sorting by colour is a topological order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

MOST_LEAVES = 1000
"""A route that needs more leaves than this is refused: it is symmetric beyond any use."""

Colours = list[int]
"""The colour of each visit, and last, at index -1, that of the embedding."""

Code = tuple[tuple[int, tuple[int, ...], int], ...]


@dataclass(frozen=True)
class Arranged:
    """A wiring in canonical order.

    ``order`` are its visits, ``entries`` its pool entries as they come; ``code`` is for each visit
    the number of its entry among these, what it reads, sorted, and its base.
    """

    order: tuple[int, ...]
    entries: tuple[int, ...]
    code: Code


@dataclass(frozen=True)
class Wiring:
    """A route without its labels: what each visit reads, its base, and its pool entry.

    Visits stand in a topological order, -1 is the embedding, and every visit reaches the last.
    """

    reads: Sequence[tuple[int, ...]]
    base: Sequence[int]
    entry: Sequence[int]
    _last: list[Arranged] = field(default_factory=list[Arranged], init=False, compare=False)

    @cached_property
    def readers(self) -> list[list[int]]:
        """Who reads each visit and, at index -1, the embedding."""
        readers: list[list[int]] = [[] for _ in range(len(self.entry) + 1)]
        for visit, reads in enumerate(self.reads):
            for read in reads:
                readers[read].append(visit)
        return readers

    @cached_property
    def based(self) -> list[list[int]]:
        """Who adds to each visit and, at index -1, to the embedding."""
        based: list[list[int]] = [[] for _ in range(len(self.entry) + 1)]
        for visit, base in enumerate(self.base):
            based[base].append(visit)
        return based

    @cached_property
    def mates(self) -> dict[int, list[int]]:
        """The visits of each pool entry."""
        mates: dict[int, list[int]] = {}
        for visit, entry in enumerate(self.entry):
            mates.setdefault(entry, []).append(visit)
        return mates

    @cached_property
    def depths(self) -> list[int]:
        """The length of the longest path from the embedding to each visit."""
        depths = [0] * (len(self.entry) + 1)
        for visit, (base, reads) in enumerate(zip(self.base, self.reads, strict=True)):
            deepest = depths[base]
            for read in reads:
                if depths[read] > deepest:
                    deepest = depths[read]
            depths[visit] = deepest + 1
        return depths[:-1]

    @cached_property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """The visits of each depth, from the embedding to the output."""
        levels: list[list[int]] = [[] for _ in range(max(self.depths, default=0))]
        for visit, depth in enumerate(self.depths):
            levels[depth - 1].append(visit)
        return tuple(map(tuple, levels))

    def in_order(self, order: Sequence[int]) -> Arranged:
        """Return the wiring in *order*; the last is kept, for most children keep the order."""
        if not self._last or self._last[0].order != tuple(order):
            self._last[:] = [_arranged(self, order)]
        return self._last[0]

    def twins(self, one: int, other: int) -> bool:
        """Return whether swapping two visits of one colour (and their entries) changes nothing."""
        return (
            self.base[one] == self.base[other]
            and sorted(self.reads[one]) == sorted(self.reads[other])
            and self.readers[one] == self.readers[other]
            and self.based[one] == self.based[other]
            and self._exchangeable(self.entry[one], self.entry[other])
        )

    def _exchangeable(self, one: int, other: int) -> bool:
        return one == other or len(self.mates[one]) == len(self.mates[other]) == 1


def canonical_arrangement(wiring: Wiring, label: Callable[[int], str]) -> Arranged:
    """Return the wiring in canonical order, which is topological and ends with the output.

    ``label`` says what a visit is; a chain is in order without that. Two routes are isomorphic,
    labels and sharing of pool entries included, exactly if reading them in this order gives the
    same.

    Raises:
        ValueError: more than ``MOST_LEAVES`` leaves would have to be compared.
    """
    order: list[int] = []
    for level in wiring.levels:
        if len(level) == 1:
            order += level
            continue
        several = sorted([(label(visit), visit) for visit in level])
        if any(one == next_ for (one, _), (next_, _) in pairwise(several)):
            keys = [(depth, label(visit)) for visit, depth in enumerate(wiring.depths)]
            return wiring.in_order(_Search(wiring).best(_ranked(keys)))
        order += [visit for _, visit in several]
    return wiring.in_order(order)


class _Search:
    """The search for the smallest code among the leaves of individualisation."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._leaves = 0
        self._best: tuple[Code, list[int]] | None = None

    def best(self, colours: Colours) -> list[int]:
        self._visit([*colours, -1])
        assert self._best is not None
        return self._best[1]

    def _visit(self, colours: Colours) -> None:
        colours, tie = self._settled(colours)
        if not tie:
            self._leaf(colours)
            return
        tried: list[int] = []
        for member in tie:
            if not any(self._wiring.twins(member, other) for other in tried):
                tried.append(member)
                self._visit(_individualised(colours, [member]))

    def _settled(self, colours: Colours) -> tuple[Colours, list[int]]:
        """Refine, give twins an order (any will do), and return the first tie that is left."""
        while True:
            colours = refined(self._wiring, colours)
            tie = _first_tie(colours)
            if not tie or not all(self._wiring.twins(tie[0], other) for other in tie[1:]):
                return colours, tie
            colours = _individualised(colours, tie)

    def _leaf(self, colours: Colours) -> None:
        self._leaves += 1
        if self._leaves > MOST_LEAVES:
            raise ValueError(
                f"the genome is too symmetric to be identified: its {len(self._wiring.entry)} "
                f"visits need more than {MOST_LEAVES} orders to be compared; "
                "make parallel branches differ or remove some"
            )
        order = _sorted_by(colours[:-1])
        code = _arranged(self._wiring, order).code
        if self._best is None or code < self._best[0]:
            self._best = code, order


def refined(wiring: Wiring, colours: Colours) -> Colours:
    """Return the coarsest stable refinement of *colours*, as ranks that keep their order."""
    count = len(set(colours))
    while True:
        look = colours.__getitem__
        mates = {entry: sorted(map(look, users)) for entry, users in wiring.mates.items()}
        signatures = [
            (
                colours[visit],
                sorted(map(look, wiring.reads[visit])),
                colours[wiring.base[visit]],
                sorted(map(look, wiring.readers[visit])),
                sorted(map(look, wiring.based[visit])),
                mates[wiring.entry[visit]],
            )
            for visit in range(len(wiring.entry))
        ]
        colours = [*_ranked(signatures), -1]
        if len(set(colours)) in (count, len(colours)):
            return colours
        count = len(set(colours))


def _ranked(keys: Sequence[Any]) -> Colours:
    """Replace each key by its rank among the distinct keys."""
    ranks: Colours = [0] * len(keys)
    rank, last = -1, None
    for place in sorted(range(len(keys)), key=keys.__getitem__):
        if rank < 0 or keys[place] != last:
            rank, last = rank + 1, keys[place]
        ranks[place] = rank
    return ranks


def _individualised(colours: Colours, members: Sequence[int]) -> Colours:
    """Give *members* of one colour colours of their own, before the rest of their cell."""
    spread = [colour * (len(members) + 1) + len(members) for colour in colours[:-1]]
    for place, member in enumerate(members):
        spread[member] = colours[member] * (len(members) + 1) + place
    return [*spread, -1]


def _first_tie(colours: Colours) -> list[int]:
    """Return the visits of the lowest colour that several visits have, or nothing."""
    cells: dict[int, list[int]] = {}
    for visit, colour in enumerate(colours[:-1]):
        cells.setdefault(colour, []).append(visit)
    ties = [colour for colour, members in cells.items() if len(members) > 1]
    return cells[min(ties)] if ties else []


def _sorted_by(colours: Colours) -> list[int]:
    return sorted(range(len(colours)), key=colours.__getitem__)


def _arranged(wiring: Wiring, order: Sequence[int]) -> Arranged:
    """Describe the wiring in *order*; labels need no place in it, colours have sorted them."""
    place = {visit: number for number, visit in enumerate(order)} | {-1: -1}
    entries: dict[int, int] = {}
    code = tuple(
        [
            (
                entries.setdefault(wiring.entry[visit], len(entries)),
                (place[reads[0]],)
                if len(reads := wiring.reads[visit]) == 1
                else tuple(sorted([place[read] for read in reads])),
                place[wiring.base[visit]],
            )
            for visit in order
        ]
    )
    return Arranged(tuple(order), tuple(entries), code)
