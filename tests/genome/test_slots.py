"""Slots list what traits can be of: nothing that a genome has is missing, and texts are read."""

from __future__ import annotations

from random import Random

import pytest

from praxis_evolve.blocks.ranges import Choice, Integer, Range, Real
from praxis_evolve.blocks.registry import installed
from praxis_evolve.genome.genes import TRAINING
from praxis_evolve.genome.slots import slots, value_text
from praxis_evolve.genome.space import Space
from praxis_evolve.genome.starters import starters
from praxis_evolve.genome.traits import bin_text, bin_texts, traits

CATALOG = installed()
SPACE = Space(CATALOG, widths=(32, 64))


def test_every_trait_of_many_genomes_is_of_a_slot_and_has_one_of_its_values() -> None:
    known, rng = slots(SPACE), Random(0)
    genomes = [*starters(SPACE).values(), *(SPACE.sample(rng, "b") for _ in range(60))]
    found = {trait for genome in genomes for trait in traits(genome, CATALOG)}
    assert len(found) > 300
    for trait in found:
        assert trait.value in bin_texts(known[trait.slot]), trait


def test_a_slot_that_nothing_can_stand_at_is_none() -> None:
    few = CATALOG.only(("attention", "pre", "rmsnorm", "token"))
    known = slots(Space(few))
    assert "feed-forward" not in known
    assert "mlp.activation" not in known
    assert known["mixer"] == Choice(("attention",))
    assert known["router"] == known["exit"] == Choice(("none",))
    assert known["after attention"] == known["after embedding"] == Choice(("attention",))


RATE = TRAINING["learning_rate"]


@pytest.mark.parametrize(
    ("range_", "text", "value"),
    [
        (Choice(("glu", "mlp")), "mlp", "mlp"),
        (Choice(("glu", "mlp")), " MLP ", "mlp"),
        (Choice(("glu", "mlp")), "ml", None),
        (Choice((2, 4, 8)), "4", "4"),
        (Choice((2, 4, 8)), "4.0", "4"),
        (Choice((2, 4, 8)), "5", None),
        (Choice((0.0, 0.1)), "0", "0.0"),
        (Choice((True, False)), "true", "True"),
        (Choice((True, False)), "1", None),
        (RATE, "0.01", bin_text(RATE, 0.01)),
        (RATE, "1e-2", bin_text(RATE, 0.01)),
        (RATE, bin_text(RATE, 0.01), bin_text(RATE, 0.01)),
        (RATE, "0.03", bin_text(RATE, 0.03)),
        (RATE, "0.031", None),
        (RATE, "nan", None),
        (RATE, "inf", None),
        (RATE, "", None),
        (Integer(1, 8), "8", "6.6..8"),
        (Integer(1, 8), "9", None),
    ],
)
def test_values_are_said_as_traits_are_called_or_as_numbers(
    range_: Range, text: str, value: str | None
) -> None:
    assert value_text(range_, text) == value


@pytest.mark.parametrize(
    "range_",
    [Real(0.001, 0.03, log=True), Real(0.0, 0.3), Integer(1, 64, log=True), Real(1.0, 1.0)],
)
def test_the_texts_of_a_range_are_those_of_its_values(range_: Range) -> None:
    rng = Random(1)
    drawn = {bin_text(range_, range_.sample(rng)) for _ in range(2000)}
    assert drawn == set(bin_texts(range_))
