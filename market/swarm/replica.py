"""Replicas: each peer's copy of the records of a run, which only grows and merges by set union."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ...genome.graph import Genome
from ...genome.text import to_json
from .. import canonical, fields
from ..claims import Check
from ..errors import RecordError
from ..islands import Islands
from ..ledger import Ledger
from ..record import Record, parse
from ..weighed import PAGE, named, weighed
from . import message
from .emigrants import Emigrants
from .heads import NONE, Head, Heads, head_of, lacking, missing
from .room import Room, foreign_room
from .transport import FRAME

_BATCH = ("genomes", "records")

ENTRIES = 1024
"""The most genomes, and the most records, of a batch."""

PAGES = 2
"""How many pages of the log are read at a look."""


@dataclass(frozen=True)
class Received:
    """What came of a batch: how many records were new, and why others were refused."""

    added: int
    refused: tuple[str, ...] = ()


class Replica(Protocol):
    """A copy of the records of the run with the digest ``run``."""

    run: str

    def heads(self) -> Heads:
        """Return in brief what is here."""
        ...

    def lacking(self, theirs: Heads) -> Iterator[bytes]:
        """Yield batches of what a peer with these heads lacks, each at most ``FRAME`` bytes."""
        ...

    def receive(self, batch: bytes, sender: str = "") -> Received:
        """Add what is sound in a batch, which may come from a stranger, and for which is room.

        *sender* is the name of the peer that sent it: what is sound does not hang on it.

        Raises:
            RecordError: it is no batch at all.
        """
        ...


@dataclass
class LedgerReplica:
    """The records of one run in a ledger.

    ``author`` is this peer's own key, whose records count fully; ``check`` says what is wrong with
    others'. ``islands`` is how many the run has: of the author's own all records are here, of the
    others some, which have a room apart. ``out`` is how many of the first own records others may
    have, None for all.
    """

    ledger: Ledger
    name: str
    author: str
    check: Check
    islands: int = 1
    out: Callable[[], int | None] = lambda: None
    run: str = field(init=False)
    _mine: tuple[tuple[int, Head], Head] = field(default=((0, NONE), NONE), init=False)
    """How many may be out of the own records with that head, and the head of those."""
    _known: dict[str, Head] = field(default_factory=dict[str, Head], init=False)
    _room: Room = field(init=False)
    _abroad: Room = field(init=False)
    _read: int = field(default=0, init=False)  # lines of the log that are in what is known
    _emigrants: Emigrants = field(init=False)
    _looked: int = field(default=0, init=False)  # lines of the log that are in what is offered
    _is_behind: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        self.run = self.ledger.run(self.name).digest
        sizes = self.ledger.sizes(self.name)
        others = {author: sizes[author] for author in sizes if author != self.author}
        foreign = {each: others.pop(each) for each in list(others) if self._is_foreign(each)}
        self._room, self._abroad = Room(others), foreign_room(foreign)
        self._emigrants = Emigrants(lambda author: not self._is_foreign(author))

    def _is_foreign(self, author: str) -> bool:
        """Whether an author lives on another island."""
        islands = Islands(self.run, self.islands)
        return islands.of(author) != islands.of(self.author)

    def awaits(self, author: str, record: str) -> bool:
        """Whether a record is not here, of an author of this island of whom others are."""
        if self._is_foreign(author) or author not in self.heads():
            return False
        return not self.ledger.stored(self.name, [record])

    def heads(self) -> Heads:
        """Return in brief what is here; only authors of whom the log tells more are read."""
        length, authors = self.ledger.news(self.name, self._read)
        if length > self._read:
            fresh = {each: head_of(self.ledger.places(self.name, each)) for each in authors}
            self._known, self._read = {**self._known, **fresh}, length
        return self._shown()

    def _shown(self) -> Heads:
        """Return what is known but for own records that are held back."""
        out, own = self.out(), self._known.get(self.author)
        if out is None or own is None or (own.whole and own.records <= out):
            return self._known
        if self._mine[0] != (out, own):
            places = self.ledger.places(self.name, self.author)
            self._mine = (out, own), head_of(place for place in places if place[0] < out)
        shown = {**self._known, self.author: self._mine[1]}
        return {author: head for author, head in shown.items() if head.records}

    def lacking(self, theirs: Heads) -> Iterator[bytes]:
        """Yield batches of what a peer with these heads lacks, what this peer measured first.

        So its name is the first that it brings, for which there is room where there is for any.
        """
        several = dict(lacking(self.heads(), theirs, self._is_foreign))
        own = {author: several.pop(author) for author in (self.author,) if author in several}
        yield from self._batches(own, theirs)
        yield from self._batches(several, theirs)

    def _batches(self, several: Mapping[str, int], theirs: Heads) -> Iterator[bytes]:
        """Yield batches of the records of authors, of each from a place on."""
        yield from _batched(
            entry
            for author, since in several.items()
            for entry in self._entries(author, since, theirs.get(author, NONE))
            if self._is_out(entry[0])
        )

    def _entries(self, author: str, since: int, other: Head) -> Iterator[tuple[Record, str]]:
        """Return what a peer lacks of an author; of one elsewhere no more, where that is clear."""
        if other.records and self._is_foreign(author):
            ids = missing(self.ledger.places(self.name, author), other)
            if ids is not None:
                return named(self.ledger.store, self.name, ids)
        return self.ledger.entries(self.name, author, since=since)

    def _is_out(self, record: Record) -> bool:
        """Whether others may have a record: some own ones are held back."""
        out = self.out()
        return record.author != self.author or out is None or record.seq < out

    def look(self) -> None:
        """Read on in the log what is believed, some pages of it."""
        for _ in range(PAGES):
            page = weighed(self.ledger.store, self.name, self._looked)
            self._emigrants.hear(page)
            self._looked = page[-1].place + 1 if page else self._looked
            self._is_behind = len(page) == PAGE
            if not self._is_behind:
                break

    def emigrants(self) -> Sequence[str]:
        """Return the ids of what is offered to other islands, nothing until all is read."""
        return () if self._is_behind else self._emigrants.best()

    def named(self, ids: Collection[str]) -> Iterator[bytes]:
        """Yield batches of the records of these ids, as far as they are here."""
        found = named(self.ledger.store, self.name, ids)
        yield from _batched(entry for entry in found if self._is_out(entry[0]))

    def lacked(self, ids: Collection[str]) -> Sequence[str]:
        """Return which of these ids are not here."""
        here = self.ledger.stored(self.name, ids)
        return [name for name in ids if name not in here]

    def receive(
        self, batch: bytes, sender: str = "", *, only: Callable[[Record], str | None] | None = None
    ) -> Received:
        """Add what is sound in a batch, for which there is room, and of which *only* says nothing.

        *only* may say what is wrong with a record for whoever asked for it.
        """
        genomes, records, refused = decoded(batch)
        lengths = dict[str, int]()

        def check(record: Record, genome: Genome) -> str | None:
            problem = None if only is None else only(record)
            return (
                problem
                or self.check(record, genome)
                or self._no_room(record, length(record, genome), sender)
            )

        def length(record: Record, genome: Genome) -> int:
            if (name := record.result.genome) not in lengths:
                lengths[name] = len(to_json(genome))
            return lengths[name]

        merged = self.ledger.take_in(self.name, records, genomes, own=self.author, check=check)
        return Received(len(merged.added), (*refused, *merged.refused))

    def _no_room(self, record: Record, length: int, sender: str) -> str | None:
        """Say why there is no room for a record with a genome of that length, None if there is."""
        if record.author == self.author:
            return None
        room = self._abroad if self._is_foreign(record.author) else self._room
        return room.take(record.author, len(record.body) + length, sender)


class _Batch:
    """Records on their way, and the text of each genome once."""

    def __init__(self) -> None:
        self.records: list[list[str]] = []
        self._texts: dict[str, None] = {}
        self._size = 0

    def add(self, record: Record, text: str) -> bytes | None:
        """Add an entry; return what was gathered before where both would be too much."""
        body = record.body.decode()
        own = 2 * (len(body) + len(text)) + len(record.signature)  # quotes are escaped
        full = None
        if self.records and (self._size + own > FRAME - 64 or len(self.records) == ENTRIES):
            full = self.encoded()
            self.records, self._texts, self._size = [], {}, 0
        self.records.append([body, record.signature])
        self._texts[text] = None
        self._size += own
        return full

    def encoded(self) -> bytes:
        """Return the batch as bytes, which are a fifth of its text."""
        text = canonical.encode({"genomes": list(self._texts), "records": self.records})
        return zlib.compress(text)


def _batched(entries: Iterable[tuple[Record, str]]) -> Iterator[bytes]:
    """Yield batches of records with the texts of their genomes."""
    batch = _Batch()
    for record, text in entries:
        if (full := batch.add(record, text)) is not None:
            yield full
    if batch.records:
        yield batch.encoded()


def decoded(batch: bytes) -> tuple[Sequence[str], Sequence[Record], Sequence[str]]:
    """Return the texts of genomes, the records, and why which other entries are none.

    Raises:
        RecordError: it is no batch at all.
    """
    found = message.read(_text(batch), _BATCH, limit=FRAME, name="a batch")
    texts = fields.sequence(found["genomes"], "the genomes of a batch", ENTRIES)
    genomes = [fields.text(text, "a genome", FRAME) for text in texts]
    records, refused = list[Record](), list[str]()
    for entry in fields.sequence(found["records"], "the records of a batch", ENTRIES):
        try:
            records.append(_record(entry))
        except RecordError as error:
            refused.append(f"a record breaks a rule: {error}")
    return genomes, records, refused


def _text(batch: bytes) -> bytes:
    """Return the text of a batch, which may be sent as it is; of an endless one the beginning.

    Raises:
        RecordError: it is neither a text nor a compressed one.
    """
    if batch[:1] == b"{":
        return batch
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(batch, FRAME + 1)
    except zlib.error as error:
        raise RecordError(f"a batch must be JSON or compressed JSON: {error}") from None
    if len(text) <= FRAME and (not stream.eof or stream.unused_data):
        raise RecordError("a batch must be compressed JSON, whole and with nothing behind it")
    return text


def _record(entry: object) -> Record:
    several = fields.several(entry, "a record", 2)
    body = fields.text(several[0], "the body of a record", FRAME)
    signature = fields.hexadecimal(several[1], "the signature of a record", 128)
    return parse(body.encode(), signature)
