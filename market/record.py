"""Records: results signed by the peer that measured them, immutable once signed.

The body of a record is its canonical bytes; its id is their SHA-256. The records of one author in
one run form a chain: each names its place and the id of the one before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, cast

from ..evaluator.result import Result
from . import canonical, fields
from .errors import RecordError
from .identity_key import Identity, verify
from .result_text import content_of, measured_of, parsed_result

Kind = Literal["result"]

VERSION = 3
"""The newest version of the body's form; a body of a newer one is refused.

A result is written in the oldest form that can say it, so it has but one: version 2 is that of
results which name weights (``parent``, ``weights``), of which version 1 knows nothing, and version
3 of those which name their line (``heritage``).
"""

LIMIT = 4096
"""The most bytes that a body may have."""

FIRST = "0" * 64
"""What the first record of an author names as the one before."""

_FIELDS = (
    "version", "kind", "run", "author", "seq", "prev", "catalog", "program", "content", "measured",
)  # fmt: skip


@dataclass(frozen=True)
class Record:
    """A signed result.

    ``run`` is the SHA-256 of the run's manifest, ``author`` the public key, ``seq`` the place in
    the author's chain from 0, ``prev`` the id of the record before (``FIRST`` for the first),
    ``catalog`` the digest of the catalog and ``program`` the version of praxis-evolve that measured
    it. Digests, key and signature are lower-case hex. Make one by ``sign`` or ``parse``.
    """

    run: str
    author: str
    seq: int
    prev: str
    result: Result
    catalog: str
    program: str
    signature: str
    kind: Kind = "result"

    @cached_property
    def body(self) -> bytes:
        """The canonical bytes that are signed."""
        form = _form(
            self.result, kind=self.kind, run=self.run, author=self.author, seq=self.seq,
            prev=self.prev, catalog=self.catalog, program=self.program,
        )  # fmt: skip
        return _encoded(form, self.result)

    @cached_property
    def id(self) -> str:
        """The SHA-256 of the body, 64 hex digits."""
        return canonical.digest(self.body)

    @cached_property
    def genuine(self) -> bool:
        """Whether the author signed exactly this body."""
        return verify(self.author, self.body, self.signature)

    def comparable(self) -> dict[str, object]:
        """Return what was measured, and by which code: equal for two runs with one seed.

        Leaves out what differs between such runs: who measured when at what speed (run, author,
        place in the chain, measured columns, signature).
        """
        return {
            "kind": self.kind,
            "catalog": self.catalog,
            "program": self.program,
            **content_of(self.result),
        }


def sign(
    result: Result, identity: Identity, *, run: str, seq: int, prev: str, catalog: str, program: str
) -> Record:
    """Return *result* as the next record of *identity*; an over-long reason is cut.

    Raises:
        RecordError: the result is not what a record may hold (a NaN, a curve of over 32 points).
    """
    form = _form(
        result, kind="result", run=run, author=identity.author, seq=seq, prev=prev,
        catalog=catalog, program=program,
    )  # fmt: skip
    body = _encoded(form, result)
    try:
        canonical.refuse_long(body, LIMIT)
    except ValueError as error:
        raise RecordError(f"the body of a record {error}") from None
    # the rules are those of ``parse``, which would decode the body to find the same form in it
    return _checked(form, body, identity.sign(body))


def parse(body: bytes, signature: str) -> Record:
    """Return the record with this *body*, which may come from a stranger.

    Does not look whether the signature is genuine: ``Record.genuine`` does.

    Raises:
        RecordError: the body is too long, not canonical, or breaks a rule; the text says which.
    """
    try:
        decoded = canonical.decode(body, limit=LIMIT)
    except ValueError as error:
        raise RecordError(f"the body of a record {error}") from None
    return _checked(decoded, body, signature)


def set_digest(ids: Iterable[str]) -> str:
    """Return the SHA-256 of a set of record ids: the same in whatever order they came."""
    return canonical.digest("\n".join(sorted(set(ids))).encode())


def _checked(decoded: object, body: bytes, signature: str) -> Record:
    _refuse_other_version(decoded)
    found = fields.mapping(decoded, "the record", _FIELDS)
    version = fields.whole(found["version"], "version", VERSION, least=1)
    if found["kind"] != "result":
        raise RecordError(f"kind must be 'result', but is {fields.shown(found['kind'])}")
    record = Record(
        run=fields.hexadecimal(found["run"], "run", 64),
        author=fields.hexadecimal(found["author"], "author", 64),
        seq=fields.whole(found["seq"], "seq"),
        prev=fields.hexadecimal(found["prev"], "prev", 64),
        result=parsed_result(found["content"], found["measured"]),
        catalog=fields.hexadecimal(found["catalog"], "catalog", 64),
        program=fields.text(found["program"], "program", 40),
        signature=fields.hexadecimal(signature, "signature", 128),
    )
    if version != _version_of(record.result):
        raise RecordError(
            f"version must be {_version_of(record.result)} for what the record says, but is "
            f"{version}"
        )
    _refuse_false_start(record)
    record.__dict__["body"] = body  # it is canonical: encoding the record would give it again
    return record


def _refuse_other_version(decoded: object) -> None:
    version = cast("dict[str, object]", decoded).get("version") if isinstance(decoded, dict) else 0
    if isinstance(version, int) and version > VERSION:
        raise RecordError(
            f"this program reads records up to version {VERSION}, but one has version {version}; "
            "update praxis-evolve"
        )


def _refuse_false_start(record: Record) -> None:
    if (record.seq == 0) != (record.prev == FIRST):
        raise RecordError(
            f"the first record of a chain, and only it, names {FIRST[:8]}... as the one before, "
            f"but seq is {record.seq} and prev {record.prev[:8]}..."
        )


def _version_of(result: Result) -> int:
    if result.heritage:
        return 3
    return 2 if result.parent or result.measured.weights else 1


def _form(result: Result, **header: object) -> dict[str, object]:
    return {
        "version": _version_of(result),
        **header,
        "content": content_of(result),
        "measured": measured_of(result),
    }


def _encoded(form: dict[str, object], result: Result) -> bytes:
    try:
        return canonical.encode(form)
    except ValueError as error:
        raise RecordError(f"the result of genome {result.genome[:12]}: {error}") from None
