"""Real peers on this host, over hivemind's daemon: the contract, failures, limits."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from praxis_evolve.market.swarm.contract import TransportContract
from praxis_evolve.market.swarm.limits import Limits
from praxis_evolve.market.swarm.p2p import Network, P2PTransport, contact_of
from praxis_evolve.market.swarm.peer_key import PeerKey
from praxis_evolve.market.swarm.remembered import MOST, load_contacts, save_contacts
from praxis_evolve.market.swarm.transport import FRAME, Contact, Transport, TransportError
from praxis_evolve.tests.market.swarm.real_peers import (
    Peers,
    always,
    echo,
    endless,
    frozen,
    refused,
    until,
    whole,
)

NOBODY = "12D3KooWMsbR6Z7gdUZCTJdMRbUPumq7yaRtUca5fw2A3rgQn7h8"
QUICK = 0.2
"""Seconds between two looks of the watch in tests."""


def run(main: Coroutine[Any, Any, None], seconds: float = 60.0) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(seconds):
            await main
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert others == set()

    asyncio.run(bounded())


class TestP2P(TransportContract):
    deadline = 0.5
    nobody = NOBODY

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.folder = Path(folder)
            asyncio.run(main)

    async def connected(self, count: int) -> Sequence[Transport]:
        peers = await Peers(self.folder).several(count)
        contacts = [peer.me for peer in peers]
        for peer in peers:
            assert len(await peer.meet(contacts)) == count - 1
        return peers


@pytest.mark.attack(18)
def test_a_server_killed_in_the_middle_is_told_from_an_end(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            server, caller = await peers.several(2, watch=QUICK)
            server.serve("endless", endless(FRAME, asyncio.Event()))
            server.serve("echo", echo)
            frames = caller.ask(server.me.peer, "endless", b"")
            for _ in range(8):
                assert await anext(frames) == bytes(FRAME)
            before, began = server.me, time.monotonic()
            os.kill(server.pid or 0, signal.SIGKILL)
            await refused(frames)
            assert time.monotonic() - began < 5
            await until(lambda: _answers(caller, server))
            assert server.me == before, "it came back by its name, and at its address"

    run(main())


def test_a_frozen_server_hits_the_deadline(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            server, caller = await peers.several(2)
            server.serve("endless", endless(FRAME, asyncio.Event()))
            frames = caller.ask(server.me.peer, "endless", b"", deadline=0.5)
            await anext(frames)
            async with frozen(server.pid or 0):
                assert "took longer than 0.5 s" in await refused(frames)
                text = await refused(caller.ask(server.me.peer, "endless", b"", deadline=0.5))
                assert "took longer than 0.5 s" in text

    run(main())


def test_a_frozen_daemon_is_killed_in_the_end(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            peer = await peers.start()
            psutil.Process(peer.pid).suspend()
            began = time.monotonic()
            await peer.close()
            assert time.monotonic() - began < 10

    run(main())


def test_the_first_peer_leaves_for_good_and_the_others_go_on(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            first, second, third = await peers.several(3, watch=QUICK)
            await until(lambda: len(second.neighbours) == len(third.neighbours) == 2)
            await first.close()
            second.serve("echo", echo)
            assert await _answers(third, second)
            await third.announce(b"third")
            assert await second.announced() == {third.me.peer: b"third"}
            late = await peers.start(third)
            assert await _answers(late, second), "it is found by its name alone"
            assert await late.announced() == {third.me.peer: b"third"}

    run(main())


def test_a_peer_comes_back_by_whom_it_remembers(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            file = tmp_path / "peers.json"
            first, second = await peers.several(2)
            peer = await peers.start(first, name="mine", remembered_in=file, watch=QUICK)
            await until(lambda: file.exists() and len(load_contacts(file)) == 2)
            assert file.stat().st_mode & 0o777 == 0o600
            name = peer.me.peer
            await peer.close()
            await first.close()
            dead = first.me.addresses or [f"/ip4/127.0.0.1/tcp/1/p2p/{first.me.peer}"]
            again = await peers.start(name="mine", remembered_in=file, join=dead)
            assert again.me.peer == name
            assert again.neighbours == (second.me.peer,)
            second.serve("echo", echo)
            assert await _answers(again, second)

    run(main())


def test_a_peer_that_reaches_nobody_tries_on(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            first = await peers.start(name="first")
            address = first.me.addresses[0]
            port = int(address.split("/")[4])
            await first.close()
            alone = await peers.start(join=[address], watch=QUICK)
            assert alone.neighbours == ()
            with pytest.raises(TransportError, match="nobody else heard"):
                await alone.announce(b"hello?")
            first = await peers.start(name="first", network=Network(port=port))
            await until(lambda: alone.neighbours == (first.me.peer,))
            await alone.announce(b"hello")
            assert await first.announced() == {alone.me.peer: b"hello"}

    run(main())


def test_who_lost_all_neighbours_finds_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            one, other = await peers.several(2, watch=QUICK)
            await until(lambda: one.neighbours == (other.me.peer,))
            other.serve("echo", echo)
            async with frozen(other.pid or 0):
                await until(lambda: one.neighbours == ())
            await until(lambda: one.neighbours == (other.me.peer,))
            assert await _answers(one, other)

    run(main())


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 10, 100])
def test_a_start_that_is_broken_off_leaves_nothing(tmp_path: Path, steps: int) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            starting = asyncio.create_task(peers.raw())
            for _ in range(steps):
                await asyncio.sleep(0)
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting

    run(main())


def test_a_daemon_that_dies_again_and_again_is_started_less_often(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            peer, other = await peers.several(2, watch=QUICK)
            peer.serve("echo", echo)
            first = peer.pid
            os.kill(first or 0, signal.SIGKILL)
            await until(lambda: _answers(other, peer))  # one killed in its start is started at once
            second = peer.pid
            assert second != first
            os.kill(second or 0, signal.SIGKILL)
            await asyncio.sleep(3 * QUICK)
            assert peer.pid == second, "a second start at once would be too soon"
            assert "connection" in await refused(peer.ask(NOBODY, "echo", b""))

    run(main())


def test_who_cannot_be_reached_is_reached_by_way_of_a_public_peer(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            place = f"/dns/localhost/tcp/{port}"
            public = await peers.start(network=Network(port=port, announce=[place]))
            assert public.me.addresses == (f"{place}/p2p/{public.me.peer}",)
            hidden = await peers.start(
                public, network=Network(listen=(), relays=public.me.addresses)
            )
            hidden.serve("echo", echo)
            other = await peers.start(public)
            assert not await _answers(other, hidden), "the relay has no place for it yet"
            await until(lambda: _answers(other, hidden), 60.0)

    run(main())


def test_swarms_do_not_mix(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            here = await peers.start()
            there = await peers.start(here, swarm="another")
            assert (here.neighbours, there.neighbours) == ((), ())

    run(main())


@pytest.mark.attack(15)
@pytest.mark.parametrize(("ahead", "match"), [(42.0, "42 s ahead of"), (-60.0, "60 s behind")])
def test_a_clock_that_is_wrong_is_told(tmp_path: Path, ahead: float, match: str) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            first = await peers.start()
            with pytest.raises(TransportError, match=match):
                await peers.start(first, now=lambda: time.time() + ahead)
            near = await peers.start(first, now=lambda: time.time() + 2)
            assert near.skew == pytest.approx(2, abs=0.5)

    run(main())


def test_two_processes_are_not_one_peer(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            await peers.start(name="mine")
            with pytest.raises(TransportError, match="another process is the peer"):
                await peers.start(name="mine")

    run(main())


def test_a_daemon_that_cannot_start_says_why(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            with pytest.raises(TransportError, match=r"daemon did not start: .*203\.0\.113\.7"):
                await peers.start(network=Network(listen=["203.0.113.7"]))
            with pytest.raises(TransportError, match="took longer than 1e-05 s"):
                await peers.start(network=Network(startup_timeout=1e-5))

    run(main())


@pytest.mark.parametrize("address", ["", "nobody", "/ip4/127.0.0.1/tcp/1", f"/p2p/{NOBODY}"])
def test_only_addresses_of_peers_are_joined(tmp_path: Path, address: str) -> None:
    with pytest.raises(ValueError, match="is not the"):
        run(_created(tmp_path, address))
    assert contact_of(f"/ip4/127.0.0.1/tcp/1/p2p/{NOBODY}").peer == NOBODY


async def _created(folder: Path, address: str) -> None:
    await P2PTransport.create("test", identity=folder / "key", join=[address])


def test_methods_have_names(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            peer = await peers.start()
            for method in ("", ".ping", "x" * 256):
                with pytest.raises(ValueError, match="a method has 1 to 255 bytes"):
                    peer.serve(method, echo)

    run(main())


def test_addresses_of_others_are_not_believed(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            one, other = await peers.several(2)
            wrong = [
                Contact(NOBODY, other.me.addresses),
                Contact("nobody", other.me.addresses),
                Contact(NOBODY, ("nonsense", "/ip4/999.0.0.1/tcp/1")),
                Contact(NOBODY, (other.me.addresses[0].partition("/p2p/")[0],)),
                one.me,
            ]
            assert await one.meet(wrong) == []
            assert await one.meet([*wrong, other.me]) == [other.me.peer]

    run(main())


@pytest.mark.attack(8)
def test_who_asks_too_often_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            limits = Limits(requests=1, requests_at_once=20)
            server, caller = await peers.several(2, limits=limits)
            other = await peers.start(server)
            server.serve("echo", echo)
            answers = [await _answers(caller, server) for _ in range(40)]
            assert answers[0]
            assert not answers[-1]
            assert "too much was asked" in await refused(caller.ask(server.me.peer, "echo", b""))
            assert await _answers(other, server), "others are not hindered"

    run(main())


def test_who_asks_for_too_much_at_once_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            server, caller = await peers.several(2, limits=Limits(beside=3))
            busy = await peers.start(server, limits=Limits(in_flight=5 * FRAME))
            for peer in (server, busy):
                peer.serve("endless", endless(10, asyncio.Event()))
            waiting = [caller.ask(server.me.peer, "endless", b"") for _ in range(3)]
            assert [await anext(frames) for frames in waiting] == [bytes(10)] * 3
            text = await refused(caller.ask(server.me.peer, "endless", b""))
            assert "3 requests are under way" in text
            two = [caller.ask(busy.me.peer, "endless", b"") for _ in range(2)]
            assert [await anext(frames) for frames in two] == [bytes(10)] * 2
            assert "is busy" in await refused(caller.ask(busy.me.peer, "endless", bytes(1 << 20)))
            for frames in (*waiting, *two):
                await frames.aclose()
            await until(lambda: _answers(caller, server, "endless", first=True))

    run(main())


def test_a_fast_reader_is_slowed_to_the_rate(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            limits = Limits(rate=4 << 20, burst=1 << 20)
            server, caller = await peers.several(2, limits=limits)
            server.serve("frames", always(*[bytes(FRAME)] * 12))
            began = time.monotonic()
            assert len(await whole(caller.ask(server.me.peer, "frames", b""))) == 12
            assert time.monotonic() - began > 0.4

    run(main())


@pytest.mark.attack(18)
def test_who_reads_nothing_or_says_nothing_is_left(tmp_path: Path) -> None:
    async def main() -> None:
        async with Peers(tmp_path) as peers:
            ended = asyncio.Event()
            server = await peers.start(limits=Limits(asking=0.3, sending=0.3))
            server.serve("endless", endless(FRAME, ended))
            slow = await peers.raw()
            await slow.connect(server.me.peer, server.me.addresses, deadline=5)
            for said, last in ((b"", b"R"), (b"\x07\0\0\0\x09endless", b"R"), (ASKED, b"F")):
                reader, writer = await slow.open(server.me.peer, PROTOCOL, deadline=5)
                writer.write(said)
                if last == b"F":
                    await asyncio.wait_for(ended.wait(), 10)
                else:
                    await asyncio.wait_for(reader.read(), 5)
                writer.close()

    run(main())


@pytest.mark.attack(18)
def test_a_handler_that_is_too_slow_is_ended(tmp_path: Path) -> None:
    async def main() -> None:
        async def handler(caller: str, request: bytes) -> AsyncIterator[bytes]:
            await asyncio.sleep(1000)
            yield b""

        async with Peers(tmp_path) as peers:
            server, caller = await peers.several(2, limits=Limits(handling=0.2))
            server.serve("slow", handler)
            assert "takes too long" in await refused(caller.ask(server.me.peer, "slow", b""))

    run(main())


PROTOCOL = "/praxis-evolve/1/test"
ASKED = b"\x07\0\0\0\0endless"
EMPTY_END = bytes.fromhex(
    "45000000280000000000000000e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)


NONE = {
    b"": "connection was cut",
    b"F\0\0\0\x09abc": "connection was cut",
    b"F\0\0\0\x01a": "connection was cut",
    b"F\0\0\0\x01a" + EMPTY_END: "is not what was sent",
    b"E\0\0\0\0": "is not what was sent",
    b"E\0\0\x01\0" + bytes(256): "256 bytes was sent",
    b"F\xff\xff\xff\xff": "4294967295 bytes was sent",
    b"R\0\0\xff\xff": "65535 bytes was sent",
    b"\0\0\0\0\0": "0 bytes was sent",
    b"R\0\0\0\x03no\xff": "refused: no",
}


@pytest.mark.attack(18)
def test_answers_that_are_none(tmp_path: Path) -> None:
    async def main() -> None:
        said = b""

        async def answer(
            peer: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await reader.readexactly(10)
            writer.write(said)
            writer.close()
            await writer.wait_closed()

        async with Peers(tmp_path) as peers:
            evil, caller = await peers.raw(answer), await peers.start()
            await caller.meet([Contact(evil.peer, evil.addresses)])
            for wrong, match in NONE.items():
                said = wrong
                assert match in await refused(caller.ask(evil.peer, "query", b"", deadline=5))
            said = EMPTY_END
            assert await whole(caller.ask(evil.peer, "query", b"")) == []

    run(main())


def test_a_killed_process_leaves_no_daemon(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys, pathlib\n"
        "from praxis_evolve.market.swarm.p2p import P2PTransport\n"
        "async def main():\n"
        "    peer = await P2PTransport.create('s', identity=pathlib.Path(sys.argv[1]))\n"
        "    print(peer.pid, flush=True)\n"
        "    await asyncio.sleep(1000)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "key")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        daemon = psutil.Process(int(process.stdout.readline()))
        process.kill()
    daemon.wait(10)
    folders = f"praxis-p2p-{process.pid}-*"

    async def main() -> None:
        async with Peers(tmp_path) as peers:
            await peers.start(name="key")
            assert not list(Path(tempfile.gettempdir()).glob(folders)), "the next one sweeps"

    run(main())


def test_contacts_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "peers.json"
    assert load_contacts(file) == ()
    contacts = [Contact(f"peer-{n}", (f"/ip4/10.0.0.1/tcp/{n}",)) for n in range(MOST + 5)]
    save_contacts(file, contacts)
    assert load_contacts(file) == tuple(contacts[:MOST])
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["peers.json"]


@pytest.mark.parametrize(
    "text", ["", "{", "7", "[7]", '[{"peer":7,"addresses":[]}]', '[{"peer":"x"}]', "[[]]"]
)
def test_a_broken_file_of_contacts_is_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "peers.json"
    file.write_text(text)
    assert load_contacts(file) == ()


def test_a_key_of_another_kind_is_named(tmp_path: Path) -> None:
    PeerKey.load_or_create(tmp_path / "key")
    (tmp_path / "key").write_bytes(b"\x08\x00\x12\x01a")
    with pytest.raises(TransportError, match="move it away"):
        run(_created(tmp_path, f"/ip4/127.0.0.1/tcp/1/p2p/{NOBODY}"))


async def _answers(
    caller: P2PTransport, server: P2PTransport, method: str = "echo", first: bool = False
) -> bool:
    frames = caller.ask(server.me.peer, method, b"hello", deadline=2)
    try:
        if first:
            await anext(frames)
            await frames.aclose()
            return True
        return await whole(frames) == [b"hello"]
    except TransportError:
        return False
