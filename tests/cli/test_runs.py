"""Removing runs: nothing without a yes, nothing that is driven, nothing that is not ours."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from praxis_evolve.cli.errors import Code
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.lease import acquire, release
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.swarm.peer_key import PeerKey
from praxis_evolve.tests.cli.calling import Cli, Tiny
from praxis_evolve.tests.cli.claiming import claims
from praxis_evolve.tests.market.receiving import received


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


def test_nothing_that_a_node_kept_is_left(cli: Cli, copied: Tiny) -> None:
    for name in ("join.txt", "manifest.json", "peer.key", "peers.json", "port"):
        (copied.folder / name).write_text("1")
    called = cli("runs", "rm", "tiny", "--yes", "--store", copied.url)
    assert (called.code, "keeps" in called.out) == (Code.DONE, False)
    assert not copied.folder.exists()


@pytest.mark.skipif(os.name != "posix", reason="nodes need POSIX")
def test_a_run_that_a_node_shares_is_kept_for_it_would_come_back(cli: Cli, copied: Tiny) -> None:
    key = copied.folder / "peer.key"
    PeerKey.load_or_create(key)
    with PeerKey.held(key):
        called = cli("runs", "rm", "tiny", "--yes", "--store", copied.url)
        assert called.code == Code.STORE
        assert "end that process (a run, peer or relay) first" in called.err
        assert cli("status", "--store", copied.url).code == Code.DONE
    assert cli("runs", "rm", "tiny", "--yes", "--store", copied.url).code == Code.DONE


def test_the_best_of_a_run_is_no_claim_of_a_stranger(cli: Cli, copied: Tiny) -> None:
    (before,) = cli("runs", "--store", copied.url, "--json").json["runs"]
    with Ledger.open(copied.url) as ledger:
        (own,) = ledger.counts("tiny")
        lies = claims(ledger, Identity.new(), 0.5)
        received(ledger, "tiny", lies, own=own)
    (after,) = cli("runs", "--store", copied.url, "--json").json["runs"]
    assert after == before | {"results": before["results"] + len(lies)}
    assert before["best_search_bits_per_byte"] > 0.5


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
