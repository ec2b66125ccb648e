from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, text

from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.graph import Genome, Visit
from praxis_evolve.genome.identity import genome_id
from praxis_evolve.genome.text import to_json
from praxis_evolve.market import log, schema
from praxis_evolve.market.errors import LeaseLostError, StoreError
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.lease import acquire, renew
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.record import FIRST, Record, sign
from praxis_evolve.market.store import Store
from praxis_evolve.market.tables import VERSION_TABLE, records
from praxis_evolve.search.base import Asked, Assignment, Birth, Closed, Event, Expired, Finished
from praxis_evolve.tests.market.old_store import old_line, old_run, old_tables

MANIFEST = {"seed": 1, "task": "words"}
DIGEST = "ef" * 32


@dataclass(frozen=True)
class Old:
    """What a store of schema 0001 holds of each of its runs."""

    genomes: dict[str, Genome]
    records: list[Record]
    lines: list[log.Line]
    events: list[Event]


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'old.db'}"
    return request.getfixturevalue("postgres")


@pytest.fixture(scope="module")
def old(catalog: Catalog, genome: Genome) -> Old:
    """Two authors' work: asks, a second ask with another lineage, results, a failure, a gap."""
    own, other = Identity.new(), Identity.new()
    several = [
        replace(genome, route=tuple(Visit(0, (i - 1,)) for i in range(length)))
        for length in range(1, 40)
    ]
    genomes = {genome_id(each, catalog): each for each in several}
    signed: list[Record] = []
    lines: list[log.Line] = []
    events: list[Event] = []
    prev = FIRST
    for number, (name, each) in enumerate(genomes.items()):
        entry = (
            replace(each.pool[0], lineage=f"other/{number}") if number % 3 == 0 else each.pool[0]
        )
        birth = Birth(DIGEST, own.author, number)
        asked = Assignment(replace(each, pool=(entry,)), 1000, 0, birth, "mutate", (name, "é"))
        lines.append(log.asked(asked, to_json(asked.genome)))
        events.append(Asked(asked))
        failed = number % 5 == 0
        result = Result(
            name, "cd" * 32, 1000, 0, 7, None if failed else 2.5, None if failed else 3.25,
            failure="invalid" if failed else None, reason="naïve ∞" if failed else "",
        )  # fmt: skip
        if number % 7 == 0:
            lines.append(log.noted(Expired(birth)))
            events.append(Expired(birth))
            continue
        foreign = number % 2 == 1
        author = other if foreign else own
        record = sign(
            result, author, run=DIGEST, seq=number if prev != FIRST else 0, prev=prev,
            catalog="ab" * 32, program="0.1.0",
        )  # fmt: skip
        prev = record.id
        signed.append(record)
        lines.append(log.finished(record, 0.25 if foreign else 1.0))
        events.append(Finished(record.result, 0.25 if foreign else 1.0))
    return Old(genomes, signed, [*lines, log.noted(Closed())], [*events, Closed()])


def write(url: str, old: Old) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        old_tables(connection)
        texts = {name: to_json(genome) for name, genome in old.genomes.items()}
        old_run(connection, "amber", MANIFEST, texts, old.records, old.lines)
        old_run(connection, "empty", {"seed": 2}, {}, [], [])
        old_run(connection, "copy", {"seed": 3}, texts, old.records, old.lines[:5])
    engine.dispose()


def test_an_old_store_has_all_that_it_had_after_its_upgrade(place: str, old: Old, catalog: Catalog):
    write(place, old)
    with pytest.raises(StoreError, match=r"schema 0001, which is older than .* store upgrade"):
        Store.open(place)
    Store.upgrade(place).close()
    with Ledger.open(place, catalog=catalog) as ledger:
        assert [run.name for run in ledger.runs()] == ["amber", "copy", "empty"]
        assert ledger.manifest("amber") == MANIFEST
        assert (ledger.run("amber").state, ledger.run("amber").created) == ("stopped", 5.0)
        in_order = sorted(old.records, key=lambda r: (r.author, r.seq, r.id))
        assert ledger.records("amber") == ledger.records("copy") == in_order
        assert [r.body for r in ledger.records("amber")] == [r.body for r in in_order]
        assert list(ledger.events("amber")) == old.events
        assert list(ledger.events("copy")) == old.events[:5]
        lineages = [
            event.assignment.genome.pool[0].lineage
            for event in ledger.events("amber")
            if isinstance(event, Asked)
        ]
        assert lineages == [
            event.assignment.genome.pool[0].lineage
            for event in old.events
            if isinstance(event, Asked)
        ]
        assert dict(ledger.genomes("amber")) == old.genomes
        assert ledger.records("empty") == list(ledger.events("empty")) == []
        with ledger.store.reading() as connection:
            query = select(records.c.id, records.c.received).where(records.c.run == "amber")
            received = {row.id: row.received for row in connection.execute(query)}
        assert received == {r.id: 100.5 + n for n, r in enumerate(old.records)}
        assert all(record.genuine for record in ledger.records("amber"))
        ledger.remove_run("amber")
        assert ledger.records("copy") == in_order


def test_an_upgraded_run_goes_on(place: str, old: Old, catalog: Catalog, identity: Identity):
    write(place, old)
    Store.upgrade(place).close()
    name, genome = next(iter(old.genomes.items()))
    with Ledger.open(place, catalog=catalog) as ledger:
        asked = Assignment(genome, 3000, 0, Birth(DIGEST, identity.author, 0), "promote", (name,))
        assert ledger.append_asked("amber", asked) == name
        record = ledger.publish("amber", identity, Result(name, "cd" * 32, 3000, 0, 7, 2.0))
        assert [*ledger.events("amber")][-2:] == [Asked(asked), Finished(record.result)]
        assert ledger.sizes("amber")[identity.author] == len(record.body) + len(to_json(genome))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            "records SET signature = 'no hex' WHERE seq = 8",
            "row '.{64}' of the table records .*hex",
        ),
        ("records SET body = X'00' WHERE seq = 8", "row '.{64}' of the table records .*bytes"),
        ("genomes SET text = X'00'", "row '.{64}' of the table genomes .*bytes"),
        ("log SET body = '[]' WHERE place = 2", "row 2 of the table log of run '.*' is damaged"),
        ("log SET body = '{}' WHERE place = 2", "row 2 of the table log of run '.*' is damaged"),
        ("log SET body = '{\"genome\":7}' WHERE place = 0", "row 0 of the table log of .* 'int'"),
    ],
)
def test_an_upgrade_that_fails_changes_nothing(tmp_path: Path, old: Old, damage: str, said: str):
    url = f"sqlite:///{tmp_path / 'old.db'}"
    write(url, old)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {damage}")
    whole = rf"store sqlite:///.*old.db cannot be migrated: {said}.*; restore it from a copy"
    with pytest.raises(StoreError, match=whole):
        Store.upgrade(url)
    with engine.connect() as connection:
        assert connection.execute(text(f"SELECT * FROM {VERSION_TABLE}")).scalar() == "0001"
        count = connection.execute(text("SELECT count(*) FROM records WHERE run = 'amber'"))
        assert count.scalar() == len(old.records)
    engine.dispose()


def test_who_drove_a_run_through_an_upgrade_has_lost_it(place: str, old: Old, catalog: Catalog):
    write(place, old)
    before = Store(place, create_engine(place))  # leases are as they were in schema 0001
    lease = acquire(before, "amber", now=0)
    before.close()
    Store.upgrade(place).close()
    said = "not driven by this process any more, .* the store upgraded .* resume with the newest"
    with Ledger.open(place, catalog=catalog) as ledger:
        with pytest.raises(LeaseLostError, match=said):
            ledger.note("amber", Closed(), lease=lease)
        with pytest.raises(LeaseLostError, match=said):
            renew(ledger.store, lease, now=1)
        assert list(ledger.events("amber")) == old.events
        assert acquire(ledger.store, "amber", now=1).fence == lease.fence + 1


@pytest.mark.parametrize("early", [True, False])
def test_a_line_that_another_process_logs_while_an_upgrade_begins_is_kept(
    postgres: str, old: Old, catalog: Catalog, early: bool
):
    write(postgres, old)
    engine = create_engine(postgres)
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:  # as the program of schema 0001 does it
            connection.execute(text("SELECT digest FROM runs WHERE name = 'copy' FOR UPDATE"))
            found = text("SELECT digest FROM log WHERE run = 'copy' AND place = 4")
            digest = connection.execute(found).scalar_one()
            logged = partial(old_line, connection, "copy", 5, old.lines[5], digest)
            if early:
                logged()
            upgrade = pool.submit(Store.upgrade, postgres)
            wait_until_blocked(postgres, upgrade)
            if not early:
                logged()
        upgrade.result().close()
    engine.dispose()
    with Ledger.open(postgres, catalog=catalog) as ledger:
        assert list(ledger.events("copy")) == old.events[:6]


def wait_until_blocked(url: str, other: Future[Store]) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        waiting = text(
            "SELECT 1 FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        while not other.done() and not connection.execute(waiting).first():
            pass
    engine.dispose()


def test_upgrades_at_once_are_one(place: str, old: Old, catalog: Catalog):
    write(place, old)
    with ThreadPoolExecutor(4) as pool:
        for store in list(pool.map(Store.upgrade, [place] * 4)):
            store.close()
    with Ledger.open(place, catalog=catalog) as ledger:
        assert list(ledger.events("amber")) == old.events


def test_who_opens_an_empty_store_waits_for_who_makes_it(postgres: str):
    engine = create_engine(postgres)
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            schema.lock(connection)
            opened = pool.submit(Store.open, postgres)
            wait_until_blocked(postgres, opened)
            assert not opened.done()
            schema.migrate(connection, postgres, None)
        opened.result().close()
    engine.dispose()
