"""Niches: the best of each kind stays a parent."""

from __future__ import annotations

from collections import Counter
from random import Random

from praxis_evolve.search.base import Birth
from praxis_evolve.search.niches import with_niches
from praxis_evolve.search.population import Population
from praxis_evolve.search.toy import Toy

TOY = Toy(length=4, letters=4)


def herd() -> Population:
    """Two kinds by the first letter: the second is old, bad and has two members."""
    population = Population(size=4, rungs=(100, 300))
    for number, (letter, bits) in enumerate(
        [(3, 3.9), (3, 3.8), *((0, 2.0 + n) for n in range(5))]
    ):
        genome = TOY.spell([letter, 0, 0, number % 4], "")
        population.know(f"g{number}", genome)
        population.bear(f"g{number}", Birth("run", "author", number))
        population.score(f"g{number}", 100, bits)
    return population


def first(population: Population, rng: Random, without: str = "") -> str | None:
    return "tournament"


def test_now_and_then_the_best_of_a_niche_is_the_parent():
    population, rng = herd(), Random(0)
    select = with_niches(first, TOY, share=0.5)
    chosen = Counter(select(population, rng) for _ in range(2000))
    assert set(chosen) == {"tournament", "g1", "g2"}
    assert abs(chosen["tournament"] / 2000 - 0.5) < 0.05
    assert abs(chosen["g1"] / 2000 - 0.25) < 0.05


def test_the_other_parent_is_another_one():
    population, rng = herd(), Random(0)
    select = with_niches(first, TOY, share=1.0)
    assert {select(population, rng, "g1") for _ in range(50)} == {"g2"}


def test_a_niche_has_a_new_best_when_scores_change():
    population, rng = herd(), Random(0)
    select = with_niches(first, TOY, share=1.0)
    assert {select(population, rng) for _ in range(50)} == {"g1", "g2"}
    population.score("g0", 100, 3.0)
    assert {select(population, rng) for _ in range(50)} == {"g0", "g2"}


def test_without_niches_the_selection_is_what_it_was():
    empty = Population(size=4, rungs=(100,))
    assert with_niches(first, TOY, share=1.0)(empty, Random(0)) == "tournament"
    assert with_niches(first, TOY, share=0.0)(herd(), Random(0)) == "tournament"
