"""Trust: how far each record counts in a peer's own fold, a function of the set of its records.

A peer verified its own results by measuring them, so they count fully, and a run alone evolves as
if there were no market. What others claim guides exploration only until somebody whom the peer
trusts measures the same: itself, or an author who agreed with it or with such an author often
enough (adaptive replication; Anderson 2004, BOINC). Trust is earned by measuring what others can
check and by nothing else, so many names are worth no more than one. What is not genuine, and who
signed two records for one place, counts nothing; who is found to err counts less in all that was
not checked, in what it said before, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import replace
from typing import NamedTuple

from ..evaluator.result import Measurement, Result
from ..search.draws import lot
from .chain import forked
from .record import Record

UNVERIFIED = 0.25
"""The most that a stranger's unverified record counts, where an own one counts 1."""

STANDING = 10
"""How many records of an author must have been found right before others of it are believed."""

ERRING = 20
"""An author who is believed was right at least so many times as often as it was wrong."""

AUDITED = 0.05
"""The least share of a trusted author's records that is measured again, by lot."""

TOLERANCE = 1e-3
"""How far two measurements of one work may be apart, in bits per byte: another machine's rounding,
which is some 1e-4, and far below the .03 between two seeds.
"""

BLANK = Measurement()
"""What a machine added is no part of what was measured."""

ROUNDS = 16
"""How far trust goes on from author to author."""


def weight(record: Record, own: str) -> float:
    """Return how far *record* counts by itself for the peer whose author key is *own*, 0 to 1."""
    if not record.genuine:
        return 0.0
    return 1.0 if record.author == own else UNVERIFIED


class Work(NamedTuple):
    """What was measured: equal for everybody who does the same evaluation."""

    genome: str
    rung: int
    replica: int
    inherited_tokens: int
    parent: str = ""


class Truth(NamedTuple):
    """What was measured by those who are trusted; ``firm`` by this peer, or by several of them.

    The word of one against another's is no proof that the other erred.
    """

    result: Result
    firm: bool

    def finds(self, other: Result) -> bool | None:
        """Return whether another result is right, None where that cannot be told."""
        right = agree(self.result, other)
        return None if right is False and not self.firm else right


class Tally(NamedTuple):
    """How often an author was found right and wrong."""

    right: int
    wrong: int

    @property
    def believed(self) -> bool:
        """Whether that is enough to believe what was not checked."""
        return self.right >= STANDING and self.right >= ERRING * self.wrong


class Trust:
    """The weights of a set of records for the peer whose author key is *own*.

    *beside* are other keys that are as good: those by whom the run was driven in the same store.
    All of it hangs on the set alone: not on the order of the records, nor on how they came.
    """

    def __init__(self, records: Iterable[Record], own: str, beside: Collection[str] = ()) -> None:
        several = {record.id: record for record in records}.values()
        self._me, self._own = own, frozenset({own, *beside})
        self._records = [each for each in several if each.genuine]
        frozen = forked(self._records) - self._own
        self._frozen = frozen
        self._answers = _answers(record for record in self._records if record.author not in frozen)
        self.tallies = self._settled()
        """How often each author was found right and wrong, by those who are trusted."""

    @property
    def trusted(self) -> Set[str]:
        """The authors who are believed, this peer among them."""
        return self._own | {author for author, each in self.tallies.items() if each.believed}

    @property
    def frozen(self) -> Set[str]:
        """The authors who signed two records for one place."""
        return self._frozen

    def weights(self) -> Mapping[str, float]:
        """Return how far each genuine record counts, by its id.

        What says the same counts the same, whoever says it: a copy by somebody who counts nothing
        takes nothing from what it copies.
        """
        trusted = self.trusted
        own = {record.id: self._weight(record, trusted) for record in self._records}
        said = {record.id: replace(record.result, measured=BLANK) for record in self._records}
        most = defaultdict[Result, float](float)
        for name, result in said.items():
            most[result] = max(most[result], own[name])
        return {name: most[result] for name, result in said.items()}

    def _weight(self, record: Record, trusted: Set[str]) -> float:
        if record.author in self._own:
            return 1.0
        if record.author in self._frozen:
            return 0.0
        truth = self._truth(work_of(record.result), trusted, without=record.author)
        right = None if truth is None else truth.finds(record.result)
        if right is not None:
            return float(right)
        if record.author in trusted and not self._audited(record):
            return 1.0
        return UNVERIFIED

    def _audited(self, record: Record) -> bool:
        """Whether a trusted author's record is measured again, by a lot of this peer's own."""
        share = max(AUDITED, 1 / self.tallies[record.author].right)
        return lot(0, self._me, record.id) < share

    def _truth(self, work: Work, trusted: Set[str], *, without: str) -> Truth | None:
        """Return what trusted authors measured of a work, None where they do not say or differ."""
        answers = self._answers[work]
        if own := sorted(self._own.intersection(answers)):
            return Truth(answers[own[0]], firm=True)
        said = [answers[author] for author in sorted(answers) if author in trusted - {without}]
        if not said:
            return None
        with_it = [sum(agree(one, other) is not False for other in said) for one in said]
        most = max(with_it)
        found = said[with_it.index(most)]
        return Truth(found, firm=most > 1) if 2 * most > len(said) else None

    def _settled(self) -> dict[str, Tally]:
        """Return how often each author was right, trust going on from author to author."""
        trusted, tallies = set(self._own), dict[str, Tally]()
        for _ in range(ROUNDS):
            tallies = self._tallies(trusted)
            found = self._own | {name for name, each in tallies.items() if each.believed}
            if found == trusted:
                break
            trusted = found
        return tallies

    def _tallies(self, trusted: Set[str]) -> dict[str, Tally]:
        right, wrong = defaultdict[str, int](int), defaultdict[str, int](int)
        for work, answers in self._answers.items():
            if trusted.isdisjoint(answers):
                continue
            for author, answer in answers.items():
                truth = self._truth(work, trusted, without=author)
                if author in self._own or truth is None:
                    continue
                if (found := truth.finds(answer)) is not None:
                    (right if found else wrong)[author] += 1
        return {author: Tally(right[author], wrong[author]) for author in {*right, *wrong}}


def work_of(result: Result) -> Work:
    """Return what a result is of."""
    return Work(result.genome, result.rung, result.replica, result.inherited_tokens, result.parent)


def agree(one: Result, other: Result) -> bool | None:
    """Return whether two results of one work may both be true; None where that cannot be told.

    A failure contradicts nothing: one machine has the memory or the time that another lacks.
    """
    if one.bits_per_byte is None or other.bits_per_byte is None:
        return None
    return abs(one.bits_per_byte - other.bits_per_byte) <= TOLERANCE


def _answers(records: Iterable[Record]) -> Mapping[Work, Mapping[str, Result]]:
    """Return what each author measured of each work: its last success, or else its last failure."""
    found = defaultdict[Work, dict[str, Result]](dict)
    for record in sorted(records, key=lambda each: (each.author, each.seq, each.id)):
        answers = found[work_of(record.result)]
        known = answers.get(record.author)
        if known is None or record.result.ok or not known.ok:
            answers[record.author] = record.result
    return dict(found)
