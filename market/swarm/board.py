"""What a peer holds of the announcements of all: one of each author, each until it expires."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

import msgpack

from .validator import Record, Validator

FULL = 256
"""Authors under one key. Who stands there stays by announcing again; a flood finds it full."""


class Board:
    """Holds the valid records that came, from whomever, the latest of each author."""

    def __init__(self, validator: Validator, now: Callable[[], float], full: int = FULL) -> None:
        self._validator, self._now, self._full = validator, now, full
        self._held: dict[bytes, dict[bytes, Record]] = {}

    def put(self, record: Record) -> bool:
        """Hold a record, and return whether it, or a later one of its author, is held now."""
        now = self._now()
        if record.expires <= now or not self._validator.valid(record):
            return False
        beside = self._held.setdefault(record.key, {})
        held = beside.get(record.author)
        if held is not None and held.expires >= record.expires:
            return held == record or held.expires > record.expires
        if held is None and len(beside) >= self._full:
            self._forget(beside, now)
            if len(beside) >= self._full:
                return False
        beside[record.author] = record
        return True

    def under(self, key: bytes) -> list[Record]:
        """Return the records under a key that have not expired."""
        beside = self._held.get(key, {})
        self._forget(beside, self._now())
        return list(beside.values())

    def _forget(self, beside: dict[bytes, Record], now: float) -> None:
        for author in [author for author, record in beside.items() if record.expires <= now]:
            del beside[author]


def packed(records: Iterable[Record]) -> bytes:
    """Return records of one key as bytes."""
    rows = [[record.author, record.value, record.expires] for record in records]
    return cast("bytes", msgpack.packb(rows))


def unpacked(key: bytes, data: bytes) -> list[Record]:
    """Return the records in *data*, which comes from a stranger; of what is no record, nothing."""
    try:
        value = cast(
            "object", msgpack.unpackb(data, max_array_len=FULL, max_bin_len=4096, max_ext_len=0)
        )
    except (ValueError, RecursionError, msgpack.UnpackException):
        return []
    rows = cast("list[object]", value) if isinstance(value, list) else []
    found = (_record(key, row) for row in rows)
    return [record for record in found if record is not None]


def _record(key: bytes, row: object) -> Record | None:
    match row:
        case [bytes() as author, bytes() as value, float() as expires]:
            return Record(key, author, value, expires)
        case _:
            return None
