"""Peers that lie, on the network: what they say about others, and about themselves."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from praxis_evolve.market.swarm.board import packed
from praxis_evolve.market.swarm.directory import FIND, PING, STORE
from praxis_evolve.market.swarm.hive import dht
from praxis_evolve.market.swarm.p2p import P2PTransport
from praxis_evolve.market.swarm.peer_key import PeerKey, public_of
from praxis_evolve.market.swarm.transport import FRAME, LIFE
from praxis_evolve.market.swarm.validator import Record, Shards, sign
from praxis_evolve.tests.market.swarm.real_peers import (
    SWARM,
    Peers,
    always,
    refused,
    until,
    whole,
)

SHARDS = Shards(SWARM)
(KEY,) = SHARDS.keys


def store(*values: bytes, key: bytes = KEY) -> bytes:
    return dht.StoreRequest(keys=[key] * len(values), values=values).SerializeToString()


def found(value: bytes, **fields: object) -> bytes:
    result = dht.FindResult(type=dht.FOUND_DICTIONARY, value=value, **fields)
    return dht.FindResponse(results=[result]).SerializeToString()


async def _said(peers: Peers, count: int = 3) -> tuple[list[P2PTransport], dict[str, bytes]]:
    """Return honest peers that all said something, and what they said."""
    honest = await peers.several(count)
    for number, peer in enumerate(honest):
        await peer.announce(b"%d" % number)
    return honest, {peer.me.peer: b"%d" % number for number, peer in enumerate(honest)}


async def _all_hear(honest: list[P2PTransport], said: dict[str, bytes]) -> None:
    for peer in honest:
        expected = {name: word for name, word in said.items() if name != peer.me.peer}
        assert await peer.announced() == expected


@pytest.mark.attack(1, 2, 3, 5, 7)
def test_what_is_stored_by_force_is_not_heard(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            honest, said = await _said(peers)
            evil = await peers.start(honest[0], name="evil")
            key, later = PeerKey.load_or_create(tmp_path / "evil"), time.time() + LIFE
            victim = public_of(honest[1].me.peer)
            mine = sign(key, SHARDS, b"mine", later)
            wrong = [
                Record(KEY, victim, b"pwned", later),
                Record(KEY, victim, mine.value, later),
                Record(KEY, b"", b"pwned", later),
                replace(mine, expires=math.inf),
                replace(mine, expires=math.nan),
                sign(key, SHARDS, b"squat", 1e9 + later),
                sign(key, Shards("another"), b"other", later),
                sign(key, SHARDS, bytes(5000), later),
                replace(mine, value=Random(1).randbytes(100)),
            ]
            requests = [store(packed([record])) for record in wrong]
            requests += [store(packed([mine]), key=bytes(20)), store(b"\xff"), store(packed([]))]
            for peer in honest:
                for request in requests:
                    (answer,) = await whole(evil.ask(peer.me.peer, STORE, request))
                    assert list(dht.StoreResponse.FromString(answer).store_ok) == [False]
                for request in (b"\xff", b"", store(packed([mine]), packed([mine]))):
                    assert "refused" in await refused(evil.ask(peer.me.peer, STORE, request))
                for request in (b"\xff", b"", dht.FindRequest(keys=[b"x"]).SerializeToString()):
                    assert "refused" in await refused(evil.ask(peer.me.peer, FIND, request))
                assert "refused" in await refused(evil.ask(peer.me.peer, PING, b"\xff"))
            await _all_hear(honest, said)

    _run(main)


LIES = [
    b"",
    b"\xff" * 50,
    found(packed([])),
    found(packed([]), expiration_time=math.inf),
    found(b"\xc1"),
    found(b"\x91" * 5000),
    found(packed([Record(KEY, bytes(32), b"pwned", math.inf)])),
    found(b"", nearest_peer_ids=[b"", b"x", bytes(32), b"\x00\x24" + bytes(9000)] * 100),
    dht.FindResponse(results=[dht.FindResult(type=dht.FOUND_REGULAR)] * 9).SerializeToString(),
]


@pytest.mark.attack(3, 4, 18)
def test_whoever_answers_with_nonsense_blinds_nobody(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            lie = b""

            async def lying(caller: str, request: bytes) -> AsyncIterator[bytes]:
                yield lie

            honest, said = await _said(peers)
            pong = always(dht.PingResponse(dht_time=time.time()).SerializeToString())
            lies = {PING: pong, FIND: lying, STORE: lying}
            liars = [await peers.liar(lies) for _ in range(2)]
            for each in LIES:
                lie = each
                for peer in honest:
                    assert len(await peer.meet(liars)) == 2
                await _all_hear(honest, said)
                said[honest[0].me.peer] = b"again"
                await honest[0].announce(b"again")
                await _all_hear(honest, said)
            late = await peers.start(honest[1])
            await until(lambda: _hears([late], said))  # on a busy machine a lookup may end early

    _run(main)


def test_answers_without_end_and_invented_peers_end_by_themselves(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            honest, said = await _said(peers, 2)
            rng = Random(1)
            invented = [bytes.fromhex("002408011220") + rng.randbytes(32) for _ in range(40)]
            pong = always(dht.PingResponse(dht_time=math.nan).SerializeToString())
            finds = always(found(b"", nearest_peer_ids=invented)), always(*[bytes(FRAME)] * 99)
            for find in finds:
                liar = await peers.liar({PING: pong, FIND: find, STORE: find})
                for peer in honest:
                    await peer.meet([liar])
            async with asyncio.timeout(25):
                await _all_hear(honest, said)

    _run(main)


@pytest.mark.attack(8, 9)
def test_a_flood_of_junk_is_refused_and_takes_no_room(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            honest, said = await _said(peers, 2)
            evil = await peers.start(honest[0], name="evil")
            mine = sign(PeerKey.load_or_create(tmp_path / "evil"), SHARDS, b"me", time.time() + 100)
            requests = [store(bytes(900_000)), store(packed([mine]))] * 100
            answers = [evil.ask(honest[0].me.peer, STORE, request) for request in requests]
            await asyncio.gather(*map(whole, answers), return_exceptions=True)
            await until(lambda: _hears(honest, {**said, evil.me.peer: b"me"}))

    _run(main)


async def _hears(honest: list[P2PTransport], said: dict[str, bytes]) -> bool:
    try:
        await _all_hear(honest, said)
    except AssertionError:
        return False
    return True


def _run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await main()

    asyncio.run(bounded())
