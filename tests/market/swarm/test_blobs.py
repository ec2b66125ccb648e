"""Blobs come whole and checked, or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import cast

import pytest

from praxis_evolve.market.swarm import virtual
from praxis_evolve.market.swarm.blobs import fetch, serve_blobs
from praxis_evolve.market.swarm.memory import MemoryTransport, Network
from praxis_evolve.market.swarm.transport import FRAME, Handler, Transport, TransportError

TEXT = bytes(range(256)) * 4096 + b"end"
NAME = f"task:{hashlib.sha256(TEXT).hexdigest()}"


def check(path: Path) -> str | None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    return None if found == NAME[5:] else f"hashes to {found[:8]}"


def there(folder: Path, text: bytes = TEXT) -> Callable[[str], Path | None]:
    path = folder / hashlib.sha256(text).hexdigest()[:8]
    path.write_bytes(text)
    return lambda name: path if name == NAME else None


def ran(main: Callable[[Network], Coroutine[object, object, None]]) -> None:
    async def begun() -> None:
        await main(Network(1))

    virtual.run(begun())


def test_a_blob_comes_in_frames_from_the_first_that_has_it(tmp_path: Path) -> None:
    async def main(network: Network) -> None:
        me = network.join("me")
        serve_blobs(network.join("without"), lambda name: None)
        serve_blobs(network.join("liar"), there(tmp_path, b"something else"))
        serve_blobs(network.join("friend"), there(tmp_path))
        into = tmp_path / "here"
        peers = ["nobody", "without", "liar", "friend"]
        await fetch(me, peers, NAME, into, most=len(TEXT), check=check)
        assert into.read_bytes() == TEXT
        assert len(TEXT) > 2 * FRAME

    ran(main)


def test_nothing_is_left_of_what_did_not_come(tmp_path: Path) -> None:
    async def main(network: Network) -> None:
        me, folder = network.join("me"), tmp_path / "mine"
        folder.mkdir()
        into = folder / "here"
        into.write_bytes(b"before")
        serve_blobs(network.join("liar"), there(tmp_path, b"something else"))
        large = network.join("large")
        serve_blobs(large, there(tmp_path))
        with pytest.raises(
            TransportError, match=r"liar sent what hashes to .*; a blob of over 100"
        ):
            await fetch(me, ["liar", "large"], NAME, into, most=100, check=check)
        with pytest.raises(TransportError, match="no peer is known"):
            await fetch(me, [], NAME, into, most=100, check=check)
        assert [path.name for path in folder.iterdir()] == ["here"]
        assert into.read_bytes() == b"before"

    ran(main)


def test_a_server_that_dies_in_the_middle_is_no_end(tmp_path: Path) -> None:
    async def main(network: Network) -> None:
        me, dying = network.join("me"), network.join("dying")

        async def half(caller: str, request: bytes) -> AsyncIterator[bytes]:
            del caller, request
            yield TEXT[:FRAME]
            network.kill("dying")
            yield TEXT[FRAME:]

        dying.serve("blob", half)
        serve_blobs(network.join("friend"), there(tmp_path))
        into = tmp_path / "here"
        await fetch(me, ["dying", "friend"], NAME, into, most=len(TEXT), check=check)
        assert into.read_bytes() == TEXT

    ran(main)


def test_files_are_looked_for_beside_the_loop_by_one_at_a_time(tmp_path: Path) -> None:
    """In real time, for a thread needs it; who leaves lets nobody in beside the one it started."""
    begun, go, beside = threading.Event(), threading.Event(), list[int]()

    def find(name: str) -> Path | None:
        beside.append(1)
        begun.set()
        assert go.wait(10.0)
        assert sum(beside) == 1
        beside.append(-1)
        return tmp_path / "blob"

    class Served:
        def serve(self, method: str, handler: Handler) -> None:
            assert method == "blob"
            self.handler = handler

    async def asked(handler: Handler) -> bytes:
        return b"".join([frame async for frame in handler("me", NAME.encode())])

    async def main() -> None:
        served = Served()
        serve_blobs(cast("Transport", served), find)
        first, second = (asyncio.create_task(asked(served.handler)) for _ in range(2))
        while not begun.is_set():
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        for _ in range(20):
            await asyncio.sleep(0)
        go.set()
        assert await second == b"found"

    (tmp_path / "blob").write_bytes(b"found")
    asyncio.run(main())
    assert beside == [1, -1, 1, -1]


@pytest.mark.parametrize("name", ["", "task", "../../etc/passwd", "task:../x", f"task:{'0' * 63}"])
def test_names_lead_nowhere_else(name: str, tmp_path: Path) -> None:
    async def asked(friend: MemoryTransport, me: MemoryTransport) -> None:
        serve_blobs(friend, lambda name: pytest.fail(f"{name} was looked for"))
        with pytest.raises(TransportError, match="there is no blob"):
            async for _ in me.ask("friend", "blob", name.encode()):
                pass

    async def main(network: Network) -> None:
        await asked(network.join("friend"), me := network.join("me"))
        with pytest.raises(ValueError, match="kind:64 hex digits"):
            await fetch(me, ["friend"], name, tmp_path / "x", most=9, check=check)

    ran(main)


def test_a_peer_that_drips_is_not_waited_for(tmp_path: Path) -> None:
    async def main(network: Network) -> None:
        me, evil = network.join("me"), network.join("evil")

        async def drip(caller: str, request: bytes) -> AsyncIterator[bytes]:
            del caller, request
            while True:
                await asyncio.sleep(25.0)
                yield b"x"

        evil.serve("blob", drip)
        serve_blobs(network.join("friend"), there(tmp_path))
        await fetch(me, ["evil", "friend"], NAME, tmp_path / "x", most=len(TEXT), check=check)
        assert asyncio.get_running_loop().time() < 120

    ran(main)
