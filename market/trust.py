"""Trust: how far each record counts in a peer's own fold, a function of what it heard in its order.

A peer verified its own results by measuring them, so they count fully, and a run alone evolves as
if there were no market. What others claim guides exploration only until somebody whom the peer
trusts measures the same: itself, or an author who agreed with it or with such an author often
enough (adaptive replication; Anderson 2004, BOINC). Trust is earned by measuring what others can
check and by nothing else, so many names are worth no more than one. What is not genuine, and who
signed two records for one place, counts nothing; who is found to err counts less in all that was
not checked, in what it said before, too.

Who repeats what others published is right without having measured. So it counts for an author that
it was right only if it cannot have copied. It cannot have where it was bound to its record before
anybody else's of the same work could be known to it (commit and reveal; ``swarm.commitments``), and
where nobody else had said the same before this peer, since it heard the claim, had time for an
evaluation of its own.

``Trust`` computes all of it anew from the records of a log, in their order; ``reckoning`` keeps the
same weights up as records come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Set

from .chain import forked
from .evidence import UNVERIFIED, Board, Evidence, Heard, Viewer, Work, work_of
from .record import Record
from .tally import NEW, Tally, believed

ROUNDS = 16
"""How far trust goes on from author to author."""


def weight(record: Record, own: str) -> float:
    """Return how far *record* counts by itself for the peer whose author key is *own*, 0 to 1."""
    if not record.genuine:
        return 0.0
    return 1.0 if record.author == own else UNVERIFIED


class Trust:
    """The weights of records for the peer whose author key is *own*.

    *beside* are other keys that are as good: those by whom the run was driven in the same store.
    *records* are in the order in which this peer heard of them, its own as it published them: the
    order of its log, which stays. Repeats change nothing. *committed* are the ids of those that
    their authors were bound to before they could have copied, *followed* of the heirs whose line
    is known here, so that they can be measured again.
    """

    def __init__(
        self,
        records: Iterable[Record],
        own: str,
        beside: Collection[str] = (),
        *,
        committed: Collection[str] = (),
        followed: Collection[str] = (),
        secret: str = "",
    ) -> None:
        several = {record.id: record for record in records if record.genuine}
        mine = frozenset({own, *beside})
        self._viewer = Viewer(mine, secret, forked(several.values()) - mine)
        heard, clock = defaultdict[Work, list[Heard]](list), 0
        for record in several.values():
            clock += record.author in mine
            name = record.id
            found = Heard(record, clock, name in committed, name in followed)
            heard[work_of(record.result)].append(found)
        self._works = {work: Evidence(said, self._viewer) for work, said in heard.items()}
        self.tallies = self._settled()
        """How often each author was found right and wrong, by those who are trusted."""

    @property
    def trusted(self) -> Set[str]:
        """The authors who are believed, this peer among them."""
        return self._viewer.own | believed(self.tallies)

    @property
    def frozen(self) -> Set[str]:
        """The authors who signed two records for one place."""
        return self._viewer.frozen

    def weights(self) -> Mapping[str, float]:
        """Return how far each genuine record counts, by its id."""
        trusted, tops = self.trusted, dict[Board, float]()
        for evidence in self._works.values():
            for board, figure in evidence.firm(trusted):
                tops[board] = min(figure, tops.get(board, figure))
        found = dict[str, float]()
        for evidence in self._works.values():
            found |= evidence.weights(trusted, self.tallies, tops)
        return found

    def _settled(self) -> dict[str, Tally]:
        """Return how often each author was right, trust going on from author to author."""
        trusted, tallies = self._viewer.own, dict[str, Tally]()
        for _ in range(ROUNDS):
            tallies = self._tallies(trusted)
            found = self._viewer.own | believed(tallies)
            if found == trusted:
                break
            trusted = found
        return tallies

    def _tallies(self, trusted: Set[str]) -> dict[str, Tally]:
        sums = dict[str, Tally]()
        for evidence in self._works.values():
            for author, tally in evidence.found(trusted).items():
                sums[author] = sums.get(author, NEW).plus(tally)
        return sums
