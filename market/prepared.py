"""Statements that are written once: what every ask and tell runs costs little more than SQL itself.

SQLAlchemy builds and looks up a statement anew at each call, which takes longer than SQLite does.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement


class Prepared:
    """A statement with parameters by name, in the SQL of each dialect that asked for it."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, SQLCompiler] = {}

    def __call__(self, connection: Connection, **values: object) -> CursorResult[Any]:
        """Run the statement with these values of its parameters."""
        compiled = self._compiled.get(connection.dialect.name) or self._compile(connection.dialect)
        parameters = compiled.construct_params(values)
        names = compiled.positiontup
        return connection.exec_driver_sql(
            compiled.string,
            parameters if names is None else tuple(parameters[name] for name in names),
        )

    def _compile(self, dialect: Dialect) -> SQLCompiler:
        compiled = self._statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        self._compiled[dialect.name] = compiled
        return compiled
