"""Company: who else works on a run, on what, and whose turn a work is that all of them see.

Peers with the same records see the same work: promotions, baselines, finals. Each belongs to one of
those who worked lately, by a lot that all draw alike (rendezvous hashing; Thaler & Ravishankar
1998, IEEE/ACM Transactions on Networking 6), and what another says that it works on is left to it,
so that few are trained twice; who has left is forgotten after a while.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TypeVar

from .base import Birth, Event, Finished, Taken
from .draws import lot
from .scores import TRUSTED

LATELY = 256
"""How many of the last results, own ones among them, tell who is there."""

Of = TypeVar("Of", bound=tuple[str | int, ...])


class Company:
    """The authors of the last trusted results, and what each of the others works on now."""

    def __init__(self) -> None:
        self._lately = deque[str | None](maxlen=LATELY)  # None for own results
        self._taken: dict[str, set[tuple[str, int, int]]] = {}

    def tell(self, event: Event) -> None:
        """Note whose result came in, or what another works on."""
        match event:
            case Finished(result, weight, asked):
                author = None if asked is None else asked.birth.author
                if weight >= TRUSTED:
                    self._lately.append(author)
                if author in self._taken:
                    self._taken[author].discard((result.genome, result.rung, result.replica))
            case Taken(author, works):
                self._taken[author] = set(works)
            case _:
                pass

    def turn(self, birth: Birth, *work: str | int) -> bool:
        """Whether a work is for the author of *birth* to do, of all who are there."""
        authors = {author for author in self._lately if author is not None} | {birth.author}
        if len(authors) == 1:
            return True
        return min((lot(0, author, *work), author) for author in authors)[1] == birth.author

    def works_on(self, work: tuple[str | int, ...]) -> bool:
        """Whether another works on this (genome, rung, replica)."""
        return any(work in works for works in self._taken.values())

    def searches(self) -> bool:
        """Whether another works on something that the search may learn from: a replica 0."""
        return any(replica == 0 for works in self._taken.values() for _, _, replica in works)

    def shared_out(self, birth: Birth, works: Iterable[Of]) -> list[Of]:
        """Return what nobody works on: first that whose turn it is for *birth*, as it stands.

        What is left to others comes last, in an order of the author's own: whose turn it is may
        have left, and several who look for something to do are not to begin with the same.
        """
        free = [work for work in works if not self.works_on(work)]
        own = [work for work in free if self.turn(birth, *work)]
        left = set(free) - set(own)
        return own + sorted(left, key=lambda work: lot(0, "left", birth.author, *work))
