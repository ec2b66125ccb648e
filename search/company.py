"""Company: who else works on a run, and whose turn a work is that all of them see.

Peers with the same records see the same promotions. Each belongs to one of those who worked lately,
by a lot that all draw alike (rendezvous hashing; Thaler & Ravishankar 1998, IEEE/ACM Transactions
on Networking 6), so that few are trained twice; who has left is forgotten after a while, and who
seems to train no further than to some rung has no turns above it: its machine may be too small.
"""

from __future__ import annotations

from collections import Counter, deque

from .base import Birth, Finished
from .draws import lot
from .scores import TRUSTED

LATELY = 256
"""How many of the last results, own ones among them, tell who is there."""


FEW = 3
"""An author without a result at a rung or above is taken not to train that far once so many would
be its share: by chance alone that is so for one in twenty, until its next one.
"""


class Company:
    """The authors of the last trusted results, None for own ones, and the rungs they are at."""

    def __init__(self) -> None:
        self._lately = deque[tuple[str | None, int]](maxlen=LATELY)

    def hear(self, event: Finished) -> None:
        """Note whose result came in."""
        if event.weight >= TRUSTED:
            author = None if event.asked is None else event.asked.birth.author
            self._lately.append((author, event.result.rung))

    def turn(self, birth: Birth, genome: str, rung: int) -> bool:
        """Whether a work is for the author of *birth* to do, of all who are there and may do it."""
        authors = self._others(rung) | {birth.author}
        if len(authors) == 1:
            return True
        return min((lot(0, author, genome, rung), author) for author in authors)[1] == birth.author

    def _others(self, rung: int) -> set[str]:
        """Return the others who are there but for those who seem not to train to *rung*."""
        above = [author for author, reached in self._lately if reached >= rung]
        share, did = len(above) / max(1, len(self._lately)), set(above)
        done = Counter(author for author, _ in self._lately if author is not None)
        return {name for name, count in done.items() if name in did or share * count < FEW}
