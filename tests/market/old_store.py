"""A store as the program wrote it before texts were packed: schema 0001, filled by raw SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from praxis_evolve.market import canonical, log
from praxis_evolve.market.record import Record
from praxis_evolve.market.schema import MIGRATIONS


def old_tables(connection: Connection) -> None:
    """Make the tables of schema 0001."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


def old_run(
    connection: Connection,
    name: str,
    manifest: Mapping[str, object],
    genomes: Mapping[str, str],
    records: Sequence[Record],
    lines: Iterable[log.Line],
) -> None:
    """Store a run with genomes by id, records, and the lines of its log."""
    body = canonical.encode(manifest).decode()
    run = {"name": name, "manifest": body, "digest": canonical.digest(body.encode())}
    _insert(connection, "runs", **run, state="stopped", created=5.0)
    for genome, written in genomes.items():
        _insert(connection, "genomes", run=name, id=genome, text=written)
    for number, record in enumerate(records):
        result = record.result
        _insert(
            connection, "records", run=name, id=record.id, author=record.author, seq=record.seq,
            prev=record.prev, kind=record.kind, genome=result.genome, rung=result.rung,
            architecture=result.architecture, replica=result.replica, failure=result.failure,
            bits_per_byte=result.bits_per_byte, test_bits_per_byte=result.test_bits_per_byte,
            body=record.body.decode(), signature=record.signature, received=100.5 + number,
        )  # fmt: skip
    digest = log.EMPTY
    for place, line in enumerate(lines):
        digest = old_line(connection, name, place, line, digest)


def old_line(connection: Connection, run: str, place: int, line: log.Line, before: str) -> str:
    """Append a line to the log of a run, after the one of that digest, and return its own."""
    digest = line.digest(before)
    _insert(
        connection, "log", run=run, place=place, kind=line.kind, body=line.body,
        record=line.record, digest=digest,
    )  # fmt: skip
    return digest


def _insert(connection: Connection, table: str, **values: Any) -> None:
    places = ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})"), values)
