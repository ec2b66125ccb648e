"""Rows of the tables and the values they stand for; reading checks what storing had computed."""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import Integer, String, bindparam, delete, func, insert, select, update

from ..genome.text import MOST_BYTES
from . import canonical
from .errors import RecordError, StoreError
from .log import EMPTY, LONGEST, Line
from .packing import GENOME, LINE, RECORD, packed, unpacked
from .prepared import Driven, Prepared
from .record import FIRST, LIMIT, Record, parse
from .tables import genomes, log, records, runs

AnyRow: TypeAlias = Any
"""A row as SQLAlchemy or a prepared statement returns it: its columns are its attributes."""

_RUN = bindparam("of_run", type_=String())
_NAMES = Prepared(select(runs.c.name).order_by(runs.c.name))
_SET_STATE = Prepared(
    update(runs).where(runs.c.name == _RUN).values(state=bindparam("new", type_=String()))
)
_DELETE_RUN = Prepared(delete(runs).where(runs.c.name == _RUN))
_SAME_RECORD = Prepared(
    select(records.c.id).where(records.c.run == _RUN, records.c.id == bindparam("named"))
)
_INSERT_RECORD = Prepared(insert(records))
_LAST_OF_AUTHOR = Prepared(
    select(records.c.seq, records.c.id)
    .where(records.c.run == _RUN, records.c.author == bindparam("by"))
    .order_by(records.c.seq.desc(), records.c.id)
    .limit(1)
)
_PLACES = Prepared(
    select(records.c.seq, records.c.id).where(
        records.c.run == _RUN, records.c.author == bindparam("by")
    )
)
_INSERT_LINE = Prepared(insert(log))
_LAST_LINE = Prepared(
    select(log.c.place, log.c.digest).where(log.c.run == _RUN).order_by(log.c.place.desc()).limit(1)
)
_DIGEST = Prepared(
    select(log.c.digest).where(log.c.run == _RUN, log.c.place == bindparam("at_place"))
)
_LINES = Prepared(
    select(
        log.c.place, log.c.kind.label("line_kind"), log.c.body.label("line_body"), log.c.record,
        log.c.genome.label("line_genome"), log.c.digest, genomes.c.text.label("genome_text"),
        genomes.c.size.label("genome_size"),
        *(column for column in records.c if column is not records.c.run),
    )
    .select_from(
        log.outerjoin(
            records, (log.c.run == records.c.run) & (log.c.record == records.c.id)
        ).outerjoin(
            genomes,
            (log.c.run == genomes.c.run)
            & (func.coalesce(log.c.genome, records.c.genome) == genomes.c.id),
        )
    )
    .where(log.c.run == _RUN, log.c.place >= bindparam("from_place"))
    .order_by(log.c.place)
    .limit(bindparam("at_most", type_=Integer()))
)  # fmt: skip
_TOLD_OF = Prepared(
    select(records.c.author)
    .join(log, (log.c.run == records.c.run) & (log.c.record == records.c.id))
    .where(log.c.run == _RUN, log.c.place >= bindparam("from_place"))
    .distinct()
)
_INSERT_GENOME = Prepared(insert(genomes))
_GENOME = Prepared(
    select(genomes.c.id, genomes.c.text, genomes.c.size).where(
        genomes.c.run == _RUN, genomes.c.id == bindparam("named")
    )
)
_SAME_GENOME = Prepared(
    select(genomes.c.id).where(genomes.c.run == _RUN, genomes.c.id == bindparam("named"))
)


def run_names(connection: Driven) -> list[str]:
    """Return the names of all runs, sorted."""
    return [row.name for row in _NAMES.all(connection)]


def set_state(connection: Driven, run: str, state: str) -> None:
    """Note the state of *run*."""
    _SET_STATE.run(connection, of_run=run, new=state)


def delete_run(connection: Driven, run: str) -> None:
    """Delete *run*; the database deletes what belongs to it."""
    _DELETE_RUN.run(connection, of_run=run)


def has_record(connection: Driven, run: str, record: str) -> bool:
    """Return whether the record of this id is stored."""
    return _SAME_RECORD.first(connection, of_run=run, named=record) is not None


def insert_record(connection: Driven, run: str, record: Record, *, now: float) -> None:
    """Store *record*, and its body as it was signed."""
    near = _near_record(record.author, record.result.genome)
    _INSERT_RECORD.run(
        connection,
        run=run,
        id=record.id,
        body=packed(record.body.decode(), RECORD, near),
        signature=record.signature,
        received=now,
        **_index(record),
    )


def record_of(row: AnyRow, known: Record | None = None) -> Record:
    """Return the record in a row of the table of records: *known* itself if it is just that.

    Raises:
        RecordError: the row is damaged; the text says which record and where.
    """
    near = _near_record(row.author, row.genome)
    try:
        body = unpacked(row.body, near, most=LIMIT).encode()
    except ValueError as error:
        raise RecordError(f"record {row.id[:12]} is damaged: {error}") from None
    if known is not None and (known.body, known.signature) == (body, row.signature):
        record = known
    elif canonical.digest(body) == row.id:
        record = parse(body, row.signature)
    else:
        raise RecordError(f"record {row.id[:12]} is damaged: its body does not hash to its id")
    for name, value in _index(record).items():
        if getattr(row, name) != value:
            raise RecordError(
                f"record {row.id[:12]} is damaged: its column {name} is {getattr(row, name)!r}, "
                f"but its body says {value!r}"
            )
    return record


def end_of_chain(connection: Driven, run: str, author: str) -> tuple[int, str]:
    """Return the place and the predecessor's id of the next record of *author*."""
    last = _LAST_OF_AUTHOR.first(connection, of_run=run, by=author)
    return (0, FIRST) if last is None else (last.seq + 1, last.id)


def places(connection: Driven, run: str, author: str) -> list[tuple[int, str]]:
    """Return the places in the chain of *author* and the ids of the records there."""
    return [(row.seq, row.id) for row in _PLACES.all(connection, of_run=run, by=author)]


def append_line(
    connection: Driven, run: str, line: Line, *, genome: str | None = None, text: str = ""
) -> None:
    """Append *line* to the log of *run*; the caller has locked the run.

    Of a line that repeats the stored *text* of a genome, only what it says besides takes room.
    """
    last = _LAST_LINE.first(connection, of_run=run)
    place, before = (0, EMPTY) if last is None else (last.place + 1, last.digest)
    body = packed(line.body, LINE, _near_line(line.record, text))
    values = {"kind": line.kind, "body": body, "record": line.record, "genome": genome}
    _INSERT_LINE.run(connection, run=run, place=place, digest=line.digest(before), **values)


def line_of(row: AnyRow) -> tuple[Line, str | None]:
    """Return the line in a row of ``lines``, and the text of the genome that came with it.

    Raises:
        ValueError: the row is damaged, or the genome.
    """
    text = None if row.genome_text is None else text_of(row.genome_text, row.genome_size)
    repeated = text if text is not None and row.line_genome is not None else ""
    body = unpacked(row.line_body, _near_line(row.record, repeated), most=LONGEST)
    return Line(row.line_kind, body, row.record), text


def log_length(connection: Driven, run: str) -> int:
    """Return the number of lines in the log of *run*."""
    last = _LAST_LINE.first(connection, of_run=run)
    return 0 if last is None else last.place + 1


def told_of(connection: Driven, run: str, since: int) -> list[str]:
    """Return the authors whose records the log tells of from place *since* on, sorted."""
    found = _TOLD_OF.all(connection, of_run=run, from_place=since)
    return sorted(row.author for row in found)


def digest_before(connection: Driven, run: str, place: int) -> str:
    """Return the digest of the line before *place*, ``EMPTY`` for the first."""
    if place == 0:
        return EMPTY
    line = _DIGEST.first(connection, of_run=run, at_place=place - 1)
    return "" if line is None else line.digest


def lines(connection: Driven, run: str, since: int, most: int) -> list[AnyRow]:
    """Return at most so many lines of the log from place *since* on, with their records' columns.

    A line comes with the text of the genome that it repeats, or else of its record's.
    """
    return _LINES.all(connection, of_run=run, from_place=since, at_most=most)


def insert_genome(connection: Driven, run: str, genome: str, text: str) -> str:
    """Store the text of a genome unless one is there already, and return what is stored.

    The caller has locked the run.

    Raises:
        StoreError: what is stored is damaged.
    """
    found = _GENOME.first(connection, of_run=run, named=genome)
    if found is None:
        stored = packed(text, GENOME)
        _INSERT_GENOME.run(connection, run=run, id=genome, text=stored, size=len(text))
        return text
    try:
        return text_of(found.text, found.size)
    except ValueError as error:
        raise StoreError(
            f"run {run!r} cannot be written: genome {genome[:12]}: {error}; "
            "restore the store from a copy"
        ) from None


def text_of(stored: bytes, size: int) -> str:
    """Return the stored text of a genome, of so many characters.

    Raises:
        ValueError: it is damaged.
    """
    text = unpacked(stored, most=MOST_BYTES)
    if len(text) != size:
        raise ValueError(f"a text of {size} characters has {len(text)}")
    return text


def has_genome(connection: Driven, run: str, genome: str) -> bool:
    """Return whether the text of a genome is stored."""
    return _SAME_GENOME.first(connection, of_run=run, named=genome) is not None


def _index(record: Record) -> dict[str, object]:
    result = record.result
    return {
        "author": record.author,
        "seq": record.seq,
        "genome": result.genome,
        "rung": result.rung,
        "replica": result.replica,
        "size": len(record.body),
    }


def _near_record(author: str, genome: str) -> str:
    """Return what the row of a record says beside its body, which repeats it."""
    return author + genome


def _near_line(record: str | None, text: str) -> str:
    """Return what a line repeats: its record's id, or the text of a genome as JSON has it."""
    return (record or "") + (canonical.encode(text).decode() if text else "")
