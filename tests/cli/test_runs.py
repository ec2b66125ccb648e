"""Removing runs: nothing without a yes, nothing that is driven, nothing that is not ours."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from praxis_evolve.cli.errors import Code
from praxis_evolve.market.lease import acquire, release
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.tests.cli.calling import Cli, Tiny


def test_a_run_is_removed_with_its_folder(cli: Cli, copied: Tiny) -> None:
    called = cli("runs", "rm", "tiny", "--yes", "--store", copied.url)
    assert (called.code, "removed" in called.out) == (Code.DONE, True)
    assert not copied.folder.exists()
    assert cli("runs", "--store", copied.url, "--json").json["runs"] == []
    assert cli("status", "--store", copied.url).code == Code.NOT_FOUND
    assert cli("runs", "rm", "tiny", "--yes", "--store", copied.url).code == Code.NOT_FOUND


def test_what_is_not_the_runs_is_kept(cli: Cli, copied: Tiny) -> None:
    (copied.folder / "thesis.txt").write_text("years of work")
    (copied.folder / "weights" / "mine.bin").write_text("too")
    called = cli("runs", "rm", "tiny", "--yes", "--store", copied.url)
    assert (called.code, "keeps" in called.out) == (Code.DONE, True)
    left = sorted(path.name for path in copied.folder.rglob("*") if path.is_file())
    assert left == ["mine.bin", "thesis.txt"]


def test_nobody_to_ask_is_no_yes(cli: Cli, copied: Tiny) -> None:
    called = cli("runs", "rm", "tiny", "--store", copied.url)
    assert called.code == Code.USAGE
    assert "--yes" in called.err
    assert copied.folder.exists()
    assert cli("status", "--store", copied.url).code == Code.DONE


def test_a_run_that_is_driven_is_kept(cli: Cli, copied: Tiny) -> None:
    with Ledger.open(copied.url) as ledger:
        lease = acquire(ledger.store, "tiny", now=time.time())
        called = cli("runs", "rm", "tiny", "--yes", "--store", copied.url)
        assert called.code == Code.STORE
        assert "driven by process" in called.err
        assert copied.folder.exists()
        release(ledger.store, lease)
    assert cli("runs", "rm", "tiny", "--yes", "--store", copied.url).code == Code.DONE


def test_a_run_whose_process_is_gone_is_interrupted(cli: Cli, copied: Tiny) -> None:
    with Ledger.open(copied.url) as ledger:
        ledger.set_state("tiny", "running")
        found = cli("status", "--store", copied.url, "--json").json
        assert found["state"] == "interrupted"
        assert found["next"] == "praxis-evolve run --resume tiny"
        lease = acquire(ledger.store, "tiny", now=time.time())
        found = cli("status", "--store", copied.url, "--json").json
        assert found["state"] == "running"
        release(ledger.store, lease)


def test_a_finished_run_resumed_only_shows_its_end(cli: Cli, copied: Tiny) -> None:
    called = cli("run", "--resume", "tiny", "--store", copied.url, "--quiet", "--no-report")
    assert called.code == Code.DONE
    assert "llama" in called.out
    called = cli("run", "--resume", "tiny", "--store", copied.url, "--seed", "2")
    assert called.code == Code.STORE
    assert "seed" in called.err


def test_a_name_that_is_taken(cli: Cli, copied: Tiny) -> None:
    how = ["--text", str(copied.text), "--size", "demo", "--device", "cpu", "--workers", "1"]
    called = cli("run", *how, "--store", copied.url, "--name", "tiny")
    assert called.code == Code.STORE
    assert "already" in called.err


@pytest.mark.slow
def test_a_run_without_any_valid_genome_exits_5(cli: Cli, tiny: Tiny, tmp_path: Path) -> None:
    called = cli(
        "run", "--text", str(tiny.text), "--size", "demo", "--population", "4", "--rungs", "512",
        "--workers", "1", "--device", "cpu", "--store", f"sqlite:///{tmp_path / 'new.db'}",
        "--memory-limit", "1k", "--quiet", "--no-report",
    )  # fmt: skip
    assert called.code == Code.NO_GENOME
    assert "no genome of the run is valid" in called.err
