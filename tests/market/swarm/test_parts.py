"""Two peers find where their heads differ, and send little of what does not."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from praxis_evolve.market import canonical
from praxis_evolve.market.errors import RecordError
from praxis_evolve.market.swarm import parts, virtual
from praxis_evolve.market.swarm.heads import Head, Heads, head_of
from praxis_evolve.market.swarm.parts import (
    ALL,
    ASKED,
    FEW,
    ROOM,
    Answer,
    Part,
    compared,
    read,
    told,
)
from praxis_evolve.market.swarm.transport import FRAME


def named(*numbers: int) -> list[str]:
    return [hashlib.sha256(f"{number}".encode()).hexdigest() for number in numbers]


def head(author: str, count: int) -> Head:
    return head_of((seq, f"{author}/{seq}") for seq in range(count))


class Other:
    """A peer with these heads, which notes what it was asked and how much it answered."""

    def __init__(self, heads: Heads) -> None:
        self.heads = heads
        self.asked: list[Sequence[str]] = []
        self.sizes: list[int] = []

    async def __call__(self, prefixes: Sequence[str]) -> Answer:
        self.asked.append(prefixes)
        written = canonical.encode(told(self.heads, prefixes))
        self.sizes.append(len(written))
        found = cast("dict[str, object]", canonical.decode(written, limit=FRAME))
        return read(found["heads"], found["parts"])

    def compared_with(self, mine: Heads) -> Heads:
        async def main() -> Heads:
            return await compared(mine, await self([ALL]), self)

        return virtual.run(main())


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 2), st.integers(0, 2)), max_size=300),
    st.floats(0, 1),
    st.sampled_from([1, 3, FEW]),
)
def test_the_heads_of_another_are_found_whatever_they_are(
    several: list[tuple[int, int, int]], alike: float, few: int
) -> None:
    """Half of the authors have keys that begin with eight equal digits."""
    mine, theirs = dict[str, Head](), dict[str, Head]()
    for number, here, there in several:
        author = named(number)[0]
        author = f"{'ab' * 4}{author[8:]}" if number % 2 else author
        for heads, count in ((mine, here), (theirs, here if number < 300 * alike else there)):
            heads.pop(author, None)
            if count:
                heads[author] = head(author, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "FEW", few)
        assert Other(theirs).compared_with(mine) == theirs


@pytest.mark.parametrize(("authors", "requests"), [(16, 1), (1000, 2), (10_000, 23)])
def test_a_newcomer_learns_all_in_few_requests(authors: int, requests: int) -> None:
    other = Other({author: head(author, 1) for author in named(*range(authors))})
    assert other.compared_with({}) == other.heads
    assert len(other.asked) <= requests
    assert max(other.sizes) < FRAME


@pytest.mark.parametrize("unlike", [1, 17])
def test_of_ten_thousand_authors_little_more_is_sent_than_what_differs(unlike: int) -> None:
    mine = {author: head(author, 1) for author in named(*range(10_000))}
    changed = named(*range(unlike))
    other = Other({**mine, **{author: head(author, 2) for author in changed}})
    assert other.compared_with(mine) == other.heads
    assert sum(other.sizes) < 9_000 + unlike * 2_000


def test_nothing_is_hashed_for_a_part_of_which_no_parts_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = {author: head(author, 1) for author in named(*range(FEW + 1))}
    few = {author: mine[author] for author in list(mine)[:FEW]}
    monkeypatch.setattr(parts.hashlib, "sha256", pytest.fail)
    assert virtual.run(compared(mine, (few, {}), Other(few))) == few


def test_keys_made_to_begin_alike_are_told_apart_by_what_follows() -> None:
    crafted = [f"{'0' * 6}{author[6:]}" for author in named(*range(FEW * 20))]
    other = Other({author: head(author, 1) for author in crafted})
    assert other.compared_with({}) == other.heads
    assert max(other.sizes) < FRAME


@pytest.mark.slow
def test_a_newcomer_hears_of_as_many_authors_as_a_hundred_islands_have() -> None:
    other = Other({author: Head(9, 9, author) for author in named(*range(100_000))})
    assert other.compared_with({}) == other.heads
    assert max(other.sizes) < FRAME
    assert len(other.sizes) < ASKED


def test_parts_without_end_are_refused() -> None:
    count = 0

    async def endless(prefixes: Sequence[str]) -> Answer:
        nonlocal count
        count += 1
        return {}, {f"{prefix}{n:02x}": Part(ROOM, "0" * 16) for prefix in prefixes for n in (1, 2)}

    with pytest.raises(RecordError, match="more parts than"):
        virtual.run(compared({}, ({}, {"00": Part(ROOM, "0" * 16)}), endless))
    assert count == ASKED


@pytest.mark.parametrize(
    "told_of",
    [[], {"0": [1, "0" * 16]}, {"zz": [1, "0" * 16]}, {"00": [0, "0" * 16]}, {"00": ["0" * 16]},
     {"00": [1, "0" * 15]}, {"0" * 66: [1, "0" * 16]},
     {f"{n:04x}": [1, "0" * 16] for n in range(4 * ROOM + 1)}],
)  # fmt: skip
def test_what_tells_nothing_is_refused(told_of: object) -> None:
    with pytest.raises(RecordError):
        read({}, told_of)
