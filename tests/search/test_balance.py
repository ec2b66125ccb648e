"""Founders are spread over the space more evenly than chance spreads them."""

from __future__ import annotations

from collections import Counter
from random import Random
from statistics import fmean, pstdev

from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.genome.space import Limits, Space
from praxis_evolve.genome.traits import Trait
from praxis_evolve.search.balance import Balance
from praxis_evolve.search.base import Asked, Birth, Search
from praxis_evolve.search.evolution import regularized_evolution
from praxis_evolve.search.random import random_search
from praxis_evolve.search.species import Species
from praxis_evolve.search.toy import Toy

FOUNDERS = 24


def slot(value: str) -> Trait:
    return Trait("slot", value)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=12), st.integers(0, 2**32))
def test_the_rarest_is_likeliest_and_the_most_frequent_never_comes(
    counts: list[int], seed: int
) -> None:
    values = [str(number) for number in range(len(counts))]
    taste = Balance({slot(value): count for value, count in zip(values, counts, strict=True)})
    drawn = Counter(taste.choose(Random(seed + n), values, slot) for n in range(200))
    most, least = max(counts), min(counts)
    frequent = [value for value, count in zip(values, counts, strict=True) if count == most]
    if len(frequent) == 1 and most > least:
        assert drawn[frequent[0]] == 0
    assert any(drawn[value] for value, n in zip(values, counts, strict=True) if n == least)


def test_one_option_is_taken_and_ranges_are_drawn_from() -> None:
    taste, rng = Balance({slot("low"): 5}), Random(0)
    assert taste.choose(rng, ["only"], slot) == "only"
    drawn = [
        taste.draw(rng, rng.random, lambda value: slot("low" if value < 0.5 else "high"))
        for _ in range(2000)
    ]
    assert 0.7 < fmean(value >= 0.5 for value in drawn) < 0.8  # 1 - 1/4
    assert {taste.operator(rng, [("a", 1.0), ("b", 0.0)])} == {"a"}


def founders(search: Search) -> list[Asked]:
    asked = list[Asked]()
    for number in range(FOUNDERS):
        assignment = search.ask(Birth("run", "me", number))
        assert assignment is not None
        asked.append(Asked(assignment))
        search.tell([asked[-1]])
    return asked


def unevenness(search: Search, toy: Toy) -> float:
    """The mean over places of the standard deviation of how often each letter is had."""
    traits = [toy.traits(event.assignment.genome) for event in founders(search)]
    counts = Counter(trait for each in traits for trait in each)
    slots = {trait.slot for trait in counts}
    return fmean(pstdev([n for t, n in counts.items() if t.slot == s]) for s in slots)


def test_founders_have_each_choice_about_as_often_as_the_others() -> None:
    ladder, pairs = Ladder((100,)), list[tuple[float, float]]()
    for seed in range(6):
        toy = Toy(seed=seed)
        ours = regularized_evolution(toy, seed=seed, ladder=ladder, population=FOUNDERS)
        chance = random_search(toy, seed=seed, ladder=ladder, births=FOUNDERS)
        pairs.append((unevenness(ours, toy), unevenness(chance, toy)))
    assert fmean(ours for ours, _ in pairs) < 0.6 * fmean(chance for _, chance in pairs)


def test_what_no_legal_genome_has_stops_nobody() -> None:
    """Every genome has the cheapest embedding: the others are rare, and stay so."""
    space = Space(installed(), limits=Limits(visits=4, parameters=40_000))
    search = regularized_evolution(
        Species(space), seed=0, ladder=Ladder((100,)), population=FOUNDERS
    )
    born = [event.assignment.genome for event in founders(search)]
    assert all(map(space.legal, born))
    assert len({genome.stack.embedding.name for genome in born}) > 1
