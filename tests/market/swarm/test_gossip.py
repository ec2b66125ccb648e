"""Peers that gossip come to hold the same, and lose nothing that two others hold."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from random import Random

import pytest

from praxis_evolve.benchmarks.identities import identity_of
from praxis_evolve.genome.graph import Genome
from praxis_evolve.market import canonical
from praxis_evolve.market.record import Record
from praxis_evolve.market.swarm import virtual
from praxis_evolve.market.swarm.gossip import DEAR, FANOUT, JUNK, PUSHED, Gossip
from praxis_evolve.market.swarm.heads import encoded
from praxis_evolve.market.swarm.memory import MemoryTransport, Network
from praxis_evolve.market.swarm.replica import LedgerReplica
from praxis_evolve.market.swarm.transport import Contact, Handler, TransportError
from praxis_evolve.tests.market.swarm.authors import (
    CLAIMS,
    RUN,
    Author,
    genome_of,
    measured,
)
from praxis_evolve.tests.market.swarm.counters import Counters


def name_of(number: int) -> str:
    return f"p{number:04}"


class Peer:
    """A peer of counters at a network, running until it is killed."""

    def __init__(self, network: Network, number: int, contacts: Sequence[int] = ()) -> None:
        self.number, self.network = number, network
        self.replica = Counters(hashlib.sha256(name_of(number).encode()).hexdigest())
        self.begin(contacts)

    def begin(self, contacts: Sequence[int] = ()) -> None:
        """Run, knowing some peers by their numbers."""
        self.gossip = Gossip(
            self.network.join(name_of(self.number)), self.replica,
            author=self.replica.author, rng=Random(self.number),
        )  # fmt: skip
        known = [Contact(name_of(number)) for number in contacts]
        self.task = asyncio.create_task(self.gossip.run(known))

    async def kill(self) -> None:
        self.network.kill(name_of(self.number))
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def until(peers: list[Peer], counted: int, *, most: float) -> float:
    """Return the seconds until all have counted so much in all."""
    began = asyncio.get_running_loop().time()
    while not all(sum(peer.replica.upto.values()) == counted for peer in peers):
        await asyncio.sleep(0.5)
        assert asyncio.get_running_loop().time() - began < most
    return asyncio.get_running_loop().time() - began


def joined(network: Network, count: int) -> list[Peer]:
    """Peers that know the first one alone."""
    return [Peer(network, number, [0] if number else []) for number in range(count)]


def test_what_one_measured_two_others_hold_within_seconds() -> None:
    async def main() -> None:
        peers = joined(Network(1), 5)
        await asyncio.sleep(30.0)
        assert peers[3].gossip.acknowledged == 0
        peers[3].replica.count(4)
        await asyncio.sleep(2.0)
        assert peers[3].gossip.acknowledged == 4
        holders = [p for p in peers if p.replica.upto.get(peers[3].replica.author) == 4]
        assert len(holders) >= 1 + FANOUT
        await until(peers, 4, most=60.0)

    virtual.run(main())


@pytest.mark.parametrize(("count", "most"), [(20, 60.0), (200, 90.0)])
def test_all_know_all_after_few_rounds_though_frames_are_lost(count: int, most: float) -> None:
    async def main() -> None:
        peers = joined(Network(3, loss=0.05), count)
        await asyncio.sleep(60.0)
        for peer in peers:
            peer.replica.count()
        assert await until(peers, count, most=most) > 0
        assert all(len(peer.gossip.peers) >= min(count - 1, 8) for peer in peers)

    virtual.run(main())


def test_the_first_peer_may_die_for_good_and_a_new_one_joins_by_any_other() -> None:
    async def main() -> None:
        network = Network(5)
        peers = joined(network, 6)
        peers[0].replica.count(3)
        await asyncio.sleep(40.0)
        await peers.pop(0).kill()
        peers.append(Peer(network, 99, [0, 4]))
        peers[1].replica.count(2)
        await until(peers, 5, most=60.0)

    virtual.run(main())


def test_two_halves_that_were_apart_grow_together() -> None:
    async def main() -> None:
        network = Network(7)
        peers = joined(network, 10)
        await asyncio.sleep(60.0)
        network.part([[name_of(n) for n in range(5)], [name_of(n) for n in range(5, 10)]])
        for peer in peers:
            peer.replica.count()
        await asyncio.sleep(300.0)
        assert {sum(peer.replica.upto.values()) for peer in peers} == {5}
        assert all(peer.gossip.acknowledged == 1 for peer in peers)
        network.heal()
        await until(peers, 10, most=400.0)

    virtual.run(main())


def traced(seed: int) -> tuple[str, list[int]]:
    async def main() -> tuple[str, list[int]]:
        network, rng = Network(seed, loss=0.02), Random(seed)
        peers = joined(network, 8)
        for _ in range(10):
            await asyncio.sleep(rng.uniform(1.0, 5.0))
            rng.choice(peers).replica.count()
            victim = rng.choice(peers)
            await victim.kill()
            victim.begin([rng.randrange(8)])
        await asyncio.sleep(60.0)
        return network.trace, [sum(peer.replica.upto.values()) for peer in peers]

    return virtual.run(main(), seed=seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_simulation_replays_from_its_seed(seed: int) -> None:
    first, again = traced(seed), traced(seed)
    assert first == again
    assert set(first[1]) == {10}
    assert first[0] != traced(seed + 100)[0]


def test_peers_that_talk_nonsense_are_left_alone_and_harm_nobody() -> None:
    told = canonical.encode
    nonsense = [b"", b"{}", b"\xff", told({"heads": {"x": 1}, "parts": {}, "peers": []}),
                told({"heads": None, "parts": {}, "peers": [[1, 2]] * 9}),
                told({"heads": {}, "parts": {"zz": [1, "0" * 16]}, "peers": []}),
                told({"heads": {}, "parts": {"00": [1, "0" * 16]}, "peers": []})]  # fmt: skip

    async def main() -> None:
        network = Network(9)
        peers = joined(network, 4)
        for number, text in enumerate(nonsense):
            liar = network.join(f"liar{number}")
            liar.serve("heads", always(text))
            for method in ("pull", "push"):
                liar.serve(method, partial(_twice, text))
            await peers[number % 4].gossip.meet([Contact(f"liar{number}")])
            for method in ("heads", "pull", "who"):
                with pytest.raises(TransportError):
                    async for _ in liar.ask(name_of(0), method, text):
                        pass
        for peer in peers:
            peer.replica.count()
        await until(peers, 4, most=120.0)
        assert sum(peer.gossip.tally.failures for peer in peers) >= len(nonsense)

    virtual.run(main())


@pytest.mark.parametrize("unlike", [0, 1, 7, 40])
def test_of_many_authors_only_what_differs_is_sent(unlike: int) -> None:
    names = [hashlib.sha256(f"{number}".encode()).hexdigest() for number in range(400)]
    there = Counters("f" * 64)
    here = Counters("e" * 64)
    for number, name in enumerate(names):
        for counters in (there, here):
            ahead = counters is there and number == 2 < unlike
            if number >= unlike or (number % 2 == 0) == (counters is there):
                counters.receive(canonical.encode({name: 4 if ahead else 3}))
    moved = Counter[str]()

    def watch(event: str) -> None:
        _, _, what, *rest = event.split(" ")
        moved[what] += int(rest[-1])

    async def main() -> None:
        network = Network(21, watch=watch)
        gossips = [
            Gossip(network.join(name), each, author=each.author, rng=Random(1))
            for name, each in (("here", here), ("there", there))
        ]
        assert await gossips[0].exchange("there")

    virtual.run(main())
    assert here.upto == there.upto
    assert set(here.upto) == set(names)
    whole = len(canonical.encode(encoded(here.heads())))
    needed = 300 if not unlike else 10_000 + 1000 * unlike
    assert moved["asks"] + moved["brings"] < needed < whole


def test_a_newcomer_pulls_thousands_of_authors_in_several_requests() -> None:
    here, there = Counters("e" * 64), Counters("f" * 64)
    names = [hashlib.sha256(f"{number}".encode()).hexdigest() for number in range(2500)]
    there.receive(canonical.encode(dict.fromkeys(names, 2)))
    pulls = list[str]()

    async def main() -> None:
        network = Network(
            23, watch=lambda event: pulls.append(event) if "'pull'" in event else None
        )
        gossips = [
            Gossip(network.join(name), each, author=each.author, rng=Random(1))
            for name, each in (("here", here), ("there", there))
        ]
        assert await gossips[0].exchange("there")

    virtual.run(main())
    assert here.upto == dict.fromkeys(names, 2)
    assert len(pulls) == 3


def always(answer: bytes) -> Handler:
    async def handler(caller: str, request: bytes) -> AsyncIterator[bytes]:
        del caller, request
        yield answer

    return handler


async def _twice(text: bytes, caller: str, request: bytes) -> AsyncIterator[bytes]:
    del caller, request
    yield text
    yield text


@pytest.fixture
def authors(tmp_path: Path) -> Iterator[list[Author]]:
    with ExitStack() as stack:
        several = [Author(tmp_path / f"{n}", identity=identity_of(n)) for n in range(6)]
        for author in several:
            stack.enter_context(author.ledger)
        yield several


def test_ledgers_lose_nothing_acknowledged_while_peers_are_killed(authors: list[Author]) -> None:
    """Jepsen's set test: what was acknowledged is in every final read."""

    async def main() -> set[str]:
        network, rng, acknowledged = Network(11, loss=0.01), Random(11), set[str]()
        running = dict[int, tuple[Gossip, asyncio.Task[None]]]()

        def begin(number: int) -> None:
            author = authors[number]
            gossip = Gossip(
                network.join(name_of(number)), author.replica(), author=author.key,
                rng=Random(number), period=3.0,
            )  # fmt: skip
            contacts = [Contact(name_of(other)) for other in range(6) if other != number]
            running[number] = gossip, asyncio.create_task(gossip.run(contacts))

        def note(number: int) -> None:
            chain = authors[number].ledger.places(RUN, authors[number].key)
            held = running[number][0].acknowledged
            acknowledged.update(name for _, name in sorted(chain)[:held])

        for number in range(6):
            begin(number)
        for step in range(25):
            await asyncio.sleep(rng.uniform(0.5, 1.5))
            rng.choice([authors[n] for n in running]).measure(step)
            victim = rng.choice(sorted(running))
            note(victim)
            network.kill(name_of(victim))
            _, task = running.pop(victim)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if step not in (5, 15):  # two are gone for good
                begin(victim)
        await asyncio.sleep(60.0)
        for number in running:
            note(number)
        digests = {authors[number].ledger.digest(RUN) for number in running}
        assert len(running) == 4
        assert len(digests) == 1
        last = authors[min(running)].ledger
        assert acknowledged <= {record.id for record in last.records(RUN)}
        assert list(last.problems(RUN)) == []
        return acknowledged

    assert len(virtual.run(main())) >= 15


def test_a_peer_that_drips_stops_nobody() -> None:
    async def main() -> None:
        network = Network(13)
        peers, evil = joined(network, 3), network.join("evil")

        async def drip(caller: str, request: bytes) -> AsyncIterator[bytes]:
            del caller, request
            while True:
                yield canonical.encode({})
                await asyncio.sleep(8.0)

        async def heads(caller: str, request: bytes) -> AsyncIterator[bytes]:
            del caller, request
            yield canonical.encode(
                {"heads": {"f" * 64: [9, 9, "0" * 64]}, "parts": {}, "peers": []}
            )

        for method, handler in (("heads", heads), ("pull", drip), ("push", drip)):
            evil.serve(method, handler)
        for peer in peers:
            await peer.gossip.meet([Contact("evil")])
        await asyncio.sleep(300.0)
        peers[2].replica.count(5)
        await until(peers, 5, most=200.0)

    virtual.run(main())


def test_a_gap_behind_what_is_known_is_filled(authors: list[Author]) -> None:
    """Of a chain with a gap all is sent again, and the first of it is nothing new."""
    one, other = authors[:2]
    one.measure(*range(330))
    batches = list(one.replica().lacking({}))
    assert len(batches) >= 3
    for batch in (batches[0], *batches[2:]):
        other.replica().receive(batch)

    async def main() -> None:
        network = Network(17)
        gossips = [
            Gossip(network.join(name), each.replica(), author=each.key, rng=Random(1))
            for name, each in (("one", one), ("other", other))
        ]
        assert await gossips[1].exchange("one")

    virtual.run(main())
    assert one.ledger.digest(RUN) == other.ledger.digest(RUN)


def picky(author: Author, refuses: int) -> LedgerReplica:
    """A replica that lacks what the genome of that number needs."""

    def check(record: Record, genome: Genome) -> str | None:
        lacks = record.result.genome == measured(genome_of(refuses)).genome
        return "is of a genome that has no name here" if lacks else CLAIMS(record, genome)

    return LedgerReplica(author.ledger, RUN, author.key, check)


def test_what_a_peer_lacks_the_blocks_for_is_not_offered_at_each_round(
    authors: list[Author],
) -> None:
    one, other, third = authors[:3]
    one.measure(1, 2, 3)
    third.measure(3, 4)

    async def main() -> None:
        network = Network(19)
        replicas = one.replica(), picky(other, 2), third.replica()
        gossips = [
            Gossip(network.join(each.key), replica, author=each.key, rng=Random(1))
            for each, replica in zip(authors, replicas, strict=False)
        ]
        contacts = [Contact(each.key) for each in authors[:3]]
        tasks = [asyncio.create_task(gossip.run(contacts)) for gossip in gossips]
        await asyncio.sleep(1200.0)
        assert gossips[1].tally.exchanges > 100
        assert 0 < gossips[1].tally.refused < 40
        assert len(one.ledger.records(RUN)) == len(third.ledger.records(RUN)) == 5
        assert len(other.ledger.records(RUN)) == 4
        other.measure(5)
        third.measure(6)
        await asyncio.sleep(30.0)
        assert gossips[1].acknowledged == 1
        assert gossips[2].acknowledged == 3
        assert len(other.ledger.records(RUN)) == 6, "it is left alone with one author, not with all"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    virtual.run(main())


def test_a_chain_is_not_sent_back_to_who_has_more_of_it(authors: list[Author]) -> None:
    one, other = authors[:2]
    one.measure(*range(5))

    async def main() -> None:
        network = Network(23)
        first, second = (
            Gossip(network.join(name), each.replica(), author=each.key, rng=Random(1))
            for name, each in (("one", one), ("other", other))
        )
        assert await first.exchange("other")
        one.measure(9)
        before = network.events
        assert await first.exchange("other")
        assert len(other.ledger.records(RUN)) == 6
        assert network.events - before <= 10, "heads were asked for, and what is new was pushed"
        assert (second.tally.added, first.tally.added) == (6, 0)

    virtual.run(main())


def test_an_exchange_with_who_sends_junk_without_end_ends(authors: list[Author]) -> None:
    one, liar = authors[0], identity_of(99)
    body = "x" * 100
    junk = canonical.encode({"genomes": [], "records": [[body, "00" * 64]] * 1000})
    sent = list[int]()

    async def heads(caller: str, request: bytes) -> AsyncIterator[bytes]:
        del caller, request
        theirs = {liar.author: [9, 9, "0" * 64]}
        yield canonical.encode({"heads": theirs, "parts": {}, "peers": []})

    async def endless(caller: str, request: bytes) -> AsyncIterator[bytes]:
        del caller, request
        while True:
            sent.append(1)
            yield junk

    async def main() -> None:
        network = Network(29)
        evil = network.join("evil")
        evil.serve("heads", heads)
        evil.serve("pull", endless)
        gossip = Gossip(network.join("one"), one.replica(), author=one.key, rng=Random(1))
        assert not await gossip.exchange("evil")
        assert asyncio.get_running_loop().time() < 5.0
        assert JUNK < gossip.tally.refused <= JUNK + 1000
        await asyncio.sleep(0.1)
        assert len(sent) < 20

    virtual.run(main())


@pytest.mark.parametrize("several", [3, JUNK + 1])
def test_records_that_do_not_parse_are_not_pulled_at_each_round(
    authors: list[Author], several: int
) -> None:
    """They name no author, so who has more than came is left alone, also where it is a flood."""
    one, liar = authors[0], identity_of(99)
    batch = canonical.encode({"genomes": [], "records": [["x", "00" * 64]] * min(several, 1000)})
    pulls = list[str]()

    async def pull(caller: str, request: bytes) -> AsyncIterator[bytes]:
        del request
        pulls.append(caller)
        for _ in range(-(-several // 1000)):
            yield batch

    async def main() -> None:
        network = Network(29)
        evil = network.join("evil")
        theirs = {liar.author: [9, 9, "0" * 64]}
        evil.serve("heads", always(canonical.encode({"heads": theirs, "parts": {}, "peers": []})))
        evil.serve("pull", pull)
        gossip = Gossip(network.join("one"), one.replica(), author=one.key, rng=Random(1))
        assert await gossip.exchange("evil") == (several <= JUNK)
        assert await gossip.exchange("evil"), "it is not asked for them again"
        assert len(pulls) == 1

    virtual.run(main())


@pytest.mark.attack(8)
def test_who_pushes_junk_is_slowed_long_before_who_pushes_records(authors: list[Author]) -> None:
    one, source = authors[:2]
    source.measure(*range(30))
    (sound,) = source.replica().lacking({})
    junk = canonical.encode({"genomes": [], "records": [["x" * 1000, "00" * 64]] * 200})

    async def main() -> None:
        network = Network(31)
        evil, honest = network.join("evil"), network.join("honest")
        Gossip(network.join("one"), one.replica(), author=one.key, rng=Random(1))

        async def pushed(by: MemoryTransport, batch: bytes, times: int) -> int:
            taken = 0
            for _ in range(times):
                with suppress(TransportError):
                    async for _ in by.ask("one", "push", batch):
                        taken += 1
            return taken

        burst = int(PUSHED[1])
        assert await pushed(evil, junk, 100) <= burst / len(junk) / DEAR + 20
        assert await pushed(honest, sound, 100) == 100
        await asyncio.sleep(3600.0)
        assert await pushed(evil, junk, 1) == 1, "it is heard again"

    virtual.run(main())
