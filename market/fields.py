"""Strict readers of decoded JSON: each takes a value and its name and returns it typed, or raises.

What a stranger sent goes through these before anything looks at it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import cast

from .errors import RecordError

_HEX = re.compile(r"(?:[0-9a-f]{2})*")

LARGEST = 2**63 - 1
"""The largest whole number, so that every database can hold it."""


def mapping(
    value: object, name: str, keys: Iterable[str], may: Iterable[str] = ()
) -> dict[str, object]:
    """Return a mapping that has exactly these *keys*, and *may* have the others.

    Raises:
        RecordError: it is no mapping, lacks a key or has another one.
    """
    if not isinstance(value, dict):
        raise RecordError(f"{name} must be a mapping, but is {shown(value)}")
    found = cast("dict[str, object]", value)
    if missing := sorted(set(keys) - set(found)):
        raise RecordError(f"{name} lacks the fields {missing}")
    if unknown := sorted(set(found) - {*keys, *may}):
        raise RecordError(f"{name} has unknown fields {[key[:40] for key in unknown[:5]]}")
    return found


def whole(value: object, name: str, most: int = LARGEST, *, least: int = 0) -> int:
    """Return a whole number from *least* to *most*.

    Raises:
        RecordError: it is something else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise RecordError(
        f"{name} must be a whole number from {least} to {most}, but is {shown(value)}"
    )


def number(value: object, name: str) -> float:
    """Return a float of at least 0; canonical bytes hold only finite ones.

    Raises:
        RecordError: it is something else.
    """
    if isinstance(value, float) and 0.0 <= value < float("inf"):
        return value
    raise RecordError(f"{name} must be a finite float of at least 0, but is {shown(value)}")


def text(value: object, name: str, most: int) -> str:
    """Return a text of at most *most* bytes of UTF-8.

    Raises:
        RecordError: it is something else.
    """
    if isinstance(value, str) and len(value.encode(errors="replace")) <= most:
        return value
    raise RecordError(f"{name} must be a text of at most {most} bytes, but is {shown(value)}")


def hexadecimal(value: object, name: str, digits: int) -> str:
    """Return a text of exactly so many lower-case hexadecimal *digits*.

    Raises:
        RecordError: it is something else.
    """
    if isinstance(value, str) and len(value) == digits and _HEX.fullmatch(value):
        return value
    raise RecordError(f"{name} must be {digits} digits of 0-9a-f, but is {shown(value)}")


def sequence(value: object, name: str, most: int) -> list[object]:
    """Return a list of at most *most* items.

    Raises:
        RecordError: it is something else.
    """
    found = cast("list[object]", value)
    if isinstance(value, list) and len(found) <= most:
        return found
    raise RecordError(f"{name} must be a list of at most {most} items, but is {shown(found)}")


def several(value: object, name: str, count: int) -> list[object]:
    """Return a list of exactly *count* items.

    Raises:
        RecordError: it is something else.
    """
    found = cast("list[object]", value)
    if isinstance(value, list) and len(found) == count:
        return found
    raise RecordError(f"{name} must be a list of {count} items, but is {shown(found)}")


def shown(value: object) -> str:
    """Return a short picture of *value* for an error."""
    picture = repr(value)
    return picture if len(picture) <= 60 else f"{picture[:57]}..."
