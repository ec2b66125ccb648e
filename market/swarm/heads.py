"""Heads: in brief which records of each author a peer has, so that two see who lacks what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from .. import canonical, fields
from ..errors import RecordError
from ..record import set_digest

AUTHORS = 1500
"""The most authors that heads may name, which fit into a frame."""


TRIED = 128
"""The most records of an author of which each is tried whether it is the one that a peer lacks."""


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


def nobody(author: str) -> bool:
    """Return that of no author only a part is held."""
    del author
    return False


def lacking(
    mine: Heads, theirs: Heads, partly: Callable[[str], bool] = nobody
) -> Iterator[tuple[str, int]]:
    """Yield the authors of whom *theirs* lacks records of *mine*, and the first place to send.

    Where the difference cannot be told from the heads, all of the author is to be sent. Of an
    author that is held *partly*, by everybody other records, who has fewer waits for the rest.
    """
    for author, own in sorted(mine.items()):
        other = theirs.get(author)
        if other is None:
            yield author, 0
        elif own.records < other.records and partly(author):
            continue
        elif own.whole and other.whole and own.upto < other.upto:
            continue  # a part of the other's chain; if it is not, both are of one length soon
        elif other.digest != own.digest:
            follows = other.whole and own.upto > other.upto
            yield author, other.upto if follows else 0


def missing(places: Iterable[tuple[int, str]], other: Head) -> list[str] | None:
    """Return the ids of those records of an author, (seq, id) of each, that *other* lacks.

    That can be told where it lacks one, or all from some place on; else None.
    """
    ids = [name for _, name in sorted(places)]
    if set_digest(ids[: other.records]) == other.digest:
        return ids[other.records :]
    if other.records != len(ids) - 1 or len(ids) > TRIED:
        return None
    for place, name in enumerate(ids):
        if set_digest(ids[:place] + ids[place + 1 :]) == other.digest:
            return [name]
    return None


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
    several = fields.several(value, "a head", 3)
    records = fields.whole(several[0], "the records of a head")
    upto = fields.whole(several[1], "what follows one another of a head", records)
    return Head(records, upto, fields.hexadecimal(several[2], "the digest of a head", 64))


def root(heads: Heads) -> str:
    """Return the SHA-256 of all heads: equal where two peers have the same records."""
    # what canonical.encode(encoded(heads)) is, which takes twice as long
    lines = (
        f'"{author}":[{head.records},{head.upto},"{head.digest}"]'
        for author, head in sorted(heads.items())
    )
    return canonical.digest(f"{{{','.join(lines)}}}".encode())
