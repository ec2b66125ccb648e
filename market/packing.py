"""Texts made small for a store: compressed by what most texts of their kind have in common.

The first byte of what is stored names its coding. A coding is never changed and never removed, for
stores hold texts in it: whoever has a better dictionary adds one with a number of its own.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "dictionaries"
_WINDOW = 15  # as a power of two, in bytes: whatever was packed with less is read as well
_USUAL = 14  # takes half of the time: the memory for more is fetched from the system each time
_PLAIN = b"\x00"
"""Before a text that is stored as it is, because it would not become smaller."""


@dataclass(frozen=True)
class Coding:
    """A coding by its number, and the texts that it takes for known."""

    number: int
    dictionary: bytes


def _coding(number: int, name: str) -> Coding:
    return Coding(number, (_FOLDER / f"{name}.txt").read_bytes())


GENOME = _coding(1, "genome-1")
RECORD = _coding(2, "record-1")
LINE = _coding(3, "line-1")

_CODINGS = {coding.number: coding for coding in (GENOME, RECORD, LINE)}


def packed(text: str, coding: Coding, near: str = "") -> bytes:
    """Return *text* as it is stored; what it repeats of *near* takes hardly any room.

    To read it again takes the same *near*.
    """
    data = text.encode()
    known = coding.dictionary + near.encode()
    window = _USUAL if len(known) + len(data) < 1 << _USUAL else _WINDOW
    # negative: no header and no checksum, for what is stored is checked by hashes
    stream = zlib.compressobj(wbits=-window, zdict=known)
    small = bytes((coding.number,)) + stream.compress(data) + stream.flush()
    return small if len(small) <= len(data) else _PLAIN + data


def unpacked(stored: bytes, near: str = "", *, most: int) -> str:
    """Return the text that was stored, of at most so many bytes.

    Raises:
        ValueError: it is damaged, was packed with another *near*, is longer, or is in a coding of a
            newer program.
    """
    data = stored[1:] if stored[:1] == _PLAIN else _inflated(stored, near, most)
    if len(data) > most:
        raise ValueError(f"a stored text has more than {most} bytes")
    return data.decode()


def _inflated(stored: bytes, near: str, most: int) -> bytes:
    coding = _CODINGS.get(stored[0]) if stored else None
    if coding is None:
        raise ValueError(
            f"a stored text begins with {stored[:1]!r}, which names no coding of this version of "
            "praxis-evolve"
        )
    stream = zlib.decompressobj(-_WINDOW, coding.dictionary + near.encode())
    try:
        data = stream.decompress(stored[1:], most + 1)
    except zlib.error as error:
        raise ValueError(f"a stored text is damaged: {error}") from None
    if len(data) <= most and (not stream.eof or stream.unused_data):
        raise ValueError("a stored text is damaged: it is cut, or something stands behind it")
    return data
