"""The ledger on PostgreSQL, where PRAXIS_POSTGRES names a database whose user may create others.

PRAXIS_POSTGRES=postgresql+psycopg://user@host/database pytest tests/market/test_postgres.py
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import make_url

from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.graph import Genome
from praxis_evolve.market.errors import LeaseHeldError, NotFoundError
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.lease import Process, acquire, release, renew
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.search.base import Asked, Assignment, Birth, Finished
from praxis_evolve.tests.market.receiving import received


@pytest.fixture
def server(postgres: str, catalog: Catalog) -> Iterator[Ledger]:
    with Ledger.open(postgres, catalog=catalog) as ledger:
        yield ledger


def test_a_run_is_kept_whole(server: Ledger, genome: Genome, identity: Identity):
    server.create_run("amber", {"seed": 1})
    assignment = Assignment(genome, 2**40, 0, Birth("run", identity.author, 0), "mutate")
    found = server.append_asked("amber", assignment)
    result = Result(found, "cd" * 32, 2**40, 0, 2**64 - 1, 0.1 + 0.2, reason="")
    record = server.publish("amber", identity, result)
    assert server.publish("amber", identity, result) == record
    assert server.records("amber") == [record]
    assert list(server.events("amber")) == [Asked(assignment), Finished(result)]
    assert server.genome(server.find_genome("amber", found[:8])) == genome
    assert list(server.problems("amber")) == []
    assert server.ids("amber") == {record.id}
    assert server.news("amber", 0) == (2, [identity.author])
    assert server.news("amber", 2) == (2, [])
    assert server.places("amber", identity.author) == [(0, record.id)]
    assert [each for each, _ in server.entries("amber", identity.author)] == [record]
    server.create_run("copy", {"seed": 1})
    assert received(server, "copy", [record, record], [genome]).added == (record.id,)
    server.remove_run("amber")
    assert [run.name for run in server.runs()] == ["copy"]
    with pytest.raises(NotFoundError, match="amber"):
        server.records("amber")


def test_threads_at_once_keep_one_chain(server: Ledger, genome: Genome, identity: Identity):
    server.create_run("amber", {})
    result = Result(server.put_genome("amber", genome), "cd" * 32, 1000, 0, 7, 2.5)
    results = [replace(result, replica=replica) for replica in range(80)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(partial(server.publish, "amber", identity), results))
    assert sorted(record.seq for record in server.records("amber")) == list(range(80))
    assert list(server.problems("amber")) == []


def test_a_server_whose_transactions_see_one_state_unless_told_serves_too(
    postgres: str, catalog: Catalog, genome: Genome, identity: Identity
):
    stale = make_url(postgres).update_query_dict(
        {"options": "-c default_transaction_isolation=repeatable\\ read"}
    )
    with Ledger.open(stale.render_as_string(hide_password=False), catalog=catalog) as server:
        test_threads_at_once_keep_one_chain(server, genome, identity)


def test_a_lease_is_held_by_one(server: Ledger):
    server.create_run("amber", {})
    far = Process("another host", 1, 0.0)
    lease = renew(server.store, acquire(server.store, "amber", now=0, process=far), now=10)
    with pytest.raises(LeaseHeldError, match="driven by process 1"):
        acquire(server.store, "amber", now=20)
    release(server.store, lease)
    assert acquire(server.store, "amber", now=20).fence == 2


def test_vacuums_at_once_wait_for_each_other(server: Ledger):
    server.create_run("amber", {})
    with ThreadPoolExecutor(4) as pool:
        for vacuum in [pool.submit(server.store.vacuum) for _ in range(8)]:
            vacuum.result()
    assert [run.name for run in server.runs()] == ["amber"]
