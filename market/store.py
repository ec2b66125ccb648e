"""A store: a database that holds ledgers, opened so that what is acknowledged stays.

SQLite runs with a write-ahead log, and a commit is flushed to the disk before it is acknowledged,
so it survives a kill of the process and a loss of power. A flush takes a millisecond or some, and
what it saves took a training run. Writers queue (``turns``): each write transaction takes the lock
at its start, so none fails half-way; they flush after they gave it back (``flushing``).
The write-ahead log needs shared memory: a SQLite store belongs on a local disk.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from . import schema
from .errors import StoreError
from .flushing import flush
from .tables import VERSION_TABLE, metadata
from .transaction import Transaction, transaction
from .turns import NAP, turn

PATIENCE = 60.0
"""The most seconds to wait for another process that writes."""

_NO_TEXT = re.compile("[\0\ud800-\udfff]")

_WRITE = "BEGIN IMMEDIATE"
"""A transaction that reads first and writes later could find that another wrote in between."""

_CURES = {
    "unable to open": "make its folder writable, and its -wal there, or name another file",
    "readonly": "make the file and its folder writable, or copy the store",
    "not a database": "name another file, or restore the store from a copy",
    "malformed": "restore the store from a copy, or save what can be read with: sqlite3 .recover",
    "disk is full": "free some space; what was acknowledged before is safe",
    "disk i/o": "check the disk; what was acknowledged before is safe",
    "deadlock": "do it again: it waited for a process that waited for it, and was undone",
    "locked": f"end the process that keeps it locked for over {PATIENCE:.0f} seconds",
}


@dataclass(frozen=True)
class Store:
    """An open database. Each process opens its own; threads may share one."""

    name: str
    engine: Engine

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Store:
        """Return the store at *url*, which is created by the migrations where it is empty.

        Raises:
            StoreError: the URL is wrong, the database cannot be used, or its schema is not ours;
                with ``create=False``, also if there is no store.
        """
        return _opened(url, create=create, upgrade=False)

    @classmethod
    def upgrade(cls, url: str) -> Store:
        """Migrate the store at *url* to the newest schema and return it.

        Raises:
            StoreError: as ``open``; the store is newer than this program, or there is none.
        """
        return _opened(url, create=False, upgrade=True)

    @cached_property
    def _writer(self) -> Engine:
        return self.engine.execution_options(writes=True)

    @cached_property
    def _file(self) -> Path | None:
        return _file_of(self.engine.url)

    @cached_property
    def _is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """Give a connection that sees one state of the database.

        Raises:
            StoreError: the database failed.
        """
        with self._errors_named(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """Give a connection whose changes are made together, at the end, or not at all.

        Raises:
            StoreError: the database failed; nothing was changed, or the text says that the change
                could not be flushed.
        """
        with self._alone(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def changing(self) -> Generator[Transaction]:
        """Give what ``writing`` gives, for prepared statements alone: it takes less time.

        Raises:
            StoreError: as ``writing``.
        """
        begin = _WRITE if self._is_sqlite else None
        with self._alone(), transaction(self.engine, begin) as given:
            yield given

    def vacuum(self) -> None:
        """Write the database anew without the room of what was removed, which takes as much again.

        Raises:
            StoreError: the database failed, or others use it all the time; nothing is lost.
        """
        with self._errors_named(), turn(self._file):
            connection = self.engine.raw_connection()
            try:
                cursor = connection.cursor()
                if self._is_sqlite:
                    cursor.execute("VACUUM")
                    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                else:
                    connection.rollback()  # it cannot be done within a transaction
                    setattr(connection.driver_connection, "autocommit", True)  # noqa: B010
                    # all tables would be the system's, too, over which two deadlock
                    cursor.execute(f"VACUUM FULL {', '.join(metadata.tables)}")
            finally:
                connection.invalidate()  # the pool's others are as they were
                connection.close()

    def close(self) -> None:
        """Close all connections; the store can be used again nevertheless."""
        self.engine.dispose()

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Take a turn, and flush what was committed in it once it is over."""
        with self._errors_named():
            with turn(self._file):
                yield
            flush(self._file)

    @contextmanager
    def _errors_named(self) -> Generator[None]:
        try:
            yield
        except (SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error) as error:
            raise StoreError(f"the store {self.name} {_said(error)}") from error


def _opened(url: str, *, create: bool, upgrade: bool) -> Store:
    address = address_of(url)
    _make_place(address, create=create)
    store = Store(address.render_as_string(hide_password=True), _engine(address))
    try:
        _prepare(store, create=create, upgrade=upgrade)
    except BaseException:
        store.close()
        raise
    return store


def _prepare(store: Store, *, create: bool, upgrade: bool) -> None:
    with store.reading() as connection:
        found = schema.version(connection, store.name)
    if found is None and not create:
        raise StoreError(f"the store {store.name} is empty: check the URL, or start a run there")
    if found is None or (upgrade and found < schema.SCHEMA):
        found = _migrated(store)
    schema.refuse_other(found, store.name)


def _migrated(store: Store) -> str:
    with store.writing() as connection:
        schema.lock(connection)
        # another process may have been faster while this one waited for the lock
        found = schema.version(connection, store.name)
        if found is None or found < schema.SCHEMA:
            schema.migrate(connection, store.name, found)
        return schema.version(connection, store.name) or ""


def address_of(url: str) -> URL:
    """Return the parts of the URL of a store.

    Raises:
        StoreError: it is none.
    """
    if _NO_TEXT.search(url):
        raise _misnamed(url, "it has a NUL or a byte that is no text")
    try:
        address = make_url(url)
        address.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        raise _misnamed(url, str(error)) from None
    except ValueError:  # all that is read as a number
        raise _misnamed(url, "its port is not a whole number") from None
    return address


def _misnamed(url: str, why: str) -> StoreError:
    shown = url.rpartition("@")[2]  # without a password
    return StoreError(
        f"{shown!r} names no store: {why}; name it by a URL such as sqlite:///runs/praxis.db or "
        "postgresql+psycopg://user@host:5432/name"
    )


def _make_place(address: URL, *, create: bool) -> None:
    file = _file_of(address)
    if file is None:
        return
    if not create and not file.exists():
        raise StoreError(f"there is no store at {file}; check the URL, or start a run there")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the folder {file.parent} of the store cannot be made: {error.strerror}; "
            "name another one"
        ) from error


def _file_of(address: URL) -> Path | None:
    """Return the file of a SQLite store, or None for servers and stores in memory."""
    inside = address.database
    if address.get_backend_name() != "sqlite" or not inside or inside == ":memory:":
        return None
    return None if inside.startswith("file:") else Path(inside)


def _engine(address: URL) -> Engine:
    try:
        if address.get_backend_name() != "sqlite":
            # who waited for a lock must see what its holder wrote, whatever the server's default
            return create_engine(address, pool_pre_ping=True, isolation_level="READ COMMITTED")
        engine = create_engine(address, connect_args={"timeout": PATIENCE})
    except ImportError as error:
        raise StoreError(
            f"the store {address.render_as_string()} needs the module {error.name!r}; for "
            'PostgreSQL run: pip install "praxis-evolve[postgres]"'
        ) from None
    except (ArgumentError, ValueError) as error:  # a host of a file, an option that is no number
        raise _misnamed(address.render_as_string(), str(error)) from None
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    if _is_foreign(connection):
        return  # it will be refused, and stays as it is
    mode = _logged_ahead(connection)
    flushes = "NORMAL" if mode == "wal" else "FULL"  # commits to the log are flushed by us
    for setting in (f"synchronous={flushes}", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {setting}")


def _is_foreign(connection: Any) -> bool:
    """Whether there are tables, but not ours."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    return bool(tables) and VERSION_TABLE not in tables


def _logged_ahead(connection: Any) -> str:
    """Turn the write-ahead log on and return the mode of the journal.

    Where several turn it on at once, SQLite does not wait but refuses all but one.
    """
    began = time.monotonic()
    while True:
        try:
            return connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() - began > PATIENCE:
                raise
            time.sleep(NAP)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    driver: Any = connection.connection.driver_connection
    driver.execute(_WRITE if writes else "BEGIN")


def _said(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    said = " ".join(str(cause).split())
    cures = (cure for words, cure in _CURES.items() if words in said.lower())
    return f"failed: {said}; {next(cures, 'check that it can be reached and is not damaged')}"
