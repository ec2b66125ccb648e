"""The lines of a peer's own log: asks and tells in the order in which its search saw them.

Each line carries the hash of the one before, so a damaged or missing line is noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from ..genome.graph import Genome
from ..search.base import (
    Able,
    Asked,
    Assignment,
    Birth,
    Closed,
    Committed,
    Event,
    Expired,
    Finished,
    Grown,
    Key,
    Said,
    Taken,
)
from . import canonical
from .record import Record

EMPTY = "0" * 64
"""The digest before the first line."""

PEER = "peer"
"""The origin of what another peer asked for."""

LONGEST = 1 << 24
"""The most bytes of a line's body."""

Noted = Expired | Closed | Grown | Taken | Said | Committed | Able
"""What a log says beside what was asked and what came in."""


@dataclass(frozen=True)
class Line:
    """One line: its kind and its body, canonical JSON.

    Kinds are asked, finished, expired, closed, grown, taken, said, committed, able. ``record`` is
    the id of the record that a finished line tells of.
    """

    kind: str
    body: str
    record: str | None = None

    def digest(self, before: str) -> str:
        """Return the hash of this line after the one with the hash *before*."""
        return canonical.digest(f"{before}\n{self.kind}\n{self.body}".encode())


def asked(assignment: Assignment, text: str) -> Line:
    """Return the line that says that *assignment* was handed out; *text* is its genome's."""
    body = {
        "birth": _birth_body(assignment.birth),
        "genome": text,
        "rung": assignment.rung,
        "replica": assignment.replica,
        "origin": assignment.origin,
        "parents": assignment.parents,
    }
    return Line("asked", canonical.encode(body).decode())


def finished(record: Record, weight: float, *, foreign: bool = False) -> Line:
    """Return the line that says that *record* came in and how far it counts.

    A ``foreign`` one is of what another peer asked for, and its genome is at hand.
    """
    body = {"record": record.id, "weight": float(weight)} | ({"foreign": True} if foreign else {})
    return Line("finished", canonical.encode(body).decode(), record.id)


def noted(found: Noted) -> Line:
    """Return the line of what was noted beside asks and results."""
    match found:
        case Expired(birth):
            kind, body = "expired", {"birth": _birth_body(birth)}
        case Closed():
            kind, body = "closed", dict[str, object]()
        case Grown(blocks):
            kind, body = "grown", {"blocks": dict(blocks)}
        case Taken(author, works):
            kind, body = "taken", {"author": author, "works": [list(work) for work in works]}
        case Said(author, works):
            kind, body = "said", {"author": author, "works": [list(work) for work in works]}
        case Committed(author, work, record):
            kind, body = "committed", {"author": author, "work": list(work), "record": record}
        case Able():
            kind, body = "able", vars(found)
    return Line(kind, canonical.encode(body).decode())


def event(
    line: Line, record: Record | None, read: Callable[[str], Genome], genome: str | None = None
) -> Event:
    """Return the event that *line* tells of; *record* is the one that it names, of *genome*.

    *read* returns the genome of a text.

    Raises:
        ValueError, KeyError, TypeError: the line is damaged, or *read* refuses its genome.
    """
    body = cast("dict[str, object]", canonical.decode(line.body.encode(), limit=LONGEST))
    if line.kind == "finished":
        if record is None or body["record"] != record.id:
            raise ValueError(f"the record {body['record']!r} that it names is not there")
        weight = cast("float", body["weight"])
        if not body.get("foreign"):
            return Finished(record.result, weight)
        if genome is None:
            raise ValueError(f"the genome of the record {record.id!r} is not there")
        return Finished(record.result, weight, _foreign(record, read(genome)))
    if line.kind == "closed":
        return Closed()
    if line.kind == "grown":
        return Grown(tuple(sorted(cast("dict[str, str]", body["blocks"]).items())))
    if line.kind in ("taken", "said"):
        works = tuple(map(Key._make, cast("list[tuple[str, int, int]]", body["works"])))
        return (Taken if line.kind == "taken" else Said)(cast("str", body["author"]), works)
    if line.kind == "committed":
        work = Key._make(cast("tuple[str, int, int]", body["work"]))
        return Committed(cast("str", body["author"]), work, cast("str", body["record"]))
    if line.kind == "able":
        return Able(**cast("dict[str, Any]", body))
    birth = Birth(**cast("dict[str, Any]", body["birth"]))
    if line.kind == "expired":
        return Expired(birth)
    return Asked(_assignment(cast("dict[str, Any]", body), birth, read))


def _foreign(record: Record, genome: Genome) -> Assignment:
    """Return what the author of a record had asked for, born when it measured."""
    result, birth = record.result, Birth(record.run, record.author, record.seq)
    return Assignment(genome, result.rung, result.replica, birth, PEER)


def _assignment(body: dict[str, Any], birth: Birth, read: Callable[[str], Genome]) -> Assignment:
    return Assignment(
        genome=read(body["genome"]),
        rung=body["rung"],
        replica=body["replica"],
        birth=birth,
        origin=body["origin"],
        parents=tuple(body["parents"]),
    )


def _birth_body(birth: Birth) -> dict[str, object]:
    return {"run": birth.run, "author": birth.author, "number": birth.number}
