"""Commitments: who was bound to what it measured before it could have copied it.

Whoever repeats what others published is right without having measured, so that being right shows
nothing (score copying; commit and reveal, Brassard, Chaum & Crepeau 1988). So a peer first tells
the hash of a record alone, which binds it, and the record a while later, when the hash is
everywhere. Who heard the hash, and all this while nobody else's record of the same work that says
the same, knows that the author measured. Who hears of it later, or not, believes nothing by it and
loses nothing. How long a record is held back is its author's own matter: for no longer than the
evaluation took, so that what is quick is not late.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...search.base import Key, key_of
from .. import canonical
from ..evidence import agree
from ..identity_key import Identity, verify
from ..ledger import Ledger
from ..record import Record
from .gossip import PERIOD

MOST_BOUND = 32
"""The most records that a peer may be bound to at a time, and the most that another hears of."""

MOST_HEARD = 8192
"""How many commitments are kept; of who has most of them the oldest is forgotten, so that a flood
of one takes nothing from others.
"""

MOST_SURE = 256
"""How many of the last that hold are told of."""

STALE = 600.0
"""The seconds after which a record that somebody was bound to is not waited for any more."""

LOOKED = 64
"""How many are looked for at a time: whoever binds itself to nothing is to cost little."""


class Commitment(NamedTuple):
    """A work, and the id of the record of it that is told later: the SHA-256 of what is signed."""

    work: Key
    record: str
    signature: str = ""
    """Its author's, by which others may pass it on (``rumours``)."""


def signed(run: str, identity: Identity, commitment: Commitment) -> Commitment:
    """Return a commitment in the run of that digest, signed by its author."""
    return commitment._replace(signature=identity.sign(_signed(run, commitment)))


def genuine(run: str, author: str, commitment: Commitment) -> bool:
    """Return whether the author signed a commitment, in the run of that digest."""
    return verify(author, _signed(run, commitment), commitment.signature)


def _signed(run: str, commitment: Commitment) -> bytes:
    """Return what is signed: nothing else that an author signs begins so."""
    said = {"run": run, "work": list(commitment.work), "record": commitment.record}
    return b"commitment " + canonical.encode(said)


def spreading(peers: int, period: float = PERIOD) -> float:
    """Return the seconds in which a record is with all of so many others, all but surely.

    Those are the rounds of push and pull, which grow as the logarithm of the number of peers
    (Karp et al. 2000, Randomized Rumor Spreading), and two rounds of a few.
    """
    return period * max(2.0, math.log2(peers + 1))


class Withheld:
    """This peer's own records that others are told the hash of alone, and how many they may have.

    Args:
        ledger: where they are.
        run: the name of the run there.
        author: this peer.
        hold: the most seconds that one is held back.
        now: seconds of a clock.

    What is there at first is held back no more: the peer was started again.
    """

    def __init__(
        self,
        ledger: Ledger,
        run: str,
        author: str,
        *,
        hold: Callable[[], float],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger, self._run, self._author = ledger, run, author
        self._hold, self._now = hold, now
        self._kept = deque[tuple[float, Record]]()
        self._released = False
        places = ledger.places(run, author)
        self.out = 1 + max((seq for seq, _ in places), default=-1)
        """How many of the first own records others may have."""

    @property
    def bound(self) -> tuple[Commitment, ...]:
        """What this peer is bound to and others may not have yet, the oldest first."""
        results = [(record.id, record.result) for _, record in self._kept]
        several = [Commitment(key_of(r), name) for name, r in results if r.ok and r.replica == 0]
        return tuple(several[:MOST_BOUND])

    def look(self) -> None:
        """Hold back what is new, and let out what was held back long enough."""
        now = self._now()
        since = self._kept[-1][1].seq + 1 if self._kept else self.out
        for record, _ in self._ledger.entries(self._run, self._author, since=since):
            self._kept.append((now + self._held_for(record), record))
        while self._kept and (self._released or self._kept[0][0] <= now):
            self.out = self._kept.popleft()[1].seq + 1

    def release(self) -> None:
        """Let all out, and hold nothing back from now on: this peer is about to leave."""
        self._released = True
        self.look()

    def _held_for(self, record: Record) -> float:
        """Return how long a record is held back: not at all where nobody would have to prove it.

        A failure proves nothing, and finals are measured by those who are believed.
        """
        result = record.result
        if not result.ok or result.replica != 0:
            return 0.0
        return min(self._hold(), result.measured.seconds or 0.0)


@dataclass
class _Heard:
    """To what an author was bound, when that was heard, until when nobody else may have said the
    same, how many of this peer's own records were out then, and when its record is looked for next.
    """  # noqa: D205

    author: str
    commitment: Commitment
    at: float
    until: float
    out: int
    look: float


class Commitments:
    """Of which records it is sure that their authors were bound to them in time.

    Args:
        ledger: where records come in.
        run: the name of the run there.
        author: this peer.
        spreads: the seconds that a record takes to be everywhere.
        in_touch: whether this peer compared records with others in the last so many seconds.
        now: seconds of the clock by which the ledger notes when a record came in.
    """

    def __init__(
        self,
        ledger: Ledger,
        run: str,
        author: str,
        *,
        spreads: Callable[[], float],
        in_touch: Callable[[float], bool],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._ledger, self._run, self._author = ledger, run, author
        self._spreads, self._in_touch, self._now = spreads, in_touch, now
        self._works = dict[str, dict[Key, None]]()
        """Of each author the works that it was bound to, the oldest first."""
        self._kept = 0
        self._waiting = dict[tuple[str, Key], _Heard]()  # not by record: anybody can name its id
        self._sure = deque[str](maxlen=MOST_SURE)

    def hear(self, author: str, several: Iterable[Commitment], out: int) -> None:
        """Take in what an author is bound to; *out* of this peer's own records are out now.

        Of one work the first stands: who could choose among several would be bound to none.
        """
        now = self._now()
        for each in several:
            if author == self._author or each.work in self._works.get(author, ()):
                continue
            self._works.setdefault(author, {})[each.work] = None
            self._kept += 1
            until = now + self._spreads()
            self._waiting[author, each.work] = _Heard(author, each, now, until, out, until)
            if self._kept > MOST_HEARD:
                self._forget_one()

    def sure(self) -> Sequence[str]:
        """Return the ids of the last records to which their authors were bound in time."""
        now = self._now()
        for each in [heard for heard in self._waiting.values() if heard.look <= now][:LOOKED]:
            holds = self._holds(each, now)
            each.look = now + (now - each.at) / 2  # more and more seldom
            if holds is not None or now > each.at + STALE:
                del self._waiting[each.author, each.commitment.work]
            if holds:
                self._sure.append(each.commitment.record)
        return tuple(self._sure)

    def _forget_one(self) -> None:
        """Forget the oldest commitment of who has most; of several, of who was heard first."""
        most = max(self._works, key=lambda author: len(self._works[author]))
        oldest = next(iter(self._works[most]))
        del self._works[most][oldest]
        if not self._works[most]:
            del self._works[most]
        self._kept -= 1
        self._waiting.pop((most, oldest), None)

    def _holds(self, heard: _Heard, now: float) -> bool | None:
        """Return whether nobody else had said the same in time, None before the record came."""
        said = self._ledger.said_of(self._run, heard.commitment.work)
        mine = [record for record, _ in said if record.id == heard.commitment.record]
        if not mine:
            return None
        if mine[0].author != heard.author or not self._in_touch(now - heard.at):
            return False
        return not any(
            agree(record.result, mine[0].result)
            for record, came in said
            if record.author != heard.author and self._was_known(record, came, heard)
        )

    def _was_known(self, record: Record, came: float, heard: _Heard) -> bool:
        """Whether a record may have been known to others when a commitment was heard."""
        if record.author == self._author:
            return record.seq < heard.out
        return came < heard.until
