"""Statements that are written once and go straight to the driver: what every ask and tell runs.

SQLAlchemy looks a statement up anew at each call and dresses its rows, which takes many times as
long as SQLite does. It still writes the SQL, of every dialect, and it keeps the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

from sqlalchemy import Connection, Dialect, LargeBinary
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.selectable import Select
from sqlalchemy.types import TypeEngine

from .tables import Hex
from .transaction import Transaction

Driven: TypeAlias = Connection | Transaction
"""What prepared statements run on."""

_Converters: TypeAlias = Mapping[str, Callable[[Any], Any]]
"""What types do to values on their way in or out, by name; most do nothing."""


@dataclass(frozen=True)
class _Written:
    """A statement in one dialect's SQL: its parameters in order (None: by name), those it has."""

    sql: str
    order: Sequence[str] | None
    fixed: Mapping[str, object]
    given: _Converters
    returned: _Converters


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
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        cursor.close()
        for name, convert in self._in(connection.dialect).returned.items():
            for row in found:
                row[name] = convert(row[name])
        return [SimpleNamespace(**row) for row in found]

    def _in(self, dialect: Dialect) -> _Written:
        return self._written.get(dialect.name) or self._write(dialect)

    def _execute(self, connection: Driven, values: dict[str, object]) -> Any:
        dialect = connection.dialect
        written = self._in(dialect)
        given = {**written.fixed, **values}
        for name, convert in written.given.items():
            given[name] = convert(given[name])
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
        given = {name: _given(bind.type, dialect) for bind, name in names}
        written = _Written(
            compiled.string, compiled.positiontup, fixed, _some(given), self._returned(dialect)
        )
        self._written[dialect.name] = written
        return written

    def _returned(self, dialect: Dialect) -> _Converters:
        if not isinstance(self._statement, Select):
            return {}
        columns = cast("Select[Any]", self._statement).selected_columns
        return _some({column.name: _returned(column.type, dialect) for column in columns})


_Converter: TypeAlias = Callable[[Any], Any] | None


def _some(several: Mapping[str, _Converter]) -> _Converters:
    return {name: convert for name, convert in several.items() if convert is not None}


def _given(kind: TypeEngine[Any], dialect: Dialect) -> _Converter:
    return kind.dialect_impl(dialect).bind_processor(dialect) if _is_bytes(kind) else None


def _returned(kind: TypeEngine[Any], dialect: Dialect) -> _Converter:
    return kind.dialect_impl(dialect).result_processor(dialect, None) if _is_bytes(kind) else None


def _is_bytes(kind: TypeEngine[Any]) -> bool:
    """Whether values of a type are bytes in the database: drivers convert all others of ours."""
    return isinstance(kind, LargeBinary | Hex)
