"""Peers whose genomes inherit: what one claims of an heir, another measures again from its line."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from praxis_evolve.benchmarks.identities import identity_of
from praxis_evolve.benchmarks.landscape import CATALOG, Landscape, manifest
from praxis_evolve.benchmarks.ledger_peers import Peer, exchange
from praxis_evolve.evaluator.result import Result
from praxis_evolve.market.claims import Claims
from praxis_evolve.market.evidence import is_heir
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.log import PEER
from praxis_evolve.market.plan import Plan
from praxis_evolve.market.swarm.replica import LedgerReplica
from praxis_evolve.market.weighing import Weighing
from praxis_evolve.search.base import Asked, Assignment, Finished

LANDSCAPE = Landscape(3)
INHERITING = replace(manifest(600), inherit=True, population=16)
LIAR = 2
LATER = 1e9
"""Long after the lease of who searched there has ended."""


class Swarm(NamedTuple):
    """Peers that worked together, and the first one's store before the second went on alone."""

    peers: list[Peer]
    earlier: Path


def trained(peer: Peer, assignment: Assignment) -> Result:
    """What anybody finds who begins with the same line; each ancestor is worth a twentieth."""
    job, found = peer.plan.job(assignment), LANDSCAPE.measured(assignment)
    if not job.line:
        return found
    bits = (found.bits_per_byte or 0.0) - len(job.line) / 20
    parent = peer.plan.identify(job.line[-1])
    return replace(
        found, bits_per_byte=max(0.2, bits), inherited_tokens=90 * len(job.line), parent=parent,
        heritage=job.heritage,
    )  # fmt: skip


def work(peer: Peer) -> None:
    """Do what there is to do; a liar says of the heirs alone that it bred what is false."""
    assignment = peer.asked()
    if assignment is None:
        return
    result = trained(peer, assignment)
    if peer.identity == identity_of(LIAR) and result.heritage and assignment.origin != "audit":
        result = replace(result, bits_per_byte=max(0.1, (result.bits_per_byte or 0.0) - 1))
    peer.publish(result)


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Generator[Swarm]:
    folder, rng = tmp_path_factory.mktemp("swarm"), Random(1)
    with ExitStack() as stack:
        peers = [Peer(folder / f"{n}", n, INHERITING, lies=False) for n in range(3)]
        for peer in peers:
            stack.enter_context(peer.ledger)
        for _ in range(110):
            for peer in rng.sample(peers, len(peers)):
                work(peer)
            for peer in peers:
                exchange(peer, rng.choice(peers))
        earlier = folder / "earlier.db"
        store, copy = (sqlite3.connect(each) for each in (folder / "0" / "store.db", earlier))
        with closing(store), closing(copy):
            store.backup(copy)
        for _ in range(60):
            work(peers[1])
        yield Swarm(peers, earlier)


def test_heirs_are_audited_and_honest_ones_found_right(swarm: Swarm) -> None:
    honest, liar = swarm.peers[:LIAR], swarm.peers[LIAR].identity.author
    for peer, other in (honest, honest[::-1]):
        asked = [
            event.assignment
            for event in peer.ledger.events("run")
            if isinstance(event, Asked) and event.assignment.origin == "audit"
        ]
        assert sum(bool(assignment.parents) for assignment in asked) > 2
        tally = peer.journal.reckoning.tallies[other.identity.author]
        assert (tally.wrong, tally.strayed) == (0, 0)
        assert peer.journal.reckoning.tallies[liar].wrong > 0
        assert liar not in peer.journal.believed
        assert other.identity.author in peer.journal.believed


def test_heirs_of_another_are_bred_on_where_they_are_believed(swarm: Swarm) -> None:
    peer = swarm.peers[0]
    theirs = {
        event.result.genome
        for event in peer.ledger.events("run")
        if isinstance(event, Finished) and event.asked is not None and is_heir(event.result)
        and event.asked.origin == PEER and event.weight == 1.0
    }  # fmt: skip
    asked = [e.assignment for e in peer.ledger.events("run") if isinstance(e, Asked)]
    assert any(theirs & set(a.parents) for a in asked if a.origin not in ("audit", "promote"))


def test_no_lie_about_an_heir_counts_that_was_measured_again(swarm: Swarm) -> None:
    for peer in swarm.peers[:LIAR]:
        own = {r.result.heritage: r.result for r in peer.ledger.records("run")
               if r.author == peer.identity.author and r.result.heritage}  # fmt: skip
        assert own
        for result in peer.plan.results:
            truth = own.get(result.heritage)
            if truth is not None and truth.rung == result.rung:
                assert result.bits_per_byte == truth.bits_per_byte


@pytest.mark.parametrize("knows", [True, False])
def test_a_relay_knows_lines_too(swarm: Swarm, tmp_path: Path, knows: bool) -> None:
    """The first peer's store as it was a while ago, where nobody searches any more."""
    peer, other = swarm.peers[:LIAR]
    plan, place = Plan(INHERITING, CATALOG), tmp_path / "store.db"
    shutil.copy(swarm.earlier, place)
    with Ledger.open(f"sqlite:///{place}", catalog=CATALOG) as ledger:
        replica = LedgerReplica(ledger, "run", peer.identity.author, Claims(INHERITING, plan.space))
        before = {record.id for record in ledger.records("run")}
        for batch in other.replica.lacking(replica.heads()):
            replica.receive(batch)
        lines = plan.lines_anew if knows else lambda: None
        weighing = Weighing(ledger, "run", peer.identity, now=lambda: LATER, lines=lines)
        assert weighing.look()
        assert not weighing.look(), "all is said at once, however long a line is"
        heirs = {
            record.id: event.weight
            for event, record in ledger.told("run")
            if record is not None and record.id not in before and isinstance(event, Finished)
            and record.result.heritage and record.author == other.identity.author
        }  # fmt: skip
    assert len(heirs) > 10
    assert (max(heirs.values()) == 1.0) == knows


def test_what_a_peer_asked_among_heirs_replays(swarm: Swarm) -> None:
    for peer in swarm.peers[:LIAR]:
        plan, asked = Plan(INHERITING, peer.plan.space.catalog), 0
        for event in peer.ledger.events("run"):
            if isinstance(event, Asked):
                assert plan.search.ask(event.assignment.birth) == event.assignment
                asked += 1
            plan.search.tell([event])
        assert asked > 50
