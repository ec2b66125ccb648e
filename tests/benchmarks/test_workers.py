"""The figures of simulated workers, against logs whose figures can be seen."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from praxis_evolve.benchmarks import workers
from praxis_evolve.benchmarks.workers import LADDER, TOY, Clock, busy, measured, problems, run
from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.search.algorithms import Terms, algorithm
from praxis_evolve.search.base import Asked, Assignment, Birth, Event, Finished
from praxis_evolve.search.simulation import simulate


def asked(number: int, rung: int = LADDER.lowest, replica: int = 0) -> Assignment:
    birth = Birth("run", "worker", number)
    return Assignment(TOY.sample(Random(number), str(number)), rung, replica, birth)


def test_busy_is_what_evaluations_took_of_the_time_of_all():
    first, second, third = asked(0), asked(1), asked(2)
    baseline = asked(3, LADDER.top, replica=1)
    seconds = {first.birth: 4.0, second.birth: 1.0, third.birth: 2.0, baseline.birth: 5.0}
    log: list[tuple[float, Event]] = [
        (0.0, Asked(first)), (0.0, Asked(second)), (1.0, Finished(measured(second))),
        (3.0, Asked(third)), (4.0, Finished(measured(first))), (4.0, Asked(baseline)),
        (5.0, Finished(measured(third))), (9.0, Finished(measured(baseline))),
    ]  # fmt: skip
    found = busy(log, Clock(LADDER, 0.0, seconds), workers=2)
    assert found["busy_birth"] == pytest.approx((3 + 1) / (2 * 3))
    assert found["busy_search"] == pytest.approx((4 + 1 + 2 + 1) / (2 * 5))
    assert found["busy_whole"] == pytest.approx((4 + 1 + 2 + 5) / (2 * 9))
    assert [found[f"until_{name}"] for name in ("birth", "search", "whole")] == [3.0, 5.0, 9.0]


def test_times_are_those_of_the_rungs_on_average():
    clock, rng = Clock(Ladder((100, 200)), 0.5), Random(0)
    means = [
        sum(clock.seconds(assignment, rng) for _ in range(20_000)) / 20_000
        for assignment in (asked(0, 100), asked(0, 200))
    ]
    assert means == pytest.approx([1.0, 1.1], rel=0.02)  # the second repeats a decay of 10 %
    assert Clock(Ladder((100, 200)), 0.0).seconds(asked(0, 200, replica=1), rng) == 2.0


def log_of(births: int) -> tuple[Any, list[Event]]:
    terms = Terms(seed=0, ladder=LADDER, births=births, population=16)
    log = simulate(
        algorithm("random")(TOY, terms), measured, workers=4, seconds=Random.random,
        rng=Random(0), deaths=0.2, late=0.2,
    )  # fmt: skip
    return algorithm("random")(TOY, terms), log


def test_a_sound_run_has_no_problems_and_a_result_that_is_not_told_is_one():
    search, log = log_of(births=40)
    search.tell(log)
    assert list(problems(search, log)) == []
    search, log = log_of(births=40)
    told = Counter(e.result.genome for e in log if isinstance(e, Finished))
    once = min(told, key=told.__getitem__)
    search.tell([e for e in log if not (isinstance(e, Finished) and e.result.genome == once)])
    assert any("has the score None" in problem for problem in problems(search, log))


def test_a_genome_that_nobody_answers_is_a_problem():
    search, log = log_of(births=40)
    lost = next(event.result.genome for event in log if isinstance(event, Finished))
    kept = [e for e in log if not (isinstance(e, Finished) and e.result.genome == lost)]
    search.tell(kept)
    found = list(problems(search, kept))
    assert "the search is not done" in found
    assert any(f"genome {lost[:12]} was asked for" in problem for problem in found)


def test_who_should_have_been_promoted_is_named():
    ladder = Ladder((10, 20), eta=2)
    scores = {("a", 10): 1.0, ("b", 10): 2.0, ("c", 10): 3.0, ("d", 10): 4.0}
    assert list(workers.unpromoted(scores | {("a", 20): 1.0, ("b", 20): 1.0}, ladder)) == []
    (problem,) = workers.unpromoted(scores | {("b", 20): 1.0}, ladder)
    assert problem == "genome a should have been promoted from 10"
    (problem,) = workers.unpromoted(scores | {(n, 20): 1.0 for n in "abc"}, ladder)
    assert problem == "3 genomes were promoted from 10, but the quota is 2"


@pytest.mark.parametrize("mishaps", workers.MISHAPS)
def test_a_small_run_loses_nothing(mishaps: str):
    options = workers.options().parse_args(["--births", "48", "--workers", "4"])
    row = run("aging", mishaps, 0, options)
    options.baselines = 0
    alone = run("aging", mishaps, 0, options)
    assert alone["busy_birth"] == pytest.approx(row["busy_birth"], abs=0.1)
    assert alone["busy_search"] < row["busy_search"]
    assert row["problems"] == []
    assert 48 < row["works"] <= row["results"]
    assert 0 < row["busy_whole"] < row["busy_birth"] < 1 + 1e-9
    assert (row["expired"] > 0) == (mishaps != "none")
    assert len(list(workers.table([row]))) == 2
