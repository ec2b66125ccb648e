"""Looking after a store: upgrading one of an older program, writing one anew."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import create_engine

from praxis_evolve.cli.errors import Code
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.text import to_json
from praxis_evolve.market import log
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.record import FIRST, Record, sign
from praxis_evolve.tests.cli.calling import Cli, Tiny
from praxis_evolve.tests.market.old_store import old_run, old_tables


def sizes(said: str) -> tuple[float, float]:
    found = re.search(r"([\d.]+) MB, ([\d.]+) MB before", said)
    assert found is not None
    return float(found[1]), float(found[2])


def test_an_old_store_is_upgraded_and_becomes_small(cli: Cli, copied: Tiny, tmp_path: Path) -> None:
    with Ledger.open(copied.url) as ledger:
        genomes = {name: to_json(genome) for name, genome in ledger.genomes("tiny")}
    identity, prev, records = Identity.new(), FIRST, list[Record]()
    for seq in range(400):
        result = Result(next(iter(genomes)), "cd" * 32, 1000, seq, 7, 2.5)
        records.append(
            sign(
                result, identity, run="ab" * 32, seq=seq, prev=prev, catalog="ab" * 32, program="0"
            )
        )
        prev = records[-1].id
    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        old_tables(connection)
        lines = [log.finished(record, 1.0) for record in records]
        old_run(connection, "old", {"seed": 1}, genomes, records, lines)
    engine.dispose()

    called = cli("runs", "--store", url)
    assert (called.code, "praxis-evolve store upgrade" in called.err) == (Code.STORE, True)
    called = cli("store", "upgrade", "--store", url)
    assert called.code == Code.DONE
    after, before = sizes(called.out)
    assert after < before / 2
    with Ledger.open(url) as ledger:
        assert ledger.records("old") == records
    assert cli("store", "upgrade", "--store", url).code == Code.DONE


def test_a_store_is_written_anew_with_all_that_is_in_it(cli: Cli, copied: Tiny) -> None:
    with Ledger.open(copied.url) as ledger:
        records = ledger.records("tiny")
        ledger.create_run("removed", {"text": "x" * 1_000_000})
        ledger.remove_run("removed")
    called = cli("store", "vacuum", "--store", copied.url)
    assert called.code == Code.DONE
    after, before = sizes(called.out)
    assert after < before - 0.5
    with Ledger.open(copied.url) as ledger:
        assert ledger.records("tiny") == records


def test_without_a_store_there_is_nothing_to_look_after(cli: Cli, tmp_path: Path) -> None:
    for command in ("upgrade", "vacuum"):
        called = cli("store", command, "--store", f"sqlite:///{tmp_path / 'none.db'}")
        assert (called.code, "there is no store" in called.err) == (Code.STORE, True)
        for url in ("nonsense", "postgresql+psycopg://me:secret@host:port/x"):
            called = cli("store", command, "--store", url)
            assert (called.code, "names no store" in called.err) == (Code.STORE, True)
            assert "secret" not in called.err
