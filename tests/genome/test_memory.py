"""The memory of what was computed of values while they live."""

from __future__ import annotations

import gc
from dataclasses import dataclass

from praxis_evolve.genome.memory import PerObject


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
    assert not memory._kept  # pyright: ignore[reportPrivateUsage]


def test_a_value_that_was_computed_again_is_forgotten_once() -> None:
    memory, value = PerObject[int](), Value(0.0)
    first, second = object(), object()
    memory.of(value, first, lambda: 1)
    memory.of(value, second, lambda: 2)
    gc.collect()
    assert memory.known(value, second) == 2
    del value
    gc.collect()
    assert not memory._kept  # pyright: ignore[reportPrivateUsage]
