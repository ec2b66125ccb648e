"""Parts: how two peers find where the heads of many authors differ, without sending all of them.

A part is the authors whose keys begin alike. Of a small part the heads are told, of a larger one
the digests of the parts in it, of which the other asks for those that differ from its own: a hash
tree over the keys (Merkle 1987; DeCandia et al. 2007, Dynamo).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from .. import fields
from ..errors import RecordError
from .heads import Head, Heads, decoded, encoded

ALL = ""
"""The prefix of the part of all authors."""

FEW = 16
"""The most authors of a part of which the heads are told; each is as long as five digests."""

STEP = 2
"""By how many digits the keys in a part begin more alike than those in the part around it."""

ROOM = 1000
"""The most heads that an answer is asked for; four parts count as one, for all in a frame."""

ASKED = 256
"""How often a peer is asked for parts before it is held to have no end of them."""

_CUT = 16  # digits of a digest: who finds two equal ones hides nothing but records of its own


class Part(NamedTuple):
    """How many authors a part has, and a digest of their heads."""

    authors: int
    digest: str


Answer = tuple[Heads, Mapping[str, Part]]
"""What a peer tells of the parts that were asked for: heads of small ones, the parts in others."""


def told(mine: Heads, prefixes: Iterable[str]) -> dict[str, object]:
    """Return as plain data what is to be told of the parts with these prefixes."""
    authors, heads, parts = sorted(mine), dict[str, object](), dict[str, object]()
    for prefix in prefixes:
        several = _of(authors, prefix)
        if len(several) > FEW:
            parts.update((name, list(part)) for name, part in _within(mine, several, prefix))
        else:
            heads.update(encoded({author: mine[author] for author in several}))
    return {"heads": heads, "parts": parts}


def read(heads: object, parts: object) -> Answer:
    """Return what plain data tells, which may come from a stranger.

    Raises:
        RecordError: it tells nothing.
    """
    if not isinstance(parts, dict) or len(parts) > 4 * ROOM:  # pyright: ignore[reportUnknownArgumentType]
        raise RecordError(f"parts must be a mapping of at most {4 * ROOM}")
    items = fields.mapping(parts, "parts", list[str](parts)).items()  # pyright: ignore[reportUnknownArgumentType]
    return decoded(heads), {prefix_of(name): _part(one) for name, one in items}


def prefix_of(value: object) -> str:
    """Return the prefix of a part in plain data, which may come from a stranger.

    Raises:
        RecordError: it is none.
    """
    prefix = fields.text(value, "the prefix of a part", 64)
    return fields.hexadecimal(prefix, "the prefix of a part", len(prefix))


async def compared(
    mine: Heads, first: Answer, ask: Callable[[Sequence[str]], Awaitable[Answer]]
) -> Heads:
    """Return the heads of another peer, which told *first* of all and is asked for the rest.

    *ask* asks it for parts by their prefixes.

    Raises:
        RecordError: it tells of parts without end.
    """
    authors, theirs, waiting = sorted(mine), dict[str, Head](), dict[str, int]()
    asked, (heads, parts) = [ALL], first
    for _ in range(ASKED):
        within = _by_prefix(parts)
        for prefix in asked:
            if not (there := within.get(prefix)):
                continue
            several = _of(authors, prefix)
            here = dict(_within(mine, several, prefix))
            alike = {name for name, one in there.items() if here.get(name) == one}
            theirs.update(
                (author, mine[author])
                for author in several
                if author[: len(prefix) + STEP] in alike
            )
            waiting.update({name: there[name].authors for name in there if name not in alike})
        theirs.update(heads)
        if not waiting:
            return theirs
        asked = _some(waiting)
        for prefix in asked:
            del waiting[prefix]
        heads, parts = await ask(asked)
    raise RecordError(f"a peer told of more parts than {ASKED} requests can ask for")


def _some(waiting: Mapping[str, int]) -> list[str]:
    """Return the first parts of which an answer has room to tell; at least one."""
    room, some = ROOM, list[str]()
    for prefix, authors in waiting.items():
        room -= min(authors, 16**STEP // 4)
        if room < 0 and some:
            break
        some.append(prefix)
    return some


def _by_prefix(parts: Mapping[str, Part]) -> Mapping[str, Mapping[str, Part]]:
    """Return parts by the prefix of the part around them."""
    found = defaultdict[str, dict[str, Part]](dict)
    for name, part in parts.items():
        found[name[:-STEP]][name] = part
    return found


def _of(authors: Sequence[str], prefix: str) -> Sequence[str]:
    """Return those of sorted authors that begin so."""
    return authors[bisect_left(authors, prefix) : bisect_left(authors, f"{prefix}g")]


def _within(heads: Heads, authors: Sequence[str], prefix: str) -> Iterator[tuple[str, Part]]:
    """Yield the parts in the part of these sorted authors, which has that prefix."""
    length = len(prefix) + STEP
    for name, group in groupby(authors, lambda author: author[:length]):
        several = list(group)
        text = "".join(_line(author, heads[author]) for author in several)
        yield name, Part(len(several), hashlib.sha256(text.encode()).hexdigest()[:_CUT])


def _line(author: str, head: Head) -> str:
    return f"{author} {head.records} {head.upto} {head.digest}\n"


def _part(value: object) -> Part:
    several = fields.several(value, "a part", 2)
    authors = fields.whole(several[0], "the authors of a part", least=1)
    return Part(authors, fields.hexadecimal(several[1], "the digest of a part", _CUT))
