"""``importances`` ranks the genes of a run, and warns where there is little to rank by."""

from __future__ import annotations

import pytest

from praxis_evolve.cli.errors import Code
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.tests.cli.calling import Cli, Tiny


def test_genes_of_training_and_stack_are_ranked(cli: Cli, tiny: Tiny) -> None:
    called = cli("importances", "tiny", "--store", tiny.url, "--json")
    assert called.code == Code.DONE
    assert "warning" in called.err
    found = called.json
    with Ledger.open(tiny.url, create=False) as ledger:
        results = [r for r in ledger.results("tiny") if r.replica == 0 and r.ok]
        born = {r.genome for r in results if r.rung == 512}
    assert found["genomes"] == len(born)
    genes = {each["gene"]: each for each in found["genes"]}
    assert genes["training.learning_rate"]["genomes"] == len(born)
    assert all(name.startswith(("training.", "stack.")) for name in genes)
    chances = [each["chance"] for each in found["genes"]]
    assert chances == sorted(chances)
    assert sum(each["importance"] for each in found["genes"]) == pytest.approx(1.0)
    more = cli("importances", "--run", "tiny", "--store", tiny.url, "--json", "--all").json
    assert {each["gene"] for each in more["genes"]} > set(genes) | {"visits"}


def test_the_table_says_how_many_and_how_sure(cli: Cli, tiny: Tiny) -> None:
    said = cli("importances", "--store", tiny.url).out
    assert said.split()[:4] == ["gene", "genomes", "importance", "chance"]
    assert "training.learning_rate" in said
    assert "no proof of a cause" in said
