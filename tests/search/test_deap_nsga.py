"""NSGA by DEAP's selections: against a plain loop of generations, and a wide and low front."""

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import moocore
import numpy as np
import pytest
from deap import base, tools

from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.search.base import Asked, Assignment, Birth, Event, Finished, Search
from praxis_evolve.search.deap_nsga import nsga2, nsga3
from praxis_evolve.search.objectives import Shown, objectives
from praxis_evolve.search.random import random_search
from praxis_evolve.search.replay import replay
from praxis_evolve.search.simulation import simulate
from praxis_evolve.search.toy import Toy

TOY = Toy()
LADDER = Ladder((400,))
WANTED = objectives(["bits_per_byte", "carry_bytes"])
DEAP: Any = tools


def run(search: Search, *, workers: int = 1) -> list[Event]:
    return simulate(search, TOY.evaluate, workers=workers, seconds=Random.random, rng=Random(0))


def born(log: list[Event]) -> list[Assignment]:
    return [event.assignment for event in log if isinstance(event, Asked)]


def point(assignment: Assignment) -> tuple[float, ...]:
    bits, costs = TOY.evaluate(assignment).bits_per_byte or 0.0, TOY.costs(assignment.genome)
    return tuple(objective.coordinate(Shown(bits, costs)) for objective in WANTED)


class Fitness(base.Fitness):
    weights = (-1.0, -1.0)


class Member:
    def __init__(self, assignment: Assignment) -> None:
        self.name = TOY.identify(assignment.genome)
        self.fitness: Any = Fitness(point(assignment))


def test_parents_are_those_that_a_plain_loop_of_generations_selects():
    log = run(nsga2(TOY, seed=2, ladder=LADDER, objectives=WANTED, births=90, population=15))
    asked = born(log)
    assert all(not child.parents for child in asked[:15])
    survivors: list[Any] = []
    for start in range(15, 90, 15):
        newborn = [Member(each) for each in asked[start - 15 : start]]
        survivors = DEAP.selNSGA2(survivors + newborn, 15)
        names = {each.name for each in survivors}
        for child in asked[start : start + 15]:
            assert child.parents
            assert set(child.parents) <= names
    assert {len(child.parents) for child in asked[15:]} == {1, 2}


@pytest.mark.parametrize(
    ("letters", "bits", "wins"),
    [
        # Each dominates those after it, and of six pairs wins those with them.
        ((0, 1, 2, 3), (2.0, 2.5, 3.0, 3.5), (3, 2, 1, 0)),
        # None dominates: the ends have endless room and halve their pair, the fourth is crowded.
        ((0, 5, 1, 2), (3.5, 2.0, 2.6, 2.4), (2.5, 2.5, 1, 0)),
    ],
)
def test_of_two_survivors_the_better_or_else_the_lonelier_is_a_parent(
    letters: tuple[int, ...], bits: tuple[float, ...], wins: tuple[float, ...]
):
    search = nsga2(TOY, seed=2, ladder=LADDER, objectives=WANTED, births=90, population=4)
    names: list[str] = []
    for number, (letter, value) in enumerate(zip(letters, bits, strict=True)):
        genome = TOY.spell([letter] * 12, "")
        work = Assignment(genome, 400, 0, Birth("r", "a", number))
        search.tell([Asked(work), Finished(replace(TOY.evaluate(work), bits_per_byte=value))])
        names.append(TOY.identify(genome))
    chosen = Counter[str]()
    for number in range(600):
        child = search.ask(Birth("r", "a", 100 + number))
        assert child is not None
        chosen[child.parents[0]] += 1
    assert [chosen[name] / 100 for name in names] == pytest.approx(wins, abs=0.4)


@pytest.mark.parametrize("make", [nsga2, nsga3])
def test_the_front_is_larger_than_that_of_chance(make: Any):
    ours, chance = list[float](), list[float]()
    for seed in range(4):
        search = make(TOY, seed=seed, ladder=LADDER, objectives=WANTED, births=200)
        ours.append(volume(run(search)))
        chance.append(volume(run(random_search(TOY, seed=seed, ladder=LADDER, births=200))))
    assert min(a - b for a, b in zip(ours, chance, strict=True)) > 0


def volume(log: list[Event]) -> float:
    points = np.array([point(each) for each in born(log)])
    return float(moocore.hypervolume(points, ref=np.array([4.2, np.log(70)])))


def test_selection_leaves_the_generator_of_numpy_as_it_was():
    np.random.seed(3)
    expected = np.random.random()
    np.random.seed(3)
    run(nsga3(TOY, seed=0, ladder=LADDER, objectives=WANTED, births=60), workers=4)
    assert np.random.random() == expected


def test_results_that_come_late_make_another_past():
    log = run(nsga2(TOY, seed=2, ladder=LADDER, objectives=WANTED, births=60), workers=4)
    once = nsga2(TOY, seed=2, ladder=LADDER, objectives=WANTED, births=90)
    late = nsga2(TOY, seed=2, ladder=LADDER, objectives=WANTED, births=90)
    once.tell(log)
    first = next(event for event in log if isinstance(event, Finished))
    late.tell([event for event in log if event != first])
    birth = born(log)[0].birth
    late.ask(birth)
    late.tell([first])
    assert repr(late.ask(birth)) == repr(once.ask(birth))


def test_one_objective_has_no_reference_points():
    with pytest.raises(ValueError, match=r"NSGA-III needs two objectives.*'bits_per_byte'"):
        nsga3(TOY, seed=0, ladder=LADDER, objectives=objectives(["bits_per_byte"]), births=9)


@pytest.mark.parametrize("make", [nsga2, nsga3])
def test_who_breaks_a_limit_or_was_not_measured_survives_only_where_there_is_room(make: Any):
    wanted = objectives(["bits_per_byte", "tokens_per_second"])

    def first_letter(genome: Any) -> int:
        return TOY.read(genome)[0]

    def evaluate(assignment: Assignment) -> Result:
        letter = first_letter(assignment.genome)  # the heavy are the fast, and 0 is not measured
        columns = Measurement(tokens_per_second=1000.0 * letter, peak_memory_bytes=100 * letter + 1)
        return replace(TOY.evaluate(assignment), measured=columns)

    def search() -> Search:
        limits = {"peak_memory_bytes": 350.0}
        return make(
            TOY, seed=4, ladder=LADDER, objectives=wanted, births=120, population=10, limits=limits
        )

    log = simulate(search(), evaluate, workers=3, seconds=Random.random, rng=Random(0))
    genomes = {TOY.identify(each.genome): each.genome for each in born(log)}
    parents = [first_letter(genomes[name]) for each in born(log)[60:] for name in each.parents]
    assert set(parents) <= {1, 2, 3}
    assert Counter(parents)[3] > len(parents) / 3
    assert replay(search(), log, author="worker") is None
