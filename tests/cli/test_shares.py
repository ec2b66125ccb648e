"""``shares`` says what the results of a run say of its traits."""

from __future__ import annotations

import pytest

from praxis_evolve.blocks.registry import installed
from praxis_evolve.cli.errors import Code
from praxis_evolve.genome.traits import Trait, traits
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.tests.cli.calling import Cli, Tiny


def test_shares_count_the_genomes_that_have_a_trait(cli: Cli, tiny: Tiny) -> None:
    slots = cli("shares", "--store", tiny.url, "--json").json["slots"]
    with Ledger.open(tiny.url, create=False) as ledger:
        told = [r for r in ledger.results("tiny") if r.replica == 0 and r.ok]
        lowest = min(r.rung for r in told)  # the tuning of the baseline begins above it
        genomes = {r.genome: ledger.genome(r.genome) for r in told if r.rung == lowest}
    found = {name: traits(genome, installed()) for name, genome in genomes.items()}
    assert {"mixer", "feed-forward", "after embedding", "residual", "learning_rate"} <= set(slots)
    for slot, rows in slots.items():
        assert sum(row["share"] for row in rows) == pytest.approx(1.0)
        for row in rows:
            having = sum(Trait(slot, row["trait"]) in each for each in found.values())
            assert row["genomes"] == having > 0
            assert 0 < row["standing"] < 1


def test_the_table_shows_a_slot_that_is_asked_for(cli: Cli, tiny: Tiny) -> None:
    lines = cli("shares", "--store", tiny.url, "--slot", "after embedding").out.splitlines()
    assert lines[0].split() == ["slot", "trait", "genomes", "standing", "share"]
    rows = [line for line in lines[1:] if "%" in line and "±" in line]
    assert rows
    assert all(row.startswith("after embedding") for row in rows)
    assert len(cli("shares", "--store", tiny.url, "--all").out.splitlines()) > len(lines)


def test_an_unknown_slot_names_those_there_are(cli: Cli, tiny: Tiny) -> None:
    called = cli("shares", "--store", tiny.url, "--slot", "mixr")
    assert called.code == Code.NOT_FOUND
    assert "mixer" in called.err


def test_operators_are_shown_with_what_their_children_gain(cli: Cli, tiny: Tiny) -> None:
    operators = cli("shares", "--store", tiny.url, "--json").json["operators"]
    assert operators
    for row in operators.values():
        assert row["children"] > 0
        assert 0 <= row["gain"] <= 1
    shown = cli("shares", "--store", tiny.url).out
    assert all(name in shown for name in operators)
    assert "operator" not in cli("shares", "--store", tiny.url, "--slot", "mixer").out
