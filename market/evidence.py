"""Evidence: what was heard of one work, whom it shows to be right, and how far that counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..evaluator.result import Measurement, Result
from ..search.audits import APART
from ..search.draws import lot
from .record import Record
from .tally import GRAIN, NEW, STRAY, TOLERANCE, Tally

UNVERIFIED = 0.25
"""The most that a stranger's unverified record counts, where an own one counts 1."""

DOUBTED = 0.1
"""What an unverified record counts of an author who was found wrong more often than right."""

AUDITED = 0.05
"""The least share of a trusted author's records that is measured again, by lot."""

BLANK = Measurement()
"""What a machine added is no part of what was measured."""


class Work(NamedTuple):
    """What was measured: equal for everybody who does the same evaluation.

    ``heritage`` names what the training began with, and is empty from scratch.
    """

    genome: str
    rung: int
    replica: int
    heritage: str = ""


class Board(NamedTuple):
    """Whose figures are compared to find the best: those of a rung, finals and heirs apart."""

    rung: int
    final: bool
    heirs: bool
    test: bool


class Heard(NamedTuple):
    """A record, and how many own results were published when it was heard, itself among them.

    ``committed`` is whether its author was bound to it before anybody else's could be known to it,
    ``followed`` whether the line that it began with is known, so that it can be measured again.
    """

    record: Record
    clock: int
    committed: bool = False
    followed: bool = False


class Verdict(NamedTuple):
    """Whether a result is right, by this peer's own measurement or by others'."""

    right: bool
    own: bool
    truth: Result


@dataclass(frozen=True)
class Viewer:
    """Whose fold it is: its own keys, a secret that draws its lots, and who forked.

    Others must not foresee which records are measured again, so the lots hang on a secret.
    """

    own: Set[str]
    secret: str = ""
    frozen: Set[str] = frozenset()


class Evidence:
    """All that was heard of one work, in order."""

    def __init__(self, heard: Sequence[Heard], viewer: Viewer) -> None:
        self._heard = heard
        self._viewer = viewer
        self._said = defaultdict[str, list[Heard]](list)
        for each in heard:
            if each.record.author not in viewer.frozen and each.record.result.ok:
                self._said[each.record.author].append(each)
        self._answers = {author: _last(said) for author, said in self._said.items()}
        self._is_checkable = not is_heir(heard[0].record.result) or any(e.followed for e in heard)

    def judged(self, result: Result, author: str, trusted: Set[str]) -> Verdict | None:
        """Return whether a result of *author* is right, None where nobody says or they differ.

        The word of one against another's is no proof that the other erred.
        """
        for name in sorted(self._viewer.own & self._answers.keys()):
            if (right := agree(self._answers[name], result)) is not None:
                return Verdict(right, own=True, truth=self._answers[name])
        words, against = self._words(result, trusted - {author})
        if len(words) > len(against):
            return Verdict(True, own=False, truth=self._answers[words[0]])
        if len(against) > max(1, len(words)):
            return Verdict(False, own=False, truth=self._answers[against[0]])
        return None

    def found(self, trusted: Set[str]) -> Mapping[str, Tally]:
        """Return what the work says of each author of whom it says anything."""
        if trusted.isdisjoint(self._answers):
            return {}
        several = {
            author: self._found(author, said, trusted)
            for author, said in self._said.items()
            if author not in self._viewer.own
        }
        return {author: tally for author, tally in several.items() if tally != NEW}

    def weights(
        self, trusted: Set[str], tallies: Mapping[str, Tally], tops: Mapping[Board, float]
    ) -> Mapping[str, float]:
        """Return how far each record counts, by its id.

        What says the same counts the same, whoever says it: a copy by somebody who counts nothing
        takes nothing from what it copies.
        """
        counts = {
            record.id: self._weight(record, trusted, tallies, tops) for record, *_ in self._heard
        }
        if len(counts) == 1:
            return counts
        said = {record.id: replace(record.result, measured=BLANK) for record, *_ in self._heard}
        most = defaultdict[Result, float](float)
        for name, result in said.items():
            most[result] = max(most[result], counts[name])
        return {name: most[result] for name, result in said.items()}

    def firm(self, trusted: Set[str]) -> Iterator[tuple[Board, float]]:
        """Yield the figures that this peer or two others whom it believes vouch for."""
        if own := sorted(self._viewer.own & self._answers.keys()):
            yield from figures(self._answers[own[0]])
            return
        for author in sorted(trusted & self._answers.keys()):
            words, against = self._words(self._answers[author], trusted)
            if len(words) > max(1, len(against)):
                yield from figures(self._answers[author])
                return

    def unsettled(self, trusted: Set[str]) -> Mapping[Board, float]:
        """Return the best figures of what only trusted authors vouch for."""
        best = dict[Board, float]()
        if self._viewer.own.isdisjoint(self._answers) and not trusted.isdisjoint(self._answers):
            for record, *_ in self._heard:
                for board, figure in figures(record.result):
                    best[board] = min(figure, best.get(board, figure))
        return best

    def _words(self, result: Result, trusted: Set[str]) -> tuple[list[str], list[str]]:
        """Return which trusted authors say the same as a result, and which another thing."""
        words, against = list[str](), list[str]()
        for author in sorted(trusted & self._answers.keys()):
            if (same := agree(self._answers[author], result)) is not None:
                (words if same else against).append(author)
        return words, against

    def _astray(self, result: Result, authors: Set[str]) -> list[Result]:
        """Return what those say of *authors* from whom a result strays."""
        answers = (self._answers[name] for name in sorted(authors & self._answers.keys()))
        return [answer for answer in answers if strays(result, answer)]

    def _found(self, author: str, said: Sequence[Heard], trusted: Set[str]) -> Tally:
        found = [self.judged(each.record.result, author, trusted) for each in said]
        if any(verdict is not None and not verdict.right for verdict in found):
            return Tally(wrong=1)
        first, verdict = said[0], found[0]
        if verdict is None and (own := self._astray(first.record.result, self._viewer.own)):
            return Tally(strayed=1, better=int(_bits(first.record.result) < _bits(own[0])))
        if verdict is None or not self._uncopied(first):
            return NEW
        shift = round((_bits(first.record.result) - _bits(verdict.truth)) / GRAIN)
        own = int(verdict.own)
        return Tally(right=own, vouched=1 - own, shift=shift, square=shift * shift)

    def _uncopied(self, claim: Heard) -> bool:
        """Whether it was bound to, or all others said the same when it had long been heard."""
        return claim.committed or all(
            other.clock >= claim.clock + APART
            for other in self._heard
            if other.record.author != claim.record.author
            and agree(other.record.result, claim.record.result)
        )

    def _weight(
        self,
        record: Record,
        trusted: Set[str],
        tallies: Mapping[str, Tally],
        tops: Mapping[Board, float],
    ) -> float:
        if record.author in self._viewer.own:
            return 1.0
        if record.author in self._viewer.frozen:
            return 0.0
        verdict = self.judged(record.result, record.author, trusted)
        if verdict is not None and (verdict.own or not verdict.right):
            return float(verdict.right)
        words, against = self._words(record.result, trusted)
        astray = self._astray(record.result, trusted)
        if len(words) > len(against) + len(astray):
            enough = len(words) > 1 or (self._is_checkable and not tops_all(record.result, tops))
            if enough and not self._audited(words, trusted, tallies):
                return 1.0
        return DOUBTED if tallies.get(record.author, NEW).doubted else UNVERIFIED

    def _audited(
        self, words: Sequence[str], trusted: Set[str], tallies: Mapping[str, Tally]
    ) -> bool:
        """Whether what trusted authors say is measured again, by a lot of this peer's own.

        All whom this peer believes look at a share together, so that what an audit costs does not
        grow with their number: where one of them contradicts, the others look, too. What no audit
        can measure would wait for ever.
        """
        if not self._is_checkable:
            return False
        share = AUDITED
        if len(words) == 1:
            share = max(share, 1 / max(1, tallies.get(words[0], NEW).confirmed))
        several = 1 + len(trusted - self._viewer.own - set(words))
        first = self._said[words[0]][0].record.id  # another one would not draw again
        return lot(0, self._viewer.secret, first) < share / several


def work_of(result: Result) -> Work:
    """Return what a result is of; of an heir that names no line, what it says of its beginning."""
    began = f"{result.parent}/{result.inherited_tokens}" if is_heir(result) else ""
    return Work(result.genome, result.rung, result.replica, result.heritage or began)


def is_heir(result: Result) -> bool:
    """Whether a training began with weights of another genome."""
    return bool(result.parent or result.inherited_tokens)


def agree(one: Result, other: Result) -> bool | None:
    """Return whether two results of one work may both be true; None where that cannot be told.

    A failure contradicts nothing: one machine has the memory or the time that another lacks. What
    one of them says alone of the test split cannot be told either, nor where they stray. How much
    training was inherited is counted, not measured.
    """
    if (one.inherited_tokens, one.parent) != (other.inherited_tokens, other.parent):
        return False
    if one.bits_per_byte is None or other.bits_per_byte is None:
        return None
    if (apart := _apart(one, other)) > STRAY:
        return False
    if apart > TOLERANCE or (one.test_bits_per_byte is None) != (other.test_bits_per_byte is None):
        return None
    return True


def strays(one: Result, other: Result) -> bool:
    """Whether two results of one work are apart as those of two seeds are."""
    if one.bits_per_byte is None or other.bits_per_byte is None:
        return False
    return TOLERANCE < _apart(one, other) <= STRAY


def _apart(one: Result, other: Result) -> float:
    """Return how far two successes are apart, on the split where they are further."""
    first, second = one.test_bits_per_byte, other.test_bits_per_byte
    test = 0.0 if first is None or second is None else abs(first - second)
    return max(abs(_bits(one) - _bits(other)), test)


def _bits(result: Result) -> float:
    assert result.bits_per_byte is not None, "a success has them"
    return result.bits_per_byte


def figures(result: Result) -> Iterator[tuple[Board, float]]:
    """Yield the figures of a result by which the best is found, and where they are compared."""
    board = Board(result.rung, result.replica > 0, result.inherited_tokens > 0, False)
    if result.ok and result.bits_per_byte is not None:
        yield board, result.bits_per_byte
        if result.test_bits_per_byte is not None:
            yield board._replace(test=True), result.test_bits_per_byte


def tops_all(result: Result, tops: Mapping[Board, float]) -> bool:
    """Whether a figure of a result would be the best of its board, so that one word is too few."""
    return any(board not in tops or figure < tops[board] for board, figure in figures(result))


def _last(said: Sequence[Heard]) -> Result:
    """Return what an author says of a work: its last success."""
    return max(said, key=lambda each: (each.record.seq, each.record.id)).record.result
