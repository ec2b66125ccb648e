"""Reckoning: the weights of ``Trust``, kept up as records come instead of computed anew.

What a record changes is its work, the tallies of those who measured the same, and by them what its
authors said elsewhere. Only that is looked at again; who is believed after each round is kept, so
that the rounds are those of ``Trust``.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field
from types import MappingProxyType

from ..search.ordered import remove
from .evidence import AUDITED, Board, Evidence, Heard, Viewer, Work, work_of
from .record import Record
from .tally import NEW, Tally, believed
from .trust import ROUNDS


@dataclass
class _Round:
    """Whom a round trusted, and what it found: of each work, and in all."""

    trusted: Set[str]
    found: dict[Work, Mapping[str, Tally]] = field(default_factory=dict[Work, Mapping[str, Tally]])
    tallies: dict[str, Tally] = field(default_factory=dict[str, Tally])

    def look(self, work: Work, evidence: Evidence) -> None:
        """Count what a work says now instead of what it said."""
        before, now = self.found.pop(work, {}), evidence.found(self.trusted)
        if now:
            self.found[work] = now
        for author in before.keys() | now.keys():
            tally = self.tallies.get(author, NEW).minus(before.get(author, NEW))
            self.tallies[author] = tally.plus(now.get(author, NEW))
            if self.tallies[author] == NEW:
                del self.tallies[author]


class Reckoning:
    """The weights of the records that were heard so far, for the peer with the key *own*.

    *secret* draws the lots of its audits.
    """

    def __init__(self, own: str, *, secret: str = "") -> None:
        self._viewer = Viewer(frozenset({own}), secret)
        self._heard = dict[str, Record]()
        self._committed, self._followed = set[str](), set[str]()
        self._restart()

    @property
    def trusted(self) -> Set[str]:
        """The authors who are believed, this peer among them."""
        return self._viewer.own | believed(self.tallies)

    @property
    def frozen(self) -> Set[str]:
        """The authors who signed two records for one place."""
        return self._viewer.frozen

    @property
    def tallies(self) -> Mapping[str, Tally]:
        """How often each author was found right and wrong, by those who are trusted."""
        return self._rounds[-1].tallies

    def hear(
        self,
        records: Iterable[Record],
        beside: Collection[str] = (),
        committed: Iterable[str] = (),
        followed: Iterable[str] = (),
    ) -> Mapping[str, float]:
        """Take in records in the order of the log, and the ids of those that were committed to.

        Of heirs the ids, too, of those whose line is known. Returns what counts otherwise now, by
        its id.
        """
        fresh = [r for r in records if r.id not in self._heard and r.genuine]
        fresh = list({record.id: record for record in fresh}.values())
        bound, known = set(committed) - self._committed, set(followed) - self._followed
        self._committed |= bound
        self._followed |= known
        self._heard |= {record.id: record for record in fresh}
        own, frozen = self._viewer.own | set(beside), set(self._viewer.frozen)
        for record in fresh:
            place = (record.run, record.author, record.seq)
            if self._places.setdefault(place, record.id) != record.id:
                frozen.add(record.author)
        frozen -= own
        if (own, frozen) != (self._viewer.own, self._viewer.frozen):  # so seldom that all is anew
            self._viewer = Viewer(frozenset(own), self._viewer.secret, frozenset(frozen))
            before = self._weights
            self._restart()
            self._learn(list(self._heard.values()))
            return {n: w for n, w in self._weights.items() if before.get(n) != w}
        return self._learn(fresh, self._mark(bound | known))

    def _mark(self, marked: Set[str]) -> Mapping[Work, None]:
        """Note what is known now of records that were heard before; return the works of these."""
        works = dict[Work, None]()
        for name in sorted(marked & self._heard.keys()):
            works[work_of(self._heard[name].result)] = None
        for work in works:
            said = self._said[work]
            said[:] = [self._as_heard(each.record, each.clock) for each in said]
        return works

    def _as_heard(self, record: Record, clock: int) -> Heard:
        return Heard(record, clock, record.id in self._committed, record.id in self._followed)

    def _restart(self) -> None:
        self._places = {(r.run, r.author, r.seq): r.id for r in reversed(self._heard.values())}
        self._clock = 0
        self._said = defaultdict[Work, list[Heard]](list)
        self._works = dict[Work, Evidence]()
        self._by = defaultdict[str, dict[Work, None]](dict)
        self._rounds = [_Round(self._viewer.own)]
        self._weights = dict[str, float]()
        self._firm = dict[Work, dict[Board, float]]()
        self._boards = defaultdict[Board, list[float]](list)
        self._topping = defaultdict[Board, dict[Work, None]](dict)

    def _learn(
        self, fresh: Collection[Record], marked: Mapping[Work, None] = MappingProxyType({})
    ) -> Mapping[str, float]:
        touched = dict[Work, None]()
        for record in fresh:
            self._clock += record.author in self._viewer.own
            work = work_of(record.result)
            self._said[work].append(self._as_heard(record, self._clock))
            self._by[record.author][work] = None
            touched[work] = None
        touched |= marked
        for work in touched:
            self._works[work] = Evidence(self._said[work], self._viewer)
        trusted, tallies = self.trusted, dict(self.tallies)
        self._settle(touched)
        return self._weighed(self._dirty(touched, trusted, tallies))

    def _settle(self, touched: Mapping[Work, None]) -> None:
        """Go through the rounds again, as far as they are other ones."""
        trusted, rounds = self._viewer.own, list[_Round]()
        for number in range(ROUNDS):
            known = number < len(self._rounds)
            base = self._rounds[number] if known else rounds[-1]
            several = base if known else _Round(base.trusted, dict(base.found), dict(base.tallies))
            looked = dict(touched) if known else {}
            for author in several.trusted ^ trusted:
                looked |= self._by[author]
            several.trusted = trusted
            for work in looked:
                several.look(work, self._works[work])
            rounds.append(several)
            found = self._viewer.own | believed(several.tallies)
            if found == trusted:
                break
            trusted = found
        self._rounds = rounds

    def _dirty(
        self, touched: Mapping[Work, None], trusted: Set[str], tallies: Mapping[str, Tally]
    ) -> Mapping[Work, None]:
        """Return the works whose records may count otherwise; note their firm figures."""
        everywhere = self.trusted != trusted
        dirty = dict[Work, None].fromkeys(self._works if everywhere else touched)
        for author in {*tallies, *self.tallies} if not everywhere else ():
            before, now = tallies.get(author, NEW), self.tallies.get(author, NEW)
            if before is not now and _reach(before) != _reach(now):
                dirty |= self._by[author]
        return {**dirty, **self._moved(dirty)}

    def _moved(self, dirty: Mapping[Work, None]) -> Mapping[Work, None]:
        """Note firm figures of works; return other works, whose figures top a board or did."""
        before = {board: figures[0] for board, figures in self._boards.items() if figures}
        for work in dirty:
            for board, figure in self._firm.pop(work, {}).items():
                remove(self._boards[board], figure)
            self._firm[work] = dict(self._works[work].firm(self.trusted))
            for board, figure in self._firm[work].items():
                insort(self._boards[board], figure)
        moved = dict[Work, None]()
        for board, figures in self._boards.items():
            top = figures[0] if figures else None
            if board not in before:
                moved |= self._topping[board]
            elif top is None or top > before[board]:
                moved |= dict.fromkeys(self._works)  # what was best was taken back
            elif top < before[board]:
                moved |= self._topping[board]
        return moved

    def _weighed(self, dirty: Mapping[Work, None]) -> Mapping[str, float]:
        trusted, changed = self.trusted, dict[str, float]()
        tops = {board: figures[0] for board, figures in self._boards.items() if figures}
        for work in dirty:
            evidence = self._works[work]
            for board, figure in evidence.unsettled(trusted).items():
                if figure < tops.get(board, figure + 1):
                    self._topping[board][work] = None
                else:
                    self._topping[board].pop(work, None)
            for name, counts in evidence.weights(trusted, self.tallies, tops).items():
                if self._weights.get(name) != counts:
                    self._weights[name] = changed[name] = counts
        return changed


def _reach(tally: Tally) -> tuple[bool, int]:
    """Return what of a tally bears on the weights of records elsewhere."""
    return tally.doubted, min(tally.confirmed, round(1 / AUDITED))
