"""Canonical encoding: one value has one text, so that equal values have equal hashes anywhere.

UTF-8 JSON without spaces, keys sorted, finite floats in their shortest form that reads back the
same. Nothing else is ever hashed, signed or taken from a stranger.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NoReturn, cast

DEEPEST = 32
"""How deep lists and mappings may be nested."""

_INSIDE = frozenset({dict, list, tuple})
_AS_THEY_ARE = _INSIDE | {type(None), bool, int, float, str}

_written = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


def encode(value: object) -> bytes:
    """Return the canonical bytes of plain data: None, bool, int, float, str, lists, mappings.

    Raises:
        ValueError: something in *value* has no canonical form; the text says what and where.
    """
    try:
        text = _written(value if _is_plain(value) else _plain(value, "value", 0))
    except ValueError:  # a number that is not finite: say where, which takes longer
        text = _written(_plain(value, "value", 0))
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"text must be Unicode without lone surrogates, but has {error.object[error.start]!r}"
        ) from None


def decode(data: bytes, *, limit: int) -> object:
    """Return the value whose canonical bytes are *data*, which may come from a stranger.

    Raises:
        ValueError: *data* is longer than *limit* bytes, is not JSON, or is not canonical.
    """
    refuse_long(data, limit)
    try:
        value: object = json.loads(data.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"must be UTF-8 JSON: {error}") from None
    if encode(value) != data:
        raise ValueError(
            "must be in canonical form: sorted keys that stand once, no spaces, shortest numbers"
        )
    return value


def refuse_long(data: bytes, limit: int) -> None:
    """Refuse *data* of more than *limit* bytes.

    Raises:
        ValueError: it is longer.
    """
    if len(data) > limit:
        raise ValueError(f"at most {limit} bytes are allowed, but there are {len(data)}")


def digest(data: bytes) -> str:
    """Return the SHA-256 of *data*, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def _is_plain(value: object) -> bool:
    """Whether ``json`` writes or refuses *value* as is meant: the quick way past ``_plain``.

    It looks at a level of nesting at a time, for a call for each value takes longer than the rest.
    """
    level: list[object] = [value]
    for _ in range(DEEPEST + 1):
        kinds = set(map(type, level))
        if not kinds <= _AS_THEY_ARE:
            return False
        if kinds.isdisjoint(_INSIDE):
            return True
        mappings = [cast("dict[object, object]", each) for each in level if type(each) is dict]
        if not set(map(type, chain.from_iterable(mappings))) <= {str}:
            return False
        several = [cast("Sequence[object]", each) for each in level if type(each) in (list, tuple)]
        level = [each for inner in several for each in inner]
        level += [each for inner in mappings for each in inner.values()]
    return False


def _plain(value: object, where: str, depth: int) -> object:
    if depth > DEEPEST:
        raise ValueError(f"{where[:80]} is nested deeper than {DEEPEST}")
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} must be a finite number, but is {value!r}")
        return value
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {_key(k, where): _plain(v, f"{where}.{k}", depth + 1) for k, v in items}
    if isinstance(value, list | tuple):
        several = cast("Sequence[object]", value)
        return [_plain(v, f"{where}[{i}]", depth + 1) for i, v in enumerate(several)]
    raise ValueError(
        f"{where} must be plain data (None, bool, int, float, str, list, mapping), "
        f"but is {type(value).__name__}"
    )


def _key(key: object, where: str) -> str:
    if isinstance(key, str):
        return key
    raise ValueError(f"the keys of {where} must be text, but one is {key!r}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"numbers must be finite, but one is {name}")
