"""``run --history`` tries what a study tried, and believes nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from praxis_evolve.cli.errors import Code
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.search.base import Asked
from praxis_evolve.tests.cli.calling import Cli, Tiny


@pytest.fixture
def study(cli: Cli, tiny: Tiny, tmp_path: Path) -> str:
    """Return the URL of a study of the tiny run."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    assert cli("export", "tiny", "--store", tiny.url, "--to", "optuna", url).code == Code.DONE
    return url


def test_a_run_begins_with_the_best_of_a_study(
    cli: Cli, tiny: Tiny, study: str, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path / 'new.db'}"
    called = cli(
        "run", "--text", str(tiny.text), "--size", "demo", "--population", "4", "--rungs",
        "256,512", "--workers", "1", "--device", "cpu", "--store", store, "--name", "warm",
        "--quiet", "--no-report", "--history", f"optuna:{study}#tiny",
    )  # fmt: skip
    assert called.code == Code.DONE
    assert "2 genomes are tried first" in called.err
    with Ledger.open(store) as ledger:
        asked = [e.assignment for e in ledger.events("warm") if isinstance(e, Asked)]
        results = ledger.results("warm")
    imported = [a for a in asked if a.origin == "history"]
    assert len(imported) == 2
    assert {a.rung for a in imported} == {256}
    assert len(asked) == len(results)  # each was evaluated here
    assert cli("replay", "warm", "--store", store).code == Code.DONE
    refused = cli("run", "--resume", "warm", "--store", store, "--history", "optuna:x#y")
    assert refused.code == Code.STORE


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [
        ("neps:sqlite:///study.db#tiny", Code.USAGE, "optuna:URL#STUDY"),
        ("optuna:", Code.USAGE, "optuna:URL#STUDY"),
        ("optuna:sqlite:///none.db#tiny", Code.STORE, "no file"),
        ("optuna:sqlite:///study.db#tini", Code.STORE, "'tiny'"),
    ],
)
@pytest.mark.usefixtures("study")
def test_a_history_that_is_not_there(cli: Cli, source: str, code: Code, says: str) -> None:
    called = cli("run", "--size", "demo", "--device", "cpu", "--history", source, "--dry-run")
    assert called.code == code
    assert says in called.err
