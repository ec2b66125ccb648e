"""The pooled noise against the textbook's, and that luck alone dominates nobody."""

import math
from itertools import permutations
from random import Random
from statistics import fmean, variance

import pytest

from praxis_evolve.evaluator.result import Result
from praxis_evolve.search.noise import PRIOR, Noise


def result(genome: str, replica: int, bits: float | None, *, rung: int = 100, heir: int = 0):
    failure = None if bits is not None else "diverged"
    return Result(
        genome, genome, rung, replica, 0, bits_per_byte=bits, failure=failure, inherited_tokens=heir
    )


def told(*results: Result) -> Noise:
    noise = Noise()
    for each in results:
        noise.add(each, 1.0)
    return noise


def test_without_repetitions_it_is_what_is_assumed():
    noise = told(*(result(f"g{n}", 0, 2.0 + n) for n in range(9)), result("g0", 1, None))
    assert noise.at(100, assumed=0.03) == 0.03
    assert noise.at(300, assumed=0.03) == 0.03


def test_it_is_the_pooled_deviation_with_the_assumed_one_as_so_many_repetitions():
    groups = {"a": [2.0, 2.1, 2.3], "b": [3.0, 3.3], "c": [1.0]}
    noise = told(*(result(g, n, bits) for g, own in groups.items() for n, bits in enumerate(own)))
    pooled = 2 * variance(groups["a"]) + variance(groups["b"])
    expected = math.sqrt((PRIOR * 0.03**2 + pooled) / (PRIOR + 3))
    assert noise.at(100, assumed=0.03) == pytest.approx(expected)


def test_much_evidence_overrules_the_assumption():
    rng = Random(1)
    genomes = [(f"g{n}", rng.uniform(2, 4)) for n in range(400)]
    noise = told(*(result(g, n, rng.gauss(bits, 0.2)) for g, bits in genomes for n in range(3)))
    assert noise.at(100, assumed=0.03) == pytest.approx(0.2, rel=0.06)


def test_rungs_stand_apart_and_heirs_do_not_count():
    noise = told(result("a", 0, 2.0), result("a", 1, 2.5), result("a", 1, 9.0, heir=50))
    assert noise.at(100, assumed=0.03) > 0.03
    assert noise.at(300, assumed=0.03) == 0.03


def test_what_compares_exactly_goes_on_doing_so():
    assert told(result("a", 0, 2.0), result("a", 1, 2.5)).at(100, assumed=0.0) == 0.0


def test_different_results_of_one_seed_make_a_mean_and_order_and_repeats_do_not_matter():
    several = [
        result("a", 0, 2.0), result("a", 0, 2.2), result("a", 1, 2.4), result("b", 0, 3.1),
        result("b", 2, 3.0),
    ]  # fmt: skip
    squares = 2 * (2.4 - fmean([2.1, 2.4])) ** 2 + 2 * 0.05**2
    expected = math.sqrt((PRIOR * 0.03**2 + squares) / (PRIOR + 2))
    found = set[float]()
    for order in permutations(several):
        noise = told(*order, *order)
        noise.at(100, assumed=0.03)
        found.add(noise.at(100, assumed=0.03))
    assert len(found) == 1
    assert found.pop() == pytest.approx(expected)


def test_claims_do_not_count_until_they_are_trusted():
    noise, other = told(result("a", 0, 2.0)), result("a", 1, 2.9)
    noise.add(other, 0.25)
    assert noise.at(100, assumed=0.03) == 0.03
    assert noise.add(other, 1.0)
    assert noise.at(100, assumed=0.03) > 0.03
