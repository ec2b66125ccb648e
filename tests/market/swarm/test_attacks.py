"""The attacks of the review by number, on real nodes: who reads what after each of them.

Attacks are marked (``@pytest.mark.attack(10)``), here and in the tests of single parts, and a test
holds that none is forgotten.
"""

from __future__ import annotations

import ast
import asyncio
import math
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import count
from pathlib import Path
from random import Random
from struct import pack
from typing import Any

import pytest

from praxis_evolve.benchmarks.identities import identity_of
from praxis_evolve.benchmarks.mutating import mutated
from praxis_evolve.genome.text import to_json
from praxis_evolve.market import canonical
from praxis_evolve.market.evidence import DOUBTED, UNVERIFIED
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.record import Record, sign
from praxis_evolve.market.swarm.board import Board, packed
from praxis_evolve.market.swarm.daemon import Daemon
from praxis_evolve.market.swarm.directory import FIND, PING, STORE
from praxis_evolve.market.swarm.gossip import Gossip
from praxis_evolve.market.swarm.heads import Head, encoded
from praxis_evolve.market.swarm.hive import DHTID, dht
from praxis_evolve.market.swarm.limits import Limits
from praxis_evolve.market.swarm.p2p import P2PTransport
from praxis_evolve.market.swarm.peer_key import PeerKey, public_of
from praxis_evolve.market.swarm.serving import Server
from praxis_evolve.market.swarm.transport import LIFE, Contact, TransportError
from praxis_evolve.market.swarm.validator import SIGNATURE, Shards, Validator
from praxis_evolve.market.swarm.validator import sign as say
from praxis_evolve.market.tally import NEW
from praxis_evolve.market.trust import Trust
from praxis_evolve.tests.market.loop import CATALOG
from praxis_evolve.tests.market.swarm.authors import (
    RUN,
    Author,
    genome_of,
    measured,
)
from praxis_evolve.tests.market.swarm.real_peers import SWARM, Peers, always, hears, until, whole

SHARDS = Shards(SWARM)
(KEY,) = SHARDS.keys

ATTACKS = range(1, 20)


def marked() -> dict[int, list[str]]:
    """Return the names of the tests that are marked with the number of an attack."""
    found = dict[int, list[str]]()
    for path in sorted(Path(__file__).parents[2].rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.attack":
                    assert isinstance(node, ast.FunctionDef)
                    for number in map(ast.literal_eval, mark.args):
                        found.setdefault(number, []).append(node.name)
    return found


def test_every_attack_has_a_test() -> None:
    found = marked()
    assert set(found) == set(ATTACKS)


# -------------------------------------------------------------------------------------- nodes


@dataclass
class Node:
    """A peer with a ledger on the real network, which gossips when it is told to."""

    author: Author
    transport: P2PTransport
    gossip: Gossip

    @property
    def name(self) -> str:
        return self.transport.me.peer

    @property
    def ids(self) -> set[str]:
        """The records that it holds."""
        return {record.id for record in self.author.ledger.records(RUN)}

    def trust(self) -> Trust:
        return Trust(self.author.ledger.records(RUN), self.author.key)


class Swarm:
    """Starts nodes, honest and other, in a folder."""

    def __init__(self, folder: Path, peers: Peers, stack: ExitStack) -> None:
        self.folder, self.peers = folder, peers
        self._stack, self._numbers = stack, count()

    async def node(self, *join: Node) -> Node:
        number = next(self._numbers)
        author = Author(self.folder / f"author-{number}", identity=identity_of(number))
        self._stack.enter_context(author.ledger)
        transport = await self.peers.start(*(each.transport for each in join))
        gossip = Gossip(transport, author.replica(), author=author.key, rng=Random(number))
        return Node(author, transport, gossip)

    async def nodes(self, several: int) -> list[Node]:
        """Nodes that have met, of which each measured something of its own."""
        first = await self.node()
        found = [first, *[await self.node(first) for _ in range(several - 1)]]
        for number, node in enumerate(found):
            node.author.measure(number)
        return found


async def spread(nodes: Sequence[Node], *others: str) -> None:
    """Let each exchange with each, and with *others*, whatever comes of those."""
    for node in nodes:
        for other in [each.name for each in nodes] + list(others):
            if other != node.name:
                await node.gossip.exchange(other)


def held_by_all(nodes: Sequence[Node]) -> bool:
    """Whether all hold what any of them measured."""
    own = set[str]().union(*(node.ids for node in nodes))
    return all(node.ids == own for node in nodes) and len(own) >= len(nodes)


Main = Callable[[Swarm], Coroutine[Any, Any, None]]


@pytest.fixture
def ran(tmp_path: Path) -> Iterator[Callable[[Main], None]]:
    """Runs a coroutine with a swarm in real time, at most a minute."""

    async def bounded(main: Main, stack: ExitStack) -> None:
        async with asyncio.timeout(60), Peers(tmp_path) as peers:
            await main(Swarm(tmp_path, peers, stack))

    with ExitStack() as stack:
        yield lambda main: asyncio.run(bounded(main, stack))


def signed(
    source: Author, number: int, *, seq: int = 0, by: Identity | None = None, **other: Any
) -> Record:
    """A record of a genome with something in it that is not what everybody finds."""
    return sign(
        replace(measured(genome_of(number)), **other), by or source.identity,
        run=source.ledger.run(RUN).digest, seq=seq, prev="ab" * 32 if seq else "0" * 64,
        catalog=CATALOG.digest, program="0",
    )  # fmt: skip


def batch_of(pairs: Sequence[tuple[str, str]], *texts: str) -> bytes:
    """A batch of bodies with signatures, and the texts of genomes."""
    return canonical.encode({"genomes": list(texts), "records": [list(pair) for pair in pairs]})


def pair_of(record: Record) -> tuple[str, str]:
    return record.body.decode(), record.signature


async def pushed(source: P2PTransport, target: str, batch: bytes) -> tuple[int, int]:
    """Push a batch; return how much of it was new, and how much refused."""
    (answer,) = await whole(source.ask(target, "push", batch))
    found: Any = canonical.decode(answer, limit=1000)
    return found["added"], found["refused"]


# ------------------------------------------------------------------------------ announcements


@pytest.mark.attack(4)
def test_who_says_that_nothing_ends_blinds_nobody_after_its_death(tmp_path: Path) -> None:
    """An empty answer that never expires, from the peers nearest to the key, which then die."""

    async def main() -> None:
        async with asyncio.timeout(60), Peers(tmp_path) as peers:
            honest = await peers.several(4)
            said = {peer.me.peer: b"%d" % number for number, peer in enumerate(honest)}
            for peer in honest:
                await peer.announce(said[peer.me.peer])
            result = dht.FindResult(
                type=dht.FOUND_DICTIONARY, value=packed([]), expiration_time=math.inf
            )
            server = Server(Limits())
            server.handlers.update({
                PING: always(dht.PingResponse(dht_time=time.time()).SerializeToString()),
                FIND: always(dht.FindResponse(results=[result]).SerializeToString()),
                STORE: always(dht.StoreResponse(store_ok=[True]).SerializeToString()),
            })  # fmt: skip
            liars = [await peers.raw(server.answer) for _ in range(3)]
            contacts = [Contact(liar.peer, liar.addresses) for liar in liars]
            for peer in honest:
                assert len(await peer.meet(contacts)) == len(liars)

            async def all_hear() -> None:
                for peer in honest:
                    others = {name: word for name, word in said.items() if name != peer.me.peer}
                    assert await peer.announced() == others

            await all_hear()
            for liar in liars:
                await liar.stop()
            await all_hear()
            late = await peers.start(honest[2])
            await until(lambda: hears(late, said))

    asyncio.run(main())


@pytest.mark.attack(9)
def test_a_record_told_again_and_again_takes_no_memory(tmp_path: Path) -> None:
    repeats = 20_000
    mine = say(PeerKey.load_or_create(tmp_path / "key"), SHARDS, b"here", 100.0)
    board = Board(Validator(SHARDS, lambda: 10.0), lambda: 10.0)
    assert board.put(mine)
    tracemalloc.start()
    try:
        for _ in range(repeats):
            board.put(mine)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < repeats, "less than a byte for each"
    assert board.under(KEY) == [mine]


@pytest.mark.attack(9)
def test_repeats_on_the_network_leave_one_record(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), Peers(tmp_path) as peers:
            honest, evil = await peers.start(), await peers.start(name="evil")
            await evil.meet([honest.me])
            key = PeerKey.load_or_create(tmp_path / "evil")
            mine = packed([say(key, SHARDS, b"again", time.time() + LIFE)])
            request = dht.StoreRequest(keys=[KEY], values=[mine]).SerializeToString()
            for _ in range(300):
                await whole(evil.ask(honest.me.peer, STORE, request))
            assert await honest.announced() == {evil.me.peer: b"again"}
            late = await peers.start(honest)
            await until(lambda: hears(late, {evil.me.peer: b"again"}))

    asyncio.run(main())


@pytest.mark.attack(10)
def test_sybils_next_to_the_key_lose_no_record(ran: Callable[[Main], None]) -> None:
    """Names are ground until five lie nearer to the key than anybody: they swallow what is said."""

    async def main(swarm: Swarm) -> None:
        nodes = await swarm.nodes(2)
        sybils = await _next_to(KEY, nodes, swarm)
        contacts = [Contact(sybil.peer, sybil.addresses) for sybil in sybils]
        for node in nodes:
            met = set[str]()
            for _ in range(5):  # one may be busy: it would be tried again, too
                met.update(await node.transport.meet(contacts))
            assert met == {contact.peer for contact in contacts}
            await node.transport.announce(b"here")
        nodes.append(await swarm.node(nodes[1]))
        nodes[2].author.measure(2)
        await _gossiped(nodes)
        for sybil in sybils:
            await sybil.stop()
        nodes.append(await swarm.node(nodes[2]))
        nodes[3].author.measure(3)
        await _gossiped(nodes)
        assert len(nodes[3].ids) == 4

    ran(main)


async def _gossiped(nodes: Sequence[Node]) -> None:
    """Let all exchange with whom they have met, as a node does, until all hold all."""
    for _ in range(3):
        for node in nodes:
            for peer in node.transport.neighbours:
                await node.gossip.exchange(peer)
    assert held_by_all(nodes)


async def _next_to(key: bytes, nodes: Sequence[Node], swarm: Swarm) -> list[Daemon]:
    """Return five peers nearer to *key* than all nodes, which hold nothing and name each other."""
    place = DHTID.from_bytes(key)

    def distance(peer: str) -> int:
        apart: Any = place.xor_distance(DHTID.generate(source=public_of(peer)))
        return apart

    nearest = min(distance(node.name) for node in nodes)
    names, folder = list[str](), swarm.folder / "ground"
    for number in count():
        if len(names) == 5:
            break
        if distance(PeerKey.load_or_create(folder / f"{number}").peer) < nearest:
            names.append(f"ground/{number}")
    own = [PeerKey.load_or_create(swarm.folder / name).public for name in names]
    raw = [bytes.fromhex("002408011220") + each for each in own]
    result = dht.FindResult(type=dht.FOUND_DICTIONARY, value=packed([]), nearest_peer_ids=raw)
    server = Server(Limits())
    server.handlers.update({
        PING: always(dht.PingResponse(dht_time=time.time()).SerializeToString()),
        FIND: always(dht.FindResponse(results=[result]).SerializeToString()),
        STORE: always(dht.StoreResponse(store_ok=[True]).SerializeToString()),
    })  # fmt: skip
    return [await swarm.peers.raw(server.answer, name) for name in names]


@pytest.mark.attack(15)
@pytest.mark.parametrize("ahead", [-60.0, -8.0, -1.0, 1.0, 8.0, 60.0])
def test_a_clock_that_is_wrong_joins_only_if_it_is_nearly_right(
    ahead: float, tmp_path: Path
) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), Peers(tmp_path) as peers:
            first = await peers.start()

            async def joined() -> P2PTransport:
                return await peers.start(first, now=lambda: time.time() + ahead)

            if abs(ahead) > 3:
                with pytest.raises(TransportError, match="set it by the network"):
                    await joined()
            else:
                late = await joined()
                await late.announce(b"late")
                assert await first.announced() == {late.me.peer: b"late"}

    asyncio.run(main())


# ------------------------------------------------------------------------------------ records


@pytest.mark.attack(6)
def test_no_impossible_fitness_reaches_anybody(ran: Callable[[Main], None]) -> None:
    async def main(swarm: Swarm) -> None:
        nodes = await swarm.nodes(2)
        evil = await swarm.node(nodes[0])
        source, text = evil.author, to_json(genome_of(50))
        possible = pair_of(signed(source, 50))
        impossible: list[dict[str, Any]] = [
            {"bits_per_byte": 0.0}, {"bits_per_byte": 1e300}, {"test_bits_per_byte": 2000.0},
            {"curve": ((100, 3.0), (50, 4.0))}, {"curve": ((50, 1e9),)}, {"rung": 7},
            {"seed": 1}, {"replica": 1000}, {"costs": None},
        ]  # fmt: skip
        wrong = [
            pair_of(signed(source, 50, seq=seq, **other)) for seq, other in enumerate(impossible, 1)
        ]
        for number in ("NaN", "Infinity", "-1.0", "1e999", "2"):
            body = possible[0].replace('"bits_per_byte":', f'"bits_per_byte":{number},"x":', 1)
            wrong.append((body, source.identity.sign(body.encode())))
        batch = batch_of([*wrong, possible], text)
        for node in nodes:
            before = node.ids
            assert await pushed(evil.transport, node.name, batch) == (1, len(wrong))
            assert len(node.ids) == len(before) + 1
            (event,) = [e for e in node.author.ledger.results(RUN) if e.genome == _id(50)]
            assert event == measured(genome_of(50))

    ran(main)


def _id(number: int) -> str:
    return measured(genome_of(number)).genome


@pytest.mark.attack(13)
def test_malformed_genomes_are_refused_one_by_one(ran: Callable[[Main], None]) -> None:
    """A thousand that were changed at random (``benchmarks/fuzz.py`` sends more), and weapons."""

    async def main(swarm: Swarm) -> None:
        (node,) = await swarm.nodes(1)
        evil = await swarm.node(node)
        valid, rng = [to_json(genome_of(n)).encode() for n in range(20)], Random(13)
        texts = [mutated(rng.choice(valid), valid, rng)[:5000].decode(errors="replace")
                 for _ in range(1000)]  # fmt: skip
        bomb = '{"format":1,"pool":[' + ",".join(["{}"] * 20_000) + "]}"
        cycle = to_json(genome_of(1)).replace('"reads": [-1]', '"reads": [0]')
        weapons = ["[" * 60_000, '{"pool":' * 10_000, "9" * 60_000, bomb, cycle]
        sound = pair_of(signed(evil.author, 60))
        for some in [*(texts[start : start + 20] for start in range(0, 1000, 20)),
                     *([weapon] for weapon in weapons)]:  # fmt: skip
            await pushed(evil.transport, node.name, batch_of([], *some))
        assert await pushed(
            evil.transport, node.name, batch_of([sound], *texts[:10], to_json(genome_of(60)))
        ) == (1, 10)
        found = node.author.ledger.results(RUN)
        assert sorted(result.genome for result in found) == sorted([_id(0), _id(60)])
        assert set(dict(node.author.ledger.genomes(RUN))) == {_id(0), _id(60)}

    ran(main)


@pytest.mark.attack(16)
def test_a_fork_freezes_its_author_at_every_peer(ran: Callable[[Main], None]) -> None:
    async def main(swarm: Swarm) -> None:
        nodes = await swarm.nodes(3)
        liar = Identity.new()
        for node, number in zip(nodes[:2], (70, 71), strict=True):
            told = signed(nodes[2].author, number, by=liar)
            batch = batch_of([pair_of(told)], to_json(genome_of(number)))
            assert await pushed(nodes[2].transport, node.name, batch) == (1, 0)
        await spread(nodes)
        await spread(nodes)
        assert held_by_all(nodes)
        for node in nodes:
            trust = node.trust()
            assert trust.frozen == {liar.author}
            records = node.author.ledger.records(RUN)
            assert {trust.weights()[r.id] for r in records if r.author == liar.author} == {0.0}

    ran(main)


@pytest.mark.attack(11)
def test_names_that_bear_each_other_out_are_believed_by_nobody(
    ran: Callable[[Main], None],
) -> None:
    """Two of five peers, with a dozen names, say one lie; whoever measured it knows better."""

    async def main(swarm: Swarm) -> None:
        nodes = await swarm.nodes(3)
        liars = [identity_of(100 + number) for number in range(12)]
        lies = [
            signed(nodes[0].author, number, seq=seq, by=liar,
                   bits_per_byte=0.5)
            for liar in liars for seq, number in enumerate((0, 80, 81))
        ]  # fmt: skip
        batch = batch_of([pair_of(lie) for lie in lies],
                         *(to_json(genome_of(n)) for n in (0, 80, 81)))  # fmt: skip
        for evil in [await swarm.node(nodes[0]) for _ in range(2)]:
            assert await pushed(evil.transport, nodes[0].name, batch) in {(36, 0), (0, 0)}
        await spread(nodes)
        assert held_by_all(nodes)
        for node in nodes:
            trust = node.trust()
            weights = trust.weights()
            assert trust.trusted.isdisjoint(liar.author for liar in liars)
            assert {weights[lie.id] for lie in lies if lie.seq} <= {DOUBTED, UNVERIFIED}
        first = nodes[0].trust().weights()
        assert {first[lie.id] for lie in lies if lie.seq == 0} == {0.0}, "it measured that"

    ran(main)


@pytest.mark.attack(8, 11)
def test_a_flood_of_names_leaves_room_for_who_comes_later(
    ran: Callable[[Main], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that one peer sends is signed and sound, by more authors than there is room for."""
    monkeypatch.setattr("praxis_evolve.market.swarm.room.MOST_AUTHORS", 30)
    monkeypatch.setattr("praxis_evolve.market.swarm.room.KEPT", 10)

    async def main(swarm: Swarm) -> None:
        nodes = await swarm.nodes(2)
        await spread(nodes)
        evil = await swarm.node(nodes[0])
        flood = [signed(evil.author, 50, by=identity_of(1000 + n)) for n in range(100)]
        batch = batch_of([pair_of(each) for each in flood], to_json(genome_of(50)))
        for node in nodes:
            added, refused = await pushed(evil.transport, node.name, batch)
            assert added == 10, "as many as are left but for those that are kept"
            assert added + refused == len(flood)
        late = await swarm.node(nodes[1])
        late.author.measure(51, 52)
        nodes[0].author.measure(53)
        await spread([*nodes, late])
        own = {r.id for r in late.author.ledger.records(RUN) if r.author == late.author.key}
        assert len(own) == 2
        assert all(own <= node.ids for node in nodes)
        assert late.gossip.held_by(2) == 2, "what it measured is acknowledged"
        assert nodes[0].gossip.held_by(2) == 2

    ran(main)


@pytest.mark.attack(12)
def test_slander_takes_nothing_from_who_was_right(ran: Callable[[Main], None]) -> None:
    async def main(swarm: Swarm) -> None:
        one, honest, slanderer = await swarm.nodes(3)
        honest.author.measure(90, 91)
        one.author.measure(90)
        slanderer.author.measure(90, 91, worse=1.0)
        await spread([one, honest, slanderer])
        trust = one.trust()
        weights = {(r.author, r.result.genome): trust.weights()[r.id]
                   for r in one.author.ledger.records(RUN)}  # fmt: skip
        assert weights[honest.author.key, _id(90)] == 1.0
        assert weights[slanderer.author.key, _id(90)] == 0.0
        assert weights[honest.author.key, _id(91)] == UNVERIFIED
        assert trust.tallies.get(honest.author.key, NEW).wrong == 0

    ran(main)


# ------------------------------------------------------------------------------------ versions


@pytest.mark.attack(17)
def test_another_version_of_records_hides_none_of_this_one(ran: Callable[[Main], None]) -> None:
    """A later peer has records of both versions: those of this one come, and the others do not."""

    async def main(swarm: Swarm) -> None:
        nodes = await swarm.nodes(2)
        source = Author(swarm.folder / "later", identity=identity_of(200))
        with source.ledger:
            now = pair_of(signed(source, 95))
            body = pair_of(signed(source, 95, seq=1))[0].replace('"version":1', '"version":9')
            later = body, source.identity.sign(body.encode())
            heads = encoded({source.key: Head(2, 2, "ab" * 32)})
            answer = canonical.encode({"heads": heads, "parts": {}, "peers": []})
            batch = batch_of([later, now], to_json(genome_of(95)))
            other = await swarm.peers.start(nodes[0].transport)
            for method, frame in (("heads", answer), ("pull", batch), ("push", _pushed(0, 0))):
                other.serve(method, always(frame))
            for _ in range(2):
                await spread(nodes, other.me.peer)
            assert held_by_all(nodes)
            for node in nodes:
                found = [r for r in node.author.ledger.records(RUN) if r.author == source.key]
                assert [record.seq for record in found] == [0]
                assert node.gossip.tally.refused > 0

    ran(main)


def _pushed(added: int, refused: int) -> bytes:
    return canonical.encode({"added": added, "refused": refused})


@pytest.mark.attack(17)
def test_a_peer_that_answers_otherwise_blinds_nobody(ran: Callable[[Main], None]) -> None:
    """A later peer says more in its answers and announcements than this one reads."""

    async def main(swarm: Swarm) -> None:
        nodes = await swarm.nodes(2)
        other = await swarm.peers.start(nodes[0].transport)
        strange = canonical.encode({"heads": {}, "parts": {}, "peers": [], "version": 2})
        for method in ("heads", "pull", "push"):
            other.serve(method, always(strange))
        await other.announce(canonical.encode({"addresses": [], "run": "x", "version": 2}))
        await spread(nodes, other.me.peer)
        assert held_by_all(nodes)
        for node in nodes:
            node.author.measure(96 + nodes.index(node))
        await spread(nodes, other.me.peer)
        assert held_by_all(nodes)

    ran(main)


@pytest.mark.attack(17)
def test_announcements_of_another_version_hide_none_of_this_one(tmp_path: Path) -> None:
    """The nearest peer hands out one of a later version beside those of this one."""

    async def main() -> None:
        async with asyncio.timeout(60), Peers(tmp_path) as peers:
            honest = await peers.several(2)
            for number, peer in enumerate(honest):
                await peer.announce(b"%d" % number)
            key, ends = PeerKey.load_or_create(tmp_path / "later"), time.time() + LIFE
            plain = say(key, SHARDS, b"later", ends)
            name = sha256(SWARM.encode()).digest()
            message = b"praxis announcement 2" + name + KEY + key.public + pack(">d", ends)
            later = replace(plain, value=key.sign(message + b"later") + plain.value[SIGNATURE:])
            told = say(PeerKey.load_or_create(tmp_path / "now"), SHARDS, b"now", ends)

            async def found(caller: str, request: bytes) -> AsyncIterator[bytes]:
                del caller, request
                result = dht.FindResult(type=dht.FOUND_DICTIONARY, value=packed([later, told]))
                yield dht.FindResponse(results=[result]).SerializeToString()

            pong = always(dht.PingResponse(dht_time=time.time()).SerializeToString())
            mixed = await peers.liar({PING: pong, FIND: found})
            for number, peer in enumerate(honest):
                assert len(await peer.meet([mixed])) == 1
                heard = await peer.announced()
                assert sorted(heard.values()) == sorted([b"%d" % (1 - number), b"now"])

    asyncio.run(main())
