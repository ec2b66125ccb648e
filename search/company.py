"""Company: who else works on a run, on what, and whose turn a work is that all of them see.

Peers with the same records see the same work: promotions, baselines, finals. Each belongs to one of
those who worked lately, by a lot that all draw alike (rendezvous hashing; Thaler & Ravishankar
1998, IEEE/ACM Transactions on Networking 6), and what another says that it works on is left to it,
so that few are trained twice. Who has left is forgotten after a while, and who seems to train no
further than to some rung has no turns above it: its machine may be too small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .base import Birth, Event, Finished, Key, Said, Taken, key_of
from .draws import lot
from .scores import TRUSTED

LATELY = 256
"""How many of the last results, own ones among them, tell who is there."""

FEW = 3
"""An author without a result at a rung or above is taken not to train that far once so many would
be its share: by chance alone that is so for one in twenty, until its next one.
"""


PATIENCE = 8
"""How many own results a work is put off at most, since a stranger said for the first time that it
works on it: a training may take longer on its machine, and a lie keeps nothing for good.
"""


class Company:
    """The authors of the last trusted results and their rungs, and what others work on now."""

    def __init__(self) -> None:
        self._lately: dict[tuple[str | None, Key], None] = {}  # None for own results, once each
        self._there: dict[int, set[str]] = {}  # by rung, as of the last of them
        self._taken: dict[str, set[Key]] = {}
        self._said: dict[str, set[Key]] = {}
        self._since: dict[Key, int] = {}
        """When a stranger said for the first time that it works on something, in own results."""
        self._own = 0

    def tell(self, event: Event) -> None:
        """Note whose result came in, or what another works on."""
        match event:
            case Finished(result, weight, asked):
                author = None if asked is None else asked.birth.author
                self._own += author is None
                if weight >= TRUSTED:
                    self._lately[author, key_of(result)] = None
                    while len(self._lately) > LATELY:
                        del self._lately[next(iter(self._lately))]
                    self._there.clear()
                if author in self._taken:
                    self._taken[author].discard(key_of(result))
            case Taken(author, works):
                self._taken[author] = set(works)
            case Said(author, works):
                self._said[author] = set(works)
                for work in works:
                    self._since.setdefault(work, self._own)
            case _:
                pass

    def turn(self, birth: Birth, genome: str, rung: int, replica: int = 0) -> bool:
        """Whether a work is for the author of *birth* to do, of all who are there and may do it."""
        authors = self._others(rung) | {birth.author}
        if len(authors) == 1:
            return True
        first = min((lot(0, author, genome, rung, replica), author) for author in authors)
        return first[1] == birth.author

    def works_on(self, work: Key) -> bool:
        """Whether another works on this."""
        return any(work in works for works in self._taken.values())

    def is_said(self, work: Key) -> bool:
        """Whether a stranger says that it works on this, and has not for long."""
        return self._since.get(work, -PATIENCE) > self._own - PATIENCE and any(
            work in works for works in self._said.values()
        )

    def searches(self) -> bool:
        """Whether another works on something that the search may learn from: a replica 0."""
        return any(work.replica == 0 for works in self._taken.values() for work in works)

    def shared_out(self, birth: Birth, works: Iterable[Key]) -> list[Key]:
        """Return what nobody works on: first that whose turn it is for *birth*, as it stands.

        What is left to others comes last, in an order of the author's own: whose turn it is may
        have left, and several who look for something to do are not to begin with the same.
        """
        free = [work for work in works if not self.works_on(work)]
        own = [work for work in free if self.turn(birth, *work)]
        left = set(free) - set(own)
        return own + sorted(left, key=lambda work: self.place(birth, work))

    def place(self, birth: Birth, work: Key) -> float:
        """Return where a work that is left to others stands in the order of *birth*'s author."""
        return lot(0, "left", birth.author, *work)

    def _others(self, rung: int) -> set[str]:
        """Return the others who are there but for those who seem not to train to *rung*."""
        if rung not in self._there:
            above = [author for author, work in self._lately if work.rung >= rung]
            share, did = len(above) / max(1, len(self._lately)), set(above)
            done = Counter(author for author, _ in self._lately if author is not None)
            found = {name for name, count in done.items() if name in did or share * count < FEW}
            self._there[rung] = found
        return self._there[rung]
