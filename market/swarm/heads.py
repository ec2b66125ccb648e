"""Heads: in brief which records of each author a peer has, so that two see who lacks what."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from .. import fields
from ..errors import RecordError
from ..record import set_digest

AUTHORS = 1500
"""The most authors that heads may name, which fit into a frame: more make islands of their own."""

FEW = 100
"""Heads of more authors are compared by parts: those of one are as long as the digests of ten."""

PREFIX = 2
"""How many digits the authors of a part have in common."""

_CUT = 16  # digits of the digest of a part: who finds two with one digest hides own records alone


@dataclass(frozen=True)
class Head:
    """The records of an author that a peer has.

    ``records`` is how many, ``upto`` how many of them follow one another from the first, one for
    each place, and ``digest`` the SHA-256 of the set of their ids.
    """

    records: int
    upto: int
    digest: str

    @property
    def whole(self) -> bool:
        """Whether nothing is missing in between, and no place has two."""
        return self.records == self.upto


Heads = Mapping[str, Head]
"""Heads by the key of the author."""

NONE = Head(0, 0, set_digest(()))
"""The head of an author of whom a peer has nothing."""


def head_of(places: Iterable[tuple[int, str]]) -> Head:
    """Return the head of the records of an author, (seq, id) of each."""
    found = sorted(places)
    upto = next((n for n, (seq, _) in enumerate(found) if seq != n), len(found))
    return Head(len(found), upto, set_digest(name for _, name in found))


def lacking(mine: Heads, theirs: Heads) -> Iterator[tuple[str, int]]:
    """Yield the authors of whom *theirs* lacks records of *mine*, and the first place to send.

    Where the difference cannot be told from the heads, all of the author is to be sent.
    """
    for author, own in sorted(mine.items()):
        other = theirs.get(author)
        if other is None:
            yield author, 0
        elif other.digest != own.digest:
            follows = other.whole and own.upto > other.upto
            yield author, other.upto if follows else 0


def encoded(heads: Heads) -> dict[str, object]:
    """Return heads as plain data."""
    return {author: [h.records, h.upto, h.digest] for author, h in sorted(heads.items())}


def decoded(value: object) -> Heads:
    """Return the heads in plain data, which may come from a stranger.

    Raises:
        RecordError: they are none.
    """
    if not isinstance(value, dict) or len(value) > AUTHORS:  # pyright: ignore[reportUnknownArgumentType]
        raise RecordError(f"heads must be a mapping of at most {AUTHORS} authors")
    items = fields.mapping(value, "heads", list[str](value)).items()  # pyright: ignore[reportUnknownArgumentType]
    return {fields.hexadecimal(author, "an author", 64): _head(one) for author, one in items}


def _head(value: object) -> Head:
    several = fields.sequence(value, "a head", 3)
    if len(several) != 3:
        raise RecordError(f"a head must be three things, but is {fields.shown(value)}")
    records = fields.whole(several[0], "the records of a head")
    upto = fields.whole(several[1], "what follows one another of a head", records)
    return Head(records, upto, fields.hexadecimal(several[2], "the digest of a head", 64))


def root(heads: Heads) -> str:
    """Return the SHA-256 of all heads: equal where two peers have the same records."""
    return _digest(_lines(heads))


def parts(heads: Heads) -> dict[str, str]:
    """Return a digest of the heads of the authors whose keys begin alike, by what they begin with.

    Where two peers differ little, most parts are equal and need not be sent (a Merkle tree of one
    level, as in Amazon's Dynamo).
    """
    lines = defaultdict[str, list[str]](list)
    for line in _lines(heads):
        lines[line[:PREFIX]].append(line)
    return {prefix: _digest(several)[:_CUT] for prefix, several in lines.items()}


def decoded_parts(value: object) -> Mapping[str, str]:
    """Return the digests of parts in plain data, which may come from a stranger.

    Raises:
        RecordError: they are none.
    """
    if not isinstance(value, dict) or len(value) > 16**PREFIX:  # pyright: ignore[reportUnknownArgumentType]
        raise RecordError(f"parts must be a mapping of at most {16**PREFIX} digests")
    items = fields.mapping(value, "parts", list[str](value)).items()  # pyright: ignore[reportUnknownArgumentType]
    return {
        fields.hexadecimal(prefix, "a part", PREFIX): fields.hexadecimal(one, "its digest", _CUT)
        for prefix, one in items
    }


def of_parts(heads: Heads, prefixes: Collection[str]) -> Heads:
    """Return the heads of authors whose keys begin with one of these."""
    return {author: head for author, head in heads.items() if author[:PREFIX] in prefixes}


def _lines(heads: Heads) -> Iterator[str]:
    for author, head in sorted(heads.items()):
        yield f"{author} {head.records} {head.upto} {head.digest}\n"


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(lines).encode()).hexdigest()
