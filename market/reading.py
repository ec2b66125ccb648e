"""Reading a ledger: everything that was hashed when it was stored is checked on the way out."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, cast
from weakref import WeakValueDictionary

from sqlalchemy import bindparam, select

from ..blocks.registry import Catalog
from ..evaluator.result import Result
from ..genome.graph import Genome
from ..genome.identity import genome_id
from ..genome.text import from_json
from ..search.base import Event, Finished, Key
from . import canonical, log, rows
from .errors import NotFoundError, RecordError, StoreError
from .prepared import Driven, Prepared
from .record import Record
from .store import Store
from .tables import genomes, records, runs

MANIFEST = 1 << 20
"""The most bytes of a manifest."""

PAGE = 500
"""How many lines of the log are read at once."""

NAMED = 5000
"""How many records are asked for by name at once; databases bound the parameters of a query."""

_ALIKE = Prepared(
    select(records).where(
        records.c.run == bindparam("of_run"),
        records.c.author == bindparam("by"),
        records.c.genome == bindparam("of_genome"),
        records.c.rung == bindparam("at_rung"),
        records.c.replica == bindparam("as_replica"),
    )  # told to order them, SQLite looks through all records of the author instead
)
_SAID_OF = Prepared(
    select(records).where(
        records.c.run == bindparam("of_run"),
        records.c.genome == bindparam("of_genome"),
        records.c.rung == bindparam("at_rung"),
        records.c.replica == bindparam("as_replica"),
    )
)
_ENTRIES = Prepared(
    select(records, genomes.c.text, genomes.c.size.label("text_size"))
    .join(genomes, (records.c.run == genomes.c.run) & (records.c.genome == genomes.c.id))
    .where(
        records.c.run == bindparam("of_run"),
        records.c.author == bindparam("by"),
        records.c.seq >= bindparam("from_place"),
    )
    .order_by(records.c.seq, records.c.id)
)


class Told(NamedTuple):
    """A line of a log: what the search is told, and the record that it tells of, if it does."""

    event: Event
    record: Record | None

    @property
    def drivers(self) -> tuple[str, ...]:
        """Who drove the run here, as far as the first line of a record shows: who published it."""
        event, record = self
        published = isinstance(event, Finished) and event.asked is None and event.weight == 1.0
        return (record.author,) if record is not None and published else ()


@dataclass(frozen=True)
class Reader:
    """Reads the runs of a store; genomes are those of the catalog.

    What is read again while it lives is the same object: a log tells of most records twice, and
    what is computed of a genome is kept with the object. Every method raises ``StoreError`` where
    the store fails or is damaged.
    """

    store: Store
    catalog: Catalog
    _records: WeakValueDictionary[str, Record] = field(
        default_factory=WeakValueDictionary[str, Record], init=False, repr=False, compare=False
    )
    _genomes: WeakValueDictionary[bytes, Genome] = field(
        default_factory=WeakValueDictionary[bytes, Genome], init=False, repr=False, compare=False
    )
    """By the digest of its text."""

    def manifest(self, run: str, digest: str) -> dict[str, object]:
        """Return the manifest of a run, which must hash to *digest*."""
        with self.store.reading() as connection:
            text = connection.execute(select(runs.c.manifest).where(runs.c.name == run)).scalar()
        data = (text or "").encode()
        if canonical.digest(data) != digest:
            raise self._damage(run, "its manifest does not hash to its digest")
        return cast("dict[str, object]", canonical.decode(data, limit=MANIFEST))

    def told(self, run: str, since: int) -> Iterator[Told]:
        """Yield the log of a run from the line *since* on, a page at a time."""
        while page := self._page(run, since):
            yield from page
            since += len(page)

    def records(self, run: str) -> list[Record]:
        """Return the records of a run: by author, each author's in order."""
        order = (records.c.author, records.c.seq, records.c.id)
        query = select(records).where(records.c.run == run).order_by(*order)
        with self.store.reading() as connection:
            found = connection.execute(query).all()
        return [self._record(run, row) for row in found]

    def stored(self, run: str, ids: Collection[str]) -> set[str]:
        """Return which of these records are in the store."""
        several, found = list(ids), set[str]()
        with self.store.reading() as connection:
            for start in range(0, len(several), NAMED):
                some = records.c.id.in_(several[start : start + NAMED])
                query = select(records.c.id).where(records.c.run == run, some)
                found.update(connection.execute(query).scalars())
        return found

    def alike(self, connection: Driven, run: str, author: str, result: Result) -> Iterator[Record]:
        """Yield the author's records for the same genome, rung and replica as *result*."""
        found = _ALIKE.all(
            connection, of_run=run, by=author, of_genome=result.genome, at_rung=result.rung,
            as_replica=result.replica,
        )  # fmt: skip
        for row in sorted(found, key=lambda row: row.seq):
            yield self._record(run, row)

    def said_of(self, run: str, work: Key) -> list[tuple[Record, float]]:
        """Return all records of a work, each with the time when it came in."""
        with self.store.reading() as connection:
            found = _SAID_OF.all(
                connection, of_run=run, of_genome=work.genome, at_rung=work.rung,
                as_replica=work.replica,
            )  # fmt: skip
        return [(self._record(run, row), row.received) for row in found]

    def entries(self, run: str, author: str, since: int) -> Iterator[tuple[Record, str]]:
        """Yield an author's records from the place *since* on, with the texts of their genomes."""
        with self.store.reading() as connection:
            found = _ENTRIES.all(connection, of_run=run, by=author, from_place=since)
        for row in found:
            yield self._record(run, row), self._text(run, row.genome, row.text, row.text_size)

    def genome(self, genome: str) -> Genome:
        """Return the genome with this whole id.

        Raises:
            NotFoundError: the store does not have it.
        """
        query = select(genomes).where(genomes.c.id == genome).limit(1)
        with self.store.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFoundError(f"the store {self.store.name} has no genome {genome!r}")
        return self._genome(row.run, row)

    def genome_in(self, run: str, genome: str) -> Genome | None:
        """Return the genome with this whole id as *run* has it, None if it has not."""
        query = select(genomes).where(genomes.c.run == run, genomes.c.id == genome)
        with self.store.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else self._genome(run, row)

    def genomes(self, run: str) -> Iterator[tuple[str, Genome]]:
        """Yield the genomes of a run with their ids, in the order of the ids."""
        query = select(genomes).where(genomes.c.run == run)
        with self.store.reading() as connection:
            found = connection.execute(query.order_by(genomes.c.id)).all()
        for row in found:
            yield row.id, self._genome(run, row)

    def _genome(self, run: str, row: rows.AnyRow) -> Genome:
        genome, text = row.id, self._text(run, row.id, row.text, row.size)
        try:
            found = self._parsed(text)
            if genome_id(found, self.catalog) == genome:
                return found
        except (ValueError, KeyError) as error:
            raise self._damage(run, f"genome {genome[:12]}: {error}") from error
        raise self._damage(run, f"the text of genome {genome[:12]} does not hash to its id")

    def _text(self, run: str, genome: str, stored: bytes, size: int) -> str:
        try:
            return rows.text_of(stored, size)
        except ValueError as error:
            raise self._damage(run, f"genome {genome[:12]}: {error}") from error

    def _parsed(self, text: str) -> Genome:
        digest = hashlib.sha256(text.encode()).digest()
        known = self._genomes.get(digest)
        if known is None:
            known = self._genomes[digest] = from_json(text, self.catalog)
        return known

    def _page(self, run: str, since: int) -> list[Told]:
        with self.store.reading() as connection:
            before = rows.digest_before(connection, run, since)
            found = rows.lines(connection, run, since, PAGE)
        page: list[Told] = []
        for row in found:
            page.append(self._event(run, row, before, since + len(page)))
            before = row.digest
        return page

    def _event(self, run: str, row: rows.AnyRow, before: str, place: int) -> Told:
        try:
            line, text = rows.line_of(row)
        except ValueError as error:
            raise self._damage(run, f"line {place} of its log: {error}") from error
        if row.place != place or line.digest(before) != row.digest:
            raise self._damage(run, f"line {place} of its log is missing or was changed")
        record = None if row.id is None else self._record(run, row)
        try:
            return Told(log.event(line, record, self._parsed, text), record)
        except (ValueError, KeyError, TypeError) as error:
            raise self._damage(run, f"line {place} of its log: {error}") from error

    def _record(self, run: str, row: rows.AnyRow) -> Record:
        try:
            record = rows.record_of(row, self._records.get(row.id))
        except RecordError as error:
            raise self._damage(run, str(error)) from error
        self._records[record.id] = record
        return record

    def _damage(self, run: str, problem: str) -> StoreError:
        return StoreError(
            f"run {run!r} in the store {self.store.name} cannot be read: {problem}; "
            "restore the store from a copy"
        )
