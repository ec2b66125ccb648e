"""The fuzzer's cases break nothing, replay, and would be told if they broke something."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from random import Random

import pytest

from praxis_evolve.benchmarks import fuzz
from praxis_evolve.benchmarks.mutating import LONGEST, mutated

VALID = (json.dumps({"a": [1, 2.5, "x"], "b": {"c": None}}).encode(), b"\x00\xff" * 9)


def sound(found: Sequence[fuzz.Found]) -> None:
    assert [crash for each in found for crash in each.crashes] == []


def test_nothing_that_is_sent_breaks_what_reads_it() -> None:
    found = fuzz.fuzz(3000, seed=1)
    sound(found)
    served = {each.target.removeprefix("serves ") for each in found}
    known = {"heads", "pull", "push", "blob", "flights", "rumours", ".ping", ".find", ".store"}
    assert known | {"reads rumours"} <= served
    assert all(each.cases > 50 for each in found)
    (push,) = (each for each in found if each.target == "serves push")
    assert push.taken > push.cases / 10, "who pushes is not slowed"
    (flights,) = (each for each in found if each.target == "serves flights")
    assert flights.taken > 0, "what is fed is valid before it is mutated"


@pytest.mark.slow
def test_nothing_of_a_hundred_thousand_breaks_what_reads_it() -> None:
    found = fuzz.fuzz(100_000, seed=2)
    sound(found)
    assert sum(each.hangs for each in found) == 0
    assert sum(each.grown for each in found) < 500e6


def test_cases_are_drawn_from_their_numbers() -> None:
    target = fuzz.Target("t", VALID, len)
    cases = [fuzz.case_of(target, number, 0) for number in range(300)]
    assert cases == [fuzz.case_of(target, number, 0) for number in range(300)]
    assert len(set(cases)) > 150
    assert cases != [fuzz.case_of(target, number, 1) for number in range(300)]


def test_what_breaks_is_told_with_its_number() -> None:
    def feed(data: bytes) -> bool:
        if len(data) % 5 == 0:
            raise KeyError("five")
        if len(data) % 5 == 1:
            raise ValueError("one")
        return len(data) % 5 == 2

    target = fuzz.Target("fragile", VALID, feed, (ValueError,))
    found = fuzz.fuzzed(target, range(200), seed=3)
    lengths = [len(fuzz.case_of(target, number, 3)) % 5 for number in range(200)]
    assert [int(crash.split()[1].rstrip(":")) for crash in found.crashes] == [
        number for number, length in enumerate(lengths) if length == 0
    ]
    assert found.taken == lengths.count(2) > 0
    assert found.hangs == 0
    assert any("KeyError: 'five'" in line for line in fuzz.lines([found]))


def test_what_stands_still_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "STUCK", 0.05)

    def feed(data: bytes) -> None:
        while True:
            time.sleep(0.001)

    found = fuzz.fuzzed(fuzz.Target("still", VALID, feed, (ValueError,)), [4], seed=0)
    assert found.hangs == 1
    assert found.crashes == ["case 4: StuckError: "]


def test_mutations_are_bounded_and_of_many_kinds() -> None:
    rng = Random(7)
    several = [mutated(VALID[number % 2], VALID, rng) for number in range(2000)]
    assert max(map(len, several)) <= LONGEST
    for word in (b"NaN", b"\\ud800", b"[[[[[", b"99999999"):
        assert any(word in each for each in several), word
    readable = 0
    for each in several:
        try:
            json.loads(each)
        except (ValueError, RecursionError):
            continue
        readable += 1
    assert readable > 200, "much of it is still plain data"
