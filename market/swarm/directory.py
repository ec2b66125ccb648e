"""Who is there and what they say: a Kademlia directory that believes only what it can check.

It is hivemind's: its table, its ids, its messages. The id of a peer here follows from its name, so
that nobody chooses a place or takes two. A question that fails costs a peer its place in the table;
whoever keeps the directory puts it back by greeting it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from .board import Board, packed, unpacked
from .frames import RefusedError
from .hive import DHTID, PeerID, RoutingTable, dht
from .peer_key import PeerKey, name_of, public_of
from .transport import ANNOUNCED, FRAME, LIFE, Handler, TransportError
from .validator import Record, Shards, Validator, sign

PING, FIND, STORE = ".ping", ".find", ".store"
"""The methods of the directory; no other method starts with a dot."""

BUCKET = 20
"""Peers in a bucket of the table, and neighbours in an answer."""

BEAM = 8
"""The nearest peers that a lookup asks."""

REPLICAS = 5
"""The nearest peers that are told an announcement."""

ROUNDS = 6
"""How often a lookup asks peers that it heard of in its last round."""

SKEWS = 256
"""The peers whose clocks are remembered."""

PATIENCE = 3.0
"""The most seconds that another may take for a message of the directory."""


class Ask(Protocol):
    """Return the whole answer of a peer."""

    async def __call__(self, peer: str, method: str, request: bytes, *, deadline: float) -> bytes:
        """Ask once.

        Raises:
            TransportError: there was no whole answer.
        """
        ...


class Directory:
    """Greets peers, answers them, and knows what all of them say."""

    def __init__(
        self,
        key: PeerKey,
        ask: Ask,
        shards: Shards,
        *,
        now: Callable[[], float],
        stirred: Callable[[], None],
    ) -> None:
        """*stirred* is called when somebody new is in the table."""
        self._key, self._ask, self._shards, self._now = key, ask, shards, now
        self._stirred = stirred
        self._id = _id(key.peer)
        self._table = RoutingTable(self._id, BUCKET, 5)
        self._board = Board(Validator(shards, now), now)
        self._skews: dict[str, float] = {}
        self._last = 0.0
        self._greeting: set[asyncio.Task[None]] = set()
        self.handlers: Mapping[str, Handler] = {
            PING: self._pinged,
            FIND: self._sought,
            STORE: self._told,
        }

    @property
    def neighbours(self) -> tuple[str, ...]:
        """The peers in the table, by name."""
        return tuple(peer.to_base58() for peer in self._table.peer_id_to_uid)

    @property
    def skew(self) -> float:
        """The seconds that this clock is ahead of those of the neighbours, in the middle."""
        skews = sorted(self._skews.values())
        return skews[len(skews) // 2] if skews else 0.0

    async def greet(self, peer: str) -> None:
        """Meet a peer: each has the other in its table then.

        Raises:
            TransportError: it did not answer, or is no peer of this swarm.
        """
        before = self._now()
        answer = await self._asked(peer, PING, dht.PingRequest(), dht.PingResponse)
        middle = (before + self._now()) / 2
        if math.isfinite(answer.dht_time):
            self._skews[peer] = middle - answer.dht_time
        while len(self._skews) > SKEWS:
            del self._skews[next(iter(self._skews))]

    async def announce(self, said: bytes) -> int:
        """Say something to the peers nearest to its key, and return how many hold it now.

        Raises:
            ValueError: it is longer than ``ANNOUNCED``.
        """
        if len(said) > ANNOUNCED:
            raise ValueError(f"an announcement may have {ANNOUNCED} bytes, not {len(said)}")
        # the later one counts, so that no two announcements may end at the same time
        self._last = max(self._now() + LIFE, self._last + 0.001)
        record = sign(self._key, self._shards, said, self._last)
        self._board.put(record)
        nearest = await self._lookup(record.key)
        held = await asyncio.gather(*(self._tell(peer, record) for peer in nearest[:REPLICAS]))
        return sum(held)

    async def announced(self) -> Mapping[str, bytes]:
        """Return what others said lately by their names."""
        await asyncio.gather(*(self._lookup(key) for key in self._shards.keys))
        records = [record for key in self._shards.keys for record in self._board.under(key)]
        return {name_of(each.author): each.said for each in records if each.author != self._public}

    async def explore(self) -> None:
        """Look for peers near this one, so that the table fills."""
        await self._lookup(self._id.to_bytes())

    async def close(self) -> None:
        """Stop what was started."""
        greeting = tuple(self._greeting)
        for task in greeting:
            task.cancel()
        await asyncio.gather(*greeting, return_exceptions=True)

    @property
    def _public(self) -> bytes:
        return self._key.public

    async def _lookup(self, key: bytes) -> list[str]:
        """Ask the peers nearest to a key, and those they name; return who answered, nearest first.

        All records that they hold under the key are on the board then.
        """
        target = DHTID.from_bytes(key)
        near = self._table.get_nearest_neighbors(target, BEAM, exclude=self._id)
        known = {peer.to_base58() for _, peer in near}
        asked, answered = {self._key.peer}, set[str]()
        for _ in range(ROUNDS):
            nearest = sorted(known, key=lambda peer: target.xor_distance(_id(peer)))[:BEAM]
            fresh = [peer for peer in nearest if peer not in asked]
            if not fresh:
                break
            asked.update(fresh)
            named = await asyncio.gather(*(self._find(peer, key) for peer in fresh))
            for peer, others in zip(fresh, named, strict=True):
                known.discard(peer) if others is None else answered.add(peer)
                known.update(other for other in others or () if other != self._key.peer)
        return sorted(answered, key=lambda peer: target.xor_distance(_id(peer)))

    async def _find(self, peer: str, key: bytes) -> Sequence[str] | None:
        """Take a peer's records under a key, and return whom it knows near it; None: no answer."""
        request = dht.FindRequest(keys=[key])
        try:
            answer = await self._asked(peer, FIND, request, dht.FindResponse)
        except TransportError:
            return None
        result = next(iter(answer.results), dht.FindResult())
        for record in unpacked(key, result.value):
            self._board.put(record)
        return _names(result.nearest_peer_ids[:BUCKET])

    async def _tell(self, peer: str, record: Record) -> bool:
        """Have a peer hold a record, and return whether it says that it does."""
        request = dht.StoreRequest(keys=[record.key], values=[packed([record])])
        try:
            answer = await self._asked(peer, STORE, request, dht.StoreResponse)
        except TransportError:
            return False
        return list(answer.store_ok) == [True]

    async def _asked(self, peer: str, method: str, request: Any, kind: Any) -> Any:
        """Return a peer's answer as a message of that kind; who gives none leaves the table."""
        try:
            data = await self._ask(peer, method, request.SerializeToString(), deadline=PATIENCE)
            answer = _parsed(kind, data)
        except RefusedError:
            raise  # it is there, though it said no
        except (TransportError, ValueError) as error:
            self._lost(peer)
            raise TransportError(str(error)) from None
        self._met(peer)
        return answer

    def _met(self, peer: str) -> None:
        """Put a peer into the table; of a full bucket, greet the one not heard for longest."""
        if peer == self._key.peer:
            return
        place = _id(peer)
        if place not in self._table:
            self._stirred()
        oldest = self._table.add_or_update_node(place, PeerID.from_base58(peer))
        if oldest is not None:
            task = asyncio.create_task(self._check(oldest[1].to_base58()))
            self._greeting.add(task)
            task.add_done_callback(self._greeting.discard)

    def _lost(self, peer: str) -> None:
        self._skews.pop(peer, None)
        place = _id(peer)
        if place in self._table:
            del self._table[place]

    async def _check(self, peer: str) -> None:
        """Greet a peer: if it does not answer, it has left the table."""
        with suppress(TransportError):
            await self.greet(peer)

    async def _pinged(self, caller: str, request: bytes) -> AsyncIterator[bytes]:
        _parsed(dht.PingRequest, request)
        self._met(caller)
        yield dht.PingResponse(dht_time=self._now()).SerializeToString()

    async def _sought(self, caller: str, request: bytes) -> AsyncIterator[bytes]:
        asked = _parsed(dht.FindRequest, request)
        if len(asked.keys) != 1 or len(asked.keys[0]) != 20:
            raise ValueError("one key of 20 bytes may be sought at a time")
        self._met(caller)
        key = asked.keys[0]
        near = self._table.get_nearest_neighbors(DHTID.from_bytes(key), BUCKET, exclude=_id(caller))
        result = dht.FindResult(
            type=dht.FOUND_DICTIONARY,
            value=packed(self._board.under(key)),
            nearest_peer_ids=[peer.to_bytes() for _, peer in near],
        )
        whole = dht.FindResponse(results=[result]).SerializeToString()
        for start in range(0, len(whole), FRAME):
            yield whole[start : start + FRAME]

    async def _told(self, caller: str, request: bytes) -> AsyncIterator[bytes]:
        told = _parsed(dht.StoreRequest, request)
        if len(told.keys) != 1 or len(told.values) != 1:
            raise ValueError("one record may be told at a time")
        self._met(caller)
        records = unpacked(told.keys[0], told.values[0])
        held = len(records) == 1 and self._board.put(records[0])
        yield dht.StoreResponse(store_ok=[held]).SerializeToString()


def _id(peer: str) -> DHTID:
    """Return the place of a peer in the directory, which nobody can choose.

    Raises:
        ValueError: it is not the name of a peer with an Ed25519 key.
    """
    return DHTID.generate(source=public_of(peer))


def _names(raw: Sequence[bytes]) -> list[str]:
    """Return the names among what a stranger says are names."""
    found: list[str] = []
    for each in raw:
        name = PeerID(each[:64]).to_base58()
        try:
            public_of(name)
        except ValueError:
            continue
        found.append(name)
    return found


def _parsed(kind: Any, data: bytes) -> Any:
    """Return a message of that kind.

    Raises:
        ValueError: the bytes are no such message.
    """
    try:
        return kind.FromString(data)
    except Exception as error:  # protobuf's own errors are not those of the language
        raise ValueError(f"{type(error).__name__}: {error}") from None
