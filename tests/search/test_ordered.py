"""Lists in rising order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.search.ordered import enter, remove


@given(st.lists(st.integers(0, 9)), st.data())
def test_what_enters_stands_in_order_and_what_is_removed_does_not(
    numbers: list[int], data: st.DataObject
) -> None:
    ordered = list[int]()
    for number in numbers:
        enter(ordered, number)
    assert ordered == sorted(numbers)
    if numbers:
        gone = data.draw(st.sampled_from(numbers))
        remove(ordered, gone)
        numbers.remove(gone)
        assert ordered == sorted(numbers)
