"""Statements that are written once and go straight to the driver: what every ask and tell runs.

SQLAlchemy looks a statement up anew at each call and dresses its rows, which takes many times as
long as SQLite does. It still writes the SQL, of every dialect, and it keeps the transaction.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement


class Prepared:
    """A statement with parameters by name, in the SQL of each dialect that asked for it.

    Rows have their columns as attributes. Failures are those of SQLAlchemy.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, SQLCompiler] = {}

    def run(self, connection: Connection, **values: object) -> None:
        """Run a statement that returns nothing."""
        self._execute(connection, values).close()

    def first(self, connection: Connection, **values: object) -> Any | None:
        """Return the first row, None if there is none."""
        return next(iter(self.all(connection, **values)), None)

    def all(self, connection: Connection, **values: object) -> list[Any]:
        """Return all rows."""
        cursor = self._execute(connection, values)
        names = [column[0] for column in cursor.description]
        rows = [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]
        cursor.close()
        return rows

    def _execute(self, connection: Connection, values: dict[str, object]) -> Any:
        compiled = self._compiled.get(connection.dialect.name) or self._compile(connection.dialect)
        given, names = compiled.construct_params(values), compiled.positiontup
        parameters = given if names is None else tuple(given[name] for name in names)
        cursor = connection.connection.cursor()
        try:
            cursor.execute(compiled.string, parameters)
        except connection.dialect.loaded_dbapi.Error as error:
            raise DBAPIError(compiled.string, given, error) from error
        return cursor

    def _compile(self, dialect: Dialect) -> SQLCompiler:
        compiled = self._statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        self._compiled[dialect.name] = compiled
        return compiled
