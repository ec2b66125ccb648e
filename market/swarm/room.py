"""Room: how much of others' records a peer stores, so that no flood fills its disk.

Whoever signs records can make names, and whoever sends them can make peers, for nothing. So each
name has a little room that nobody else can take, and beyond that as much as a part of what is free
(Choudhury and Hahne 1998, Dynamic Queue Length Thresholds): whoever takes much leaves room for the
next. Names are shared out likewise among those who bring them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_AUTHORS = 10_000
"""The most other authors of a run that a peer takes records of."""

KEPT = 2000
"""How many of these names are kept for senders that brought no other: newcomers bring their own."""

OWN = 1 << 18
"""The characters of records and genomes that each author may fill, whatever others do."""

POOL = 3 << 30
"""The characters that all authors together may fill beyond that."""

PART = 8
"""An author may fill as much of the pool as is free of it, divided by this."""

FOREIGN_AUTHORS, FOREIGN_OWN, FOREIGN_POOL = 200_000, 1 << 13, 1 << 30
"""The same of authors of other islands, in a room apart, so that they crowd nobody out of this one:
twice as many names as 100 islands have, and some two records of each whatever others do.
"""


@dataclass
class Room:
    """What each author fills, by name in *sizes*: characters of records and of their genomes.

    A genome counts for each of its records, so that what an author fills hangs on its own records
    alone. The peer's own records need no room. ``names``, ``own`` and ``pool`` are its bounds.
    """

    sizes: Mapping[str, int]
    names: int = field(default_factory=lambda: MOST_AUTHORS)
    own: int = field(default_factory=lambda: OWN)
    pool: int = field(default_factory=lambda: POOL)
    _filled: Counter[str] = field(init=False)
    _pooled: int = field(init=False)
    _brought: Counter[str] = field(default_factory=Counter[str], init=False)

    def __post_init__(self) -> None:
        self._filled = Counter(self.sizes)
        self._pooled = sum(map(self._beyond, self._filled.values()))

    def take(self, author: str, size: int, sender: str = "") -> str | None:
        """Take room for a record, or say why there is none.

        *sender* is the name of the peer that brought it, nothing where nobody is to be held to it.
        """
        if author not in self._filled and (problem := self._no_name(author, sender)):
            return problem
        before = self._filled[author]
        more = self._beyond(before + size) - self._beyond(before)
        free = self.pool - self._pooled
        if more and self._beyond(before + size) > free // PART:
            return (
                f"is of the author {author[:12]}, whose records fill {before:,} characters: it may "
                f"fill {self.own:,}, and beyond that a part of {free:,} that are free"
            )
        if sender and author not in self._filled:
            self._brought[sender] += 1
        self._filled[author] += size
        self._pooled += more
        return None

    def _no_name(self, author: str, sender: str) -> str | None:
        """Say why another name is not taken; None where it is."""
        free, brought = self.names - len(self._filled), self._brought[sender]
        if free <= 0:
            return f"is of the author {author[:12]}: there are {self.names:,} authors already"
        if brought and brought >= max(0, free - KEPT):
            return (
                f"is of the author {author[:12]}: its sender brought {brought} names, and of "
                f"{free} that are free {KEPT} are kept for others"
            )
        return None

    def _beyond(self, size: int) -> int:
        return max(0, size - self.own)


def foreign_room(sizes: Mapping[str, int]) -> Room:
    """Return the room for authors of other islands."""
    return Room(sizes, FOREIGN_AUTHORS, FOREIGN_OWN, FOREIGN_POOL)
