from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from praxis_evolve.market.errors import StoreError
from praxis_evolve.market.prepared import Prepared
from praxis_evolve.market.store import Store
from praxis_evolve.market.tables import runs

ROW = {"name": "a", "manifest": "{}", "digest": "0", "state": "running", "created": 0.5}
INSERT = Prepared(insert(runs))
NAMES = Prepared(select(runs.c.name))


def names(url: str) -> list[str]:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    found = [name for (name,) in connection.execute("SELECT name FROM runs ORDER BY name")]
    connection.close()
    return found


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, url: str) -> Iterator[Store]:
    opened = Store.open(url if request.param == "file" else "sqlite://")
    yield opened
    opened.close()


def test_changes_are_made_together_at_the_end(url: str):
    store = Store.open(url)
    with store.changing() as given:
        INSERT.run(given, **ROW)
        INSERT.run(given, **{**ROW, "name": "b"})
        assert names(url) == []
    assert names(url) == ["a", "b"]
    store.close()


def test_what_fails_half_way_changes_nothing(store: Store):
    def fail() -> None:
        with store.changing() as given:
            INSERT.run(given, **ROW)
            raise RuntimeError("half-way")

    for _ in range(3):
        with pytest.raises(RuntimeError, match="half-way"):
            fail()
    with store.changing() as given:
        assert NAMES.all(given) == []
        INSERT.run(given, **ROW)
    with store.reading() as connection:
        assert connection.execute(select(runs.c.name)).scalars().all() == ["a"]


def test_a_lost_connection_is_named_and_replaced(url: str, caplog: pytest.LogCaptureFixture):
    store = Store.open(url)

    def lose() -> None:
        with store.changing() as given:
            INSERT.run(given, **ROW)
            driver: Any = given.connection.driver_connection
            driver.close()

    with pytest.raises(StoreError, match="closed database"):
        lose()
    with store.changing() as given:
        assert NAMES.all(given) == []
    assert caplog.records == []
    store.close()


def test_one_writes_at_a_time_from_its_first_statement_on(url: str):
    store = Store.open(url)
    other = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0, isolation_level=None)
    with store.changing(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.close()
    store.close()


def test_failures_of_statements_and_of_the_database_are_named(url: str):
    store = Store.open(url)
    with store.changing() as given:
        INSERT.run(given, **ROW)
    with pytest.raises(StoreError, match=r"failed: UNIQUE constraint failed"), \
            store.changing() as given:  # fmt: skip
        INSERT.run(given, **ROW)
    store.close()
    Path(url.removeprefix("sqlite:///")).write_text("my thesis, " * 1000)
    with pytest.raises(StoreError, match="not a database; name another file"), store.changing():
        pass
    store.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux what is flushed")
def test_a_commit_is_flushed_before_it_is_acknowledged_and_after_the_lock_is_free(
    url: str, monkeypatch: pytest.MonkeyPatch
):
    store, flushed = Store.open(url), list[tuple[str, list[str]]]()

    def sync(handle: int) -> None:
        other = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0)
        with other:
            other.execute("UPDATE runs SET state = 'stopped'")  # nobody keeps the lock
        other.close()
        flushed.append((os.readlink(f"/proc/self/fd/{handle}"), names(url)))

    with store.changing() as given:
        INSERT.run(given, **ROW)
        monkeypatch.setattr("praxis_evolve.market.flushing._sync", sync)
    monkeypatch.undo()
    assert flushed == [(f"{url.removeprefix('sqlite:///')}-wal", ["a"])]
    store.close()


def test_a_disk_that_fails_to_flush_is_an_error(url: str, monkeypatch: pytest.MonkeyPatch):
    def fail(handle: int) -> None:
        raise OSError(5, "Input/output error")

    store = Store.open(url)
    monkeypatch.setattr("praxis_evolve.market.flushing._sync", fail)
    with (
        pytest.raises(StoreError, match=r"could not be flushed .* Input/output error"),
        store.changing() as given,
    ):
        INSERT.run(given, **ROW)
    store.close()
