"""Commitments: what counts was bound to before it could be copied, and nobody sees it too early."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.market.record import Record
from praxis_evolve.market.swarm import virtual
from praxis_evolve.market.swarm.commitments import (
    LOOKED,
    MOST_BOUND,
    MOST_HEARD,
    STALE,
    Commitment,
    Commitments,
    Withheld,
    genuine,
    signed,
    spreading,
)
from praxis_evolve.market.swarm.flights import LOOK, Flights
from praxis_evolve.market.swarm.gossip import Gossip
from praxis_evolve.market.swarm.heads import head_of
from praxis_evolve.market.swarm.memory import Network
from praxis_evolve.market.swarm.replica import LedgerReplica
from praxis_evolve.search.base import Key, key_of
from praxis_evolve.tests.market.swarm.authors import CLAIMS, RUN, Author, genome_of, measured

SPREADS, HOLD = 20.0, 30.0


class Clock:
    """A time that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def me(tmp_path: Path, clock: Clock) -> Iterator[Author]:
    author = Author(tmp_path / "me", now=clock)
    yield author
    author.ledger.close()


@pytest.fixture
def others(tmp_path: Path) -> Iterator[Sequence[Author]]:
    several = [Author(tmp_path / name) for name in ("a", "b")]
    yield several
    for each in several:
        each.ledger.close()


def heard_by(me: Author, clock: Clock, *, touched: bool = True) -> Commitments:
    return Commitments(
        me.ledger, RUN, me.key, spreads=lambda: SPREADS, in_touch=lambda seconds: touched, now=clock
    )


def bound(author: Author, seq: int = 0) -> Commitment:
    record = author.ledger.records(RUN)[seq]
    return Commitment(key_of(record.result), record.id)


def brought(source: Author, target: Author) -> None:
    for batch in source.replica().lacking(target.replica().heads()):
        assert not target.replica().receive(batch).refused


def test_who_was_bound_a_while_before_others_said_the_same_measured(
    me: Author, others: Sequence[Author], clock: Clock
) -> None:
    one, copier = others
    one.measure(1)
    commitments = heard_by(me, clock)
    commitments.hear(one.key, [bound(one)], out=0)
    clock.now += SPREADS
    assert not commitments.sure(), "its record is not here yet"
    brought(one, me)
    copier.measure(1)
    brought(copier, me)
    clock.now += SPREADS
    commitments.hear(copier.key, [bound(copier)], out=0)
    assert list(commitments.sure()) == [bound(one).record]
    clock.now += SPREADS
    assert list(commitments.sure()) == [bound(one).record], "the copier was bound too late"


def test_who_says_the_same_while_a_record_spreads_spoils_it_and_who_says_another_thing_does_not(
    me: Author, others: Sequence[Author], clock: Clock
) -> None:
    one, other = others
    for worse, spoils in ((0.0, True), (1.0, False)):
        number = 10 + spoils
        for each in others:
            each.measure(number, worse=worse if each is other else 0.0)
        mine = bound(one, len(one.ledger.records(RUN)) - 1)
        commitments = heard_by(me, clock)
        commitments.hear(one.key, [mine], out=0)
        brought(other, me)
        clock.now += SPREADS
        brought(one, me)
        assert bool(commitments.sure()) != spoils


@pytest.mark.parametrize("out", [0, 1])
def test_what_this_peer_held_back_cannot_have_been_copied(
    me: Author, others: Sequence[Author], clock: Clock, out: int
) -> None:
    me.measure(1)
    others[0].measure(1)
    commitments = heard_by(me, clock)
    commitments.hear(others[0].key, [bound(others[0])], out=out)
    clock.now += SPREADS
    brought(others[0], me)
    assert bool(commitments.sure()) == (out == 0)


def test_of_one_work_the_first_commitment_stands(
    me: Author, others: Sequence[Author], clock: Clock
) -> None:
    one = others[0]
    one.ledger.put_genome(RUN, genome_of(1))
    failed = replace(
        measured(genome_of(1)), bits_per_byte=None, failure="out of time", reason="by lot"
    )
    one.ledger.publish(RUN, one.identity, failed)
    one.measure(1)
    commitments = heard_by(me, clock)
    commitments.hear(one.key, [bound(one, 1)], out=0)
    commitments.hear(one.key, [bound(one, 0)], out=0)
    clock.now += SPREADS
    brought(one, me)
    assert list(commitments.sure()) == [bound(one, 1).record]


def test_what_is_repeated_after_another_said_the_same_counts_nothing(
    me: Author, others: Sequence[Author], clock: Clock
) -> None:
    """The receiver's clock alone says when a commitment was heard, whoever passes it on."""
    for each in others:
        each.measure(1)
        brought(each, me)
    commitments = heard_by(me, clock)
    clock.now += SPREADS
    for each in others:
        commitments.hear(each.key, [bound(each)], out=0)
    for _ in range(3):
        clock.now += STALE
        assert not commitments.sure()


def test_a_signature_is_of_one_commitment_in_one_run_by_its_author(
    others: Sequence[Author],
) -> None:
    one, other = others
    one.measure(1, 2)
    first, second = (signed("ab" * 32, one.identity, bound(one, seq)) for seq in (0, 1))
    assert genuine("ab" * 32, one.key, first)
    assert not genuine("ab" * 32, one.key, bound(one))
    assert not genuine("cd" * 32, one.key, first)
    assert not genuine("ab" * 32, other.key, first)
    assert not genuine("ab" * 32, one.key, first._replace(signature=second.signature))


def test_nothing_is_sure_for_who_was_cut_off_nor_of_another_s_or_no_record(
    me: Author, others: Sequence[Author], clock: Clock
) -> None:
    one, other = others
    one.measure(1)
    brought(one, me)
    cut, heard = heard_by(me, clock, touched=False), heard_by(me, clock)
    cut.hear(one.key, [bound(one)], out=0)
    heard.hear(other.key, [bound(one)], out=0)
    heard.hear(other.key, [Commitment(Key("ab" * 32, 100, 0), "cd" * 32)], out=0)
    heard.hear(me.key, [Commitment(Key("ab" * 32, 100, 0), "cd" * 32)], out=0)
    for _ in range(3):
        clock.now += STALE
        assert not cut.sure()
        assert not heard.sure()


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("same", [False, True])
def test_who_names_another_s_record_takes_nothing_from_its_author(
    me: Author, others: Sequence[Author], clock: Clock, first: bool, same: bool
) -> None:
    one, thief = others
    one.measure(1)
    mine = bound(one)
    work = mine.work if same else Key("ab" * 32, 100, 0)
    said = [(one.key, mine), (thief.key, Commitment(work, mine.record))]
    commitments = heard_by(me, clock)
    for author, commitment in reversed(said) if first else said:
        commitments.hear(author, [commitment], out=0)
    brought(one, me)
    for _ in range(3):
        clock.now += SPREADS
        assert list(commitments.sure()) == [mine.record]


def test_a_flood_of_commitments_takes_nothing_from_others(
    me: Author, others: Sequence[Author], clock: Clock
) -> None:
    one, hog = others
    one.measure(1)
    commitments = heard_by(me, clock)
    commitments.hear(one.key, [bound(one)], out=0)
    flood = [Commitment(Key(f"{n:064x}", 100, 0), f"{n:064x}") for n in range(MOST_HEARD)]
    for first in range(0, MOST_HEARD, MOST_BOUND):
        commitments.hear(hog.key, flood[first : first + MOST_BOUND], out=0)
    brought(one, me)
    clock.now += SPREADS
    found = [list(commitments.sure()) for _ in range(1 + MOST_HEARD // LOOKED)]
    assert found[-1] == [bound(one).record]


def test_who_is_bound_to_nothing_costs_few_looks(
    me: Author, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = list[Key]()

    def said_of(run: str, work: Key) -> list[tuple[Record, float]]:
        del run
        looks.append(work)
        return []

    monkeypatch.setattr(me.ledger, "said_of", said_of)
    commitments = heard_by(me, clock)
    for name in range(300):
        commitments.hear(
            f"{name:064x}",
            [Commitment(Key(f"{n:064x}", 100, 0), f"{name:032x}{n:032x}") for n in range(32)],
            out=0,
        )
    for _ in range(int(STALE)):
        clock.now += 1.0
        before = len(looks)
        commitments.sure()
        assert len(looks) - before <= LOOKED
    looks.clear()
    for _ in range(1000):
        clock.now += 1.0
        commitments.sure()
    assert len(looks) <= MOST_HEARD, "each at most once more"


def publish(author: Author, number: int, *, seconds: float = 60.0, **changed: int) -> None:
    genome = genome_of(number)
    result: Result = replace(measured(genome, **changed), measured=Measurement(seconds=seconds))
    author.ledger.put_genome(RUN, genome)
    author.ledger.publish(RUN, author.identity, result)


def test_others_see_a_record_when_it_was_held_back_and_its_hash_before(
    me: Author, others: Sequence[Author], clock: Clock
) -> None:
    publish(me, 1)
    withheld = Withheld(me.ledger, RUN, me.key, hold=lambda: HOLD, now=clock)
    assert (withheld.out, withheld.bound) == (1, ()), "what was there is known"
    replica = LedgerReplica(me.ledger, RUN, me.key, CLAIMS, out=lambda: withheld.out)
    publish(me, 2)
    withheld.look()
    assert withheld.bound == (bound(me, 1),)
    assert replica.heads()[me.key].records == 1
    for batch in replica.lacking({}):
        others[0].replica().receive(batch)
    assert len(others[0].ledger.records(RUN)) == 1
    clock.now += HOLD
    withheld.look()
    assert withheld.bound == ()
    for batch in replica.lacking(others[0].replica().heads()):
        others[0].replica().receive(batch)
    assert others[0].ledger.records(RUN) == me.ledger.records(RUN)
    assert others[0].replica().heads() == replica.heads() == me.replica().heads()


def test_what_is_held_back_is_not_named_where_own_records_came_back_with_gaps(
    me: Author, tmp_path: Path
) -> None:
    me.measure(*range(4))
    lost = Author(tmp_path / "lost", identity=me.identity)
    replica = LedgerReplica(lost.ledger, RUN, me.key, CLAIMS, out=lambda: 3)
    other = Author(tmp_path / "other")
    entries = dict(enumerate(me.ledger.entries(RUN, me.key)))
    for came, shown in (((0, 2, 3), (0, 2)), ((1,), (0, 1, 2))):
        records, texts = zip(*(entries[seq] for seq in came), strict=True)
        lost.ledger.take_in(RUN, records, texts, own=me.key, check=lambda record, genome: None)
        head = head_of((seq, entries[seq][0].id) for seq in shown)
        assert replica.heads() == {me.key: head}
        for batch in replica.lacking(other.replica().heads()):
            other.replica().receive(batch)
        assert other.replica().heads() == {me.key: head}
    lost.ledger.close()
    other.ledger.close()


def test_nobody_is_named_of_whom_all_is_held_back(me: Author, clock: Clock) -> None:
    withheld = Withheld(me.ledger, RUN, me.key, hold=lambda: HOLD, now=clock)
    replica = LedgerReplica(me.ledger, RUN, me.key, CLAIMS, out=lambda: withheld.out)
    publish(me, 1)
    assert replica.heads() == {}
    assert list(replica.lacking({})) == []


def test_what_is_quick_failed_or_final_is_not_held_back_but_behind_what_is(
    me: Author, clock: Clock
) -> None:
    withheld = Withheld(me.ledger, RUN, me.key, hold=lambda: HOLD, now=clock)
    publish(me, 1, seconds=2.0)
    withheld.look()
    clock.now += 2.0
    withheld.look()
    assert withheld.out == 1
    publish(me, 2, seconds=0.0)
    publish(me, 3, replica=1)
    withheld.look()
    assert withheld.out == 3
    publish(me, 4)
    publish(me, 5, replica=1)
    withheld.look()
    assert withheld.out == 3
    assert withheld.bound == (bound(me, 3),)
    withheld.release()
    publish(me, 6)
    withheld.look()
    assert withheld.out == 6


def test_no_more_is_told_of_than_others_hear(me: Author, clock: Clock) -> None:
    withheld = Withheld(me.ledger, RUN, me.key, hold=lambda: HOLD, now=clock)
    for number in range(MOST_BOUND + 2):
        publish(me, number)
    withheld.look()
    assert withheld.bound == tuple(bound(me, n) for n in range(MOST_BOUND))


@given(st.integers(1, 10_000))
def test_more_peers_take_longer_but_not_much(peers: int) -> None:
    assert spreading(peers) <= spreading(peers + 1) <= spreading(peers) + 10
    assert 20 <= spreading(peers) <= 140


def test_peers_in_a_network_are_sure_of_each_other_and_of_no_copier(tmp_path: Path) -> None:
    """Three measure the same at once; a fourth repeats the first record that it can get."""

    async def main() -> None:
        network, clock = Network(1, loss=0.01), asyncio.get_running_loop().time
        peers = [Peer(tmp_path / f"{n}", network, n) for n in range(5)]
        await asyncio.sleep(60.0)
        for peer in peers[:3]:
            publish(peer.author, 1)
        copier = peers[3]
        while not (found := copier.author.ledger.records(RUN)):
            await asyncio.sleep(LOOK)
        result = replace(found[0].result, measured=Measurement(seconds=60.0))
        copier.author.ledger.put_genome(RUN, genome_of(1))
        copier.author.ledger.publish(RUN, copier.author.identity, result)
        began = clock()
        while clock() < began + 200:
            await asyncio.sleep(1.0)
            for peer in peers:
                peer.commitments.sure()
        names = {record.id: record.author for record in peers[4].author.ledger.records(RUN)}
        assert len(names) == 4
        honest = {peer.author.key for peer in peers[:3]}
        assert {names[name] for name in peers[4].commitments.sure()} == honest
        for peer in peers[:3]:
            assert {names[n] for n in peer.commitments.sure()} == honest - {peer.author.key}
        for peer in peers:
            peer.author.ledger.close()

    virtual.run(main(), seed=1)


class Peer:
    """A peer in virtual time with gossip, flights and commitments as a node has them."""

    def __init__(self, folder: Path, network: Network, number: int) -> None:
        clock = asyncio.get_running_loop().time
        self.author = author = Author(folder, now=clock)
        transport = network.join(f"p{number}")
        self.withheld = Withheld(author.ledger, RUN, author.key, hold=lambda: HOLD, now=clock)
        replica = LedgerReplica(
            author.ledger, RUN, author.key, CLAIMS, out=lambda: self.withheld.out
        )
        self.gossip = Gossip(transport, replica, author=author.key, rng=Random(number))
        self.commitments = Commitments(
            author.ledger, RUN, author.key, spreads=lambda: SPREADS, now=clock,
            in_touch=self.gossip.in_touch,
        )  # fmt: skip
        self.flights = Flights(
            transport, replica.run, author.identity, peers=self.gossip.some, now=clock,
            bound=lambda: self.withheld.bound,
            hear=lambda name, several: self.commitments.hear(name, several, self.withheld.out),
        )  # fmt: skip
        self.tasks = [
            asyncio.create_task(each)
            for each in (self.gossip.run(), self.flights.run(), self._let_out())
        ]

    async def _let_out(self) -> None:
        while True:
            self.withheld.look()
            await asyncio.sleep(LOOK)
