"""Flights: what each peer works on now, told to others so that they leave it alone.

A lease without a master: a peer says what it works on, signed by its author and counted, to some
others whenever that changes and again and again; whoever hears nothing for a while holds its work
for free. What an author said before is never taken for what it says now, whoever repeats it. Who
is left alone on that word is for the reader to say: here all are told of. With it goes what the
author is bound to (``commitments``), signed apart so that others may pass it on (``rumours``).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ...search.base import Key
from .. import canonical, fields
from ..errors import RecordError
from ..identity_key import Identity, verify
from . import message
from .commitments import MOST_BOUND, Commitment, signed
from .heads import AUTHORS
from .transport import Transport, TransportError

BEAT = 10.0
"""The most seconds between two messages of a peer."""

GOOD = 45.0
"""The seconds that a message is believed: a few may be lost."""

MOST_PEERS = 32
"""How many others a message goes to: all of a small swarm, some others each time of a large one."""

MOST_WORKS = 32
"""The most works that a peer may say it works on, and the most that another believes."""

LIMIT = 16 * 1024
"""The most bytes of a message."""

LOOK = 0.5
"""Seconds between looks whether there is something new to say."""

WAIT = 5.0
"""The most seconds that another may take to hear."""

_FIELDS = ("run", "author", "count", "works", "bound")


@dataclass(frozen=True)
class Flight:
    """What an author said that it works on, by which peer, and until when that is believed."""

    peer: str
    count: int
    works: tuple[Key, ...]
    until: float


def unbound() -> Sequence[Commitment]:
    """Return what a peer is bound to that tells all at once."""
    return ()


def unheard(author: str, bound: Sequence[Commitment]) -> None:
    """Hear what an author is bound to where nobody asks."""
    del author, bound


class Flights:
    """What this peer and others of its run work on, and to what they are bound.

    Args:
        transport: the way to the others.
        run: the digest of the run.
        identity: who signs.
        peers: some peers to tell, at most as many as it is given.
        bound: what this peer is bound to now.
        hear: called with an author and what it is bound to.
        now: seconds since 1970, by which an author's messages are counted; a peer that is started
            again counts on.
    """

    def __init__(
        self,
        transport: Transport,
        run: str,
        identity: Identity,
        *,
        peers: Callable[[int], Sequence[str]],
        bound: Callable[[], Sequence[Commitment]] = unbound,
        hear: Callable[[str, Sequence[Commitment]], None] = unheard,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._transport, self._run, self._identity = transport, run, identity
        self._peers, self._now = peers, now
        self._bound, self._hear_bound = bound, hear
        self._heard: dict[str, Flight] = {}
        self._mine: tuple[Key, ...] = ()
        self._said_bound: tuple[Commitment, ...] = ()
        self._said = b""
        self._count = 0
        transport.serve("flights", self._hear)
        self.say(())

    @property
    def others(self) -> Mapping[str, Sequence[Key]]:
        """What others work on now, by author; those who work on nothing are left out."""
        now = _clock()
        return {a: f.works for a, f in sorted(self._heard.items()) if f.works and f.until > now}

    def say(self, works: Sequence[Key]) -> None:
        """Say from now on that this peer works on these, at most ``MOST_WORKS``."""
        self._mine, self._said_bound = tuple(works), tuple(self._bound())
        self._count = max(self._count + 1, int(1000 * self._now()))
        bound = (signed(self._run, self._identity, each) for each in self._said_bound)
        body = canonical.encode({
            "run": self._run, "author": self._identity.author, "count": self._count,
            "works": [list(work) for work in self._mine],
            "bound": [list(each) for each in bound],
        })  # fmt: skip
        said = {"said": body.decode(), "signature": self._identity.sign(body)}
        self._said = canonical.encode(said)

    async def run(self) -> None:
        """Tell others until cancelled: at once where something is new, else again and again."""
        told, at = b"", _clock()
        while True:
            if tuple(self._bound()) != self._said_bound:
                self.say(self._mine)
            if self._said != told or _clock() - at >= BEAT:
                if self._said == told:
                    self.say(self._mine)  # counted anew, so that it is believed anew
                told, at = self._said, _clock()
                await asyncio.gather(*(self._tell(peer) for peer in self._peers(MOST_PEERS)))
            await asyncio.sleep(LOOK)

    async def _tell(self, peer: str) -> None:
        """Tell a peer and take in what it says; one that does not answer is left to gossip."""
        with suppress(TransportError, RecordError, TimeoutError):
            async with asyncio.timeout(WAIT):
                async for frame in self._transport.ask(peer, "flights", self._said):
                    self._take(peer, frame)

    async def _hear(self, caller: str, request: bytes) -> AsyncIterator[bytes]:
        self._take(caller, request)
        yield self._said

    def _take(self, peer: str, said: bytes) -> None:
        """Take in what a peer says if it is newer than what its author said before.

        Raises:
            RecordError: it is none, of another run, or its author did not sign it.
        """
        author, count, works, bound = self._read(said)
        known = self._heard.get(author)
        if author == self._identity.author or (known is not None and known.count >= count):
            return
        self._hear_bound(author, bound)
        for other, flight in self._heard.items():
            if flight.peer == peer and other != author:  # a peer has one author
                self._heard[other] = replace(flight, works=())  # its count is kept, works are not
        if known is None and len(self._heard) >= AUTHORS:
            self._make_room()
        if known is not None or len(self._heard) < AUTHORS:
            self._heard[author] = Flight(peer, count, works, _clock() + GOOD)

    def _make_room(self) -> None:
        """Forget an author of whom nothing is believed now, first of a peer that named many."""
        now, named = _clock(), Counter(flight.peer for flight in self._heard.values())
        silent = [a for a, f in self._heard.items() if not f.works or f.until <= now]
        if silent:
            del self._heard[max(silent, key=lambda author: named[self._heard[author].peer])]

    def _read(self, said: bytes) -> tuple[str, int, tuple[Key, ...], tuple[Commitment, ...]]:
        outer = message.read(said, ("said", "signature"), limit=LIMIT)
        body = fields.text(outer["said"], "what is said", LIMIT).encode()
        found = message.read(body, _FIELDS, limit=LIMIT)
        author = fields.hexadecimal(found["author"], "an author", 64)
        if found["run"] != self._run:
            raise RecordError(
                f"this peer is of run {self._run[:12]}, but was told of "
                f"{fields.shown(found['run'])}"
            )
        signature = fields.hexadecimal(outer["signature"], "a signature", 128)
        if not verify(author, body, signature):
            raise RecordError(f"author {author[:12]} did not sign what it is said to work on")
        works = fields.sequence(found["works"], "works", MOST_WORKS)
        bound = fields.sequence(found["bound"], "what an author is bound to", MOST_BOUND)
        count = fields.whole(found["count"], "count")
        return author, count, tuple(map(key_from, works)), tuple(map(commitment_from, bound))


def key_from(value: object) -> Key:
    """Return the work in plain data, which may come from a stranger.

    Raises:
        RecordError: it is none.
    """
    genome, rung, replica = fields.several(value, "a work", 3)
    most = 1 << 16
    return Key(
        fields.hexadecimal(genome, "a genome", 64),
        fields.whole(rung, "a rung"),
        fields.whole(replica, "the replica of a work", most, least=-most),
    )


def commitment_from(value: object) -> Commitment:
    """Return the commitment in plain data, which may come from a stranger.

    Raises:
        RecordError: it is none; whether it is signed is not looked at.
    """
    work, record, signature = fields.several(value, "a commitment", 3)
    return Commitment(
        key_from(work),
        fields.hexadecimal(record, "a record", 64),
        fields.hexadecimal(signature, "a signature", 128),
    )


def _clock() -> float:
    return asyncio.get_running_loop().time()
