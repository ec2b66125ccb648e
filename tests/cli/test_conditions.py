"""When a machine may work is a function of what was observed, checked beside brute force."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.cli.conditions import (
    DAY,
    Facts,
    Hours,
    Terms,
    bytes_text,
    clock_text,
    hindrance,
    parse_hours,
    parse_span,
    span_text,
)

MINUTES = st.integers(0, DAY - 1)


@given(MINUTES, MINUTES.filter(bool))
def test_hours_are_the_minutes_from_their_begin_on(begin: int, length: int) -> None:
    hours = parse_hours(f"{clock_text(begin)}-{clock_text((begin + length) % DAY)}")
    inside = {(begin + passed) % DAY for passed in range(length)}
    assert {minute for minute in range(DAY) if minute in hours} == inside


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("22-7", Hours(22 * 60, 7 * 60)), ("9:30-17", Hours(9 * 60 + 30, 17 * 60)),
        (" 0-6 ", Hours(0, 6 * 60)), ("20-24", Hours(20 * 60, 0)),
    ],
)  # fmt: skip
def test_hours_are_read(text: str, hours: Hours) -> None:
    assert parse_hours(text) == hours


@pytest.mark.parametrize(
    "text", ["", "22", "7-7", "0-24", "25-3", "3-25", "8:60-9", "24-3", "a-b", "1-2-3", "22-7pm"]
)
def test_what_are_no_hours(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{text!r} are no hours")):
        parse_hours(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("3m", 180), ("90s", 90), ("1h", 3600), ("5", 300), ("0.5m", 30)]
)
def test_spans_are_read(text: str, seconds: float) -> None:
    assert parse_span(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "0", "-3m", "3d", "25h", "3 m", "nan"])
def test_what_are_no_spans(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        parse_span(text)


@given(
    st.one_of(st.none(), st.builds(Hours, MINUTES, MINUTES)),
    st.one_of(st.none(), st.floats(1, 1e4)),
    st.booleans(),
    st.one_of(st.none(), st.integers(0, 10)),
    MINUTES,
    st.one_of(st.none(), st.floats(0, 1e4)),
    st.one_of(st.none(), st.booleans()),
    st.one_of(st.none(), st.integers(0, 10)),
)
def test_a_machine_works_where_nothing_that_is_known_speaks_against_it(
    hours: Hours | None,
    idle: float | None,
    on_battery: bool,
    disk: int | None,
    minute: int,
    unused: float | None,
    battery: bool | None,
    kept: int | None,
) -> None:
    terms = Terms(hours, idle, on_battery, disk)
    facts = Facts(minute, unused, "", battery, None, kept)
    against = {
        "disk": disk is not None and kept is not None and kept > disk,
        "hours": hours is not None and minute not in hours,
        "battery": battery is True and not on_battery,
        "use": idle is not None and unused is not None and unused < idle,
    }
    found = hindrance(terms, facts)
    assert (found is not None) == any(against.values())
    if found is not None:
        assert against[found.by]
        assert found.why
        assert found.ends == (found.by == "disk")
        assert found.ends or found.until


def test_a_pause_says_why_and_until_when() -> None:
    night = Terms(parse_hours("22-7"), on_battery=False, idle=180, disk=2 * 10**9)
    assert str(hindrance(night, Facts(12 * 60))) == (
        "it is 12:00, outside of --hours 22:00-07:00; until 22:00"
    )
    found = hindrance(night, Facts(23 * 60, on_battery=True, charge=41.2))
    assert str(found) == "on battery (41 %); --on-battery yes works on; until plugged in"
    found = hindrance(night, Facts(0, unused=30.5, usage="somebody typed at pts/0"))
    assert str(found) == "the machine is used: somebody typed at pts/0; until unused for 3 min"
    later = hindrance(night, Facts(0, unused=90.0, usage="somebody typed at pts/0"))
    assert later == found, "it stays true as time passes"
    found = hindrance(night, Facts(0, unused=1e9, disk=2_100_000_000))
    assert str(found) == "the run keeps 2.10 GB, above --disk 2.00 GB"
    assert hindrance(night, Facts(0, unused=180.0, on_battery=False, disk=2 * 10**9)) is None


def test_who_waits_is_never_told_nothing() -> None:
    assert [span_text(s) for s in (0.2, 1, 119, 120.5, 3599)] == [
        "1 s", "1 s", "119 s", "3 min", "60 min",
    ]  # fmt: skip
    assert [bytes_text(n) for n in (0, 12_345, 1_500_000, 10**9)] == [
        "0 kB", "12 kB", "1.5 MB", "1.00 GB",
    ]  # fmt: skip
