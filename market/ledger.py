"""The ledger: the grow-only set of records, and this peer's own ordered log of asks and tells.

One transaction stores a result whole: its record and the line of the log. What is acknowledged
stays, also after a kill or a loss of power. Taking in what another ledger has is the set union of
their records (``intake``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, NamedTuple

from sqlalchemy import func, insert, select

from .. import __version__
from ..blocks.registry import Catalog, installed
from ..evaluator.result import Result
from ..genome.graph import Genome
from ..genome.identity import genome_id
from ..genome.text import MOST_BYTES, MOST_VISITS, to_json
from ..search.base import Assignment, Event, Key
from . import canonical, log, lookup, rows
from .chain import chain_problems
from .errors import BehindError, StoreError
from .identity_key import Identity
from .intake import Check, Intake, Merged
from .lease import Lease, changing
from .reading import MANIFEST, Reader, Told
from .record import Record, set_digest, sign
from .store import Store
from .tables import genomes, records, runs

State = Literal["running", "stopped", "finished"]


@dataclass(frozen=True)
class Run:
    """A run of the store: ``digest`` names its manifest, ``created`` is seconds since 1970."""

    name: str
    digest: str
    state: State
    created: float


class _End(NamedTuple):
    """Where the next record of an author goes: the digest of the run, its place, the one before."""

    run: str
    seq: int
    prev: str


class Ledger:
    """The runs of a store. Each process opens its own; its threads may share one.

    Every method raises ``StoreError`` where the store fails or is damaged, and ``NotFoundError``
    where there is no such run; a method that writes has then changed nothing.
    """

    def __init__(
        self, store: Store, *, catalog: Catalog, now: Callable[[], float] = time.time
    ) -> None:
        self.store = store
        self._catalog = catalog
        self._reader = Reader(store, catalog)
        self._now = now
        self._ends: dict[tuple[str, str], _End] = {}

    @classmethod
    def open(
        cls,
        url: str,
        *,
        catalog: Catalog | None = None,
        create: bool = True,
        now: Callable[[], float] = time.time,
    ) -> Ledger:
        """Return the ledger in the database at *url*, which is created if it is empty.

        Raises:
            StoreError: as ``Store.open``.
        """
        store = Store.open(url, create=create)
        return cls(store, catalog=installed() if catalog is None else catalog, now=now)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the database."""
        self.store.close()

    # ---------------------------------------------------------------------------------- runs

    def create_run(self, name: str, manifest: Mapping[str, object]) -> Run:
        """Store a new run in the state ``running``.

        The digest of the manifest is the run's name in all records: two runs whose manifests are
        equal are one run to every other peer, so a manifest should hold something unique.

        Raises:
            StoreError: there is a run of that name.
            ValueError: the name or the manifest is not allowed.
        """
        lookup.refuse_name(name)
        text = canonical.encode(manifest)
        if len(text) > MANIFEST:
            raise ValueError(f"a manifest has at most {MANIFEST} bytes, but this has {len(text)}")
        run = Run(name, canonical.digest(text), "running", self._now())
        with self.store.writing() as connection:
            if connection.execute(select(runs.c.name).where(runs.c.name == name)).first():
                raise StoreError(
                    f"the store {self.store.name} has a run {name!r} already; resume it, remove it "
                    "or choose another name"
                )
            connection.execute(insert(runs).values(**vars(run), manifest=text.decode()))
        return run

    def runs(self) -> list[Run]:
        """Return the runs, the oldest first."""
        query = select(runs.c.name, runs.c.digest, runs.c.state, runs.c.created)
        with self.store.reading() as connection:
            found = connection.execute(query.order_by(runs.c.created, runs.c.name)).all()
        return [Run(*row) for row in found]

    def run(self, name: str) -> Run:
        """Return the run of that name."""
        several = {run.name: run for run in self.runs()}
        if name not in several:
            raise lookup.no_run(name, list(several), self.store.name)
        return several[name]

    def manifest(self, name: str) -> dict[str, object]:
        """Return the manifest of a run, as it was given."""
        return self._reader.manifest(name, self.run(name).digest)

    def set_state(self, name: str, state: State) -> None:
        """Note that a run is running, stopped (to be resumed) or finished."""
        with changing(self.store, name) as (connection, _):
            rows.set_state(connection, name, state)

    def remove_run(self, name: str) -> None:
        """Remove a run with all its genomes, records and its log."""
        with changing(self.store, name) as (connection, _):
            rows.delete_run(connection, name)

    # --------------------------------------------------------------------------------- writing

    def append_asked(
        self,
        run: str,
        assignment: Assignment,
        *,
        lease: Lease | None = None,
        told: int | None = None,
    ) -> str:
        """Log that *assignment* was handed out, store its genome and return the genome's id.

        With *told* only where that is the number of lines in the log: what the search that asked
        had been told, so that a replay in the order of the log asks the same.

        Raises:
            BehindError: the log has more lines, of records that came in; tell them and ask again.
            LeaseLostError: another process drives the run since *lease*.
        """
        genome = genome_id(assignment.genome, self._catalog)
        text = self._text(run, assignment.genome)
        line = log.asked(assignment, text)
        with changing(self.store, run, lease) as (connection, _):
            if told is not None and (length := rows.log_length(connection, run)) != told:
                raise BehindError(
                    f"the log of run {run!r} has {length} lines, but only {told} were told when "
                    "the assignment was asked for; tell the others and ask again"
                )
            stored = rows.insert_genome(connection, run, genome, text)
            rows.append_line(connection, run, line, genome=genome, text=stored)
        return genome

    def note(self, run: str, event: log.Noted, *, lease: Lease | None = None) -> None:
        """Log what the search is to be told beside asks and results.

        Raises:
            LeaseLostError: another process drives the run since *lease*.
        """
        with changing(self.store, run, lease) as (connection, _):
            rows.append_line(connection, run, log.noted(event))

    def append_weights(
        self, run: str, weights: Mapping[Record, float], *, lease: Lease | None = None
    ) -> None:
        """Log that records that came in count otherwise now.

        Raises:
            LeaseLostError: another process drives the run since *lease*.
        """
        with changing(self.store, run, lease) as (connection, _):
            for record, counts in weights.items():
                foreign = rows.has_genome(connection, run, record.result.genome)
                line = log.finished(record, counts, foreign=foreign)
                rows.append_line(connection, run, line)

    def put_genome(self, run: str, genome: Genome) -> str:
        """Store a genome that nobody asked for, such as a baseline, and return its id."""
        found, text = genome_id(genome, self._catalog), self._text(run, genome)
        with changing(self.store, run) as (connection, _):
            rows.insert_genome(connection, run, found, text)
        return found

    def publish(
        self, run: str, identity: Identity, result: Result, *, lease: Lease | None = None
    ) -> Record:
        """Sign *result*, store it and log that it finished, in one transaction.

        Published again (same genome, rung, replica and author) it is stored once, and the record
        that is there is returned. A success after a failure, a first test figure, and a result with
        other inherited tokens are new.

        Raises:
            NotFoundError: the store has no genome of that id.
            RecordError: the result is not what a record may hold.
            LeaseLostError: another process drives the run since *lease*.
        """
        chain = run, identity.author
        foreseen = self._ends.get(chain)
        # signing takes longer than all the rest, and others would wait for it
        early = None if foreseen is None else self._signed(result, identity, foreseen)
        with changing(self.store, run, lease) as (connection, digest):
            for known in self._reader.alike(connection, run, identity.author, result):
                if _question(known.result) == _question(result):
                    return known
            lookup.refuse_unknown(connection, run, result.genome)
            end = _End(digest, *rows.end_of_chain(connection, run, identity.author))
            record = early if early and end == foreseen else self._signed(result, identity, end)
            rows.insert_record(connection, run, record, now=self._now())
            rows.append_line(connection, run, log.finished(record, 1.0))
        self._ends[chain] = _End(digest, record.seq + 1, record.id)
        return record

    def take_in(
        self,
        run: str,
        received: Iterable[Record],
        genomes: Iterable[str],
        *,
        own: str,
        check: Check,
    ) -> Merged:
        """Add what others sent, records with the texts of their genomes, and log that it came in.

        A record is added where it is genuine and of this run, its genome is in the store or among
        *genomes*, and *check* finds nothing wrong with both. What is there afterwards does not
        depend on order, repeats or how the records were split. *own* is this peer's author key: its
        own records (from a backup, say) count fully.
        """
        digest = self.run(run).digest
        return Intake(self._reader, run, digest, own, self._now).take_in(received, genomes, check)

    def stored(self, run: str, ids: Collection[str]) -> set[str]:
        """Return which of these records are in the store."""
        return self._reader.stored(run, ids)

    # --------------------------------------------------------------------------------- reading

    def events(self, run: str, *, since: int = 0) -> Iterator[Event]:
        """Return the log of a run in its order, from the line *since* on (counted from 0).

        The log is read in pages, so events that others append meanwhile come, too.
        """
        return (told.event for told in self.told(run, since=since))

    def told(self, run: str, *, since: int = 0) -> Iterator[Told]:
        """Return the log of a run as ``events``, each with the record that it tells of."""
        self.run(run)
        return self._reader.told(run, since)

    def records(self, run: str) -> list[Record]:
        """Return the records of a run: by author, each author's in order."""
        self.run(run)
        return self._reader.records(run)

    def results(self, run: str) -> list[Result]:
        """Return the results in the records of a run."""
        return [record.result for record in self.records(run)]

    def ids(self, run: str) -> set[str]:
        """Return the ids of the records of a run."""
        self.run(run)
        with self.store.reading() as connection:
            return set(
                connection.execute(select(records.c.id).where(records.c.run == run)).scalars()
            )

    def digest(self, run: str) -> str:
        """Return the SHA-256 of the set of records: equal where two ledgers hold the same."""
        return set_digest(self.ids(run))

    def counts(self, run: str) -> dict[str, int]:
        """Return how many records of each author a run has."""
        query = select(records.c.author, func.count()).where(records.c.run == run)
        with self.store.reading() as connection:
            found = connection.execute(query.group_by(records.c.author)).all()
        return {row[0]: row[1] for row in sorted(found)}

    def sizes(self, run: str) -> dict[str, int]:
        """Return how many characters each author's records of a run have, with their genomes."""
        same = (records.c.run == genomes.c.run) & (records.c.genome == genomes.c.id)
        size = func.sum(records.c.size + genomes.c.size)
        query = select(records.c.author, size).join(genomes, same).where(records.c.run == run)
        with self.store.reading() as connection:
            found = connection.execute(query.group_by(records.c.author)).all()
        return {row[0]: int(row[1]) for row in sorted(found)}

    def news(self, run: str, since: int) -> tuple[int, list[str]]:
        """Return the length of the log, and the authors of whom it tells from line *since* on."""
        with self.store.reading() as connection:
            length = rows.log_length(connection, run)
            return length, rows.told_of(connection, run, since) if length > since else []

    def places(self, run: str, author: str) -> list[tuple[int, str]]:
        """Return the places in the author's chain and the ids of the records of a run."""
        with self.store.reading() as connection:
            return rows.places(connection, run, author)

    def said_of(self, run: str, work: Key) -> list[tuple[Record, float]]:
        """Return all records of a work, each with when it came in, in seconds since 1970."""
        return self._reader.said_of(run, work)

    def entries(self, run: str, author: str, *, since: int = 0) -> Iterator[tuple[Record, str]]:
        """Return an author's records from a place on, in order, each with its genome's text."""
        return self._reader.entries(run, author, since)

    def genome(self, genome: str) -> Genome:
        """Return the genome with this whole id.

        Raises:
            NotFoundError: the store does not have it; ``find_genome`` takes the start of an id.
        """
        return self._reader.genome(genome)

    def genomes(self, run: str) -> Iterator[tuple[str, Genome]]:
        """Return the genomes of a run with their ids, in the order of the ids."""
        self.run(run)
        return self._reader.genomes(run)

    def find_genome(self, run: str, prefix: str) -> str:
        """Return the only id of a genome of *run* that begins so (with or without ``g-``).

        Raises:
            NotFoundError: no id begins so, or several do; the text names the nearest.
        """
        self.run(run)
        with self.store.reading() as connection:
            query = select(genomes.c.id).where(genomes.c.run == run).order_by(genomes.c.id)
            return lookup.by_prefix(connection.execute(query).scalars().all(), prefix, run)

    def problems(self, run: str) -> Iterator[str]:
        """Yield what is wrong with a run, all signatures and chains included; nothing if sound."""
        several: list[Record] = []
        for check in (
            lambda: self.manifest(run),
            lambda: several.extend(self.records(run)),
            lambda: list(self.events(run)),
            lambda: list(self.genomes(run)),
        ):
            try:
                check()
            except StoreError as error:
                yield str(error)
        yield from (f"record {r.id[:12]} is forged" for r in several if not r.genuine)
        yield from chain_problems(several)

    # --------------------------------------------------------------------------------- inside

    def _text(self, run: str, genome: Genome) -> str:
        """Return the text of a genome, which ``from_json`` would read again."""
        text = to_json(genome)
        entries = max(len(genome.pool), len(genome.route))
        if len(text) > MOST_BYTES or entries > MOST_VISITS:
            raise StoreError(
                f"run {run!r} in the store {self.store.name} cannot hold a genome of {entries} "
                f"visits or pool entries and {len(text)} bytes: {MOST_VISITS} and {MOST_BYTES} are "
                "what is read again; limit its visits"
            )
        return text

    def _signed(self, result: Result, identity: Identity, end: _End) -> Record:
        return sign(
            result, identity, run=end.run, seq=end.seq, prev=end.prev,
            catalog=self._catalog.digest, program=__version__,
        )  # fmt: skip


def _question(result: Result) -> tuple[object, ...]:
    """What makes another result for the same genome, rung and replica new."""
    began = result.inherited_tokens, result.heritage
    return result.ok, result.test_bits_per_byte is None, began
