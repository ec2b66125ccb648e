"""Rumours: commitments that all of an island hear, though an author tells only some of them.

Who heard a commitment keeps it for some rounds, signed by its author, and in each round every peer
asks two others for those that it lacks: of thirty among a thousand that know one, each round makes
three times as many, and who is still without one all but surely meets one who is not (pull; Karp et
al. 2000, Randomized Rumor Spreading). Nothing is taken that was not asked for, so nobody can flood
others. In a swarm all of whom an author tells itself nobody asks.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from .. import canonical, fields
from ..errors import RecordError
from . import message
from .asking import only_frame
from .commitments import MOST_BOUND, Commitment, genuine
from .flights import MOST_PEERS, commitment_from
from .gossip import FANOUT, PERIOD
from .transport import FRAME, REQUEST, Transport, TransportError

METHOD = "rumours"
"""What a peer is asked by."""

MOST_KEPT = 2048
"""The most commitments that are kept to be passed on."""

MOST_TOLD = 128
"""The most of an answer."""

DIGITS = 12
"""The hexadecimal digits that name a work of an author: to meet another's takes too long."""


@dataclass(frozen=True)
class _Rumour:
    """What is passed on, and when it was heard."""

    author: str
    commitment: Commitment
    at: float


class Rumours:
    """Passes on to what authors of this island are bound.

    Args:
        transport: the way to the others.
        run: the digest of the run.
        author: this peer.
        peers: some peers of this island, at most as many as it is given.
        fits: whether a commitment of an author to a record is one to pass on: the author is of this
            island and known by its records, and that record is not here.
        hear: called with an author and what it is bound to.
        spreads: the seconds that a record takes to be everywhere.
        rng: all chance.
        period: seconds between rounds.
    """

    def __init__(
        self,
        transport: Transport,
        run: str,
        author: str,
        *,
        peers: Callable[[int], Sequence[str]],
        fits: Callable[[str, str], bool],
        hear: Callable[[str, Sequence[Commitment]], None],
        spreads: Callable[[], float],
        rng: Random,
        period: float = PERIOD,
    ) -> None:
        self._transport, self._run, self._author = transport, run, author
        self._peers, self._fits, self._hear = peers, fits, hear
        self._spreads, self._rng, self._period = spreads, rng, period
        self._kept: dict[str, _Rumour] = {}
        transport.serve(METHOD, self._answer)

    def tell(self, author: str, bound: Sequence[Commitment]) -> None:
        """Hear what an author itself says that it is bound to, and keep what may be passed on."""
        self._hear(author, bound)
        with suppress(RecordError):  # what it says itself counts here, but would not elsewhere
            for each in bound:
                if name_of(author, each) not in self._kept and not self._keep(author, each):
                    break  # a stranger costs one look, not one for each

    async def run(self) -> None:
        """Ask others until cancelled."""
        while True:
            await asyncio.sleep(self._period * self._rng.uniform(0.8, 1.2))
            if len(self._peers(MOST_PEERS + 1)) > MOST_PEERS:
                await asyncio.gather(*map(self.ask, self._peers(FANOUT)))

    async def ask(self, peer: str) -> None:
        """Ask a peer for what this one lacks; one that tells nonsense is not heard to its end."""
        self._forget()
        asked = canonical.encode({"run": self._run, "has": list(self._kept)})
        with suppress(TransportError, RecordError):
            answer = await only_frame(self._transport, peer, METHOD, asked)
            found = message.read(answer, ("bound",), limit=FRAME)
            for one in fields.sequence(found["bound"], "what authors are bound to", MOST_TOLD):
                author, value = fields.several(one, "an author and what it is bound to", 2)
                author = fields.hexadecimal(author, "an author", 64)
                commitment = commitment_from(value)
                if self._keep(author, commitment):
                    self._hear(author, [commitment])

    async def _answer(self, caller: str, request: bytes) -> AsyncIterator[bytes]:
        """Tell what the caller lacks, some of it where that is much."""
        del caller
        found = message.read(request, ("run", "has"), limit=REQUEST)
        if found["run"] != self._run:
            raise RecordError(
                f"this peer is of run {self._run[:12]}, but was asked of "
                f"{fields.shown(found['run'])}"
            )
        has = fields.sequence(found["has"], "what a peer has", MOST_KEPT)
        names = {fields.hexadecimal(name, "the name of a rumour", DIGITS) for name in has}
        lacked = list(self._young(names))
        some = self._rng.sample(lacked, min(MOST_TOLD, len(lacked)))
        yield canonical.encode({"bound": [[each.author, list(each.commitment)] for each in some]})

    def _keep(self, author: str, commitment: Commitment) -> bool:
        """Keep a commitment to pass it on, if it is new, fits and there is room.

        Raises:
            RecordError: its author did not sign it.
        """
        self._forget()
        name = name_of(author, commitment)
        if author == self._author or name in self._kept:
            return False
        counts = Counter(each.author for each in self._kept.values())
        if counts[author] >= MOST_BOUND or not self._fits(author, commitment.record):
            return False
        hog, most = max(counts.items(), key=lambda item: item[1], default=("", 0))
        is_full = len(self._kept) >= MOST_KEPT
        if is_full and most <= counts[author] + 1:
            return False
        if not genuine(self._run, author, commitment):
            raise RecordError(f"author {author[:12]} did not sign what it is said to be bound to")
        if is_full:  # who has most makes room
            del self._kept[next(name for name, each in self._kept.items() if each.author == hog)]
        self._kept[name] = _Rumour(author, commitment, _clock())
        return True

    def _young(self, names: set[str]) -> Iterator[_Rumour]:
        """Yield what is passed on, but for those *names*.

        That ends when all but surely all have heard it: half as long as a record takes.
        """
        since = _clock() - self._spreads() / 2
        yield from (r for name, r in self._kept.items() if r.at >= since and name not in names)

    def _forget(self) -> None:
        """Forget what nobody passes on any more, and whose record is held back no longer."""
        since = _clock() - self._spreads() - 2 * self._period
        while self._kept and next(iter(self._kept.values())).at < since:
            del self._kept[next(iter(self._kept))]


def name_of(author: str, commitment: Commitment) -> str:
    """Return the short name of a work of an author, of which the first commitment stands."""
    named = canonical.encode([author, list(commitment.work)])
    return hashlib.sha256(named).hexdigest()[:DIGITS]


def _clock() -> float:
    return asyncio.get_running_loop().time()
