"""Audits: measuring again what others claim, as far as it would matter if it were true.

A claim that is not trusted breeds nothing and wins nothing. One that would be promoted if it were
true is worth a training, as a child is; of the others some are measured by lot, so that every
author's word is put to the test. Who looks at which hangs on the birth of the ask, so that peers
who know the same seldom measure the same; and each looks at one author until that is believed, for
whom that believes, it may believe, too.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Sequence

from ..evaluator.ladder import Ladder
from ..genome.graph import Genome
from .base import Asked, Assignment, Birth, Closed, Event, Expired, Finished
from .company import Company
from .draws import generator, lot
from .ordered import remove
from .reach import BOUNDLESS, Reach
from .scores import TRUSTED
from .work import Key, Work

AUDIT = "audit"
"""The origin of an assignment that measures a claim again."""

SHARE = 0.5
"""The most of all asks that may be audits, so that a flood of claims stops nobody's search."""

DULL = 0.1
"""The share of the claims that do not matter that is measured, too."""


class Audits:
    """A stage of work on the claims of others.

    Args:
        seed: of the run.
        ladder: its rungs; one in ``eta`` of a rung is promoted.
        identify: the id of a genome.
        legal: whether a genome is one of the space as it is here.
        standing: how often an author must have been right to be believed.
        reach: what the machine can train; the claims that it cannot are left to others.
    """

    def __init__(
        self,
        *,
        seed: int,
        ladder: Ladder,
        identify: Callable[[Genome], str],
        legal: Callable[[Genome], bool],
        standing: int = 1,
        reach: Reach = BOUNDLESS,
    ) -> None:
        self._seed, self._eta, self._standing = seed, ladder.eta, standing
        self._right = Counter[str]()
        self._identify, self._legal, self._reach = identify, legal, reach
        self._scores: dict[int, list[float]] = {rung: [] for rung in ladder.rungs}
        self._trusted: dict[Key, float] = {}
        self._claims: dict[Key, dict[str, Finished]] = {}  # by author
        self._work, self._company = Work(), Company()
        self._closed = False

    @property
    def done(self) -> bool:
        """Whether no audit is under way; claims that nobody looks at keep no search waiting."""
        return not self._work.pending

    def ask(self, birth: Birth) -> Assignment | None:
        """Return the audit of a claim that matters, or None; often enough there is none."""
        if self._closed or not self._claims:
            return None
        rng = generator(self._seed, birth)
        if rng.random() >= SHARE:
            return None
        wanted = [
            key
            for key in self._claims
            if not self._work.taken(key)
            and not self._company.works_on(key)
            and self._matters(key, birth.author)
            and self._can(key)
        ]
        if not wanted:
            return None
        nearest = max(map(self._nearness, wanted))
        key = rng.choice([key for key in wanted if self._nearness(key) == nearest])
        asked = self._asked(key)
        return Assignment(asked.genome, asked.rung, asked.replica, birth, AUDIT)

    def tell(self, events: Sequence[Event]) -> None:
        """Note claims, what became of them, and what is trusted."""
        for event in events:
            self._company.tell(event)
            match event:
                case Finished():
                    self._hear(event)
                case Asked(assignment):
                    name = self._identify(assignment.genome)
                    self._work.ask(Key(name, assignment.rung, assignment.replica), assignment)
                case Expired(birth):
                    self._work.lapse(birth)
                case Closed():
                    self._closed = True
                case _:
                    pass

    def _asked(self, key: Key) -> Assignment:
        """Return what was asked for by the first author of a claim."""
        claims = self._claims[key]
        asked = claims[min(claims)].asked
        assert asked is not None
        return asked

    def _can(self, key: Key) -> bool:
        """Whether the machine can measure what is claimed."""
        return self._reach.fits(self._asked(key).genome, key.rung)

    def _nearness(self, key: Key) -> int:
        """Return how often an author of a claim was right, of those not believed yet."""
        rights = (self._right[author] for author in self._claims[key])
        return max((right for right in rights if right < self._standing), default=0)

    def _hear(self, event: Finished) -> None:
        result = event.result
        key = Key(result.genome, result.rung, result.replica)
        author = "" if event.asked is None else event.asked.birth.author
        if event.weight >= TRUSTED:
            self._right[author] += self._forget(key, author)
            self._work.answer(key)
            self._score(key, result.bits_per_byte)
        elif event.weight == 0:
            self._forget(key, author)
        elif key not in self._trusted and self._may_be_audited(event):
            self._claims.setdefault(key, {})[author] = event

    def _forget(self, key: Key, author: str) -> bool:
        """Forget the claim of an author, of whom others may be left; return whether it was one."""
        claims = self._claims.get(key, {})
        was = claims.pop(author, None) is not None
        if was and not claims:
            del self._claims[key]
        return was

    def _may_be_audited(self, event: Finished) -> bool:
        result = event.result
        return (
            event.asked is not None
            and result.ok
            and result.replica == 0
            and not result.inherited_tokens
            and result.rung in self._scores
            and self._legal(event.asked.genome)
        )

    def _score(self, key: Key, bits: float | None) -> None:
        if key.replica or bits is None or key.rung not in self._scores:
            return
        if key in self._trusted:
            remove(self._scores[key.rung], self._trusted[key])
        self._trusted[key] = bits
        insort(self._scores[key.rung], bits)

    def _matters(self, key: Key, author: str) -> bool:
        """Whether a claim would be promoted, or *author* has drawn a lot to look at it."""
        scores = self._scores[key.rung]
        claimed = (event.result.bits_per_byte for event in self._claims[key].values())
        place = bisect_left(scores, min(bits for bits in claimed if bits is not None))
        if place <= len(scores) // self._eta:
            return True
        return lot(self._seed, AUDIT, author, key.genome, key.rung) < DULL
