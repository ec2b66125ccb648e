"""Statements that are written once and go straight to the driver: what every ask and tell runs.

SQLAlchemy looks a statement up anew at each call and dresses its rows, which takes many times as
long as SQLite does. It still writes the SQL, of every dialect, and it keeps the transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypeAlias

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from .transaction import Transaction

Driven: TypeAlias = Connection | Transaction
"""What prepared statements run on."""


@dataclass(frozen=True)
class _Written:
    """A statement in one dialect's SQL: its parameters in order (None: by name), those it has."""

    sql: str
    order: Sequence[str] | None
    fixed: Mapping[str, object]


class Prepared:
    """A statement with parameters by name, in the SQL of each dialect that asked for it.

    Rows have their columns as attributes. Failures are those of SQLAlchemy.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._written: dict[str, _Written] = {}

    def run(self, connection: Driven, **values: object) -> None:
        """Run a statement that returns nothing."""
        self._execute(connection, values).close()

    def first(self, connection: Driven, **values: object) -> Any | None:
        """Return the first row, None if there is none."""
        return next(iter(self.all(connection, **values)), None)

    def all(self, connection: Driven, **values: object) -> list[Any]:
        """Return all rows."""
        cursor = self._execute(connection, values)
        names = [column[0] for column in cursor.description]
        rows = [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]
        cursor.close()
        return rows

    def _execute(self, connection: Driven, values: dict[str, object]) -> Any:
        dialect = connection.dialect
        written = self._written.get(dialect.name) or self._write(dialect)
        given = {**written.fixed, **values}
        parameters = given if written.order is None else [given[name] for name in written.order]
        cursor = connection.connection.cursor()
        try:
            cursor.execute(written.sql, parameters)
        except dialect.loaded_dbapi.Error as error:
            raise DBAPIError(written.sql, given, error) from error
        return cursor

    def _write(self, dialect: Dialect) -> _Written:
        compiled = self._statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        names = compiled.bind_names.items()
        fixed = {name: bind.value for bind, name in names if not bind.required}
        written = _Written(compiled.string, compiled.positiontup, fixed)
        self._written[dialect.name] = written
        return written
