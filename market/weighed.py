"""Weighed records: how far each counts by the log, read on from any line, and records by name.

A process that shares nothing but the store with whoever drives the run learns here what is
believed, a page of the log at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple, cast

from sqlalchemy import bindparam, null, select

from . import canonical, rows
from .errors import RecordError, StoreError
from .prepared import Prepared
from .record import Record
from .store import Store
from .tables import genomes, log, records

PAGE = 500
"""How many lines are read at once."""

_LINE = 1 << 12

_LINES = Prepared(
    select(
        log.c.place.label("line_place"),
        log.c.kind.label("line_kind"),
        log.c.body.label("line_body"),
        log.c.record,
        null().label("genome_text"),  # such a line repeats none
        *(column for column in records.c if column is not records.c.run),
    )
    .join(records, (log.c.run == records.c.run) & (log.c.record == records.c.id))
    .where(log.c.run == bindparam("of_run"), log.c.place >= bindparam("from_place"))
    .order_by(log.c.place)
    .limit(PAGE)
)
_NAMED = Prepared(
    select(records, genomes.c.text, genomes.c.size.label("text_size"))
    .join(genomes, (records.c.run == genomes.c.run) & (records.c.genome == genomes.c.id))
    .where(records.c.run == bindparam("of_run"), records.c.id == bindparam("named"))
)


class Weighed(NamedTuple):
    """What a line of the log says: at which place it stands, and how far a record counts."""

    place: int
    record: Record
    weight: float


def weighed(store: Store, run: str, since: int) -> list[Weighed]:
    """Return what the lines from *since* on say of records, at most ``PAGE`` of them.

    Raises:
        StoreError: the store failed or is damaged.
    """
    with store.reading() as connection:
        found = _LINES.all(connection, of_run=run, from_place=since)
    return [
        Weighed(row.line_place, _record(store, run, row), _weight(store, run, row)) for row in found
    ]


def named(store: Store, run: str, ids: Collection[str]) -> Iterator[tuple[Record, str]]:
    """Yield the records of these ids that a run has, each with its genome's text.

    Raises:
        StoreError: the store failed or is damaged.
    """
    for name in ids:
        with store.reading() as connection:
            row = _NAMED.first(connection, of_run=run, named=name)
        if row is not None:
            yield _record(store, run, row), _text(store, run, row)


def _record(store: Store, run: str, row: rows.AnyRow) -> Record:
    try:
        return rows.record_of(row)
    except RecordError as error:
        raise _damage(store, run, error) from error


def _text(store: Store, run: str, row: rows.AnyRow) -> str:
    try:
        return rows.text_of(row.text, row.text_size)
    except ValueError as error:
        raise _damage(store, run, error) from error


def _weight(store: Store, run: str, row: rows.AnyRow) -> float:
    try:
        line, _ = rows.line_of(row)
        body = cast("dict[str, object]", canonical.decode(line.body.encode(), limit=_LINE))
    except ValueError as error:
        raise _damage(store, run, error) from error
    return cast("float", body["weight"])


def _damage(store: Store, run: str, error: Exception) -> StoreError:
    return StoreError(
        f"run {run!r} in the store {store.name} cannot be read: {error}; restore the store "
        "from a copy"
    )
