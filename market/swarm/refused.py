"""What was refused: authors whose records one of two peers would not take are left alone a while.

A peer that lacks a block, or has no room for an author, refuses the same records each time; two
that compare their heads would offer them at each round.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

FIRST, LONGEST = 60.0, 900.0
"""The first and the longest time in seconds that an author is left alone; it doubles each time."""

MOST = 256
"""The most authors that are remembered of a peer."""


@dataclass
class Refused:
    """The authors whose records were refused between this peer and another, in one direction."""

    _known: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])

    def note(self, refused: Collection[str], taken: Collection[str], now: float) -> None:
        """Note of which authors records were refused at the time *now*, and of which none was."""
        for author in taken:
            self._known.pop(author, None)
        for author in sorted(refused):
            times, _ = self._known.pop(author, (0, 0.0))
            self._known[author] = times + 1, now + min(LONGEST, FIRST * 2.0 ** min(times, 20))
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]

    def at(self, now: float) -> set[str]:
        """Return the authors that are left alone at the time *now*."""
        return {author for author, (_, until) in self._known.items() if until > now}
