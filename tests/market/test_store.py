from __future__ import annotations

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import delete, insert, select, text

from praxis_evolve.market.errors import StoreError
from praxis_evolve.market.schema import MIGRATIONS
from praxis_evolve.market.store import Store
from praxis_evolve.market.tables import SCHEMA, VERSION_TABLE, metadata, runs


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def edit(url: str, statement: str) -> None:
    connection = sqlite3.connect(file_of(url))
    with connection:
        connection.execute(statement)
    connection.close()


def names(url: str) -> list[str]:
    store = Store.open(url)
    try:
        with store.reading() as connection:
            return list(connection.execute(select(runs.c.name)).scalars())
    finally:
        store.close()


def row(name: str) -> dict[str, object]:
    return {"name": name, "manifest": "{}", "digest": "0", "state": "running", "created": 0.0}


def test_migrations_make_exactly_the_tables(url: str):
    store = Store.open(url)
    with store.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
    store.close()


def test_the_newest_migration_is_the_schema():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA]


def test_readers_do_not_wait_for_writers(url: str):
    store = Store.open(url)
    with store.reading() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 1,
        "foreign_keys": 1,
        "busy_timeout": 60_000,
    }
    with store.writing() as writer, store.reading() as reader:
        writer.execute(insert(runs).values(row("a")))
        assert reader.execute(select(runs.c.name)).all() == []
    store.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux what is flushed")
def test_a_commit_is_flushed_before_it_is_acknowledged_and_after_the_lock_is_free(
    url: str, monkeypatch: pytest.MonkeyPatch
):
    store, flushed = Store.open(url), list[tuple[Path, list[str]]]()

    def sync(handle: int) -> None:
        edit(url, "UPDATE runs SET state = 'stopped'")  # nobody keeps the lock
        flushed.append((Path(os.readlink(f"/proc/self/fd/{handle}")), names(url)))

    with store.writing() as connection:
        connection.execute(insert(runs).values(row("a")))
        monkeypatch.setattr("praxis_evolve.market.flushing._sync", sync)
        assert flushed == []
    monkeypatch.undo()
    assert flushed == [(Path(f"{file_of(url)}-wal"), ["a"])]
    store.close()


def test_a_disk_that_fails_to_flush_is_an_error(url: str, monkeypatch: pytest.MonkeyPatch):
    def fail(handle: int) -> None:
        raise OSError(5, "Input/output error")

    store = Store.open(url)
    monkeypatch.setattr("praxis_evolve.market.flushing._sync", fail)
    with (
        pytest.raises(StoreError, match=r"could not be flushed .* Input/output error"),
        store.writing() as connection,
    ):
        connection.execute(insert(runs).values(row("a")))
    store.close()


def test_a_log_that_cannot_be_opened_to_be_flushed_is_an_error(url: str):
    store, log = Store.open(url), Path(f"{file_of(url)}-wal")

    def lose_the_log() -> None:
        with store.writing() as connection:
            connection.execute(insert(runs).values(row("a")))
            log.unlink()
            log.mkdir()

    with pytest.raises(StoreError, match=r"store.db was written, but could not .*; make .*-wal a"):
        lose_the_log()
    store.close()


def test_what_fails_half_way_changes_nothing(url: str):
    store = Store.open(url)

    def fail() -> None:
        with store.writing() as connection:
            connection.execute(insert(runs).values(row("a")))
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        fail()
    with store.reading() as connection:
        assert connection.execute(select(runs.c.name)).all() == []
    store.close()


def test_openers_at_once_get_one_store(tmp_path: Path):
    for number in range(5):
        url = f"sqlite:///{tmp_path / 'deep' / f'{number}.db'}"
        with ThreadPoolExecutor(6) as pool:
            stores = list(pool.map(Store.open, [url] * 6))
        for store in stores:
            store.close()


class Refused(sqlite3.Connection):
    """A connection that SQLite does not let turn the write-ahead log on at first."""

    left = 2
    error = sqlite3.SQLITE_BUSY

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        if "journal_mode" in statement and Refused.left:
            Refused.left -= 1
            refusal = sqlite3.OperationalError("database is locked")
            refusal.sqlite_errorcode = Refused.error
            raise refusal
        return super().execute(statement, *parameters)


@pytest.mark.parametrize("error", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN])
def test_who_is_refused_while_others_open_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
):
    connect = partial(sqlite3.connect, factory=Refused)
    monkeypatch.setattr("sqlite3.dbapi2.connect", connect)
    monkeypatch.setattr(Refused, "left", 2)
    monkeypatch.setattr(Refused, "error", error)
    url = f"sqlite:///{tmp_path / 'new.db'}"
    if error == sqlite3.SQLITE_BUSY:
        assert names(url) == []
        assert Refused.left == 0
    else:
        with pytest.raises(StoreError, match="database is locked"):
            Store.open(url)
        assert Refused.left == 1


def test_a_newer_schema_is_refused(url: str):
    Store.open(url).close()
    edit(url, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    for opener in (Store.open, Store.upgrade):
        with pytest.raises(StoreError, match=r"schema 9999, which is newer .* update praxis"):
            opener(url)


@pytest.mark.parametrize(
    ("damage", "has"), [("DELETE FROM {}", "None"), ("UPDATE {} SET version_num = X'30'", "b'0'")]
)
def test_a_store_that_names_no_schema_is_refused(url: str, damage: str, has: str):
    Store.open(url).close()
    edit(url, damage.format(VERSION_TABLE))
    for opener in (Store.open, Store.upgrade):
        with pytest.raises(StoreError, match=rf"such as {SCHEMA}, but has {has}; restore the"):
            opener(url)


def test_an_older_schema_is_upgraded_on_request_only(url: str):
    Store.open(url).close()
    edit(url, f"UPDATE {VERSION_TABLE} SET version_num = '0000'")
    with pytest.raises(StoreError, match=r"schema 0000, which is older .* store upgrade"):
        Store.open(url)
    with pytest.raises(StoreError, match="cannot be migrated"):
        Store.upgrade(url)  # there was never a schema 0000


def test_upgrading_the_newest_schema_changes_nothing(url: str):
    Store.open(url).close()
    before = file_of(url).read_bytes()
    Store.upgrade(url).close()
    assert file_of(url).read_bytes() == before


def test_a_vacuum_gives_the_room_of_what_was_removed_back_and_nothing_else(url: str):
    store = Store.open(url)
    with store.writing() as connection:
        for number in range(2000):
            connection.execute(insert(runs).values(row(f"run-{number:090}")))
    with store.writing() as connection:
        connection.execute(delete(runs).where(runs.c.name != f"run-{7:090}"))
    store.close()
    before = file_of(url).stat().st_size
    store.vacuum()
    assert file_of(url).stat().st_size < before / 2
    with store.writing() as connection:  # the connections that follow are as those before
        connection.execute(insert(runs).values(row("after")))
    store.close()
    assert names(url) == ["after", f"run-{7:090}"]


def test_a_vacuum_that_others_do_not_let_in_is_an_error(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("praxis_evolve.market.store.PATIENCE", 0.01)
    store, other = Store.open(url), sqlite3.connect(file_of(url))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked; end the process"):
        store.vacuum()
    other.close()
    store.vacuum()
    store.close()


def test_a_database_of_another_program_is_left_alone(url: str):
    edit(url, "CREATE TABLE bookmarks (id INTEGER)")
    before = file_of(url).read_bytes()
    for opener in (Store.open, Store.upgrade):
        with pytest.raises(StoreError, match=r"tables of another program \(bookmarks\); name an"):
            opener(url)
    assert file_of(url).read_bytes() == before  # its journal, too, is of the kind that it was


def test_a_file_that_is_no_database_is_left_alone(url: str):
    file_of(url).write_text("my thesis, " * 1000)
    with pytest.raises(StoreError, match=r"file is not a database; name another file"):
        Store.open(url)
    assert file_of(url).read_text() == "my thesis, " * 1000


def test_a_folder_is_no_store(tmp_path: Path):
    with pytest.raises(StoreError, match=r"unable to open database file; make its folder"):
        Store.open(f"sqlite:///{tmp_path}")


def test_a_file_is_no_folder_for_a_store(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"the folder .*file of the store cannot be made"):
        Store.open(f"sqlite:///{tmp_path / 'file' / 'store.db'}")


def test_without_create_nothing_is_created(url: str):
    for opener in (Store.upgrade, partial(Store.open, create=False)):
        with pytest.raises(StoreError, match="there is no store at"):
            opener(url)
    assert not file_of(url).exists()
    file_of(url).touch()
    with pytest.raises(StoreError, match=r"is empty: check the URL"):
        Store.open(url, create=False)


def test_a_truncated_store_is_an_error(url: str):
    store = Store.open(url)
    with store.writing() as connection:
        for number in range(200):
            connection.execute(insert(runs).values(row(f"run-{number:090}")))
    store.close()
    whole = file_of(url).read_bytes()
    file_of(url).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match="malformed; restore"):
        names(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("runs.db", "parse"),
        ("", "parse"),
        ("nonsense://x", "nonsense"),
        ("postgresql+nothing://me@host/x", "nothing"),
        ("postgresql+psycopg://me@host:port/x", "'host:port/x' .* its port is not a whole number"),
        ("postgresql+psycopg://me@host:/x", "its port is not a whole number"),
        ("sqlite://host/x.db", "Invalid SQLite URL"),
        ("sqlite:///x.db?timeout=soon", "soon"),
        ("sqlite:///x\0.db", "a NUL"),
        ("sqlite:///\udcff.db", "a byte that is no text"),
    ],
)
def test_a_wrong_url_is_an_error_that_shows_a_right_one(
    url: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=rf"(?s){why}.*such as sqlite:///runs/praxis.db"):
        Store.open(url)


def test_the_password_is_never_shown():
    for url in (
        "postgresql+nothing://me:secret@host/x",
        "postgresql+pg8000://me:secret@[/x",
        "postgresql+psycopg://me:secret@host:port/x",
        "sqlite://me:secret@host/x.db",
    ):
        with pytest.raises(StoreError) as caught:
            Store.open(url)
        assert "secret" not in str(caught.value)


def test_a_store_in_memory_serves_tests():
    store = Store.open("sqlite://")
    with store.writing() as connection:
        connection.execute(insert(runs).values(row("a")))
    with store.reading() as connection:
        assert connection.execute(select(runs.c.name)).scalars().all() == ["a"]
    store.close()
