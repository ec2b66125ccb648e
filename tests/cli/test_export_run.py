"""``export --to optuna`` writes all that a run tried, and nothing that it did not."""

from __future__ import annotations

from pathlib import Path

import optuna
from optuna.trial import TrialState

from praxis_evolve.blocks.registry import installed
from praxis_evolve.cli.errors import Code
from praxis_evolve.genome.identity import genome_id
from praxis_evolve.genome.text import from_json
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.tests.cli.calling import Cli, Tiny


def test_a_run_is_a_study(cli: Cli, tiny: Tiny, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    called = cli("export", "tiny", "--store", tiny.url, "--to", "optuna", url)
    assert called.code == Code.DONE
    assert f"optuna-dashboard {url}" in called.out
    study = optuna.load_study(study_name="tiny", storage=url)
    assert study.metric_names == ["bits_per_byte", "flops"]
    with Ledger.open(tiny.url, create=False) as ledger:
        results = [r for r in ledger.results("tiny") if r.replica == 0]
        costs = {r.genome: r.costs for r in results}
    trials = {t.user_attrs["genome"]: t for t in study.get_trials()}
    assert set(trials) == {r.genome for r in results}
    for name, trial in trials.items():
        reached = {r.rung: r.bits_per_byte for r in results if r.genome == name and r.ok}
        assert trial.intermediate_values == reached
        assert (trial.state == TrialState.COMPLETE) == (1000 in reached)
        genome = from_json(trial.user_attrs["genome_json"], installed())
        assert genome_id(genome, installed()) == name
        assert trial.params["training.learning_rate"] == genome.training.learning_rate
        assert trial.params["visits"] == len(genome.live_visits())
        found = costs[name]
        if trial.state == TrialState.COMPLETE:
            assert found is not None
            assert trial.values == [reached[1000], found.flops]
    births = [t.user_attrs["birth"] for t in study.get_trials()]
    assert births == sorted(births)


def test_a_study_that_is_there_is_not_overwritten(cli: Cli, tiny: Tiny, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    optuna.create_study(study_name="tiny", storage=url)
    called = cli("export", "--store", tiny.url, "--to", "optuna", url)
    assert called.code == Code.STORE
    assert "already" in called.err
    assert optuna.load_study(study_name="tiny", storage=url).trials == []


def test_what_cannot_be_meant_is_refused(cli: Cli, tiny: Tiny, tmp_path: Path) -> None:
    store = ("--store", tiny.url)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    assert "neps" in cli("export", *store, "--to", "neps", url).err
    called = cli("export", *store, "--to", "optuna", url, "--out", str(tmp_path / "x"))
    assert called.code == Code.USAGE
    assert cli("export", *store).code == Code.USAGE
    assert cli("export", *store, "llama").code == Code.USAGE
    assert cli("export", "tini", *store, "--to", "optuna", url).code == Code.NOT_FOUND
    assert not (tmp_path / "study.db").exists()
