"""Alignment: which visits and entries of a child stand for which of its parent's.

Entries descend from each other by lineage id; visits have no id of their own and are found by their
entry, and among the visits of one entry by what they read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .graph import EMBEDDING, Entry, Genome, Visit


@dataclass(frozen=True)
class Alignment:
    """What of a child is what of its parent, by number, both in canonical form.

    ``stands`` is for every visit of the child the value of its parent that its own stands for: that
    of its partner, or where it has none that of its base, which it was set upon.
    """

    entries: Mapping[int, int]
    visits: Mapping[int, int]
    stands: Mapping[int, int]


def align(child: Genome, parent: Genome) -> Alignment:
    """Return what of *child* is what of *parent*; both must be in canonical form."""
    return _Aligner(child, parent).found()


class _Aligner:
    def __init__(self, child: Genome, parent: Genome) -> None:
        self._child, self._parent = child, parent
        self._kin = {i: self._partner(entry) for i, entry in enumerate(child.pool)}
        self._left = Counter(self._kin[visit.block] for visit in child.route)
        self._free = dict(enumerate(parent.route))
        self._visits = dict[int, int]()
        self._stands = {EMBEDDING: EMBEDDING}

    def found(self) -> Alignment:
        for number, visit in enumerate(self._child.route):
            partner = self._visit(visit)
            self._left[self._kin[visit.block]] -= 1
            if partner is None:
                self._stands[number] = self._stands[visit.base_read]
            else:
                self._visits[number] = self._stands[number] = partner
                del self._free[partner]
        return Alignment(dict(self._entries()), self._visits, self._stands)

    def _partner(self, entry: Entry) -> int | None:
        """Return the parent's entry of the same lineage."""
        lineages = [own.lineage for own in self._parent.pool]
        known = entry.lineage and entry.lineage in lineages
        return lineages.index(entry.lineage) if known else None

    def _visit(self, visit: Visit) -> int | None:
        """Return the free visit of the parent that this one is, None if it is new."""
        kin = self._kin[visit.block]
        if kin is None:
            return next((free for free in self._copied(visit) if self._alike(visit, free)), None)
        free = [number for number, other in self._free.items() if other.block == kin]
        alike = next((number for number in free if self._alike(visit, number)), None)
        if alike is not None or len(free) < self._left[kin]:
            return alike  # as one that is added cannot be told from those that were there
        return free[0]

    def _copied(self, visit: Visit) -> Iterator[int]:
        """Yield visits whose entry this one's is a copy of: the same genes, and visits to spare."""
        entry = self._child.pool[visit.block]
        for number, other in self._free.items():
            spare = sum(free.block == other.block for free in self._free.values())
            if self._parent.pool[other.block] == entry and spare > self._left[other.block]:
                yield number

    def _alike(self, visit: Visit, number: int) -> bool:
        """Whether both read the same and add to the same."""
        other = self._parent.route[number]
        reads = {self._stands[read] for read in visit.reads}
        return self._stands[visit.base_read] == other.base_read and reads >= set(other.reads)

    def _entries(self) -> Iterator[tuple[int, int]]:
        """Yield the entries with their partners: by lineage, or that of the visits they copied."""
        for number, kin in self._kin.items():
            visited = (
                self._parent.route[partner].block
                for visit, partner in self._visits.items()
                if self._child.route[visit].block == number
            )
            partner = kin if kin is not None else next(visited, None)
            if partner is not None:
                yield number, partner
