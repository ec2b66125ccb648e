"""Traits of genomes: what competes for which slot."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.blocks.ranges import Choice, Integer, Range, Real
from praxis_evolve.blocks.registry import installed
from praxis_evolve.genome.graph import Entry, Visit
from praxis_evolve.genome.space import Space
from praxis_evolve.genome.starters import starters
from praxis_evolve.genome.traits import BINS, Trait, bin_text, traits

CATALOG = installed()
SPACE = Space(CATALOG)
STARTERS = starters(SPACE)


def test_the_traits_of_llama() -> None:
    found = traits(STARTERS["llama"], CATALOG)
    assert {
        Trait("mixer", "attention"),
        Trait("feed-forward", "glu"),
        Trait("after embedding", "attention"),
        Trait("after attention", "glu"),
        Trait("after glu", "attention"),
        Trait("attention.heads", "4"),
        Trait("prelude", "none"),
        Trait("router", "none"),
        Trait("residual", "pre"),
        Trait("exit", "none"),
        Trait("width", "64"),
    } <= found
    assert not any(trait.slot in ("segments", "merge", "attention.head_scale") for trait in found)


def test_what_is_dead_is_no_trait() -> None:
    genome = STARTERS["llama"]
    unused = Entry(STARTERS["mamba"].pool[0].block)
    grown = replace(genome, pool=(*genome.pool, unused))
    assert traits(grown, CATALOG) == traits(genome, CATALOG)
    aside = replace(
        grown, route=(*grown.route[:-1], Visit(len(genome.pool), (0,)), grown.route[-1])
    )
    assert traits(aside, CATALOG) == traits(genome, CATALOG)


@given(st.integers(0, 10_000))
def test_isomorphic_genomes_have_the_same_traits(seed: int) -> None:
    genome = SPACE.sample(Random(seed), "a")
    order = list(range(len(genome.pool)))
    Random(seed).shuffle(order)
    place = {entry: number for number, entry in enumerate(order)}
    turned = replace(
        genome,
        pool=tuple(genome.pool[entry] for entry in order),
        route=tuple(replace(visit, block=place[visit.block]) for visit in genome.route),
    )
    assert traits(turned, CATALOG) == traits(genome, CATALOG)


@pytest.mark.parametrize(
    "range_", [Real(0.0, 1.0), Real(1e-3, 3e-2, log=True), Integer(2, 9), Integer(1, 512, log=True)]
)
def test_a_range_falls_into_a_few_stretches(range_: Range) -> None:
    rng = Random(0)
    values = [range_.sample(rng) for _ in range(2000)]
    names = {bin_text(range_, value) for value in values}
    assert len(names) == BINS
    for value in values:
        low, high = map(float, bin_text(range_, value).split(".."))
        assert low * 0.99 - 1e-9 <= float(value) <= high * 1.01 + 1e-9


def test_a_choice_is_its_own_name() -> None:
    assert bin_text(Choice((1, 2, 4)), 2) == "2"
    assert bin_text(Choice((True, False)), True) == "True"
    assert bin_text(Integer(3, 3), 3) == "3..3"
