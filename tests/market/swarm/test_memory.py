"""The network in memory: it keeps the contract, its faults are faults, and its runs repeat."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from praxis_evolve.market.swarm import virtual
from praxis_evolve.market.swarm.contract import TransportContract
from praxis_evolve.market.swarm.memory import MemoryTransport, Network
from praxis_evolve.market.swarm.transport import LIFE, Contact, Transport, TransportError
from praxis_evolve.market.swarm.wire import FORGOTTEN, WINDOW

NAMES: tuple[str, ...] = ("ada", "bob", "cleo", "dan", "eve")


class TestInVirtualTime(TransportContract):
    def run(self, main: Coroutine[Any, Any, None]) -> None:
        virtual.run(main, seed=1)

    async def connected(self, count: int) -> Sequence[Transport]:
        network = Network(2)
        return [network.join(name) for name in NAMES[:count]]


class TestInRealTime(TransportContract):
    deadline = 0.1

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        asyncio.run(main)

    async def connected(self, count: int) -> Sequence[Transport]:
        network = Network(2, delay=(0.0, 0.001))
        return [network.join(name) for name in NAMES[:count]]


async def echo(caller: str, request: bytes) -> AsyncIterator[bytes]:
    yield request


async def counting(caller: str, request: bytes) -> AsyncIterator[bytes]:
    """As many frames as the request has bytes, one each second."""
    for number in range(len(request)):
        yield b"%d" % number
        await asyncio.sleep(1)


def joined(network: Network, *names: str) -> list[MemoryTransport]:
    peers = [network.join(name) for name in names]
    for peer in peers:
        peer.serve("echo", echo)
        peer.serve("count", counting)
    return peers


async def whole(frames: AsyncIterator[bytes]) -> list[bytes]:
    return [frame async for frame in frames]


async def outcome(frames: AsyncIterator[bytes]) -> tuple[list[bytes], str]:
    """What came, and the text of the error or nothing."""
    got: list[bytes] = []
    try:
        async for frame in frames:
            got.append(frame)
    except TransportError as error:
        return got, str(error)
    return got, ""


async def reaches(one: MemoryTransport, other: str) -> bool:
    return await outcome(one.ask(other, "echo", b"?", deadline=5)) == ([b"?"], "")


def time() -> float:
    return asyncio.get_running_loop().time()


# what travels


@pytest.mark.parametrize("seed", range(5))
def test_requests_and_frames_take_as_long_as_the_network_says(seed: int):
    async def main() -> float:
        one, _ = joined(Network(seed, delay=(2.0, 3.0)), "ada", "bob")
        await whole(one.ask("bob", "echo", b""))
        return time()

    assert 4 <= virtual.run(main()) <= 6


@given(seed=st.integers(0, 2**32), tie=st.integers(0, 9), low=st.floats(0, 1))
def test_frames_keep_their_order_whatever_their_delays(seed: int, tie: int, low: float):
    async def main() -> None:
        one, other = joined(Network(seed, delay=(low, 1.0)), "ada", "bob")
        other.serve("many", many)
        assert await whole(one.ask("bob", "many", b"")) == words

    async def many(caller: str, request: bytes) -> AsyncIterator[bytes]:
        for word in words:
            yield word

    words = [b"%d" % number for number in range(50)]
    virtual.run(main(), seed=tie)


def test_a_server_does_not_run_far_ahead_of_the_reader():
    async def main() -> int:
        made = 0

        async def endless(caller: str, request: bytes) -> AsyncIterator[bytes]:
            nonlocal made
            while True:
                made += 1
                yield b""

        one, other = joined(Network(0), "ada", "bob")
        other.serve("endless", endless)
        frames = one.ask("bob", "endless", b"")
        for _ in range(100):
            await anext(frames)
        await asyncio.sleep(100)
        await frames.aclose()
        return made

    assert 100 <= virtual.run(main()) <= 100 + WINDOW + 1


def test_a_request_is_not_sent_before_its_answer_is_read():
    async def main() -> int:
        network = Network(0)
        one, _ = joined(network, "ada", "bob")
        before, frames = network.events, one.ask("bob", "echo", b"")
        await asyncio.sleep(1)
        assert network.events == before
        return len(await whole(frames))

    assert virtual.run(main()) == 1


def test_nobody_asks_itself():
    async def main() -> str:
        one, _ = joined(Network(0), "ada", "bob")
        return (await outcome(one.ask("ada", "echo", b"")))[1]

    assert virtual.run(main()) == "ada cannot ask itself"


@pytest.mark.parametrize("seed", range(20))
def test_what_is_lost_ends_in_an_error_at_the_deadline(seed: int):
    async def main() -> None:
        one, _ = joined(Network(seed, loss=0.2), "ada", "bob")
        whole_ones = 0
        for _ in range(30):
            began = time()
            got, text = await outcome(one.ask("bob", "count", b"...", deadline=7.0))
            assert got == [b"0", b"1", b"2"][: len(got)]
            if text:
                assert text == "bob did not answer 'count' within 7 seconds"
                assert 6.999 < time() - began < 7 + 3 * 1.1
            else:
                assert len(got) == 3
                whole_ones += 1
        assert 0 < whole_ones < 30

    virtual.run(main())


def test_all_is_lost_if_everything_is():
    async def main() -> bool:
        one, _ = joined(Network(0, loss=1.0), "ada", "bob")
        return await reaches(one, "bob")

    assert virtual.run(main()) is False


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"delay": (0.2, 0.1)}, r"least to the most seconds, not \(0.2, 0.1\)"),
        ({"delay": (-1.0, 0.1)}, "delay"),
        ({"loss": 1.5}, "loss is a chance from 0 to 1, not 1.5"),
        ({"unheard": -0.1}, "unheard is a chance"),
    ],
)
def test_impossible_networks_are_refused(settings: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        Network(0, **settings)


def test_names_that_are_not_here_are_refused():
    async def main() -> None:
        network = Network(0)
        for act in (network.kill, network.freeze, network.thaw):
            with pytest.raises(ValueError, match="no peer called 'ada' is on this network"):
                act("ada")
        network.join("ada")
        with pytest.raises(ValueError, match="'ada' is on this network"):
            network.join("ada")
        with pytest.raises(ValueError, match="'ada' cannot be on two sides"):
            network.part([["ada"], ["bob", "ada"]])
        assert network.peers == ("ada",)

    virtual.run(main())


# kills


def killed_while_streaming(seed: int) -> tuple[list[bytes], str, float]:
    async def main() -> tuple[list[bytes], str, float]:
        network = Network(seed)
        one, other = joined(network, "ada", "bob")
        ended = asyncio.Event()

        async def slow(caller: str, request: bytes) -> AsyncIterator[bytes]:
            try:
                async for frame in counting(caller, request):
                    yield frame
            finally:
                ended.set()

        other.serve("slow", slow)
        asyncio.get_running_loop().call_later(2.5, network.kill, "bob")
        got, text = await outcome(one.ask("bob", "slow", b"....."))
        assert ended.is_set()
        return got, text, time()

    return virtual.run(main())


def test_a_kill_during_a_stream_is_an_error_at_once_or_at_the_deadline():
    told = silent = 0
    for seed in range(20):
        got, text, end = killed_while_streaming(seed)
        assert got == [b"0", b"1", b"2"]
        if text == "bob left and cut 'slow'":
            told += 1
            assert 2.5 < end < 2.6
        else:
            silent += 1
            assert text == "bob did not answer 'slow' within 10 seconds"
            assert 12 <= end < 12.2
    assert told >= 3
    assert silent >= 3


@pytest.mark.parametrize("seed", range(8))
def test_the_dead_send_nothing_though_their_handlers_go_on(seed: int):
    async def main() -> None:
        network, survived = Network(seed), list[bool]()
        one, other = joined(network, "ada", "bob")

        async def stubborn(caller: str, request: bytes) -> AsyncIterator[bytes]:
            yield b"alive"
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(1000)
            yield b"undead"
            survived.append(True)

        other.serve("stubborn", stubborn)
        asyncio.get_running_loop().call_later(1, network.kill, "bob")
        got, text = await outcome(one.ask("bob", "stubborn", b""))
        assert (got, survived) == ([b"alive"], [True])
        assert text

    virtual.run(main())


def test_who_asks_the_dead_is_told_or_not():
    async def main() -> list[str]:
        network = Network(5)
        one, _ = joined(network, "ada", "bob")
        network.kill("bob")
        return [(await outcome(one.ask("bob", "echo", b"")))[1] for _ in range(40)]

    texts = virtual.run(main())
    assert texts.count("no peer called bob is there") >= 8
    assert texts.count("bob did not answer 'echo' within 10 seconds") >= 8
    assert "" not in texts


def test_the_dead_do_nothing_more():
    async def main() -> None:
        network = Network(0)
        one, other = joined(network, "ada", "bob")
        waiting = asyncio.create_task(outcome(other.ask("ada", "count", b"......")))
        await asyncio.sleep(1.5)
        await one.announce(b"hello")
        network.kill("bob")
        assert (await waiting)[1] == "bob has left the network"
        assert not await reaches(other, "ada")
        with pytest.raises(TransportError):
            await other.announce(b"I live")
        assert await other.announced() == {}
        assert await other.meet([one.me]) == []
        await other.close()
        assert network.peers == ("ada",)

    virtual.run(main())


def test_the_dead_come_again_as_others():
    async def main() -> None:
        network = Network(0)
        one, old = joined(network, "ada", "bob")
        network.kill("bob")
        assert await one.meet([old.me]) == []
        (new,) = joined(network, "bob")
        assert await one.meet([old.me]) == ["bob"]
        assert await reaches(one, "bob")
        assert await reaches(new, "ada")
        assert not await reaches(old, "ada")
        await new.close()
        assert [await outcome(one.ask("bob", "echo", b"")) for _ in range(9)] == [
            ([], "no peer called bob is there")
        ] * 9

    virtual.run(main())


def test_an_answer_that_began_before_a_kill_does_not_go_on_after_it():
    async def main() -> None:
        network = Network(0)
        one, _ = joined(network, "ada", "bob")
        frames = one.ask("bob", "count", b"...")
        await anext(frames)
        network.kill("bob")
        joined(network, "bob")
        assert (await outcome(frames))[1]

    virtual.run(main())


def test_a_handler_learns_that_its_caller_was_killed():
    async def main() -> float:
        network = Network(0)
        one, other = joined(network, "ada", "bob")
        ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()

        async def slow(caller: str, request: bytes) -> AsyncIterator[bytes]:
            try:
                yield b""
                await asyncio.sleep(1000)
            finally:
                ended.set_result(time())

        one.serve("slow", slow)
        asking = asyncio.create_task(outcome(other.ask("ada", "slow", b"")))
        await asyncio.sleep(1)
        network.kill("bob")
        await asking
        return await ended

    assert 1 < virtual.run(main()) < 1.1


def test_who_leaves_waits_for_its_handlers_and_cuts_what_goes_on_alone():
    async def main() -> None:
        network, ended = Network(0), list[float]()
        one, other = joined(network, "ada", "bob")

        async def careful(caller: str, request: bytes) -> AsyncIterator[bytes]:
            try:
                yield b""
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(1)
                ended.append(time())

        other.serve("careful", careful)
        assert await reaches(one, "bob")
        await anext(one.ask("bob", "careful", b""))
        before, began = network.events, time()
        await other.close()
        assert ended == [time()] == [pytest.approx(began + 1)]
        await asyncio.sleep(10)
        assert network.events - before <= 2  # it leaves, and one stream fails if it is still read

    virtual.run(main())


def test_a_peer_may_leave_in_its_own_handler():
    async def main() -> None:
        network = Network(0)
        one, other = joined(network, "ada", "bob")

        async def leave(caller: str, request: bytes) -> AsyncIterator[bytes]:
            await other.close()
            yield b"bye"

        other.serve("leave", leave)
        assert await outcome(one.ask("bob", "leave", b"")) == ([], "bob left and cut 'leave'")
        assert network.peers == ("ada",)

    virtual.run(main())


# frozen peers


def test_a_frozen_peer_answers_when_it_thaws():
    async def main() -> None:
        network = Network(0)
        one, other = joined(network, "ada", "bob")
        network.freeze("bob")
        got = await outcome(one.ask("bob", "echo", b"", deadline=3))
        assert got == ([], "bob did not answer 'echo' within 3 seconds")
        assert time() == 3
        assert await one.meet([other.me]) == []
        asyncio.get_running_loop().call_later(4, network.thaw, "bob")
        assert await reaches(one, "bob")
        assert 12 < time() < 12.2

    virtual.run(main())


def test_a_frozen_peer_is_not_heard_and_its_deadlines_fire():
    async def main() -> None:
        network = Network(0)
        one, other = joined(network, "ada", "bob")
        network.freeze("bob")
        assert not await reaches(other, "ada")
        with pytest.raises(TransportError):
            await other.announce(b"brr")
        with pytest.raises(TransportError):
            await one.announce(b"hello?")
        network.thaw("bob")
        await one.announce(b"hello?")
        assert await other.announced() == {"ada": b"hello?"}

    virtual.run(main())


def test_frames_to_and_from_the_frozen_keep_their_order():
    async def main() -> None:
        network = Network(0)
        one, _ = joined(network, "ada", "bob")
        for name in ("ada", "bob"):
            frames = one.ask("bob", "count", b"." * 9, deadline=60)
            assert await anext(frames) == b"0"
            network.freeze(name)
            await asyncio.sleep(30)
            network.thaw(name)
            assert await whole(frames) == [b"%d" % number for number in range(1, 9)]

    virtual.run(main())


def test_a_thawed_peer_does_what_it_was_asked_before_it_learns_that_nobody_waits():
    async def main() -> None:
        network, begun = Network(0), list[bytes]()
        one, other = joined(network, "ada", "bob")
        ended = asyncio.Event()

        async def keep(caller: str, request: bytes) -> AsyncIterator[bytes]:
            begun.append(request)
            try:
                await asyncio.sleep(1000)
                yield b""
            finally:
                ended.set()

        other.serve("keep", keep)
        network.freeze("bob")
        assert (await outcome(one.ask("bob", "keep", b"this", deadline=1)))[1]
        await asyncio.sleep(100)
        assert begun == []
        network.thaw("bob")
        async with asyncio.timeout(1):
            await ended.wait()
        assert begun == [b"this"]

    virtual.run(main())


@pytest.mark.parametrize("frozen", ["ada", "bob"])
def test_streams_from_and_to_the_frozen_stand_still(frozen: str):
    async def main() -> None:
        network = Network(0)
        one, other = joined(network, "ada", "bob")
        ended = asyncio.Event()

        async def slow(caller: str, request: bytes) -> AsyncIterator[bytes]:
            try:
                async for frame in counting(caller, bytes(1000)):
                    yield frame
            finally:
                ended.set()

        other.serve("slow", slow)
        frames = one.ask("bob", "slow", b"", deadline=3)
        assert await anext(frames) == b"0"
        await asyncio.sleep(0.5)
        network.freeze(frozen)
        network.freeze(frozen)  # it holds what it held
        assert await outcome(frames) == ([], "bob did not answer 'slow' within 3 seconds")
        await asyncio.sleep(1)
        assert ended.is_set() == (frozen == "ada")  # the other cannot see that nobody waits
        network.thaw(frozen)
        await asyncio.sleep(1)
        assert ended.is_set()

    virtual.run(main())


def test_what_the_frozen_ask_is_not_asked_before_they_thaw():
    async def main() -> None:
        network, begun = Network(0), list[bytes]()
        one, other = joined(network, "ada", "bob")

        async def note(caller: str, request: bytes) -> AsyncIterator[bytes]:
            begun.append(request)
            yield b""

        other.serve("note", note)
        network.freeze("ada")
        asking = asyncio.create_task(outcome(one.ask("bob", "note", b"this")))
        await asyncio.sleep(1)
        network.freeze("ada")
        assert begun == []
        network.thaw("ada")
        assert await asking == ([b""], "")
        assert begun == [b"this"]

    virtual.run(main())


def test_the_frozen_may_be_killed():
    async def main() -> None:
        network = Network(0)
        one, _ = joined(network, "ada", "bob")
        network.freeze("bob")
        asking = asyncio.create_task(outcome(one.ask("bob", "echo", b"")))
        await asyncio.sleep(1)
        network.kill("bob")
        assert (await asking)[1] == "bob did not answer 'echo' within 10 seconds"
        joined(network, "bob")
        assert await reaches(one, "bob")

    virtual.run(main())


# partitions


@given(sides=st.lists(st.integers(0, 2), min_size=5, max_size=5), seed=st.integers(0, 99))
@settings(max_examples=25)
def test_partitions_separate_and_heal(sides: list[int], seed: int):
    async def main() -> None:
        network = Network(seed)
        peers, callers = joined(network, *NAMES), list[str]()

        async def noting(caller: str, request: bytes) -> AsyncIterator[bytes]:
            callers.append(caller)
            yield request

        for peer in peers:
            peer.serve("echo", noting)
        groups = [
            [name for name, side in zip(NAMES, sides, strict=True) if side == s] for s in (0, 1)
        ]
        network.part(groups)  # those of side 2 are named in none
        for one, side in zip(peers, sides, strict=True):
            for other, far in zip(NAMES, sides, strict=True):
                if one.me.peer != other:
                    assert await reaches(one, other) == (side == far)
                    assert callers == [one.me.peer] * (side == far)
                    callers.clear()
        network.heal()
        for one in peers:
            others = [Contact(name) for name in NAMES if name != one.me.peer]
            assert await one.meet(others) == [contact.peer for contact in others]

    virtual.run(main())


def test_a_stream_across_a_partition_ends_in_an_error_though_it_heals():
    async def main() -> None:
        network = Network(0)
        one, other = joined(network, "ada", "bob")
        ended = asyncio.Event()

        async def slow(caller: str, request: bytes) -> AsyncIterator[bytes]:
            try:
                async for frame in counting(caller, bytes(1000)):
                    yield frame
            finally:
                ended.set()

        other.serve("slow", slow)
        frames = one.ask("bob", "slow", b"")
        assert await anext(frames) == b"0"
        network.part([["ada"], ["bob"]])
        await asyncio.sleep(1.5)
        network.heal()
        assert await outcome(frames) == ([], "bob did not answer 'slow' within 10 seconds")
        async with asyncio.timeout(1):
            await ended.wait()

    virtual.run(main())


def test_who_answers_across_a_partition_gives_up_in_the_end():
    async def main() -> float:
        network = Network(0)
        one, other = joined(network, "ada", "bob")
        ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()

        async def endless(caller: str, request: bytes) -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b""
            finally:
                ended.set_result(time())

        other.serve("endless", endless)
        frames = one.ask("bob", "endless", b"")
        await anext(frames)
        network.part([["ada"]])
        assert (await outcome(frames))[1]
        began = time()
        return await ended - began

    assert virtual.run(main()) == pytest.approx(FORGOTTEN)


# announcements


def test_announcements_expire_and_may_be_renewed():
    async def main() -> None:
        one, other = joined(Network(0, delay=(0.0, 0.0)), "ada", "bob")
        await one.announce(b"first")
        await asyncio.sleep(LIFE - 1)
        assert await other.announced() == {"ada": b"first"}
        await asyncio.sleep(1)
        assert await other.announced() == {}
        await one.announce(b"second")
        assert await other.announced() == {"ada": b"second"}
        assert await one.announced() == {}

    virtual.run(main())


def test_announcements_are_heard_after_a_delay_also_by_those_that_come_later():
    async def main() -> None:
        network = Network(0, delay=(1.0, 1.0))
        one, other = joined(network, "ada", "bob")
        saying = asyncio.create_task(one.announce(b"hello"))
        await asyncio.sleep(0.5)
        reading = asyncio.create_task(other.announced())
        assert time() == 0.5
        await saying
        assert time() == 1.0
        assert await reading == {"ada": b"hello"}
        network.kill("ada")
        (late,) = joined(network, "cleo")
        assert await late.announced() == {"ada": b"hello"}

    virtual.run(main())


def test_announcements_do_not_cross_a_partition_but_stay_where_they_were_heard():
    async def main() -> None:
        network = Network(0)
        one, other, third = joined(network, "ada", "bob", "cleo")
        await one.announce(b"before")
        network.part([["ada", "bob"], ["cleo"]])
        assert await third.announced() == {"ada": b"before"}
        await one.announce(b"during")
        assert await other.announced() == {"ada": b"during"}
        assert await third.announced() == {}
        with pytest.raises(TransportError, match="nobody heard what cleo announced"):
            await third.announce(b"alone")
        network.heal()
        assert await third.announced() == {"ada": b"during"}

    virtual.run(main())


def test_some_announcements_are_never_heard_by_some():
    async def main() -> int:
        network = Network(0, unheard=0.5)
        first, *others = joined(network, *map(str, range(200)))
        await first.announce(b"hello")
        return sum([bool(await other.announced()) for other in others])

    assert 60 < virtual.run(main()) < 140


# whole runs


async def act(network: Network, peers: dict[str, MemoryTransport], rng: Random) -> None:
    """Do something at random, as a peer or as fate."""
    name, other = rng.sample(NAMES, 2)
    match rng.choice(("ask", "ask", "ask", "say", "hear", "meet", "fate")):
        case "ask":
            await outcome(peers[name].ask(other, "count", bytes(rng.randrange(5)), deadline=2))
        case "say":
            with suppress(TransportError):
                await peers[name].announce(name.encode())
        case "hear":
            await peers[name].announced()
        case "meet":
            await peers[name].meet([Contact(other)])
        case _ if name not in network.peers:
            (peers[name],) = joined(network, name)
        case _:
            fate(network, name, other, rng)


def fate(network: Network, name: str, other: str, rng: Random) -> None:
    match rng.randrange(5):
        case 0:
            network.kill(name)
        case 1:
            network.freeze(name)
        case 2:
            network.thaw(name)
        case 3:
            network.part([[name, other]])
        case _:
            network.heal()


def history(seed: int, *, tie: int = 0) -> tuple[str, list[str]]:
    """The trace of two hundred random acts, twenty at a time, and its lines."""
    lines: list[str] = []

    async def live(network: Network, peers: dict[str, MemoryTransport], rng: Random) -> None:
        for _ in range(10):
            await asyncio.sleep(rng.random())
            await act(network, peers, rng)

    async def main() -> str:
        network, rng = Network(seed, loss=0.02, unheard=0.1, watch=lines.append), Random(seed)
        peers = dict(zip(NAMES, joined(network, *NAMES), strict=True))
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(live(network, peers, Random(rng.random())))
        assert network.events == len(lines)
        return network.trace

    return virtual.run(main(), seed=tie), lines


@given(st.integers(0, 2**64))
@settings(max_examples=25)
def test_a_run_of_the_same_seed_repeats_and_of_another_does_not(seed: int):
    trace, lines = history(seed)
    assert (trace, lines) == history(seed)
    assert trace != history(seed + 1)[0]
    assert len(lines) > 100


def test_a_run_repeats_in_other_processes():
    """Neither the hashes of text nor the addresses of objects have a say."""
    code = "import runpy, sys; junk = [bytes(n) for n in range(int(sys.argv[2]))]; "
    code += "print(runpy.run_path(sys.argv[1])['history'](11)[0])"
    traces = [
        subprocess.run(
            [sys.executable, "-c", code, __file__, str(number)],
            env={**os.environ, "PYTHONHASHSEED": str(number)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        for number in (1, 2000)
    ]
    assert traces == [history(11)[0]] * 2


def test_the_trace_hangs_on_each_byte():
    async def main(request: bytes) -> str:
        network = Network(0)
        one, _ = joined(network, "ada", "bob")
        await whole(one.ask("bob", "echo", request))
        return network.trace

    assert virtual.run(main(b"ab")) == virtual.run(main(b"ab")) != virtual.run(main(b"ac"))


def test_a_thousand_peers_gossip_for_a_minute():
    """Each asks two others every ten seconds; what counts is that the work grows with the asks."""

    async def gossip(peer: MemoryTransport, rng: Random) -> int:
        asked = 0
        await asyncio.sleep(10 * rng.random())
        while time() < 60:
            for name in rng.sample(range(1000), 2):
                if str(name) != peer.me.peer:
                    assert await reaches(peer, str(name))
                    asked += 1
            await asyncio.sleep(9 + 2 * rng.random())
        return asked

    async def main() -> tuple[int, int, int]:
        network = Network(0)
        peers = joined(network, *map(str, range(1000)))
        asked = await asyncio.gather(*(gossip(peer, Random(n)) for n, peer in enumerate(peers)))
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual.VirtualLoop)
        return sum(asked), network.events, loop.steps

    asked, events, steps = virtual.run(main())
    assert 10_000 < asked < 13_000
    assert events == 1000 + 4 * asked  # all join; each ask is sent, begins, brings and is whole
    assert steps < 16 * asked
