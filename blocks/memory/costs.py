"""Cost formulas of the memory family, without torch."""

from __future__ import annotations

from typing import NamedTuple

from ..attention.window import reach
from ..declaration import Cost, Settings, Size

FLOAT, INDEX = 4, 8
"""Bytes of a number and of an index in a carry."""


class Pieces(NamedTuple):
    """The segments of a call, one after the other, as blocks work on them.

    A call that begins with a segment is cut into ``number`` slices of ``length`` tokens; elsewhere
    each piece is a mask over all tokens. ``keys`` are the tokens of all pieces, ``queries`` the
    same where the last slice is filled up, ``last`` the tokens of the last piece. The open segment
    has ``before`` tokens where the call begins inside it, 0 elsewhere, and ``after`` at the end.
    """

    number: int
    length: int
    queries: int
    keys: int
    last: int
    before: int
    after: int


def pieces(size: Size) -> Pieces:
    """Return how a call meets the segments of its row."""
    tokens, before = size.row, size.past % size.segment
    after = (size.seen - 1) % size.segment + 1
    if before:
        number = -(-(before + tokens) // size.segment)
        spread = number * tokens
        return Pieces(number, tokens, spread, spread, tokens, before, after)
    length = max(1, min(size.segment, tokens))
    number = -(-tokens // length)
    return Pieces(number, length, number * length, tokens, after, before, after)


def infini_cost(size: Size, settings: Settings) -> Cost:
    """Return the cost of ``infini``."""
    width, tokens = size.width, size.row
    heads = int(settings["heads"])
    each = pieces(size)
    matrix = width * (width // heads + 1)  # the memory of all heads
    remembers = each.queries + each.keys * (1 + int(settings["delta"]))
    pairs = tokens * (each.before + tokens) if each.before else each.number * each.length**2
    return Cost(
        parameters=4 * width**2 + heads,
        flops=8 * tokens * width**2 + 4 * pairs * width + 2 * remembers * matrix,
        carry=2 * matrix * FLOAT + INDEX + each.after * (2 * width * FLOAT + INDEX),
    )


def knn_cost(size: Size, settings: Settings) -> Cost:
    """Return the cost of ``knn``."""
    width, tokens = size.width, size.row
    near = reach(float(settings["window"]), size.context)
    far = min(near + reach(float(settings["memory"]), size.context), size.context)
    read = min(size.past, far - 1) + tokens
    # the first tokens of a row have an empty store; with gaps nobody knows which these are
    skip = 0 if size.past or size.gaps else min(near, tokens)
    pairs = tokens * read + (tokens - skip) * (read - skip)
    return Cost(
        parameters=4 * width**2 + 2 * int(settings["heads"]),
        flops=8 * tokens * width**2 + 4 * pairs * width,
        carry=min(size.seen, far - 1) * (2 * width * FLOAT + INDEX),
    )


def associative_cost(size: Size, settings: Settings) -> Cost:
    """Return the cost of ``associative``."""
    width, tokens = size.width, size.row
    heads, slots = int(settings["heads"]), int(settings["slots"])
    candidates = int(settings["candidates"])
    each = pieces(size)
    # the first segment of a row has an empty store, and none before it to be closed
    read, closed = each.keys, each.number
    if not size.past:
        read, closed = max(0, tokens - each.length), each.number - 1
    once = candidates * (2 * candidates + 6 * slots) * width  # at the end of a segment
    kept = (slots + candidates) * 2 * width + heads * (2 * slots + candidates)
    return Cost(
        parameters=4 * width**2 + heads,
        flops=8 * tokens * width**2 + 6 * read * slots * width + closed * once,
        carry=kept * FLOAT + INDEX,
    )


def stm_cost(size: Size, settings: Settings) -> Cost:
    """Return the cost of ``stm``."""
    width, tokens = size.width, size.row
    heads, slots = int(settings["heads"]), int(settings["slots"])
    each = pieces(size)
    gate = {"static": slots, "elementwise": slots * width, "linear": 2 * width + 1}
    logits = 4 * slots * width if settings["gate"] == "linear" else 0
    counted = each.keys if each.before else each.last  # beside what an open segment sums up
    gathers = 4 * each.keys * width + 2 * counted * heads
    closed = each.number if size.past else each.number - 1
    maps = (8 * tokens + 6 * each.number * slots) * width**2
    return Cost(
        parameters=8 * width**2 + slots * width + gate[str(settings["gate"])],
        flops=maps
        + slots * (4 * each.queries * width + gathers)
        + closed * (2 * slots * width**2 + logits),
        carry=slots * (2 * width + 2 * heads) * FLOAT + INDEX,
    )
