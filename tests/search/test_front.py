"""Fronts and hypervolumes against brute force."""

import itertools
import math
from collections.abc import Callable
from random import Random

import pytest

from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.genome.cost import Costs
from praxis_evolve.search.front import ENOUGH, front, hypervolume
from praxis_evolve.search.measures import Measures, measures_of
from praxis_evolve.search.objectives import objectives

TWO = objectives(["bits_per_byte", "flops"])
THREE = objectives(["bits_per_byte", "flops", "tokens_per_second"])


def costs_of(flops: dict[str, float]) -> Callable[[str], Costs]:
    def costs(name: str) -> Costs:
        return Costs(1, flops[name], flops[name], 1.0)

    return costs


def drawn(count: int, rng: Random) -> tuple[dict[str, float], dict[str, float]]:
    bits = {f"g{n}": round(rng.uniform(2, 5), 1) for n in range(count)}
    return bits, {name: 2.0 ** rng.randrange(10, 20) for name in bits}


def area(values: list[tuple[float, float]], reference: tuple[float, float]) -> float:
    """Sum strips of bits, each as wide as the best octave that its genomes leave."""
    edges = sorted({min(bits, reference[0]) for bits, _ in values} | {reference[0]})
    total = 0.0
    for low, high in itertools.pairwise(edges):
        flops = min(f for bits, f in values if bits <= low)
        total += (high - low) * max(0.0, math.log2(reference[1] / flops))
    return total


@pytest.mark.parametrize("seed", range(20))
def test_the_front_of_two_is_what_nothing_dominates_and_its_area(seed: int):
    rng = Random(seed)
    bits, flops = drawn(12, rng)
    found = front({100: bits}, costs_of(flops), Measures(), TWO, reference=(4.0, 2.0**17))
    assert found is not None
    points = {name: (bits[name], flops[name]) for name in bits}
    brute = {
        name for name, (b, f) in points.items()
        if not any(x <= b and y <= f and (x, y) != (b, f) for x, y in points.values())
    }  # fmt: skip
    assert {member.genome for member in found.members} == brute
    assert all(member.values == points[member.genome] for member in found.members)
    assert found.hypervolume == pytest.approx(area(list(points.values()), (4.0, 2.0**17)))
    assert [m.values[0] for m in found.members] == sorted(
        (points[name][0] for name in brute), reverse=True
    )


def test_a_box_is_its_sides_in_bits_and_octaves_and_the_faster_is_the_better():
    box = hypervolume(THREE, [(3.0, 1e6, 8000.0)], (4.5, 4e6, 1000.0))
    assert box == pytest.approx(1.5 * 2 * 3)
    assert hypervolume(THREE, [(3.0, 1e6, 900.0)], (4.5, 4e6, 1000.0)) == 0.0
    assert hypervolume(THREE, [], (4.5, 4e6, 1000.0)) == 0.0


def test_it_is_of_the_highest_rung_with_enough():
    bits, flops = drawn(3 * ENOUGH, Random(0))
    few = dict(list(bits.items())[: ENOUGH - 1])
    more = dict(list(bits.items())[:ENOUGH])

    def rung(scores: dict[int, dict[str, float]]) -> int | None:
        found = front(scores, costs_of(flops), Measures(), TWO)
        assert found is None or found.hypervolume is None
        return found and found.rung

    assert rung({100: bits, 300: few}) == 100
    assert rung({100: bits, 300: more, 900: few}) == 300
    assert rung({100: few, 300: {}}) == 100
    assert rung({100: {}}) is None


def test_who_breaks_a_limit_or_was_not_measured_is_not_compared():
    bits, flops = drawn(6, Random(3))
    measures = measures_of(
        (
            Result(
                name, name, 100, 0, 0, bits_per_byte=2.0,
                measured=Measurement(tokens_per_second=10.0, peak_memory_bytes=memory),
            ),
            1.0,
        )
        for name, memory in (("g0", 5), ("g1", 6), ("g2", 7))
    )  # fmt: skip
    limits = {"peak_memory_bytes": 6.0}
    found = front({100: bits}, costs_of(flops), measures, THREE, limits=limits)
    assert found is not None
    assert found.compared == 2
    assert {member.genome for member in found.members} <= {"g0", "g1"}


def test_peers_with_the_same_records_have_the_same_front():
    rng = Random(4)
    bits, flops = drawn(30, rng)
    told = [
        (
            Result(
                name, name, 100, 0, 0, bits_per_byte=bits[name],
                measured=Measurement(
                    tokens_per_second=rng.uniform(10, 1e4), device=rng.choice(["cpu", "cuda"])
                ),
            ),
            1.0,
        )
        for name in bits
    ]  # fmt: skip
    found = [
        front(
            {100: {name: bits[name] for name in rng.sample(sorted(bits), len(bits))}},
            costs_of(flops), measures_of(rng.sample(told, len(told))), THREE,
            reference=(5.0, 2.0**20, 10.0),
        )
        for _ in range(5)
    ]  # fmt: skip
    assert all(each == found[0] for each in found)
    assert found[0] is not None
    assert found[0].hypervolume
