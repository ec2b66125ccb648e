"""Each option of a cut has its share of the line, and the middle of it is its place."""

from __future__ import annotations

import pytest

from praxis_evolve.search.cut import Cut


def test_places_have_options_by_their_shares() -> None:
    cut = Cut("a", ("b", "c"), 0.2)
    found = [cut.at((n + 0.5) / 1000) for n in range(1000)]
    assert {option: found.count(option) for option in "abc"} == {"a": 800, "b": 100, "c": 100}
    assert (cut.at(0.0), cut.at(1.0)) == ("a", "c")


@pytest.mark.parametrize("others", [(), ("b",), ("b", "c", "d", "e", "f", "g", "h")])
def test_an_option_lies_at_its_place(others: tuple[str, ...]) -> None:
    cut = Cut("a", others, 0.05)
    assert [cut.at(cut.place(option)) for option in ("a", *others)] == ["a", *others]
    assert cut.at(cut.place("unknown")) == "a"


@pytest.mark.parametrize("rest", [0.0, 1.0])
def test_a_line_has_room_for_both(rest: float) -> None:
    with pytest.raises(ValueError, match=f"between 0 and 1, but is {rest}"):
        Cut("a", ("b",), rest)
