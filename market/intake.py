"""Intake: what others sent is looked at, and what is sound is stored with its lines of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..evaluator.result import Result
from ..genome.edit import pruned
from ..genome.graph import Genome
from ..genome.identity import genome_id
from ..genome.text import from_json, to_json
from . import log, rows
from .lease import changing
from .prepared import Driven
from .reading import Reader
from .record import Record
from .result_text import content_of
from .trust import weight

Check = Callable[[Record, Genome], str | None]
"""Says what is wrong with a record of a genome, None where it is sound."""


@dataclass(frozen=True)
class Merged:
    """What was added: the ids that were new, and why which others were refused."""

    added: tuple[str, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True)
class Intake:
    """Takes records into one run of a store.

    Args:
        reader: reads the store, and genomes of its catalog.
        run: the name of the run there.
        digest: of its manifest, by which records name it.
        own: this peer's author key, whose records count fully.
        now: seconds since 1970.
    """

    reader: Reader
    run: str
    digest: str
    own: str
    now: Callable[[], float]

    def take_in(self, received: Iterable[Record], genomes: Iterable[str], check: Check) -> Merged:
        """Add what is genuine and of the run, whose genome is known, and that passes *check*."""
        texts, refused = self._read(genomes)
        fresh = list[Record]()
        for record in self._unknown(received):
            if problem := self._problem(record, texts, check):
                refused.append(f"record {record.id[:12]} {problem}")
            else:
                fresh.append(record)
        return Merged(self._added(fresh, texts), tuple(refused))

    def _read(self, genomes: Iterable[str]) -> tuple[dict[str, tuple[str, Genome]], list[str]]:
        """Return texts and genomes by id, and why which texts are none."""
        catalog = self.reader.catalog
        found, refused = dict[str, tuple[str, Genome]](), list[str]()
        for text in genomes:
            try:
                genome = pruned(from_json(text, catalog))
                written = to_json(genome)
                if written != text:
                    from_json(written, catalog)  # what is stored must be read again
                found[genome_id(genome, catalog)] = written, genome
            except (ValueError, KeyError) as error:
                refused.append(f"a genome was refused: {error}")
        return found, refused

    def _unknown(self, received: Iterable[Record]) -> list[Record]:
        """Return the records that are not in the store, each once, in the order of their chains."""
        several = list({(record.id, record.signature): record for record in received}.values())
        known = self.reader.stored(self.run, {record.id for record in several})
        fresh = [record for record in several if record.id not in known]
        return sorted(fresh, key=lambda record: (record.author, record.seq, record.id))

    def _problem(
        self, record: Record, texts: Mapping[str, tuple[str, Genome]], check: Check
    ) -> str | None:
        """Say what is wrong with a record that was parsed, and so breaks no rule of its form."""
        if record.run != self.digest:
            return f"belongs to another run ({record.run[:12]} instead of {self.digest[:12]})"
        if not record.genuine:
            return f"was not signed by its author {record.author[:12]}"
        name = record.result.genome
        genome = texts[name][1] if name in texts else self.reader.genome_in(self.run, name)
        if genome is None:
            return f"is of genome {name[:12]}, which nobody has sent"
        return check(record, genome)

    def _added(
        self, fresh: Sequence[Record], texts: Mapping[str, tuple[str, Genome]]
    ) -> tuple[str, ...]:
        """Store records that are sound; looking at signatures takes longer and locks nobody out."""
        if not fresh:
            return ()
        added = list[str]()
        with changing(self.reader.store, self.run) as (connection, _):
            for record in fresh:
                if rows.has_record(connection, self.run, record.id):
                    continue
                if record.result.genome in texts:
                    text, _ = texts[record.result.genome]
                    rows.insert_genome(connection, self.run, record.result.genome, text)
                rows.insert_record(connection, self.run, record, now=self.now())
                rows.append_line(connection, self.run, self._line(connection, record))
                added.append(record.id)
        return tuple(added)

    def _line(self, connection: Driven, record: Record) -> log.Line:
        """Return the line that says how far a record counts that came in."""
        foreign = record.author != self.own
        said = foreign and self._says(connection, record.result)
        counts = 1.0 if said else weight(record, self.own)
        return log.finished(record, counts, foreign=foreign)

    def _says(self, connection: Driven, result: Result) -> bool:
        """Whether an own record says just the same: what is told last of a result counts for it."""
        known = self.reader.alike(connection, self.run, self.own, result)
        return any(content_of(each.result) == content_of(result) for each in known)
