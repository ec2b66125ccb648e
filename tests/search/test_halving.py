"""Brackets against a plain reading of the log: how many begin where, and who goes on."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.evaluator.result import Result
from praxis_evolve.search.base import Asked, Assignment, Event, Finished
from praxis_evolve.search.halving import Bracket, BracketSearch, hyperband, successive_halving
from praxis_evolve.search.simulation import simulate
from praxis_evolve.search.toy import Toy

TOY = Toy()
LADDER = Ladder((100, 300, 900))
Evaluate = Callable[[Assignment], Result]


def run(search: BracketSearch, *, workers: int, evaluate: Evaluate = TOY.evaluate) -> list[Event]:
    return simulate(search, evaluate, workers=workers, seconds=Random.random, rng=Random(1))


def asked(log: list[Event], *, promoted: bool, rung: int = 0) -> list[Assignment]:
    return [
        event.assignment
        for event in log
        if isinstance(event, Asked)
        and (event.assignment.origin == "promote") is promoted
        and rung in (0, event.assignment.rung)
    ]


def at(log: list[Event], rung: int) -> dict[str, float]:
    results = [event.result for event in log if isinstance(event, Finished)]
    return {each.genome: each.bits_per_byte or 0.0 for each in results if each.rung == rung}


def best(group: list[str], scores: dict[str, float], count: int) -> set[str]:
    return set(sorted(group, key=lambda genome_id: scores[genome_id])[:count])


@pytest.mark.parametrize("workers", [1, 5])
def test_a_third_of_each_bracket_goes_on_twice(workers: int):
    log = run(successive_halving(TOY, seed=0, ladder=LADDER, births=31), workers=workers)
    born = [TOY.identify(each.genome) for each in asked(log, promoted=False)]
    second, third = set[str](), set[str]()
    for start in range(0, 31, 9):  # the last has four: one goes on, and a third of one is none
        group = born[start : start + 9]
        on = best(group, at(log, 100), len(group) // 3)
        second |= on
        third |= best(list(on), at(log, 300), len(on) // 3)
    assert set(at(log, 300)) == second
    assert set(at(log, 900)) == third
    assert (len(second), len(third)) == (10, 3)


def test_hyperband_begins_from_each_rung_in_turn():
    log = run(hyperband(TOY, seed=0, ladder=LADDER, births=34), workers=1)
    rungs = [each.rung for each in asked(log, promoted=False)]
    assert rungs == ([100] * 9 + [300] * 5 + [900] * 3) * 2
    assert Counter(each.rung for each in asked(log, promoted=True)) == {
        300: 2 * 3,
        900: 2 * (1 + 1),  # of the first bracket and of the second
    }


def test_nobody_waits_for_a_bracket_and_nobody_goes_on_before_it_is_through():
    log = run(successive_halving(TOY, seed=0, ladder=LADDER, births=27), workers=4)
    busy, ended = 0, set[str]()
    born = [TOY.identify(each.genome) for each in asked(log, promoted=False)]
    for place, event in enumerate(log):
        busy += 1 if isinstance(event, Asked) else -1
        if isinstance(event, Finished) and event.result.rung == 100:
            ended.add(event.result.genome)
        if isinstance(event, Asked) and event.assignment.rung == 300:
            start = born.index(event.assignment.parents[0]) // 9 * 9
            assert set(born[start : start + 9]) <= ended
        if 4 <= place < 50 and isinstance(event, Asked):
            assert busy == 4


def test_a_bracket_goes_on_without_those_that_failed():
    def evaluate(assignment: Assignment) -> Result:
        result = TOY.evaluate(assignment)
        if int(result.genome[0], 16) % 2:
            return replace(result, bits_per_byte=None, failure="diverged", reason="nan")
        return result

    log = run(successive_halving(TOY, seed=0, ladder=LADDER, births=27), workers=1,
              evaluate=evaluate)  # fmt: skip
    results = [event.result for event in log if isinstance(event, Finished)]
    assert any(not result.ok for result in results)
    assert all(result.ok for result in results if result.rung > 100)
    assert Counter(result.rung for result in results) == {100: 27, 300: 9, 900: 3}


def test_brackets_of_one_rung_are_refused():
    with pytest.raises(ValueError, match="different rungs"):
        BracketSearch(TOY, [Bracket(100, 9), Bracket(100, 5)], seed=0, ladder=LADDER, births=9)
