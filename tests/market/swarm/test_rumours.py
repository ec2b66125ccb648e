"""Commitments that are passed on: all hear them in time, and nobody is flooded or fooled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.benchmarks.identities import identity_of
from praxis_evolve.market import canonical
from praxis_evolve.market.errors import RecordError
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.swarm import rumours, virtual
from praxis_evolve.market.swarm.commitments import (
    MOST_BOUND,
    Commitment,
    genuine,
    signed,
    spreading,
)
from praxis_evolve.market.swarm.flights import MOST_PEERS, Flights, commitment_from
from praxis_evolve.market.swarm.gossip import PERIOD
from praxis_evolve.market.swarm.memory import Network
from praxis_evolve.market.swarm.rumours import METHOD, MOST_TOLD, Rumours, name_of
from praxis_evolve.market.swarm.transport import Transport, TransportError
from praxis_evolve.search.base import Key

RUN = "ab" * 32
SPREADS = 60.0


def bound(number: int, record: int = 1) -> Commitment:
    return Commitment(Key(f"{number:064x}", 100, 0), f"{record:064x}")


def simulated(main: Callable[[Network], Coroutine[Any, Any, None]], **settings: Any) -> None:
    async def run() -> None:
        await main(Network(1, **settings))

    virtual.run(run(), seed=1)


class Peer:
    """A peer that passes commitments on, and notes what it hears and when."""

    def __init__(
        self, transport: Transport, number: int, *, others: Sequence[str] = (),
        spreads: float = SPREADS, fits: Callable[[str, str], bool] = lambda author, record: True,
    ) -> None:  # fmt: skip
        self.identity, rng = identity_of(number), Random(number)
        self.heard: dict[tuple[str, Commitment], float] = {}
        self.bound: tuple[Commitment, ...] = ()
        self.rumours = Rumours(
            transport, RUN, self.identity.author, fits=fits, hear=self._hear, rng=rng,
            peers=lambda most: rng.sample(others, min(most, len(others))),
            spreads=lambda: spreads,
        )  # fmt: skip
        self.flights = Flights(
            transport, RUN, self.identity, bound=lambda: self.bound, hear=self.rumours.tell,
            peers=lambda most: rng.sample(others, min(most, len(others))),
            now=asyncio.get_running_loop().time,
        )  # fmt: skip

    def _hear(self, author: str, several: Sequence[Commitment]) -> None:
        for each in several:
            told = each._replace(signature="")
            self.heard.setdefault((author, told), asyncio.get_running_loop().time())


def shares(
    peers: int, *, authors: int, passed: bool, told: int = MOST_PEERS, every: float = 0.0
) -> tuple[float, float]:
    """Return of how many (peer, commitment) the peer heard in time: before the record comes.

    So many authors are bound to something, one *every* so many seconds; the other figure is of the
    bytes that each peer sent in a second.
    """
    sent, hold = 0, spreading(peers) + PERIOD

    def count(event: str) -> None:
        nonlocal sent
        _, _, what, *rest = event.split(" ")
        sent += int(rest[-1]) if what in ("asks", "brings") else 0

    async def main(network: Network) -> float:
        names = [f"p{n}" for n in range(peers)]
        several = [
            Peer(
                network.join(name), number, spreads=spreading(peers),
                others=[other for other in names if other != name],
            )
            for number, name in enumerate(names)
        ]  # fmt: skip
        loop = asyncio.get_running_loop()
        running = [loop.create_task(each.flights.run()) for each in several]
        running += [loop.create_task(each.rumours.run()) for each in several if passed]
        await asyncio.sleep(15.0)

        async def heard(number: int) -> float:
            author = several[number]
            await asyncio.sleep(number * every)
            author.bound = (bound(number),)
            await asyncio.sleep(hold)
            author.bound = ()
            what = author.identity.author, bound(number)
            return sum(what in peer.heard for peer in several) / (peers - 1)

        found = await asyncio.gather(*(loop.create_task(heard(n)) for n in range(authors)))
        return sum(found) / authors

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("praxis_evolve.market.swarm.flights.MOST_PEERS", told)
        share = virtual.run(main(Network(1, loss=0.01, watch=count)), seed=1)
    return share, sent / peers / (15.0 + (authors - 1) * every + hold)


def test_in_a_large_swarm_all_hear_a_commitment_before_its_record_comes() -> None:
    """Each tells two of 100 at a time."""
    alone, _ = shares(100, authors=8, passed=False, told=2)
    passed, _ = shares(100, authors=8, passed=True, told=2)
    assert alone < 0.4
    assert passed >= 0.99


def test_in_a_small_swarm_nobody_asks_since_all_are_told() -> None:
    async def main(network: Network) -> None:
        names = [f"p{n}" for n in range(MOST_PEERS + 1)]
        peer = Peer(network.join("p0"), 0, others=names[1:])
        task = asyncio.create_task(peer.rumours.run())
        before = network.events
        await asyncio.sleep(10 * PERIOD)
        assert network.events == before
        task.cancel()
        larger = Peer(network.join("q"), 1, others=names)
        before, task = network.events, asyncio.create_task(larger.rumours.run())
        await asyncio.sleep(10 * PERIOD)
        assert network.events > before
        task.cancel()

    simulated(main)


def test_what_one_is_told_others_get_once_and_never_what_they_have() -> None:
    async def main(network: Network) -> None:
        author = identity_of(7)
        one, other = (Peer(network.join(f"p{n}"), n) for n in range(2))
        several = [bound(n) for n in range(MOST_BOUND)]
        one.rumours.tell(author.author, [signed(RUN, author, each) for each in several])
        await other.rumours.ask("p0")
        assert set(other.heard) == {(author.author, each) for each in several}
        asked = request(has=[name_of(author.author, each) for each in several[1:]])
        assert await told_by(network, asked) == [(author.author, several[0])]

    simulated(main)


def request(*, run: str = RUN, **fields: object) -> bytes:
    return canonical.encode({"run": run, "has": list[str](), **fields})


async def told_by(network: Network, asked: bytes) -> list[tuple[str, Commitment]]:
    """Return what the peer p0 answers."""
    asker = network.join("asker")
    try:
        (frame,) = [frame async for frame in asker.ask("p0", METHOD, asked)]
    finally:
        await asker.close()
    found: Any = canonical.decode(frame, limit=1 << 20)
    return [(name, commitment_from(one)._replace(signature="")) for name, one in found["bound"]]


def told(*several: tuple[Identity, Commitment]) -> list[object]:
    return [[author.author, list(each)] for author, each in several]


async def asks(network: Network, peer: Peer, answer: object) -> None:
    """Have the peer ask one that answers so."""
    liar = network.join("liar")

    async def say(caller: str, asked: bytes) -> AsyncIterator[bytes]:
        del caller, asked
        yield answer if isinstance(answer, bytes) else canonical.encode({"bound": answer})

    liar.serve(METHOD, say)
    await peer.rumours.ask("liar")
    await liar.close()


def test_nothing_is_heard_that_its_author_did_not_sign_for_this_run() -> None:
    async def main(network: Network) -> None:
        peer, author, liar = Peer(network.join("p0"), 0), identity_of(7), identity_of(8)
        sound = signed(RUN, author, bound(1))
        body = canonical.encode({"run": RUN, "work": list(sound.work), "record": sound.record})
        for forged in (
            signed(RUN, liar, bound(1)), signed("cd" * 32, author, bound(1)),
            sound._replace(record="cd" * 32), sound._replace(work=bound(2).work),
            sound._replace(signature=author.sign(body)),  # as any other message is signed
        ):  # fmt: skip
            assert not genuine(RUN, author.author, forged)
            await asks(network, peer, told((author, forged), (author, sound)))
            assert not peer.heard, "what follows a forged one is not looked at"
        await asks(network, peer, told((author, sound)))
        assert list(peer.heard) == [(author.author, bound(1))]

    simulated(main)


def test_what_is_forged_costs_one_look_at_a_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = list[str]()

    def count(run: str, author: str, commitment: Commitment) -> bool:
        looks.append(author)
        return genuine(run, author, commitment)

    monkeypatch.setattr(rumours, "genuine", count)

    async def main(network: Network) -> None:
        peer, author, liar = Peer(network.join("p0"), 0), identity_of(7), identity_of(8)
        forged = [(author, signed(RUN, liar, bound(n))) for n in range(MOST_TOLD)]
        await asks(network, peer, told(*forged))
        assert len(looks) == 1
        peer.rumours.tell(author.author, [each for _, each in forged[:MOST_BOUND]])
        assert len(looks) == 2
        assert await told_by(network, request()) == []
        sound = signed(RUN, author, bound(1))
        for _ in range(5):
            await asks(network, peer, told(*[(author, sound)] * MOST_TOLD))
        assert len(looks) == 3

    simulated(main)


def test_who_does_not_fit_costs_one_look_each_time_that_it_tells() -> None:
    async def main(network: Network) -> None:
        looks, known, stranger = list[str](), identity_of(7), identity_of(8)

        def fits(author: str, record: str) -> bool:
            looks.append(author)
            return author == known.author

        peer = Peer(network.join("p0"), 0, fits=fits)
        for _ in range(3):
            for author in (known, stranger):
                several = [signed(RUN, author, bound(n)) for n in range(MOST_BOUND)]
                peer.rumours.tell(author.author, several)
        assert looks.count(stranger.author) == 3
        assert looks.count(known.author) == MOST_BOUND
        assert len(peer.heard) == 2 * MOST_BOUND, "what an author says itself is heard as ever"

    simulated(main)


def test_no_more_is_heard_of_one_answer_nor_of_one_author_than_may_be() -> None:
    async def main(network: Network) -> None:
        peer = Peer(network.join("p0"), 0)
        several = [(identity_of(n), signed(RUN, identity_of(n), bound(n))) for n in range(1, 130)]
        await asks(network, peer, told(*several))
        assert len(several) == MOST_TOLD + 1
        assert not peer.heard
        author = identity_of(1000)
        for start in range(0, 90, 30):
            numbers = range(start, start + 30)
            await asks(network, peer, told(*((author, signed(RUN, author, bound(n)))
                                             for n in numbers)))  # fmt: skip
        assert list(peer.heard) == [(author.author, bound(n)) for n in range(MOST_BOUND)]

    simulated(main)


def test_where_room_is_needed_who_has_most_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rumours, "MOST_KEPT", 10)

    async def main(network: Network) -> None:
        peer, quiet, forger = Peer(network.join("p0"), 0), identity_of(6), identity_of(5)
        hog, names = identity_of(7), [identity_of(100 + n) for n in range(20)]
        await asks(network, peer, told((quiet, signed(RUN, quiet, bound(1)))))
        await asks(network, peer, told(*((hog, signed(RUN, hog, bound(n))) for n in range(20))))
        before = await told_by(network, request())
        assert sorted(before) == sorted(
            [(quiet.author, bound(1)), *((hog.author, bound(n)) for n in range(9))]
        )
        await asks(network, peer, told((quiet, signed(RUN, forger, bound(2)))))
        assert sorted(await told_by(network, request())) == sorted(before), "forgery makes no room"
        for name in names:
            await asks(network, peer, told((name, signed(RUN, name, bound(1)))))
        after = await told_by(network, request())
        assert len(after) == 10
        assert {(quiet.author, bound(1)), (hog.author, bound(8))} <= set(after)

    simulated(main)


def test_made_up_authors_and_records_that_came_are_passed_over() -> None:
    """What was heard before is told again by nobody but who told it: its record is here then."""
    author, stranger = identity_of(7), identity_of(8)

    async def main(network: Network) -> None:
        came = set[str]()
        peer = Peer(
            network.join("p0"), 0,
            fits=lambda name, record: name == author.author and record not in came,
        )  # fmt: skip
        old, fresh = (signed(RUN, author, bound(n, n)) for n in (1, 2))
        await asks(network, peer, told((stranger, signed(RUN, stranger, bound(1))), (author, old)))
        assert list(peer.heard) == [(author.author, bound(1, 1))]
        peer.heard.clear()
        came.add(old.record)
        await asyncio.sleep(3 * SPREADS)
        await asks(network, peer, told((author, old), (author, fresh)))
        assert list(peer.heard) == [(author.author, bound(2, 2))]
        own = signed(RUN, peer.identity, bound(3))
        await asks(network, peer, told((peer.identity, own)))
        assert len(peer.heard) == 1

    simulated(main)


def test_of_one_work_the_first_id_is_passed_on() -> None:
    async def main(network: Network) -> None:
        peer, author = Peer(network.join("p0"), 0), identity_of(7)
        first, second = (signed(RUN, author, bound(1, record)) for record in (1, 2))
        await asks(network, peer, told((author, first), (author, second)))
        await asks(network, peer, told((author, second)))
        assert list(peer.heard) == [(author.author, bound(1, 1))]
        assert await told_by(network, request()) == [(author.author, bound(1, 1))]

    simulated(main)


def test_a_rumour_ends_though_its_author_goes_on_telling() -> None:
    async def main(network: Network) -> None:
        peer, author = Peer(network.join("p0"), 0), identity_of(7)
        sound = signed(RUN, author, bound(1))
        for second in range(int(SPREADS + 2 * PERIOD)):
            peer.rumours.tell(author.author, [sound])
            passed = await told_by(network, request())
            assert bool(passed) == (asyncio.get_running_loop().time() <= SPREADS / 2), second
            await asyncio.sleep(second + 1 - asyncio.get_running_loop().time())
        await asyncio.sleep(PERIOD)
        assert (author.author, bound(1)) in peer.heard

    simulated(main, delay=(0.0, 0.0))


def test_an_answer_holds_no_more_than_may_be_told_and_nonsense_is_refused() -> None:
    async def main(network: Network) -> None:
        peer = Peer(network.join("p0"), 0)
        for number in range(1, 10):
            author = identity_of(number)
            several = [signed(RUN, author, bound(n)) for n in range(MOST_BOUND)]
            peer.rumours.tell(author.author, several)
        assert len(await told_by(network, request())) == MOST_TOLD
        for asked in (
            b"", b"nonsense", request(run="cd" * 32), request(has=["xyz"]), request(more=1),
            request(has=["ab" * 6] * (rumours.MOST_KEPT + 1)), request(has={"a": 1}),
        ):  # fmt: skip
            with pytest.raises(TransportError):
                await told_by(network, asked)
        peer.heard.clear()
        nonsense = b"", b"nonsense", 1, [1], [[1, 2]], [["ab" * 32, [1, 2, 3]]], [["ab" * 32]]
        for answer in nonsense:
            await asks(network, peer, answer)
        assert not peer.heard

    simulated(main)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_what_is_no_commitment_is_refused_by_one_error(value: object) -> None:
    with pytest.raises(RecordError):
        commitment_from(value)
