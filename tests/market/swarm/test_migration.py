"""Islands hold all of their own and the best of the others, and no liar makes them hold more."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from praxis_evolve.benchmarks.identities import identity_of
from praxis_evolve.market import canonical
from praxis_evolve.market.islands import Islands
from praxis_evolve.market.record import Record
from praxis_evolve.market.swarm import room, virtual
from praxis_evolve.market.swarm.emigrants import FEW, OFFERED
from praxis_evolve.market.swarm.gossip import FANOUT, PERIOD, VISITS, Gossip
from praxis_evolve.market.swarm.memory import MemoryTransport, Network
from praxis_evolve.market.swarm.migration import METHOD, Migration, Visit
from praxis_evolve.market.swarm.refused import Refused
from praxis_evolve.market.swarm.replica import PAGES, LedgerReplica, Received, decoded
from praxis_evolve.market.swarm.transport import Contact, Handler, TransportError
from praxis_evolve.market.weighed import PAGE
from praxis_evolve.tests.market.swarm.authors import CLAIMS, RUN, Author


class Noting(LedgerReplica):
    """A replica that notes what came from other islands, and from whom."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.fetched = list[tuple[str, Record]]()

    def receive(
        self, batch: bytes, sender: str = "", *, only: Callable[[Record], str | None] | None = None
    ) -> Received:
        if only is not None:
            self.fetched += [(sender, record) for record in decoded(batch)[1]]
        return super().receive(batch, sender, only=only)


class Peer:
    """A peer with a ledger, on one of several islands."""

    def __init__(self, network: Network, author: Author, islands: int) -> None:
        self.author = author
        self.islands = Islands(author.ledger.run(RUN).digest, islands)
        self.island = self.islands.of(author.key)
        self.replica = Noting(author.ledger, RUN, author.key, CLAIMS, islands)
        self.transport = network.join(self.name)
        self.migration = Migration(
            self.transport, self.replica, islands=self.islands, author=author.key
        )
        self.gossip = Gossip(
            self.transport, self.replica, author=author.key, rng=Random(author.key),
            migration=self.migration,
        )  # fmt: skip
        self.task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return f"p-{self.author.key[:8]}"

    def begin(self, contacts: Sequence[Peer]) -> None:
        known = [Contact(peer.name) for peer in contacts if peer is not self]
        self.task = asyncio.create_task(self.gossip.run(known))

    def ids(self) -> set[str]:
        return self.author.ledger.ids(RUN)

    def own(self) -> list[Record]:
        """Its own records, the best first."""
        several = [r for r in self.author.ledger.records(RUN) if r.author == self.author.key]
        return sorted(several, key=lambda record: (record.result.bits_per_byte or 0.0, record.id))

    def offers(self) -> set[str]:
        """The names that it offers, as one who asks hears them."""
        self.replica.look()
        return set(self.replica.emigrants())


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def author_on(tmp_path: Path, stack: ExitStack) -> Callable[[int, int], Author]:
    """Make an author that lives on an island of so many, each a new one."""
    numbers = iter(range(10_000))
    found = Author(tmp_path / "digest")
    stack.callback(found.ledger.close)
    run = found.ledger.run(RUN).digest

    def make(island: int, count: int) -> Author:
        islands = Islands(run, count)
        number = next(n for n in numbers if islands.of(identity_of(n).author) == island)
        made = Author(tmp_path / f"{number}", identity=identity_of(number))
        stack.callback(made.ledger.close)
        return made

    return make


Make = Callable[[int, int], Author]


def several(network: Network, make: Make, sizes: Sequence[int]) -> list[Peer]:
    """Peers on islands of these sizes."""
    return [
        Peer(network, make(island, len(sizes)), len(sizes))
        for island, size in enumerate(sizes)
        for _ in range(size)
    ]


def by_island(peers: Sequence[Peer]) -> list[list[Peer]]:
    found = defaultdict[int, list[Peer]](list)
    for peer in peers:
        found[peer.island].append(peer)
    return [found[island] for island in sorted(found)]


def ended(peers: Sequence[Peer]) -> None:
    for peer in peers:
        if peer.task is not None:
            peer.task.cancel()


@pytest.mark.parametrize("sizes", [(3, 3), (2, 3, 2)])
def test_islands_hold_all_of_their_own_and_just_the_best_of_others(
    author_on: Make, monkeypatch: pytest.MonkeyPatch, sizes: Sequence[int]
) -> None:
    """Nobody weighs here, so each believes its own results and offers its part of the best."""
    monkeypatch.setattr("praxis_evolve.market.swarm.gossip.VISITS", 4)
    measured = 9

    async def main() -> None:
        network = Network(41)
        peers = several(network, author_on, sizes)
        islands = by_island(peers)
        network.part([[peer.name for peer in island] for island in islands])
        for number, peer in enumerate(peers):
            peer.author.measure(*range(100 * number, 100 * number + measured))
            peer.begin(peers)
        await asyncio.sleep(100.0)
        for island in islands:
            own = {record.id for peer in island for record in peer.own()}
            assert len(own) == measured * len(island)
            assert all(peer.ids() == own for peer in island), "inside all hold all"
        best = {
            number: {
                record.id
                for peer in island
                for record in peer.own()[: FEW // len(island)]
            }
            for number, island in enumerate(islands)
        }  # fmt: skip
        for number, island in enumerate(islands):
            assert set[str]().union(*(peer.offers() for peer in island)) == best[number]
        network.heal()
        await asyncio.sleep(200.0 * len(sizes))
        for number, island in enumerate(islands):
            own = {record.id for peer in island for record in peer.own()}
            foreign = set[str]().union(*(best[other] for other in best if other != number))
            assert all(peer.ids() == own | foreign for peer in island)
            assert len({peer.author.ledger.digest(RUN) for peer in island}) == 1
        names = {peer.name: peer for peer in peers}
        for peer in peers:
            for sender, record in peer.replica.fetched:
                lives = peer.islands.of(record.author)
                assert lives == names[sender].island != peer.island, "each island by itself"
            assert max(Counter(r.id for _, r in peer.replica.fetched).values(), default=0) <= 1
        before = [len(peer.replica.fetched) for peer in peers]
        asked = sum(peer.gossip.tally.exchanges for peer in peers)
        await asyncio.sleep(300.0)
        assert [len(peer.replica.fetched) for peer in peers] == before, "nothing crosses again"
        assert sum(peer.gossip.tally.exchanges for peer in peers) > asked
        ended(peers)

    virtual.run(main())


def test_two_on_an_island_acknowledge_nothing_and_three_do(
    author_on: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another island holds of an author is a part; so only who lives here counts."""
    monkeypatch.setattr("praxis_evolve.market.swarm.gossip.VISITS", 4)

    async def main() -> None:
        network = Network(43)
        peers = several(network, author_on, (2, 4))
        for peer in peers:
            peer.begin(peers)
        await asyncio.sleep(60.0)
        for number, peer in enumerate(peers):
            peer.author.measure(number)
        await asyncio.sleep(2 * PERIOD * VISITS)
        assert all(len(peer.ids()) == len(peers) for peer in peers), "all few are among the best"
        assert [peer.gossip.acknowledged for peer in peers] == [0, 0, 1, 1, 1, 1]
        assert [peer.gossip.held_by(1) for peer in peers] == [1] * 6
        for peer in peers:
            near = {other.name for other in peers if other.island == peer.island}
            assert set(peer.gossip.some(10)) == near - {peer.name}, "flights stay on the island"
            others = [other.name for other in peers if other is not peer]
            assert peer.gossip.beside(others) == len(near) - 1
        ended(peers)

    virtual.run(main())


def test_who_is_alone_on_an_island_is_found_by_the_next_through_another(
    author_on: Make,
) -> None:
    async def main() -> None:
        network = Network(47, unheard=1.0)  # no announcement is ever heard
        here = several(network, author_on, (1, 3))
        for peer in here:
            peer.author.measure(*range(int(peer.author.key[:4], 16), 3))
            peer.begin(here)
        alone = here[0]
        alone.author.measure(1, 2)
        await asyncio.sleep(3 * PERIOD * VISITS)
        assert {peer.name for peer in here[1:]} <= set(alone.gossip.peers)
        assert all(alone.ids() <= peer.ids() for peer in here[1:]), "the best of one is all of it"
        assert alone.gossip.acknowledged == 0
        assert alone.gossip.some(10) == []
        # two are asked in a round who is there, and nobody is offered what it may not hold
        assert 1.5 * VISITS * 3 < alone.gossip.tally.exchanges < 2.5 * VISITS * 3
        late = Peer(network, author_on(0, 2), 2)
        late.begin(here[1:2])  # it knows nobody but one of the other island
        late.author.measure(3)
        await asyncio.sleep(12 * PERIOD)
        assert alone.ids() >= {record.id for record in late.own()}
        assert late.ids() >= {record.id for record in alone.own()}
        assert alone.gossip.held_by(1) == 2
        ended([*here, late])

    virtual.run(main())


def test_two_that_hold_unlike_parts_of_a_foreign_author_come_to_hold_both_and_rest(
    author_on: Make,
) -> None:
    far = author_on(1, 2)
    far.measure(*range(8))
    chain = far.ledger.records(RUN)

    async def main() -> None:
        network = Network(53)
        one, other = several(network, author_on, (2, 0))
        for peer, places in ((one, (1, 4, 6)), (other, (2, 4, 7))):
            for batch in batches_of(far, [chain[place].id for place in places]):
                assert peer.replica.receive(batch, "somebody").added == 3
        assert await one.gossip.exchange(other.name)
        assert one.ids() == other.ids() == {chain[place].id for place in (1, 2, 4, 6, 7)}
        before = network.events
        for _ in range(5):
            assert await one.gossip.exchange(other.name)
            assert await other.gossip.exchange(one.name)
        assert network.events - before <= 50, "a question and an answer each"
        assert one.gossip.tally.added + other.gossip.tally.pushed <= 5

    virtual.run(main())


@pytest.mark.parametrize("held", [(1, 2, 3, 5, 6), (1, 2, 3), (1, 2, 3, 4, 5, 6), (4, 6)])
def test_of_a_foreign_author_no_more_is_sent_than_is_lacked_where_that_is_clear(
    author_on: Make, held: Sequence[int]
) -> None:
    """Else each new migrant of an author would bring all of its older ones along again."""
    far, author, beside = author_on(1, 2), author_on(0, 2), author_on(0, 2)
    far.measure(*range(7))
    chain = far.ledger.records(RUN)
    one, other = (LedgerReplica(each.ledger, RUN, each.key, CLAIMS, 2) for each in (author, beside))
    for replica, places in ((one, (1, 2, 3, 4, 5, 6)), (other, held)):
        for batch in batches_of(far, [chain[place].id for place in places]):
            replica.receive(batch)
    sent = [record for batch in one.lacking(other.heads()) for record in decoded(batch)[1]]
    clear = len(held) == 5 or held == (1, 2, 3)
    lacked = [chain[place] for place in range(1, 7) if place not in held]
    assert sent == (lacked if clear or not lacked else chain[1:])
    assert list(other.lacking(one.heads())) == [], "who has fewer waits for the rest"


def answering(*, listed: object, batches: Sequence[bytes], island: int = 1) -> Handler:
    """A peer that answers with a list, and with batches whatever it is asked for."""

    async def handler(caller: str, request: bytes) -> AsyncIterator[bytes]:
        del caller
        if b'"ids":null' in request:
            yield canonical.encode({"ids": listed, "island": island})
            return
        for batch in batches:
            yield batch

    return handler


def batches_of(author: Author, ids: Collection[str], islands: int = 2) -> list[bytes]:
    return list(LedgerReplica(author.ledger, RUN, author.key, CLAIMS, islands).named(ids))


def whole(author: Author) -> list[bytes]:
    return list(author.replica().lacking({}))


async def asked(peer: Peer, liar: MemoryTransport, handler: Handler) -> Visit:
    liar.serve(METHOD, handler)
    return await peer.migration.fetch(liar.me.peer, Refused(), 0.0)


def test_records_of_any_other_island_than_the_liars_are_refused(author_on: Make) -> None:
    async def main() -> None:
        network = Network(59)
        peer = Peer(network, author_on(0, 3), 3)
        near, second, third = author_on(0, 3), author_on(1, 3), author_on(2, 3)
        ids = dict[Author, list[str]]()
        for number, author in enumerate((near, second, third)):
            author.measure(number)
            ids[author] = [record.id for record in author.ledger.records(RUN)]
        liar = network.join("liar")
        every = [name for names in ids.values() for name in names]
        sent = [batch for author in ids for batch in batches_of(author, every, 3)]
        found = await asked(peer, liar, answering(listed=every, batches=sent, island=2))
        assert found == Visit(2, added=1, refused=2)
        assert peer.ids() == set(ids[third])
        found = await asked(peer, liar, answering(listed=every, batches=sent, island=0))
        assert found == Visit(0), "of who says that it lives here nothing is fetched this way"
        assert len(peer.ids()) == 1

    virtual.run(main())


def test_what_was_not_asked_for_or_is_unsound_is_refused_and_not_asked_for_again(
    author_on: Make,
) -> None:
    async def main() -> None:
        network, questions = Network(61), list[bytes]()
        peer, far = Peer(network, author_on(0, 2), 2), author_on(1, 2)
        far.measure(1, 2)
        far.measure(3, worse=2000.0)  # more than anybody may claim
        chain = sorted(far.ledger.records(RUN), key=lambda record: record.seq)
        liar, refused = network.join("liar"), Refused()
        handler = answering(
            listed=[chain[0].id, chain[2].id],
            batches=batches_of(far, [record.id for record in chain]),
        )

        async def noted(caller: str, request: bytes) -> AsyncIterator[bytes]:
            questions.append(request)
            async for frame in handler(caller, request):
                yield frame

        liar.serve(METHOD, noted)
        assert await peer.migration.fetch("liar", refused, 0.0) == Visit(1, 1, 2)
        assert peer.ids() == {chain[0].id}
        assert await peer.migration.fetch("liar", refused, 10.0) == Visit(1)
        assert len(questions) == 3, "its list alone is asked for"
        assert await peer.migration.fetch("liar", refused, 100.0) == Visit(1, 0, 2)
        assert len(questions) == 5

    virtual.run(main())


@pytest.mark.parametrize(
    "listed",
    [None, "ab", [1], ["ab"], ["zz" * 32], {}, [f"{n:064x}" for n in range(OFFERED + 1)]],
)
def test_lists_that_are_none_are_refused(author_on: Make, listed: object) -> None:
    async def main() -> None:
        network = Network(67)
        peer = Peer(network, author_on(0, 2), 2)
        liar = network.join("liar")
        with pytest.raises((TransportError, ValueError)):
            await asked(peer, liar, answering(listed=listed, batches=[]))
        for island in (2, -1, "1", None, 1.0):
            with pytest.raises(ValueError, match="island"):
                await asked(peer, liar, _says({"ids": [], "island": island}))

    virtual.run(main())


def _says(value: object) -> Handler:
    async def handler(caller: str, request: bytes) -> AsyncIterator[bytes]:
        del caller, request
        yield canonical.encode(value)

    return handler


@pytest.mark.parametrize("kind", ["junk", "copies"])
def test_an_answer_without_end_ends(author_on: Make, kind: str) -> None:
    async def main() -> None:
        network, sent = Network(71), list[int]()
        peer, far = Peer(network, author_on(0, 2), 2), author_on(1, 2)
        far.measure(1)
        (record,) = far.ledger.records(RUN)
        junk = canonical.encode({"genomes": [], "records": [["x" * 100, "00" * 64]] * 1000})
        frame = junk if kind == "junk" else batches_of(far, [record.id])[0]

        async def endless(caller: str, request: bytes) -> AsyncIterator[bytes]:
            del caller
            if b'"ids":null' in request:
                yield canonical.encode({"ids": [record.id], "island": 1})
                return
            while True:
                sent.append(1)
                yield frame

        liar = network.join("liar")
        liar.serve("heads", _says({"heads": None, "island": 1, "parts": {}, "peers": []}))
        await peer.gossip.meet([Contact("liar")])
        with pytest.raises(TransportError, match="asked for 1 records"):
            await asked(peer, liar, endless)
        assert len(sent) < 20
        assert peer.ids() == ({record.id} if kind == "copies" else set())

    virtual.run(main())


def test_of_another_island_no_heads_are_compared_whatever_it_says(author_on: Make) -> None:
    """A peer that says that it lives elsewhere and tells heads all the same is not pulled from."""
    asks_of_peer = list[str]()

    def watch(event: str) -> None:
        if " asks liar " in event:
            asks_of_peer.append(event.split(" ")[4])

    async def main() -> None:
        network = Network(73, watch=watch)
        peer = several(network, author_on, (1, 0))[0]
        peer.author.measure(1)
        liar = network.join("liar")
        heads = {"ab" * 32: [9, 9, "0" * 64]}
        parts = {"00": [20, "0" * 16]}
        liar.serve("heads", _says({"heads": heads, "island": 1, "parts": parts, "peers": []}))
        assert await peer.gossip.exchange("liar")
        asks = canonical.encode(
            {"island": 1, "parts": ["", "ab"], "root": None, "run": peer.replica.run}
        )
        (said,) = [frame async for frame in liar.ask(peer.name, "heads", asks)]
        answer = canonical.decode(said, limit=1 << 20)
        assert isinstance(answer, dict)
        assert answer["heads"] is None
        assert not answer["parts"]
        for island in (2, "0", None):
            wrong = canonical.encode(
                {"island": island, "parts": [""], "root": None, "run": peer.replica.run}
            )
            with pytest.raises(TransportError, match="island"):
                async for _ in liar.ask(peer.name, "heads", wrong):
                    pass

    virtual.run(main())
    assert asks_of_peer == ["'heads'"]


def test_who_lives_elsewhere_is_told_of_its_own_island_first(author_on: Make) -> None:
    async def main() -> None:
        network = Network(75)
        peer = several(network, author_on, (1, 0, 0))[0]
        asks = network.join("asks")
        for number in range(12):
            run, island = peer.replica.run[:16], 1 + number % 2
            said = canonical.encode({"addresses": [], "island": island, "run": run})
            await network.join(f"on-{island}-{number}").announce(said)
        peer.begin([])
        await asyncio.sleep(15.0)
        request = canonical.encode(
            {"island": 2, "parts": [""], "root": "0" * 64, "run": peer.replica.run}
        )
        (said,) = [frame async for frame in asks.ask(peer.name, "heads", request)]
        told = [str(name) for name, _ in json.loads(said)["peers"]]
        assert Counter(name[:5] for name in told) == {"on-2-": 6, "on-1-": 2}
        ended([peer])

    virtual.run(main())


def test_nothing_is_offered_until_all_of_the_log_is_read(author_on: Make) -> None:
    """Else a peer that was started again would offer what was good long ago."""
    author = author_on(0, 2)
    author.measure(*range(10))
    weights = dict.fromkeys(author.ledger.records(RUN), 1.0)
    for _ in range(PAGES * PAGE // 10):
        author.ledger.append_weights(RUN, weights)
    author.measure(11)
    replica = LedgerReplica(author.ledger, RUN, author.key, CLAIMS, 2)
    for offered in (set[str](), author.ledger.ids(RUN), author.ledger.ids(RUN)):
        replica.look()
        assert set(replica.emigrants()) == offered


def test_who_asks_gets_nothing_but_what_is_offered(author_on: Make) -> None:
    async def main() -> None:
        network = Network(79)
        here = several(network, author_on, (3, 0))
        for number, peer in enumerate(here):
            peer.author.measure(*range(20 * number, 20 * number + 9))
        assert await here[0].gossip.exchange(here[1].name)
        assert await here[0].gossip.exchange(here[2].name)
        guest = network.join("guest")
        wanted = canonical.encode({"ids": sorted(here[0].ids()), "run": here[0].replica.run})
        assert [f async for f in guest.ask(here[0].name, METHOD, wanted)] == [], "not yet read"
        offered = here[0].offers()
        assert len(offered) == FEW // 3
        frames = [frame async for frame in guest.ask(here[0].name, METHOD, wanted)]
        assert {record.id for frame in frames for record in decoded(frame)[1]} == offered
        for text in (b"", b"{}", canonical.encode({"ids": None, "run": "cd" * 32})):
            with pytest.raises(TransportError):
                async for _ in guest.ask(here[0].name, METHOD, text):
                    pass

    virtual.run(main())


def test_a_flood_of_foreign_records_takes_no_room_of_this_island(
    author_on: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"FOREIGN_AUTHORS": 2, "FOREIGN_OWN": 1, "FOREIGN_POOL": 40_000,
                        "MOST_AUTHORS": 3, "KEPT": 1}.items():  # fmt: skip
        monkeypatch.setattr(room, name, value)
    here, floods = author_on(0, 2), [author_on(1, 2) for _ in range(5)]
    replica = LedgerReplica(here.ledger, RUN, here.key, CLAIMS, 2)
    taken = 0
    for far in floods:
        far.measure(*range(12))
        taken += sum(replica.receive(each, "flood").added for each in whole(far))
    authors = {record.author for record in here.ledger.records(RUN)}
    assert 0 < len(authors) <= 2
    assert sum(here.ledger.sizes(RUN).values()) <= 2 * 40_000 // room.PART
    assert 0 < taken < 24
    for number in range(3):
        near = author_on(0, 2)
        near.measure(*range(12))
        added = sum(replica.receive(each, f"near-{number}").added for each in whole(near))
        assert added == 12, "who lives here has room as if there were nobody else"
    again = LedgerReplica(here.ledger, RUN, here.key, CLAIMS, 2)
    assert sum(again.receive(each).added for each in whole(floods[0])) == 0, "nor after a restart"


def test_many_foreign_peers_do_not_keep_out_who_lives_here(
    author_on: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("praxis_evolve.market.swarm.gossip.AUTHORS", 20)

    async def main() -> None:
        network = Network(89)
        peer = several(network, author_on, (1, 0))[0]

        def said(island: int) -> bytes:
            run = peer.replica.run
            return canonical.encode({"addresses": [], "island": island, "run": run[:16]})

        for number in range(60):
            await network.join(f"far-{number:02}").announce(said(1))
        peer.begin([])
        await asyncio.sleep(30.0)
        assert len(peer.gossip.peers) == 20
        near = [network.join(f"near-{number:02}") for number in range(40)]
        for each in near:
            await each.announce(said(0))
        await asyncio.sleep(30.0)
        here = [name for name in peer.gossip.peers if name.startswith("near")]
        assert len(here) == 15
        assert len(peer.gossip.peers) == 20, "some of other islands stay"
        ended([peer])

    virtual.run(main())


def test_a_run_of_one_island_says_nothing_of_islands(author_on: Make) -> None:
    said = list[str]()

    async def main() -> None:
        network = Network(97)
        authors = [author_on(0, 1) for _ in range(1 + FANOUT)]
        gossips = [
            Gossip(network.join(each.key), each.replica(), author=each.key, rng=Random(1))
            for each in authors
        ]
        stranger = network.join("stranger")
        contacts = [Contact(each.key) for each in authors]
        tasks = [asyncio.create_task(gossip.run(contacts)) for gossip in gossips]
        authors[0].measure(1)
        await asyncio.sleep(20.0)
        assert gossips[0].acknowledged == 1
        said.extend(text.decode() for text in (await stranger.announced()).values())
        asks = canonical.encode({"parts": [""], "root": None, "run": authors[0].replica().run})
        said.extend([f.decode() async for f in stranger.ask(authors[0].key, "heads", asks)])
        with pytest.raises(TransportError):
            async for _ in stranger.ask(authors[0].key, METHOD, asks):
                pass
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    virtual.run(main())
    assert len(said) == 4
    assert not any("island" in text for text in said)
