"""Mutations of bytes that a stranger might send: what a fuzzer feeds to readers.

Valid messages are changed a little, as bytes or as the plain data that they hold, so that much of a
reader is reached: flipped bits, splices, repeats, deep nesting, huge numbers, no numbers, long and
odd texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, cast

LONGEST = 1 << 20
"""The most bytes of what comes out: as much as a request may have."""

WORDS = (
    b"NaN", b"-Infinity", b"1e999", b"-0.0", b"1e-999", b"9" * 400, b"-1", b"null", b"true", b"{}",
    b"[]", b'""', b'"\\ud800"', b"\\u0000", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b'"x":', b",",
    "\N{GRINNING FACE}".encode(), b"[" * 2000, b'{"x":' * 2000, b"\x91" * 2000, b" " * 500,
)  # fmt: skip

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63), 10**300, 0.0, -0.0, 0.5,
    1e-300, 1e300, 1.7e308, 5e-324, 9.0, float("nan"), float("inf"), "", "x", "x" * 5000, "\x00",
    "\ud800", "\N{GRINNING FACE}" * 300, "0" * 64, "f" * 64, "a" * 128, [], {}, [[]], [None] * 40,
    {"x": 1}, {"": {}}, [1, 2, 3],
)  # fmt: skip


def mutated(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """Return *data* changed a few times; *others* are what is spliced in."""
    if rng.random() < 0.6:
        data = _as_plain_data(data, rng)
        if rng.random() < 0.8:
            return data[:LONGEST]
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        data = rng.choice(_CHANGES)(data, others, rng)[:LONGEST]
    return data


def _flipped(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _replaced(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + rng.randbytes(rng.randrange(9)) + data[end:]


def _spliced(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    other = rng.choice(others)
    start, end = _span(other, rng)
    at = rng.randint(0, len(data))
    return data[:at] + other[start:end] + data[at:]


def _repeated(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    start, end = _span(data, rng)
    times = rng.choice((2, 3, 10, 100))
    return data[:start] + data[start:end][:4096] * times + data[end:]


def _cut(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] if rng.random() < 0.5 else data[:start] + data[end:]


def _worded(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    start, end = _span(data, rng)
    end = end if rng.random() < 0.3 else start
    return data[:start] + rng.choice(WORDS) + data[end:]


_CHANGES: tuple[Callable[[bytes, Sequence[bytes], Random], bytes], ...] = (
    _flipped, _flipped, _replaced, _spliced, _repeated, _cut, _worded,
)  # fmt: skip


def _span(data: bytes, rng: Random) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.choice((0, 1, 4, 30, 500)))


def _as_plain_data(data: bytes, rng: Random) -> bytes:
    """Return JSON with some values changed, in canonical form if it has one; else as it was."""
    try:
        value: Any = json.loads(data)
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            value = _changed(value, rng)
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError):  # no JSON, or deeper than it can be written
        return data
    return text.encode(errors="surrogatepass")


def _changed(value: Any, rng: Random) -> Any:
    """Return plain data with one value changed, the deeper the likelier."""
    if isinstance(value, dict) and value and rng.random() < 0.92:
        found = cast("dict[str, Any]", value)
        key = rng.choice(sorted(found))
        chance = rng.random()
        if chance < 0.04:
            return {name: each for name, each in found.items() if name != key}
        if chance < 0.08:
            return {**found, rng.choice(("x", "", "\x00", key.upper())): found[key]}
        return {**found, key: _changed(found[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.92:
        several = cast("list[Any]", value)
        at = rng.randrange(len(several))
        chance = rng.random()
        if chance < 0.04:
            return several[:at] + several[at + 1 :]
        if chance < 0.08:
            return several[:at] + [several[at]] * rng.choice((2, 3, 300)) + several[at:]
        if chance < 0.12:
            return [*several[:at], rng.choice(several), *several[at:]]
        return [*several[:at], _changed(several[at], rng), *several[at + 1 :]]
    return _other(value, rng)


def _other(value: Any, rng: Random) -> Any:
    """Return another value for a leaf: one beside it, or an odd one."""
    if isinstance(value, int | float) and not isinstance(value, bool) and rng.random() < 0.6:
        return rng.choice((value + 1, value - 1, -value, value * 2, value * 1000, value / 3))
    if isinstance(value, str) and rng.random() < 0.4:
        return rng.choice((value + "x", value[:-1], value.upper(), value[::-1]))
    if rng.random() < 0.03:
        for _ in range(rng.choice((5, 40, 900))):
            value = [value] if rng.random() < 0.5 else {"x": value}
        return value
    return rng.choice(ODD)
