"""Restoring a search from a log, of which most is read as objects that were read before."""

from __future__ import annotations

import pickle
from contextlib import ExitStack
from dataclasses import replace

import pytest

from praxis_evolve.benchmarks.landscape import CATALOG, Landscape, manifest
from praxis_evolve.benchmarks.ledger_peers import Peer, exchange
from praxis_evolve.market.drive import restore
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.market.plan import Plan
from praxis_evolve.search.base import Asked, Assignment, Event, Finished


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Manifest, list[Event]]:
    """What the log of a peer says of its own work and that of another, twice where weighed."""
    of, folder = manifest(60), tmp_path_factory.mktemp("peers")
    with ExitStack() as stack:
        peers = [Peer(folder / str(number), number, of, lies=False) for number in range(2)]
        for peer in peers:
            stack.enter_context(peer.ledger)
        landscape = Landscape(0)
        for _ in range(12):
            for peer in peers:
                peer.work(landscape)
            exchange(*peers)
        records, own = peers[0].ledger.records("run"), peers[0].identity.author
        theirs = [record for record in records if record.author != own]
        peers[0].ledger.append_weights("run", dict.fromkeys(theirs, 1.0))
        return of, list(peers[0].ledger.events("run"))


def asks(of: Manifest, events: list[Event]) -> list[Assignment | None]:
    """Return what a peer asks next after a restart, and after what it asked was told."""
    plan, asked = Plan(of, CATALOG), list[Assignment | None]()
    restored = restore(plan, events, run="run", author="somebody")
    birth = restored.birth
    for number in range(15):
        assignment = plan.search.ask(replace(birth, number=number))
        asked.append(assignment)
        if assignment is not None:
            plan.search.tell([Asked(assignment)])
    return asked


def test_of_one_object_or_of_many_that_are_equal_a_search_is_the_same(
    told: tuple[Manifest, list[Event]],
):
    of, events = told
    foreign = [e.asked.genome for e in events if isinstance(e, Finished) and e.asked is not None]
    assert len({id(genome) for genome in foreign}) < len(foreign)
    apart: list[Event] = [pickle.loads(pickle.dumps(event)) for event in events]
    assert apart == events
    found = asks(of, events)
    assert found == asks(of, apart)
    assert len({str(each) for each in found}) > 5
    lineages = [[e.lineage for e in each.genome.pool] for each in found if each]
    again = [[e.lineage for e in each.genome.pool] for each in asks(of, apart) if each]
    assert lineages == again
    assert found != asks(of, events[: len(events) // 2])
