"""Medians and scales of what machines measured, by hand and in every order."""

from itertools import permutations
from random import Random

import pytest

from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.search.measures import Measures


def result(
    genome: str,
    speed: float,
    memory: int = 0,
    *,
    rung: int = 100,
    device: str = "cpu",
    replica: int = 0,
    failed: bool = False,
) -> Result:
    measured = Measurement(tokens_per_second=speed, peak_memory_bytes=memory, device=device)
    found = Result(genome, genome, rung, replica, 0, bits_per_byte=3.0, measured=measured)
    if failed:
        return Result(genome, genome, rung, 0, 0, failure="diverged", measured=measured)
    return found


def told(*results: Result) -> Measures:
    measures = Measures()
    for each in results:
        measures.add(each, 1.0)
    return measures


def test_several_results_make_a_median_and_one_told_twice_counts_once():
    first = result("a", 100.0, 7)
    measures = told(first, result("a", 400.0, 9), result("a", 300.0, 8, rung=300), first, first)
    assert measures.of("a") == {"tokens_per_second": 300.0, "peak_memory_bytes": 8}


def test_what_was_never_measured_is_not_there():
    measures = told(result("a", 0.0, 9), result("b", 5.0, failed=True), result("c", 5.0, replica=1))
    assert measures.of("a") == {"peak_memory_bytes": 9}
    assert not measures.of("b")
    assert not measures.of("c")
    assert not measures.of("d")


def test_claims_do_not_count_until_they_are_trusted():
    measures, claim = told(result("a", 100.0)), result("a", 900.0)
    assert not measures.add(claim, 0.25)
    assert measures.of("a")["tokens_per_second"] == 100.0
    assert measures.add(claim, 1.0)
    assert measures.of("a")["tokens_per_second"] == 500.0
    assert measures.add(claim, 0.0)
    assert measures.of("a")["tokens_per_second"] == 100.0


def test_another_kind_of_device_is_scaled_by_the_ratio_of_the_medians():
    cpu = [result("a", 100.0), result("b", 200.0), result("c", 400.0)]
    gpu = [result("d", 1000.0, device="cuda"), result("e", 4000.0, device="cuda")]
    measures = told(*cpu, *gpu)
    # The medians are 200 and 2,500: what makes 1,000 on the GPU is worth 80 on the CPU.
    speeds = {name: measures.of(name)["tokens_per_second"] for name in "abcde"}
    assert speeds == pytest.approx({"a": 100.0, "b": 200.0, "c": 400.0, "d": 80.0, "e": 320.0})


def test_what_is_trusted_no_more_leaves_no_trace():
    measures, gpu = told(result("a", 100.0)), result("b", 1000.0, device="cuda")
    more = [result("c", 3000.0, device="cuda"), gpu]
    for each in more:
        measures.add(each, 1.0)
    assert measures.of("a")["tokens_per_second"] == pytest.approx(2000.0)
    for each in more:
        measures.add(each, 0.0)
    assert measures.of("a")["tokens_per_second"] == 100.0


def test_the_order_of_telling_does_not_matter():
    several = [
        result("a", 100.0, 3), result("b", 200.0, 4, device="cuda"), result("a", 300.0, 5),
        result("c", 50.0, 6, rung=300), result("c", 70.0, 2, device="cuda"),
    ]  # fmt: skip
    expected = [dict(told(*several).of(name)) for name in "abc"]
    for order in permutations(several):
        asked_before = Measures()
        for each in order:
            asked_before.add(each, 1.0)
            asked_before.of(Random(0).choice("abc"))
        assert [dict(asked_before.of(name)) for name in "abc"] == expected


def test_limits_are_of_what_was_measured_and_not_of_what_compares():
    measures = told(result("a", 1.0, 900), result("a", 2.0, 1100), result("b", 3.0, 1101))
    assert measures.within("a", {"peak_memory_bytes": 1000.0})
    assert not measures.within("b", {"peak_memory_bytes": 1000.0})
    assert measures.within("b", {})
    assert measures.within("never", {"peak_memory_bytes": 1000.0})
