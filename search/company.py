"""Company: who else works on a run, and whose turn a work is that all of them see.

Peers with the same records see the same promotions. Each belongs to one of those who worked lately,
by a lot that all draw alike (rendezvous hashing; Thaler & Ravishankar 1998, IEEE/ACM Transactions
on Networking 6), so that few are trained twice; who has left is forgotten after a while.
"""

from __future__ import annotations

from collections import deque

from .base import Birth, Finished
from .draws import lot
from .scores import TRUSTED

LATELY = 256
"""How many of the last results, own ones among them, tell who is there."""


class Company:
    """The authors of the last trusted results, None for own ones, in the order of telling."""

    def __init__(self) -> None:
        self._lately = deque[str | None](maxlen=LATELY)

    def hear(self, event: Finished) -> None:
        """Note whose result came in."""
        if event.weight >= TRUSTED:
            self._lately.append(None if event.asked is None else event.asked.birth.author)

    def turn(self, birth: Birth, *work: str | int) -> bool:
        """Whether a work is for the author of *birth* to do, of all who are there."""
        authors = {author for author in self._lately if author is not None} | {birth.author}
        if len(authors) == 1:
            return True
        return min((lot(0, author, *work), author) for author in authors)[1] == birth.author
