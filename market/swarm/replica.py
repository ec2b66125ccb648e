"""Replicas: each peer's copy of the records of a run, which only grows and merges by set union."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .. import canonical, fields
from ..claims import Check
from ..errors import RecordError
from ..ledger import Ledger
from ..record import Record, parse
from .heads import Head, Heads, head_of, lacking
from .transport import FRAME

_BATCH = ("genomes", "records")

ENTRIES = 1024
"""The most genomes, and the most records, of a batch."""

MOST_AUTHORS = 10_000
"""The most authors of a run that a peer takes records of."""


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

    def receive(self, batch: bytes) -> Received:
        """Add what is sound in a batch, which may come from a stranger, whoever sent it.

        Raises:
            RecordError: it is no batch at all.
        """
        ...


@dataclass
class LedgerReplica:
    """The records of one run in a ledger.

    ``author`` is this peer's own key, whose records count fully; ``check`` says what is wrong with
    others'.
    """

    ledger: Ledger
    name: str
    author: str
    check: Check
    run: str = field(init=False)
    _known: dict[str, Head] = field(default_factory=dict[str, Head], init=False)
    _read: int = field(default=0, init=False)  # lines of the log that are in what is known

    def __post_init__(self) -> None:
        self.run = self.ledger.run(self.name).digest

    def heads(self) -> Heads:
        """Return in brief what is here; only authors of whom the log tells more are read."""
        length, authors = self.ledger.news(self.name, self._read)
        if length > self._read:
            fresh = {each: head_of(self.ledger.places(self.name, each)) for each in authors}
            self._known, self._read = {**self._known, **fresh}, length
        return self._known

    def lacking(self, theirs: Heads) -> Iterator[bytes]:
        """Yield batches of what a peer with these heads lacks."""
        batch = _Batch()
        for author, since in lacking(self.heads(), theirs):
            for record, text in self.ledger.entries(self.name, author, since=since):
                if (full := batch.add(record, text)) is not None:
                    yield full
        if batch.records:
            yield batch.encoded()

    def receive(self, batch: bytes) -> Received:
        """Add what is sound in a batch."""
        genomes, records, refused = decoded(batch)
        records, strangers = self._few(records)
        refused = [*refused, *strangers]
        merged = self.ledger.take_in(self.name, records, genomes, own=self.author, check=self.check)
        return Received(len(merged.added), (*refused, *merged.refused))

    def _few(self, records: Sequence[Record]) -> tuple[Sequence[Record], Sequence[str]]:
        """Return the records of those authors for whom there is room, and why others are refused.

        Names cost nothing; heads of too many would keep all peers from comparing theirs.
        """
        known = {*self.heads(), self.author}
        kept, refused = list[Record](), list[str]()
        for record in records:
            if record.author in known or len(known) < MOST_AUTHORS:
                known.add(record.author)
                kept.append(record)
            else:
                refused.append(f"a record of the author {record.author[:12]}: there are too many")
        return kept, refused


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


def decoded(batch: bytes) -> tuple[Sequence[str], Sequence[Record], Sequence[str]]:
    """Return the texts of genomes, the records, and why which other entries are none.

    Raises:
        RecordError: it is no batch at all.
    """
    try:
        found = fields.mapping(canonical.decode(_text(batch), limit=FRAME), "a batch", _BATCH)
    except ValueError as error:
        raise RecordError(f"a batch {error}") from None
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
        ValueError: it is neither a text nor a compressed one.
    """
    if batch[:1] == b"{":
        return batch
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(batch, FRAME + 1)
    except zlib.error as error:
        raise ValueError(f"must be JSON or compressed JSON: {error}") from None
    if len(text) <= FRAME and (not stream.eof or stream.unused_data):
        raise ValueError("must be compressed JSON that is whole, with nothing behind it")
    return text


def _record(entry: object) -> Record:
    several = fields.sequence(entry, "a record", 2)
    if len(several) != 2:
        raise RecordError("a record must be a body and a signature")
    body = fields.text(several[0], "the body of a record", FRAME)
    signature = fields.hexadecimal(several[1], "the signature of a record", 128)
    return parse(body.encode(), signature)
