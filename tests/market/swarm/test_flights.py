"""What peers say that they work on: others hear it in time, and believe nobody but the author."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.benchmarks.identities import identity_of
from praxis_evolve.market import canonical
from praxis_evolve.market.errors import RecordError
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.swarm import virtual
from praxis_evolve.market.swarm.commitments import MOST_BOUND, Commitment, genuine
from praxis_evolve.market.swarm.flights import BEAT, GOOD, LOOK, MOST_WORKS, Flights, key_from
from praxis_evolve.market.swarm.memory import Network
from praxis_evolve.market.swarm.transport import TransportError
from praxis_evolve.search.base import Key

RUN = "ab" * 32
SOON = LOOK + 1.0


def work(number: int) -> Key:
    return Key(f"{number:064x}", 100, 0)


class Peer:
    """A peer at a network that knows all others by name."""

    def __init__(self, network: Network, number: int, *, peers: int, run: str = RUN) -> None:
        self.identity = identity_of(number)
        self.transport = network.join(f"p{number}")
        others = [f"p{n}" for n in range(peers) if n != number]
        self.flights = Flights(
            self.transport, run, self.identity,
            peers=lambda most: Random(number).sample(others, min(most, len(others))),
            now=asyncio.get_running_loop().time,
        )  # fmt: skip
        self.task = asyncio.create_task(self.flights.run())

    def sees(self, other: Peer) -> tuple[Key, ...]:
        return tuple(self.flights.others.get(other.identity.author, ()))


def simulated(main: Callable[[Network], Coroutine[Any, Any, None]], *, loss: float = 0.0) -> None:
    async def run() -> None:
        await main(Network(1, loss=loss))

    virtual.run(run(), seed=1)


def test_all_hear_at_once_what_one_works_on_and_that_it_has_stopped() -> None:
    async def main(network: Network) -> None:
        several = [Peer(network, n, peers=8) for n in range(8)]
        await asyncio.sleep(SOON)
        several[3].flights.say([work(1), work(2)])
        await asyncio.sleep(SOON)
        assert all(p.sees(several[3]) == (work(1), work(2)) for p in several if p is not several[3])
        several[3].flights.say([work(2)])
        await asyncio.sleep(SOON)
        assert all(p.sees(several[3]) == (work(2),) for p in several if p is not several[3])
        several[3].flights.say([])
        await asyncio.sleep(SOON)
        assert not any(p.flights.others for p in several)

    simulated(main)


def test_work_is_believed_while_its_peer_lives_and_free_soon_after_it_died() -> None:
    async def main(network: Network) -> None:
        several = [Peer(network, n, peers=4) for n in range(4)]
        several[0].flights.say([work(1)])
        await asyncio.sleep(10 * GOOD)
        assert all(p.sees(several[0]) == (work(1),) for p in several[1:])
        network.kill("p0")
        several[0].task.cancel()
        await asyncio.sleep(GOOD - BEAT - 1)
        assert all(p.sees(several[0]) == (work(1),) for p in several[1:])
        await asyncio.sleep(BEAT + 2)
        assert not any(p.flights.others for p in several[1:])

    simulated(main)


def test_a_few_lost_messages_free_nobody_s_work() -> None:
    async def main(network: Network) -> None:
        several = [Peer(network, n, peers=5) for n in range(5)]
        several[0].flights.say([work(1)])
        await asyncio.sleep(60.0)
        for _ in range(100):
            await asyncio.sleep(5.0)
            assert all(p.sees(several[0]) == (work(1),) for p in several[1:])

    simulated(main, loss=0.05)


def test_who_is_started_again_is_believed_again() -> None:
    async def main(network: Network) -> None:
        several = [Peer(network, n, peers=2) for n in range(2)]
        several[0].flights.say([work(1)])
        await asyncio.sleep(SOON)
        network.kill("p0")
        several[0].task.cancel()
        again = Peer(network, 0, peers=2)
        again.flights.say([work(2)])
        await asyncio.sleep(SOON)
        assert several[1].sees(again) == (work(2),)

    simulated(main)


def message(identity: Identity, *, count: int = 1, run: str = RUN, **other: object) -> bytes:
    said: dict[str, object] = {"run": run, "author": identity.author, "count": count}
    body = canonical.encode(said | {"works": list[object](), "bound": list[object]()} | other)
    return canonical.encode({"said": body.decode(), "signature": identity.sign(body)})


async def answered(network: Network, request: bytes, *, name: str = "liar") -> None:
    liar = network.join(name)
    try:
        async for _ in liar.ask("p0", "flights", request):
            pass
    finally:
        await liar.close()


def test_nobody_speaks_for_another_nor_repeats_what_it_said_before() -> None:
    async def main(network: Network) -> None:
        peer, author, liar = Peer(network, 0, peers=1), identity_of(7), identity_of(8)
        await answered(network, message(author, count=5, works=[list(work(1))]), name="p7")
        old = message(author, count=4, works=[list(work(2))])
        said = message(author, count=9).decode()
        forged = said.replace(said[-130:-2], liar.sign(b"something else")).encode()
        await answered(network, old)
        for request in (
            forged, message(author, count=6, run="cd" * 32),
            message(author, count=6, works=[list(work(n)) for n in range(MOST_WORKS + 1)]),
            message(author, count=6, works=[["xyz", 1, 2]]), b"nonsense", b"[" * 9_000,
            message(author, count=6, more="x" * 20_000), message(author, count=-1),
            message(author, count=6, bound=[[list(work(1)), "ab" * 32]]),
            message(author, count=6, bound=[[list(work(1)), "ab" * 32, "cd" * 32]]),
        ):  # fmt: skip
            with pytest.raises(TransportError):
                await answered(network, request)
        assert peer.flights.others == {author.author: (work(1),)}

    simulated(main)


def test_to_what_one_is_bound_it_tells_signed_on_its_own_and_the_most_of_it_fits() -> None:
    async def main(network: Network) -> None:
        heard = dict[str, Sequence[Commitment]]()
        bound = [Commitment(work(n)._replace(rung=10**9), f"{n:064x}") for n in range(MOST_BOUND)]
        one, other = (network.join(f"p{n}") for n in range(2))
        teller = Flights(
            one, RUN, identity_of(0), peers=lambda most: ["p1"], bound=lambda: bound,
            now=asyncio.get_running_loop().time,
        )  # fmt: skip
        teller.say([work(n)._replace(rung=10**9) for n in range(MOST_WORKS)])
        Flights(other, RUN, identity_of(1), peers=lambda most: [], hear=heard.__setitem__)
        task = asyncio.create_task(teller.run())
        await asyncio.sleep(SOON)
        task.cancel()
        author = identity_of(0).author
        assert [each._replace(signature="") for each in heard[author]] == bound
        assert all(genuine(RUN, author, each) for each in heard[author])

    simulated(main)


def test_a_peer_fills_no_room_by_many_names() -> None:
    async def main(network: Network) -> None:
        peer = Peer(network, 0, peers=1)
        for number in range(20):
            said = message(identity_of(100 + number), works=[list(work(number))])
            await answered(network, said)
        assert peer.flights.others == {identity_of(119).author: (work(19),)}

    simulated(main)


def test_what_was_said_before_is_old_also_after_another_spoke_by_the_same_peer() -> None:
    async def main(network: Network) -> None:
        peer, author, other = Peer(network, 0, peers=1), identity_of(7), identity_of(8)
        old = message(author, count=4, works=[list(work(2))])
        await answered(network, message(author, count=5, works=[list(work(1))]))
        await answered(network, message(other))
        await answered(network, old)
        assert peer.flights.others == {}
        await answered(network, message(author, count=6, works=[list(work(1))]))
        assert peer.flights.others == {author.author: (work(1),)}

    simulated(main)


def test_where_room_is_needed_who_brought_many_names_is_forgotten_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("praxis_evolve.market.swarm.flights.AUTHORS", 4)

    async def main(network: Network) -> None:
        peer, quiet = Peer(network, 0, peers=1), identity_of(7)
        await answered(network, message(identity_of(6), works=[list(work(6))]), name="p6")
        await answered(network, message(quiet, count=5), name="p7")
        for number in range(20):
            await answered(network, message(identity_of(100 + number), works=[list(work(number))]))
        await answered(network, message(quiet, count=4, works=[list(work(7))]))
        assert peer.flights.others == {
            identity_of(6).author: (work(6),), identity_of(119).author: (work(19),)
        }  # fmt: skip

    simulated(main)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_what_is_no_work_is_refused_by_one_error(value: object) -> None:
    with pytest.raises(RecordError):
        key_from(value)
