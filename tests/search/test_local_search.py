"""Local search against a plain reading of what it is: climb, take the first better, begin anew."""

from collections.abc import Iterator
from random import Random

import pytest

from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.genome.graph import Genome
from praxis_evolve.search.base import Asked, Birth, Event, Finished
from praxis_evolve.search.local_search import LocalSearch
from praxis_evolve.search.simulation import simulate
from praxis_evolve.search.toy import Toy

TOY = Toy(length=4, letters=4)
NEIGHBOURS = 4 * 3


def run(seed: int, *, workers: int = 1, births: int = 120) -> list[Event]:
    search = LocalSearch(TOY, seed=seed, ladder=Ladder((400,)), births=births)
    return simulate(search, TOY.evaluate, workers=workers, seconds=Random.random, rng=Random(seed))


@pytest.mark.parametrize("seed", range(5))
def test_each_child_is_of_the_best_so_far_and_climbs_end_at_peaks(seed: int):
    stands, score, climbs = "", 0.0, 0
    genomes: dict[str, Genome] = {}
    for event in run(seed):
        match event:
            case Asked(a) if not a.parents:
                if climbs:
                    peak = genomes[stands]
                    assert {TOY.identify(near) for near in neighbours(peak)} <= set(genomes)
                climbs, stands, score = climbs + 1, "", float("inf")
            case Asked(a):
                assert a.parents == (stands,)
            case Finished(result):
                bits = result.bits_per_byte or 0.0
                if bits < score:
                    stands, score = result.genome, bits
            case _:
                raise AssertionError(event)
        if isinstance(event, Asked):
            genomes[TOY.identify(event.assignment.genome)] = event.assignment.genome
    assert climbs > 2


def neighbours(genome: Genome) -> Iterator[Genome]:
    word = TOY.read(genome)
    for place in range(4):
        for letter in range(4):
            if letter != word[place]:
                yield TOY.spell([*word[:place], letter, *word[place + 1 :]], "")


def test_workers_are_given_neighbours_while_others_are_being_evaluated():
    log = run(0, workers=6, births=7)
    asked = [event.assignment for event in log[:6] if isinstance(event, Asked)]
    first = TOY.identify(asked[0].genome)
    assert [a.parents for a in asked] == [(), *[(first,)] * 5]


def test_the_climb_is_known_from_assignments_in_any_order():
    log = [event for event in run(3) if isinstance(event, Asked | Finished)]
    once = LocalSearch(TOY, seed=3, ladder=Ladder((400,)), births=130)
    once.tell(log)
    for shuffle in range(5):
        search = LocalSearch(TOY, seed=3, ladder=Ladder((400,)), births=130)
        for place, event in enumerate(Random(shuffle).sample(log, len(log))):
            search.tell([event])
            if place % 7 == 0:
                search.ask(Birth("r", "prober", place))
        births = [Birth("r", "prober", number) for number in range(5)]
        assert list(map(search.ask, births)) == list(map(once.ask, births))
