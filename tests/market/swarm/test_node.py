"""Nodes are processes: they join, come back where they were, and end with their parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from praxis_evolve.benchmarks.chaos import RUN, Peer, chaos
from praxis_evolve.market.swarm.process import NodeError, NodeProcess, Settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="hivemind has no daemon there")


def until(holds: Callable[[], bool], most: float = 30.0) -> None:
    end = time.monotonic() + most
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def daemons() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if "p2pd" in p.name()]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Peer, Peer]]:
    with ExitStack() as stack:
        first = Peer(tmp_path / "first")
        stack.callback(first.node.close)
        stack.enter_context(first.ledger)
        addresses = first.node.wait_for("listening", 60.0)["addresses"]
        second = Peer(tmp_path / "second", join=addresses, digest=first.settings.digest)
        stack.callback(lambda: second.node.close())
        stack.enter_context(second.ledger)
        second.node.wait_for("joined", 60.0)
        yield first, second
    assert not daemons()


def test_a_peer_joins_and_both_hold_what_either_measures(two: tuple[Peer, Peer]) -> None:
    first, second = two
    first.publish(1)
    second.publish(2)
    until(lambda: len(second.ledger.records(RUN)) == 2 == len(first.ledger.records(RUN)))
    assert first.ledger.digest(RUN) == second.ledger.digest(RUN)
    assert {name for name, _ in second.ledger.genomes(RUN)} == {
        record.result.genome for record in first.ledger.records(RUN)
    }


def test_others_hear_what_a_peer_works_on_also_after_its_node_was_killed(
    two: tuple[Peer, Peer],
) -> None:
    first, second = two
    works = [["ab" * 32, 100, 0], ["cd" * 32, 300, -1]]
    seen = lambda: second.node.latest.get("flights", {}).get("others")  # noqa: E731
    first.node.tell("flights", works=works)
    until(lambda: seen() == {first.identity.author: works})
    pid = first.node.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: first.node.pid not in (None, pid))
    first.node.tell("flights", works=works[:1])
    until(lambda: seen() == {first.identity.author: works[:1]}, 60.0)
    with pytest.raises(ValueError, match="at most 4096"):
        first.node.tell("flights", works=works * 99)


def test_a_node_that_is_killed_comes_back_at_its_port(two: tuple[Peer, Peer]) -> None:
    first, second = two
    addresses, pid = second.node.latest["listening"]["addresses"], second.node.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    first.publish(1)
    until(lambda: second.node.pid not in (None, pid))
    until(lambda: len(second.ledger.records(RUN)) == 1, 60.0)
    assert second.node.latest["listening"]["addresses"] == addresses


def test_nobody_to_join_and_another_run_of_that_name_are_said(tmp_path: Path) -> None:
    founder = Peer(tmp_path / "founder")
    addresses = founder.node.wait_for("listening", 60.0)["addresses"]
    founder.node.close()
    (tmp_path / "late").mkdir()
    settings = replace(
        founder.settings, store=f"sqlite:///{tmp_path / 'late' / 'store.db'}",
        folder=str(tmp_path / "late" / "run"), join=tuple(addresses),
    )  # fmt: skip
    node = NodeProcess(settings)
    with pytest.raises(NodeError, match="no peer is known"):
        node.wait_for("joined", 60.0)
    node.close()
    other = NodeProcess(replace(founder.settings, digest="ab" * 32))
    with pytest.raises(NodeError, match="join by another name"):
        other.wait_for("status", 60.0)
    other.close()
    founder.ledger.close()
    assert not daemons()


def test_a_node_ends_when_its_parent_does(tmp_path: Path) -> None:
    founder = Peer(tmp_path / "founder")
    founder.node.close()
    founder.ledger.close()
    script = (
        "import sys, time\n"
        "from praxis_evolve.market.swarm.process import NodeProcess, Settings\n"
        "node = NodeProcess(Settings.from_json(sys.argv[1]))\n"
        "node.wait_for('listening', 60.0)\n"
        "print(node.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, founder.settings.to_json()],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    below = psutil.Process(pid).children(recursive=True)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not psutil.pid_exists(pid) and not any(p.is_running() for p in below))


def test_settings_are_read_as_they_were_written() -> None:
    settings = Settings(store="s", run="r", digest="d", folder="f", identity="i", join=("a", "b"))
    assert Settings.from_json(settings.to_json()) == settings
    assert json.loads(settings.to_json())["join"] == ["a", "b"]


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_while_nodes_are_killed(tmp_path: Path) -> None:
    found = chaos(6, seconds=40.0, every=3.0, seed=1, folder=tmp_path)
    assert found.kills >= 10
    assert found.acknowledged > 20
    assert found.lost == 0
    assert found.quiet < 60
    assert found.restarted < 120
    assert found.orphans == 0
