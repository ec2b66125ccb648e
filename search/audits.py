"""Audits: measuring again what others claim, as far as it would matter if it were true.

A claim that is not trusted breeds nothing and wins nothing. One that would be promoted if it were
true is worth a training, as a child is; of the others some are measured by lot, so that every
author's word is put to the test. Who looks at which hangs on the birth of the ask, so that peers
who know the same seldom measure the same; and each looks at one author until that is believed, for
whom that believes, it may believe, too. Whoever is found wrong is looked at the less often the more
it lacks to be believed again, so that liars cost little; and new names as often as new names were
right, so that more names do not make them cost more.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..evaluator.ladder import Ladder
from ..evaluator.result import Result
from ..genome.graph import Genome
from .base import (
    Asked,
    Assignment,
    Birth,
    Closed,
    Committed,
    Event,
    Expired,
    Finished,
    Key,
    key_of,
)
from .company import Company
from .draws import generator, lot
from .ordered import remove
from .reach import BOUNDLESS, Reach
from .scores import HEEDED
from .work import Answers, Work

AUDIT = "audit"
"""The origin of an assignment that measures a claim again."""

SHARE = 0.3
"""The most of all asks that may be audits, so that a flood of claims stops nobody's search."""

FIRST = 0.5
"""The same as long as nobody is believed: what an own search begins with are samples, too, and if
all did nothing but audits, there would be nothing to audit.
"""

APART = 2
"""How many own results lie between two hearings for sure to have the time of an evaluation between
them, for the first of them may have been begun before. Who is found right sooner may have copied
and gains nothing by it, so nobody looks at a claim sooner, but for one that its author was bound to
before it could have copied.
"""

DULL = 0.1
"""The share of the claims that do not matter that is measured, too."""


class Rank(NamedTuple):
    """How urgent a claim is: the highest first."""

    kind: int
    nearness: int = 0


IDLE = Rank(0)


class _Claim(NamedTuple):
    """What is claimed: a work, and with what the training began (``Result.heritage``)."""

    key: Key
    heritage: str

    @property
    def board(self) -> tuple[int, bool]:
        """What it is compared with: others of its rung, heirs apart."""
        return self.key.rung, bool(self.heritage)


class _First(NamedTuple):
    """Who claimed a work before all others, if that is sure, after how many own results."""

    author: str
    own: int


class Audits:
    """A stage of work on the claims of others.

    Args:
        seed: of the run.
        ladder: its rungs; one in ``eta`` of a rung is promoted.
        identify: the id of a genome.
        legal: whether a genome is one of the space as it is here.
        standing: how often an author must have been right to be believed.
        erring: and how many times as often as it was wrong.
        reach: what the machine can train; the claims that it cannot are left to others.
        follows: whether the line of a claim of an heir is known, so that it can be measured again.
    """

    def __init__(
        self,
        *,
        seed: int,
        ladder: Ladder,
        identify: Callable[[Genome], str],
        legal: Callable[[Genome], bool],
        standing: int = 1,
        erring: int = 20,
        reach: Reach = BOUNDLESS,
        follows: Callable[[Result], bool] = lambda claim: False,
    ) -> None:
        self._seed, self._eta = seed, ladder.eta
        self._standing, self._erring = standing, erring
        self._right, self._wrong = Counter[str](), Counter[str]()
        self._identify, self._legal, self._reach = identify, legal, reach
        self._follows = follows
        self._scores: dict[tuple[int, bool], list[float]] = {
            (rung, heirs): [] for rung in ladder.rungs for heirs in (False, True)
        }
        self._trusted: dict[_Claim, float] = {}
        self._claims: dict[_Claim, dict[str, Finished]] = {}  # by author
        self._first: dict[_Claim, _First] = {}
        self._own = 0
        self._answers, self._borne_out = Answers(), Answers()
        self._work, self._company = Work(), Company()
        self._heirs: dict[Key, dict[str, None]] = {}
        """The heritages that were claimed of a work."""
        self._committed: dict[Key, set[str]] = {}
        """Who was bound to its claim of a work before it could have copied."""
        self._agreed: dict[tuple[_Claim, str], bool] = {}
        """Whose claims of works are true as far as that still stands, and whether it counts."""
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
        drawn = rng.random()
        share = self._share()
        if drawn >= share:
            return None
        newcomers = self._newcomers()
        open_ = [
            claim
            for claim in self._claims
            if (claim.key in self._work.expired or not self._work.taken(claim.key))
            and not self._company.works_on(claim.key)
            and self._is_ripe(claim)
            and drawn < share * self._hope(claim, newcomers)
            and self._can(claim)
        ]
        focus = self._focus(open_, birth.author)
        ranks = {claim: self._rank(claim, focus, birth.author) for claim in open_}
        first = max(ranks.values(), default=IDLE)
        if first == IDLE:
            return None
        claim = rng.choice([claim for claim, rank in ranks.items() if rank == first])
        result, asked = self._claimed(claim)
        parents = (result.parent,) if claim.heritage else ()
        return Assignment(asked.genome, asked.rung, asked.replica, birth, AUDIT, parents)

    def tell(self, events: Sequence[Event]) -> None:
        """Note claims, what became of them, and what is trusted."""
        for event in events:
            self._company.tell(event)
            match event:
                case Finished():
                    self._hear(event)
                case Committed(author, work):
                    self._commit(work, author)
                case Asked(assignment):
                    name = self._identify(assignment.genome)
                    self._work.ask(Key(name, assignment.rung, assignment.replica), assignment)
                case Expired(birth):
                    self._work.lapse(birth)
                case Closed():
                    self._closed = True
                case _:
                    pass

    def _share(self) -> float:
        """Return the most of all asks that may be audits now."""
        return SHARE if any(map(self._has_proved, self._right)) else FIRST

    def _has_proved(self, author: str) -> bool:
        """Whether an author was right often enough."""
        return self._right[author] >= self._standing and not self._erred(author)

    def _erred(self, author: str) -> bool:
        """Whether an author was wrong too often for how often it was right."""
        return self._right[author] < self._erring * self._wrong[author]

    def _claimed(self, claim: _Claim) -> tuple[Result, Assignment]:
        """Return what the first author of a claim said, and what it had asked for.

        Of an heir it is the first whose line is known: another one may have a false parent.
        """
        claims = self._claims[claim]
        several = [claims[author] for author in sorted(claims)]
        known = (event for event in several if claim.heritage and self._follows(event.result))
        event = next(known, several[0])
        assert event.asked is not None
        return event.result, event.asked

    def _can(self, claim: _Claim) -> bool:
        """Whether the machine can measure what is claimed."""
        result, asked = self._claimed(claim)
        return (not claim.heritage or self._follows(result)) and self._reach.fits(
            asked.genome, asked.rung
        )

    def _is_ripe(self, claim: _Claim) -> bool:
        """Whether measuring it now would show that somebody else had measured."""
        bound, claims = self._committed.get(claim.key, set[str]()), self._claims[claim]
        return self._own >= self._first[claim].own + APART or not bound.isdisjoint(claims)

    def _proved(self, claim: _Claim) -> set[str]:
        """Return whose word an audit would put to the test: who claimed it and cannot have copied.

        Nobody else is worth a look for its own sake.
        """
        return self._committed.get(claim.key, set()) | ({self._first[claim].author} - {""})

    def _rank(self, claim: _Claim, focus: str, author: str) -> Rank:
        """Return how urgent a claim is: what waits of authors who are believed goes first.

        That is by lot, or would be the best of its rung. Then goes all of one author, and last
        what would matter of others.
        """
        matters = self._matters(claim, author)
        if matters and any(map(self._has_proved, self._claims[claim])):
            return Rank(3)
        if focus and focus in self._heeded(claim):
            return Rank(2, matters)
        return Rank(1, max(map(self._right.__getitem__, self._claims[claim]))) if matters else IDLE

    def _focus(self, claims: Sequence[_Claim], author: str) -> str:
        """Return whom *author* puts to the test: the next in the order of their keys, all round.

        So each is tested by another one, and whom the next believes is believed, too: of so many
        peers all are believed when each has tested one.
        """
        several = {name for claim in claims for name in self._heeded(claim)}
        tested = {n for n in several if self._right[n] < self._standing and not self._erred(n)}
        return min(tested, key=lambda name: (name < author, name), default="")

    def _heeded(self, claim: _Claim) -> set[str]:
        """Return who of those whom it would prove was not found wrong more than right."""
        claims = self._claims[claim]
        return {
            name for name in self._proved(claim) if name in claims and claims[name].weight >= HEEDED
        }

    def _hope(self, claim: _Claim, newcomers: float) -> float:
        """Return how much of its authors speaks for looking at a claim, 0 to 1.

        An error weighs as much as all that it takes to make up for it.
        """
        return max(
            (1 + right) / (1 + right + self._erring * self._wrong[author])
            * (1.0 if right else newcomers)
            for author in self._claims[claim]
            for right in (self._right[author],)
        )  # fmt: skip

    def _newcomers(self) -> float:
        """Return how many of the names that were looked at were ever right."""
        right = 1 + len(+self._right)
        return right / (right + sum(not self._right[author] for author in +self._wrong))

    def _hear(self, event: Finished) -> None:
        result = event.result
        claim = _Claim(key_of(result), result.heritage)
        author = "" if event.asked is None else event.asked.birth.author
        self._own += event.asked is None
        if claim.heritage:
            self._heirs.setdefault(claim.key, {})[claim.heritage] = None
        self._settle(event)
        borne_out = self._borne_out.hear(event, claim)
        if borne_out:
            if self._forget(claim, author):
                self._agree(claim, author)
            is_nameless = result.inherited_tokens and not claim.heritage
            self._score(claim, None if is_nameless else result.bits_per_byte)
            return
        self._right[author] -= self._agreed.pop((claim, author), False)
        if borne_out is False:
            self._score(claim, None)
        if event.weight == 0:
            self._wrong[author] += self._forget(claim, author)
        elif self._may_be_audited(event):
            self._claims.setdefault(claim, {})[author] = event
            known = claim in self._trusted  # so it may have been copied
            first = self._first.setdefault(claim, _First("" if known else author, self._own))
            if author != first.author and self._own < first.own + APART:
                self._first[claim] = _First("", first.own)  # who of them copied cannot be told

    def _settle(self, event: Finished) -> None:
        """Note whether a work is answered now, whatever its trainings began with."""
        answered = self._answers.hear(event)
        if answered:
            self._work.answer(key_of(event.result))
        elif answered is False:
            self._work.reopen(key_of(event.result))

    def _agree(self, claim: _Claim, author: str) -> None:
        """Note that a claim is true, which counts for an author that cannot have copied."""
        counts = author in self._proved(claim)
        self._agreed[claim, author] = counts
        if counts:
            self._right[author] += 1

    def _commit(self, key: Key, author: str) -> None:
        """Note that an author was bound to its claim, which may have been found true before."""
        self._committed.setdefault(key, set()).add(author)
        for claim in (_Claim(key, heritage) for heritage in ("", *self._heirs.get(key, ()))):
            if self._agreed.get((claim, author)) is False:
                self._agree(claim, author)

    def _forget(self, claim: _Claim, author: str) -> bool:
        """Forget the claim of an author, of whom others may be left; return whether it was one."""
        claims = self._claims.get(claim, {})
        was = claims.pop(author, None) is not None
        if was and not claims:
            del self._claims[claim]
        return was

    def _may_be_audited(self, event: Finished) -> bool:
        result = event.result
        return (
            event.asked is not None
            and result.ok
            and result.replica == 0
            and (bool(result.heritage) or not result.inherited_tokens)
            and (result.rung, False) in self._scores
            and self._legal(event.asked.genome)
        )

    def _score(self, claim: _Claim, bits: float | None) -> None:
        """Note what a training of the search came to; None takes it away."""
        if claim.key.replica or claim.board not in self._scores:
            return
        if (before := self._trusted.pop(claim, None)) is not None:
            remove(self._scores[claim.board], before)
        if bits is not None:
            self._trusted[claim] = bits
            insort(self._scores[claim.board], bits)

    def _matters(self, claim: _Claim, author: str) -> bool:
        """Whether a claim would be promoted, or *author* has drawn a lot to look at it."""
        scores = self._scores[claim.board]
        claimed = [
            event.result.bits_per_byte or 0.0
            for event in self._claims[claim].values()
            if event.weight >= HEEDED
        ]
        if claimed and bisect_left(scores, min(claimed)) <= len(scores) // self._eta:
            return True
        return lot(self._seed, AUDIT, author, claim.key.genome, claim.key.rung) < DULL
