from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.text import to_json
from praxis_evolve.market.packing import GENOME, LINE, RECORD, Coding, packed, unpacked

CODINGS = (GENOME, RECORD, LINE)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
MOST = 1 << 20


@given(text=TEXTS, near=TEXTS, coding=st.sampled_from(CODINGS), times=st.integers(1, 300))
def test_a_text_comes_back_byte_for_byte(text: str, near: str, coding: Coding, times: int):
    text, near = text * times, near * times
    assert unpacked(packed(text, coding, near), near, most=MOST) == text


@pytest.mark.parametrize("length", [100, 8_000, 16_000, 40_000, 70_000])
def test_what_is_near_takes_hardly_any_room(length: int):
    near = "".join(hashlib.sha256(bytes([i % 256, i // 256])).hexdigest() for i in range(1200))
    near = near[:length]
    small = packed(f"it says {near[-30_000:]} twice", LINE, near)
    assert len(small) < 100 + length // 60
    assert unpacked(small, near, most=MOST) == f"it says {near[-30_000:]} twice"


def test_a_genome_becomes_small(genome: Genome):
    text = to_json(genome)
    assert len(packed(text, GENOME)) < len(text) / 5


@pytest.mark.parametrize(
    ("coding", "digest", "stored"),
    [
        (
            GENOME,
            "42eb94da18ac0963b469986224f54cb85e0920fa7a72089995b55efe90b8db07",
            "0103a65e608f13e45b25a888920e308f65a68326c741f321b9f9a01219c710696d2d00",
        ),
        (
            RECORD,
            "8fe072d10e53e31075260374c03cd480a68244810bcdcc1d46fd708ec7c6b8b2",
            "02ab46041a5404a83cbf28333d13a41568646e7e492ad88492924c6011ae64a550ad94919a08729e82496d2d00",
        ),
        (
            LINE,
            "1d905596955b80cb3576f0ab52ca5f647f23bef57617afc854a43d6dba03c7bf",
            "03ab46381d2a823d1ca1a907e807856aa58cd4c41410cba4b61600",
        ),
    ],
    ids=["genome", "record", "line"],
)
def test_what_older_programs_stored_is_read_for_ever(coding: Coding, digest: str, stored: str):
    assert hashlib.sha256(coding.dictionary).hexdigest() == digest
    text = '{"genome":"near by","origin":"promote","settings": {"heads": 4}}'
    assert unpacked(bytes.fromhex(stored), "near by", most=100) == text


def test_what_would_not_become_smaller_is_stored_as_it_is():
    assert packed("né", LINE) == b"\x00n\xc3\xa9"
    assert unpacked(b"\x00n\xc3\xa9", most=3) == "né"
    assert packed("", LINE) == b"\x00"


@given(data=st.data())
def test_damage_is_an_error_or_another_text(data: st.DataObject):
    stored = bytearray(packed('{"parents":[],"rung":30000,"curve":[1.25]}' * 3, RECORD))
    place = data.draw(st.integers(0, len(stored) - 1))
    stored[place] ^= data.draw(st.integers(1, 255))
    try:
        found = unpacked(bytes(stored), most=1000)
    except ValueError:
        return
    assert len(found.encode()) <= 1000


@pytest.mark.parametrize("kept", [0, 1, 2, 20])
def test_a_cut_text_is_an_error(kept: int):
    stored = packed("".join(map(str, range(100))), RECORD)
    with pytest.raises(ValueError, match=r"cut|names no coding"):
        unpacked(stored[:kept], most=1000)
    with pytest.raises(ValueError, match="stands behind it"):
        unpacked(stored + b"x", most=1000)


@pytest.mark.parametrize("first", [4, 250])
def test_a_coding_of_a_newer_program_is_an_error(first: int):
    with pytest.raises(ValueError, match="names no coding of this version"):
        unpacked(bytes([first, 1, 2]), most=10)


def test_a_text_that_bursts_is_cut_off_before_it_does():
    stream = zlib.compressobj(wbits=-15)
    bomb = b"\x03" + stream.compress(bytes(1 << 26)) + stream.flush()
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        unpacked(bomb, most=1000)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        unpacked(b"\x00" + bytes(1001), most=1000)


@pytest.mark.parametrize("coding", CODINGS)
def test_dictionaries_have_no_line_that_a_checkout_could_change(coding: Coding):
    assert not set(coding.dictionary) & set(b"\r\n")
