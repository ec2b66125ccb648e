from __future__ import annotations

import json
import math
from collections.abc import Callable
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.market import canonical

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
PLAIN: st.SearchStrategy[object] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(PLAIN)
def test_what_is_encoded_reads_back_equal_also_by_another_parser(value: object):
    data = canonical.encode(value)
    assert canonical.decode(data, limit=len(data)) == value
    assert json.loads(data) == value


@given(st.dictionaries(st.text("abc"), st.integers(), max_size=5))
def test_the_order_of_keys_changes_nothing(value: dict[str, int]):
    backwards = dict(reversed(value.items()))
    assert canonical.encode(value) == canonical.encode(backwards)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": [1.0, math.nan]}, r"value\.a\[1\] must be a finite number, but is nan"),
        ({"a": math.inf}, r"value\.a must be a finite number, but is inf"),
        ({1: 2}, "the keys of value must be text, but one is 1"),
        ({"a": {2}}, r"value\.a must be plain data .* but is set"),
        ("\ud800", "without lone surrogates"),
    ],
)
def test_what_has_no_canonical_form_is_refused(value: object, said: str):
    with pytest.raises(ValueError, match=said):
        canonical.encode(value)


ODD: st.SearchStrategy[object] = st.recursive(
    SCALARS | st.floats() | st.text(st.characters(categories=["Cs"]), max_size=1) | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text("ab", max_size=2) | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=8,
)


def said_of(value: object) -> bytes | str:
    try:
        return canonical.encode(value)
    except ValueError as error:
        return str(error)


@given(ODD)
def test_the_quick_way_says_what_the_thorough_one_does(value: object):
    assert said_of({"a": value}) == said_of(MappingProxyType({"a": value}))  # no mapping of json's


def listed(value: object) -> object:
    return [value]


def named(value: object) -> object:
    return {"a": value}


@pytest.mark.parametrize("around", [listed, named])
@pytest.mark.parametrize("inside", [1, [], {}])
def test_32_levels_are_the_most(around: Callable[[object], object], inside: object):
    value = inside
    for _ in range(canonical.DEEPEST):
        value = around(value)
    assert canonical.decode(canonical.encode(value), limit=1000)
    with pytest.raises(ValueError, match="nested deeper than 32"):
        canonical.encode(around(value))


def test_a_list_in_itself_is_refused():
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="nested deeper than 32"):
        canonical.encode(endless)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"b":1,"a":2}', "canonical form"),
        (b'{"a":1,"a":1}', "canonical form"),
        (b'{"a": 1}', "canonical form"),
        (b"1.50", "canonical form"),
        (b'"\\u0061"', "canonical form"),
        (b'"\\ud800"', "without lone surrogates"),
        (b"1e999", "finite"),
        (b"NaN", "finite"),
        (b"[1,-Infinity]", "finite"),
        (b"\xff", "UTF-8 JSON"),
        (b"", "UTF-8 JSON"),
        (b"[" * 90, "UTF-8 JSON"),
        (b"[" * 50 + b"]" * 50, "nested deeper"),
        (b"1" * 101, "at most 100 bytes"),
    ],
)
def test_bytes_that_are_not_canonical_are_refused(data: bytes, said: str):
    with pytest.raises(ValueError, match=said):
        canonical.decode(data, limit=100)


def test_endless_nesting_and_numbers_do_not_break_the_parser():
    for data in (b"[" * 100_000, b'{"a":' * 100_000, b"9" * 100_000):
        with pytest.raises(ValueError, match="JSON"):
            canonical.decode(data, limit=1_000_000)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_read_back_the_same(data: bytes):
    try:
        value = canonical.decode(data, limit=60)
    except ValueError:
        return
    assert canonical.encode(value) == data
