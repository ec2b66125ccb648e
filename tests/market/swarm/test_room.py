"""Room is bounded in all, and whoever takes much of it leaves some to everybody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.market.swarm import room
from praxis_evolve.market.swarm.room import Room


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    """Far smaller bounds, so that a test can fill them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"MOST_AUTHORS": 40, "KEPT": 8, "OWN": 100, "POOL": 3000}.items():
            patch.setattr(room, name, value)
        yield


def filled(of: Room, author: str, size: int = 10, most: int = 1000) -> int:
    """Fill room with records of an author until there is none, and return how much it took."""
    return sum(size for _ in range(most) if of.take(author, size) is None)


TAKES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 400), st.integers(0, 5)), max_size=300
)


@given(takes=TAKES)
def test_all_of_it_is_bounded_and_each_name_has_some_of_its_own(
    takes: list[tuple[int, int, int]],
) -> None:
    here, held = Room({}), dict[str, int]()
    for number, size, sender in takes:
        author = f"{number}"
        problem = here.take(author, size, f"sender-{sender}" if sender else "")
        if problem is None:
            held[author] = held.get(author, 0) + size
        elif author in held:
            assert held[author] + size > room.OWN, "its own room is nobody else's"
    assert len(held) <= room.MOST_AUTHORS
    assert sum(max(0, each - room.OWN) for each in held.values()) <= room.POOL
    again = Room(held)
    for author, size in held.items():  # what hangs on senders alone is forgotten
        assert (again.take(author, 50) is None) == (here.take(author, 50) is None), size


def test_one_that_takes_all_it_can_leaves_most_of_it() -> None:
    here = Room({})
    assert room.OWN < filled(here, "hog") <= room.OWN + room.POOL // (room.PART + 1) + 10
    taken = [filled(here, f"hog-{number}") for number in range(20)]
    assert taken == sorted(taken, reverse=True)
    assert filled(here, "newcomer") > room.OWN


def test_a_sender_brings_no_more_names_than_it_leaves() -> None:
    here = Room({})

    def brought(sender: str, names: int = 100) -> int:
        return sum(here.take(f"{sender}/{n}", 1, sender) is None for n in range(names))

    assert brought("flood") == (room.MOST_AUTHORS - room.KEPT) // 2
    assert brought("another") == (room.MOST_AUTHORS - room.KEPT) // 4
    for number in range(20):
        brought(f"more-{number}")
    assert brought("late") == 0, "all that is kept went to twenty senders, one each"


def test_a_newcomer_that_brings_its_own_name_finds_one_kept() -> None:
    here = Room({})
    for sender in ("one", "two", "three", "four", "five"):
        for number in range(1000):
            here.take(f"{sender}/{number}", 1, sender)
    newcomers = [here.take(f"honest-{n}", 1, f"itself-{n}") for n in range(room.MOST_AUTHORS)]
    assert newcomers[: room.KEPT] == [None] * room.KEPT
    full = newcomers[-1]
    assert full is not None
    assert "40 authors already" in full
    assert here.take("honest-0", 1, "flood") is None, "who has a name goes on"


def test_why_there_is_no_room_is_said() -> None:
    here = Room({"a" * 64: room.OWN})
    text = here.take("a" * 64, 10_000)
    assert text is not None
    assert "fill 100 characters" in text
    assert "3,000 that are free" in text
