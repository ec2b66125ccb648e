"""Canonical encoding: one value has one text, so that equal values have equal hashes anywhere.

UTF-8 JSON without spaces, keys sorted, finite floats in their shortest form that reads back the
same. Nothing else is ever hashed, signed or taken from a stranger.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from itertools import repeat
from typing import NoReturn, cast

DEEPEST = 32
"""How deep lists and mappings may be nested."""

_AS_THEY_ARE = frozenset({type(None), bool, int, str})


def encode(value: object) -> bytes:
    """Return the canonical bytes of plain data: None, bool, int, float, str, lists, mappings.

    Raises:
        ValueError: something in *value* has no canonical form; the text says what and where.
    """
    plain = value if _is_plain(value, DEEPEST) else _plain(value, "value", 0)
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
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
    if len(data) > limit:
        raise ValueError(f"at most {limit} bytes are allowed, but there are {len(data)}")
    try:
        value: object = json.loads(data.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"must be UTF-8 JSON: {error}") from None
    if encode(value) != data:
        raise ValueError(
            "must be in canonical form: sorted keys that stand once, no spaces, shortest numbers"
        )
    return value


def digest(data: bytes) -> str:
    """Return the SHA-256 of *data*, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def _is_plain(value: object, depth: int) -> bool:
    """Whether ``json`` writes *value* as it is meant: the quick way past ``_plain``."""
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return True
    if kind is float:
        return math.isfinite(cast("float", value))
    if depth == 0 or kind not in (dict, list, tuple):
        return False
    inner = cast("Collection[object]", value)
    if isinstance(value, dict):
        if any(type(key) is not str for key in inner):
            return False
        inner = cast("dict[str, object]", value).values()
    return all(map(_is_plain, inner, repeat(depth - 1)))


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
