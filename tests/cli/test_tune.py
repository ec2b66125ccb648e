"""``tune`` is a run of its own: told, stored, resumed and replayed like any other."""

from __future__ import annotations

import json

import pytest

from praxis_evolve.blocks.registry import installed
from praxis_evolve.cli.errors import Code
from praxis_evolve.genome.identity import architecture_id
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.tests.cli.calling import Cli, Tiny

HOW = ("--trials", "5", "--rungs", "256,512", "--workers", "1", "--device", "cpu", "--no-report")


def test_a_tuned_genome_stands_beside_the_original(cli: Cli, copied: Tiny) -> None:
    store = ("--store", copied.url)
    called = cli("tune", "llama", *store, *HOW, "--json", "--run", "tiny")
    assert called.code == Code.DONE
    end = json.loads(called.out.splitlines()[-1])
    name = end["run"]
    assert name.startswith("tune-")
    assert [each["baseline"] for each in end["comparisons"]] == ["original"]
    with Ledger.open(copied.url) as ledger:
        results = ledger.results(name)
        genomes = dict(ledger.genomes(name))
        assert list(ledger.problems(name)) == []
    assert len({architecture_id(genome, installed()) for genome in genomes.values()}) == 1
    assert len({r.genome for r in results if r.replica == 0 and r.rung == 256}) == 5
    finals = [r for r in results if r.replica > 0]
    assert sorted(r.replica for r in finals) == [1, 1, 2, 2, 3, 3]
    assert {r.seed for r in finals if r.genome == end["winner"]} == {
        r.seed for r in finals if r.genome != end["winner"]
    }
    best = genomes[end["winner"]].training
    assert end["training"]["learning_rate"]["winner"] == best.learning_rate
    assert cli("replay", name, *store).code == Code.DONE
    again = cli("run", "--resume", name, *store, "--no-report", "--quiet")
    assert again.code == Code.DONE
    assert "learning_rate" in again.out
    assert "the original's training genes" in again.out
    assert "original" in cli("winners", "--run", name, *store).out


@pytest.mark.parametrize(
    ("wrong", "code"),
    [(("g-zzz",), Code.NOT_FOUND), (("llama", "--rungs", "5k,2k"), Code.USAGE)],
)
def test_what_cannot_be_tuned(cli: Cli, tiny: Tiny, wrong: tuple[str, ...], code: Code) -> None:
    assert cli("tune", *wrong, "--store", tiny.url, "--device", "cpu").code == code
    assert len(cli("runs", "--store", tiny.url, "--json").json["runs"]) == 1


def test_a_text_that_is_gone_is_missed(cli: Cli, copied: Tiny) -> None:
    (copied.folder / "task.bin").unlink()
    called = cli("tune", "llama", "--store", copied.url, *HOW)
    assert called.code == Code.STORE
    assert "task.bin" in called.err
