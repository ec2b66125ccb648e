"""The board: the standings of all at once are those of each by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.search.board import Board
from praxis_evolve.search.standing import standings

RUNGS = (100, 300, 900)

Told = tuple[str, int, float | None]

told = st.tuples(
    st.sampled_from("abcdefghij"),
    st.sampled_from(RUNGS),
    st.none() | st.integers(0, 4).map(float) | st.floats(0, 1),
)


@given(st.lists(told, max_size=60))
def test_the_standings_of_a_board_are_those_by_name(events: list[Told]) -> None:
    board, scores = Board(RUNGS), {rung: dict[str, float]() for rung in RUNGS}
    for name, rung, bits in events:
        board.score(name, rung, bits)
        if bits is None:
            scores[rung].pop(name, None)
        else:
            scores[rung][name] = bits
    found, expected = board.standings(scores), standings(scores)
    assert found == expected
    assert list(found) == sorted(expected, key=expected.__getitem__, reverse=True)
    assert [board.names[number] for number in found.ranked] == list(found)
    assert len(found) == len(expected)


def test_standings_know_nothing_of_what_came_later() -> None:
    board = Board((100,))
    board.score("a", 100, 2.0)
    board.score("gone", 100, None)
    taken = board.standings({100: {"a": 2.0}})
    board.score("b", 100, 1.0)
    assert dict(taken) == {"a": 0.5}
    for name in ("b", "gone", "never"):
        assert name not in taken
        with pytest.raises(KeyError):
            _ = taken[name]
