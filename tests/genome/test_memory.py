"""The memory of what was computed of values while they live."""

from __future__ import annotations

import gc
from dataclasses import dataclass

import pytest

from praxis_evolve.genome.memory import ByKey, PerObject, Recent


@dataclass(frozen=True)
class Value:
    number: float


def test_a_value_is_computed_once_in_a_world_and_equals_are_others() -> None:
    memory, calls = PerObject[str](), list[str]()
    world, one, other = object(), Value(1.0), Value(1)

    def compute(name: str) -> str:
        calls.append(name)
        return name

    assert memory.known(one, world) is None
    assert memory.of(one, world, lambda: compute("a")) == "a"
    assert memory.of(one, world, lambda: compute("b")) == "a"
    assert memory.known(one, world) == "a"
    assert memory.of(other, world, lambda: compute("c")) == "c"
    assert memory.known(one, object()) is None
    assert memory.of(one, object(), lambda: compute("d")) == "d"
    assert calls == ["a", "c", "d"]


def test_what_died_is_forgotten() -> None:
    memory, world = PerObject[int](), object()
    for number in range(100):
        assert memory.of(Value(number), world, lambda number=number: number) == number
    gc.collect()
    assert not len(memory)


def test_a_value_that_was_computed_again_is_forgotten_once() -> None:
    memory, value = PerObject[int](), Value(0.0)
    first, second = object(), object()
    memory.of(value, first, lambda: 1)
    memory.of(value, second, lambda: 2)
    gc.collect()
    assert memory.known(value, second) == 2
    del value
    gc.collect()
    assert not len(memory)


def test_what_nobody_asks_for_is_forgotten_and_what_somebody_does_is_not() -> None:
    memory, world, values = PerObject[float](8), object(), [Value(float(n)) for n in range(100)]
    for value in values:
        memory.of(value, world, lambda value=value: value.number)
        assert memory.known(values[0], world) == 0.0
        assert len(memory) <= 16
    assert memory.known(values[1], world) is None
    assert memory.each(values, world, lambda value: value.number) == list(range(100))


def test_several_values_are_as_one_after_the_other() -> None:
    memory, world, calls = PerObject[float](), object(), list[Value]()
    values = [Value(number) for number in (1, 2, 3)]
    memory.of(values[1], world, lambda: 20.0)

    def compute(value: Value) -> float:
        calls.append(value)
        return value.number

    assert memory.each([*values, values[0]], world, compute) == [1, 20, 3, 1]
    assert memory.each(values, object(), compute) == [1, 2, 3]
    assert calls == [values[0], values[2], *values]


def test_of_the_last_values_is_known_what_was_computed_in_the_same_world() -> None:
    memory, world = Recent[int](2), object()
    one, equal, third = (1.0,), (1,), (3,)
    assert memory.of(one, world, lambda: 1) == memory.of(one, world, lambda: 2) == 1
    assert memory.of(equal, world, lambda: 3) == 3
    assert memory.of(one, world, lambda: 4) == 1
    assert memory.of(one, object(), lambda: 5) == 5
    assert memory.of(third, world, lambda: 6) == 6
    assert memory.of(equal, world, lambda: 7) == 7, "two newer ones are kept"


def test_equal_keys_share_a_thing_in_one_world() -> None:
    memory, calls, world = ByKey[str](), list[str](), object()

    def compute(name: str) -> str:
        calls.append(name)
        return name

    assert memory.of(("a", 1), world, lambda: compute("first")) == "first"
    assert memory.of(("a", 1), world, lambda: compute("second")) == "first"
    assert memory.of(("b", 1), world, lambda: compute("third")) == "third"
    assert memory.of(("a", 1), object(), lambda: compute("fourth")) == "fourth"
    assert calls == ["first", "third", "fourth"]


def test_keys_that_nobody_asks_for_are_forgotten() -> None:
    memory, world = ByKey[int](8), object()
    for number in range(1, 100):
        assert memory.of(number, world, lambda number=number: number) == number
        assert memory.of(1, world, lambda: 7) == 1
        assert len(memory) <= 16
    assert memory.of(2, world, lambda: 7) == 7


def test_what_cannot_be_computed_is_tried_again() -> None:
    memory, world = ByKey[float](), object()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            memory.of("key", world, lambda: 1 / 0)
    assert memory.of("key", world, lambda: 1.0) == 1.0
