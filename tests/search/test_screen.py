"""The screen: who is proposed of several children, and when nobody looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

import moocore
import numpy as np
import pytest

from praxis_evolve.genome.graph import Genome
from praxis_evolve.search.base import Birth
from praxis_evolve.search.objectives import REFERENCE, Objective, objectives
from praxis_evolve.search.population import Population
from praxis_evolve.search.proposals import Proposal
from praxis_evolve.search.screen import choosing, screened
from praxis_evolve.search.toy import Toy

TOY = Toy(length=6, letters=3)
ONE = objectives(["bits_per_byte"])
TWO = (
    Objective("bits_per_byte", lambda shown: shown.bits_per_byte),
    Objective("flops", lambda shown: shown.costs.flops),
)


def herd(count: int, size: int) -> Population:
    """Strings at random, with the bits per byte that they would have in the end."""
    rng, population = Random(0), Population(size=size, rungs=(100,))
    for number in range(count):
        genome = TOY.sample(rng, "")
        name = TOY.identify(genome)
        population.know(name, genome)
        population.bear(name, Birth("run", "author", number))
        population.score(name, 100, TOY.truth(genome))
    return population


def offering(words: Sequence[Genome]):
    """Offer each of *words* in turn, again and again."""
    left = list(words)

    def propose(population: Population, rng: Random, birth: str) -> Proposal:
        left.append(left.pop(0))
        return Proposal(left[-1], "offered")

    return propose


def test_the_most_promising_is_proposed_but_for_those_that_pass_by():
    words = [TOY.spell([letter] * 6, "") for letter in range(3)]
    propose = screened(
        offering(words), lambda population: lambda genomes: 1, candidates=3, bypass=0.25
    )
    population, rng = herd(1, 1), Random(1)
    offers = [propose(population, rng, "b") for _ in range(2000)]
    first = Counter(TOY.read(offer.genome)[0] for offer in offers if offer)
    assert sum(first.values()) == 2000
    # What passes by is the offer that comes next, which turns the order of the words.
    assert max(first.values()) < 1200
    always = screened(offering(words), lambda _: lambda genomes: 1, candidates=3, bypass=0.0)
    assert {TOY.read(o.genome)[0] for _ in range(9) if (o := always(population, rng, "b"))} == {1}


def test_nobody_chooses_before_there_is_enough_to_learn_from():
    judge = choosing(TOY, ONE)
    assert judge(herd(79, 80)) is None
    population = herd(120, 80)
    assert judge(population) is not None
    offers = screened(offering([TOY.spell([0] * 6, "")]), choosing(TOY, ONE))
    assert offers(herd(5, 80), Random(0), "b") is not None


def test_offers_that_are_none_are_passed_over():
    def nothing(population: Population, rng: Random, birth: str) -> None:
        return None

    none = screened(nothing, lambda _: lambda genomes: 0, bypass=0.0)
    assert none(herd(1, 1), Random(0), "b") is None


def test_the_screen_knows_good_from_bad():
    population, rng = herd(150, 20), Random(2)
    choose = choosing(TOY, ONE)(population)
    assert choose is not None
    chosen, all_of = list[float](), list[float]()
    for _ in range(50):
        several = [TOY.sample(rng, "") for _ in range(8)]
        chosen.append(TOY.truth(several[choose(several)]))
        all_of.append(float(np.mean([TOY.truth(each) for each in several])))
    assert np.mean(chosen) < np.mean(all_of) - 0.2


def test_what_is_learned_is_learned_once_for_a_state():
    population, judge = herd(150, 20), choosing(TOY, ONE)
    first = judge(population)
    assert judge(population) is first
    version = population.snapshot.version
    for name in list(population.scores(100)):
        population.score(name, 100, 2.0)
        assert (judge(population) is first) == (population.snapshot.version == version)
    assert judge(population) is not first


def test_with_several_objectives_what_adds_to_the_front_is_chosen():
    population, rng = herd(150, 20), Random(3)
    choose = choosing(TOY, TWO)(population)
    assert choose is not None
    seen = np.array([point(population.genomes[name]) for name in population.scores(100)])
    front = seen[moocore.is_nondominated(seen)]
    low, span = front.min(axis=0), np.ptp(front, axis=0)

    def volume(points: np.ndarray) -> float:
        return moocore.hypervolume((points - low) / span, ref=REFERENCE)

    chosen, all_of = list[float](), list[float]()
    for _ in range(60):
        several = [TOY.sample(rng, "") for _ in range(8)]
        gains = [volume(np.vstack([front, point(each)])) - volume(front) for each in several]
        chosen.append(gains[choose(several)])
        all_of.append(float(np.mean(gains)))
    assert np.mean(chosen) > 2 * np.mean(all_of)


def test_a_cheaper_twin_is_preferred():
    """Of two children that look equally good, the front gains more by the cheaper."""
    population = herd(150, 20)
    choose = choosing(TOY, TWO)(population)
    assert choose is not None
    best = min(population.scores(100), key=population.scores(100).__getitem__)
    word = TOY.read(population.genomes[best])
    dear = TOY.spell([2] * 6, "")
    assert choose([dear, TOY.spell(word, "")]) == pytest.approx(1)


def point(genome: Genome) -> list[float]:
    return [TOY.truth(genome), TOY.costs(genome).flops]
