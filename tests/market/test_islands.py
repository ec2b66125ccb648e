"""An author's island follows from its key and the run, and from nothing else."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.market import canonical
from praxis_evolve.market.errors import StoreError
from praxis_evolve.market.islands import MOST, Islands
from praxis_evolve.market.manifest import FORMAT, Manifest
from praxis_evolve.tests.market.loop import MANIFEST

RUN = "ab" * 32
KEYS = st.binary(min_size=32, max_size=32).map(bytes.hex)


@given(author=KEYS, count=st.integers(1, MOST))
def test_an_island_is_one_of_them_and_is_the_hash_of_run_and_author(
    author: str, count: int
) -> None:
    found = Islands(RUN, count).of(author)
    assert 0 <= found < count
    whole = int(hashlib.sha256((RUN + author).encode()).hexdigest(), 16)
    assert found == whole - count * (whole // count)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_islands_are_about_alike_in_size_and_others_in_another_run(count: int) -> None:
    authors = [hashlib.sha256(f"{number}".encode()).hexdigest() for number in range(3000)]
    one, other = Islands(RUN, count), Islands("cd" * 32, count)
    sizes = Counter(map(one.of, authors))
    assert len(sizes) == count
    assert max(sizes.values()) < 1.25 * 3000 / count
    same = sum(one.of(author) == other.of(author) for author in authors)
    assert same < 1.2 * 3000 / count


def test_a_run_of_one_island_is_named_as_before_there_were_islands() -> None:
    """So runs of before keep their digests, and a program of before reads new ones."""
    several = replace(MANIFEST, islands=3).to_dict()
    before = {name: value for name, value in several.items() if name != "islands"}
    assert canonical.encode(MANIFEST.to_dict()) == canonical.encode(before)
    assert Manifest.from_dict(MANIFEST.to_dict()).islands == 1


def test_how_many_there_are_is_part_of_the_run() -> None:
    several = replace(MANIFEST, islands=3)
    assert several.to_dict()["islands"] == 3
    assert Manifest.from_dict(several.to_dict()) == several
    assert canonical.encode(several.to_dict()) != canonical.encode(MANIFEST.to_dict())


@pytest.mark.parametrize("islands", [0, -1, MOST + 1, "2", None, 1.5])
def test_what_is_no_number_of_islands_is_refused(islands: object) -> None:
    with pytest.raises(StoreError, match="islands"):
        Manifest.from_dict({**MANIFEST.to_dict(), "islands": islands, "format": FORMAT})
