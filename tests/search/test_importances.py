"""Importances find the gene that matters, and chance says of the others that they do not."""

from __future__ import annotations

from random import Random
from statistics import fmean

import pytest

from praxis_evolve.blocks.ranges import Choice, Real, Value
from praxis_evolve.search.flat import Gene
from praxis_evolve.search.importances import ENOUGH, Importance, best_of, importances

RANGES = {"good": Real(0.0, 1.0), "idle": Real(0.0, 1.0), "kind": Choice(("a", "b", "c"))}


@pytest.fixture(autouse=True)
def few_shuffles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("praxis_evolve.search.importances.SHUFFLES", 24)


def drawn(rng: Random, count: int) -> dict[str, dict[str, Gene]]:
    def gene(name: str) -> Gene:
        value: Value = RANGES[name].sample(rng)
        return Gene(value, RANGES[name])

    return {f"g{number}": {name: gene(name) for name in RANGES} for number in range(count)}


def ranks(losses: dict[str, float]) -> dict[str, float]:
    ordered = sorted(losses, key=lambda name: -losses[name])
    return {name: place / (len(ordered) - 1) for place, name in enumerate(ordered)}


def by_gene(found: list[Importance]) -> dict[str, Importance]:
    return {each.gene: each for each in found}


@pytest.mark.parametrize("seed", range(3))
def test_the_gene_that_makes_the_standing_is_the_most_important(seed: int) -> None:
    genes = drawn(Random(seed), 100)
    losses = {name: abs(float(each["good"].value) - 0.3) for name, each in genes.items()}
    found = importances(genes, ranks(losses), seed=seed)
    assert found[0].gene == "good"
    assert found[0].chance <= 0.04
    assert sum(each.importance for each in found) == pytest.approx(1.0)
    assert {each.genomes for each in found} == {100}


def test_where_nothing_matters_chances_are_even() -> None:
    chances = list[float]()
    for seed in range(4):
        rng = Random(seed)
        genes = drawn(rng, 60)
        found = importances(genes, ranks({name: rng.random() for name in genes}), seed=seed)
        chances += [each.chance for each in found]
    assert fmean(chances) == pytest.approx(0.5, abs=0.25)
    assert all(0.04 <= chance <= 1 for chance in chances)


def test_a_gene_that_hardly_varies_is_left_to_chance() -> None:
    genes = drawn(Random(1), 24)
    for each in genes.values():
        each["idle"] = Gene(0.5, RANGES["idle"])
    found = by_gene(importances(genes, ranks({n: float(i) for i, n in enumerate(genes)}), seed=0))
    assert found["idle"].chance == 1.0


def test_a_gene_that_only_some_have_counts_among_those() -> None:
    genes = drawn(Random(1), 60)
    for number, each in enumerate(genes.values()):
        if number % 2:
            each["rare"] = Gene(0.5, RANGES["good"])
    found = by_gene(importances(genes, ranks(dict.fromkeys(genes, 0.0)), seed=0))
    assert found["rare"].genomes == 30


def test_genomes_without_a_standing_are_passed_over() -> None:
    genes = drawn(Random(1), 40)
    some = ranks({name: float(number) for number, name in enumerate(list(genes)[:30])})
    assert {each.genomes for each in importances(genes, some, seed=0)} == {30}


def test_too_few_genomes_are_refused() -> None:
    genes = drawn(Random(1), 3)
    with pytest.raises(ValueError, match="at least 4 genomes"):
        importances(genes, ranks(dict.fromkeys(genes, 0.0)), seed=0)


@pytest.mark.parametrize(
    ("genomes", "best"), [(4, 2), (9, 4), (10, 5), (30, 5), (ENOUGH, 5), (200, 20)]
)
def test_the_best_are_a_tenth_or_five(genomes: int, best: int) -> None:
    assert best_of(genomes) == best
