"""A transaction straight on the driver, for prepared statements: what every ask and tell runs in.

A connection of SQLAlchemy wraps each transaction in objects and events of its own, which take ten
times as long as SQLite takes to begin and to commit. Connections and their pool stay SQLAlchemy's.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Dialect, Engine, PoolProxiedConnection


@dataclass(frozen=True)
class Transaction:
    """The connection of the driver that a transaction is on, and the dialect that it speaks."""

    dialect: Dialect
    connection: PoolProxiedConnection


@contextmanager
def transaction(engine: Engine, begin: str | None = None) -> Generator[Transaction]:
    """Give a transaction whose changes are made together, at the end, or not at all.

    *begin* is the statement that begins it where the driver does not do so by itself. Failures are
    those of the driver.
    """
    connection = engine.raw_connection()
    try:
        if begin is not None:
            connection.cursor().execute(begin)
        yield Transaction(engine.dialect, connection)
        connection.commit()
    except BaseException:
        _undo(connection, engine.dialect)
        raise
    finally:
        connection.close()  # back into the pool


def _undo(connection: PoolProxiedConnection, dialect: Dialect) -> None:
    try:
        connection.rollback()
    except dialect.loaded_dbapi.Error:
        connection.invalidate()  # it is lost, and so is what it had not committed
