"""What the command line makes of what a node says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, cast

import pytest
from rich.console import Console

from praxis_evolve.cli.drawn import drawn, line_of
from praxis_evolve.cli.errors import CliError, Code
from praxis_evolve.cli.node import Node, RunOf
from praxis_evolve.cli.progress import Status
from praxis_evolve.market.swarm.process import NodeError, NodeProcess
from praxis_evolve.tests.market.loop import MANIFEST

DIGEST = "0" * 64
ADDRESS = "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWQgF7oy9Y6mDVZxc9P5ueDyPedQgpiapS6j4ubKJ1AUBv"


@dataclass
class Process:
    """A process that said what a test says."""

    latest: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])

    told: list[str] = field(default_factory=list[str])

    def wait_for(self, event: str, timeout: float) -> Mapping[str, Any]:
        raise NodeError(f"no {event}")

    def tell(self, event: str, *, again: bool) -> bool:
        assert again
        self.told.append(event)
        return True


def node_that_said(folder: Path, **status: int) -> Node:
    node = Node(RunOf("sqlite://", "r", DIGEST, folder), "ab", (ADDRESS,), json=False, quiet=False)
    said = {"peers": 0, "records": 0, "own": 0, "acknowledged": 0} | status
    said = {"beside": said["peers"]} | said
    node.process = cast(
        "NodeProcess", Process({"status": said, "listening": {"addresses": [ADDRESS]}})
    )
    return node


def took(node: Node, own: int, *, given_up: bool = False) -> float:
    began = monotonic()
    node.settle(own, lambda: given_up)
    return monotonic() - began


def test_the_end_waits_for_others_only_where_they_lack_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("praxis_evolve.cli.node.SETTLING", 0.5)
    waiting = {"peers": 2, "records": 5, "own": 5, "held": 5, "acknowledged": 4}
    assert took(node_that_said(tmp_path, **waiting), 5) > 0.4
    assert took(node_that_said(tmp_path, **waiting | {"own": 4}), 5) > 0.4
    assert took(node_that_said(tmp_path, **waiting | {"peers": 1, "held": 4}), 5) > 0.4
    assert took(node_that_said(tmp_path, **waiting | {"peers": 1}), 5) < 0.2
    assert took(node_that_said(tmp_path, **waiting), 5, given_up=True) < 0.2
    assert took(node_that_said(tmp_path, **waiting | {"acknowledged": 5}), 5) < 0.2
    assert took(node_that_said(tmp_path, **waiting | {"peers": 0}), 5) < 0.2
    assert took(node_that_said(tmp_path, **waiting | {"beside": 0}), 5) < 0.2
    assert took(node_that_said(tmp_path, **waiting | {"beside": 1}), 5) < 0.2
    assert took(node_that_said(tmp_path, **waiting), 0) < 0.2


def test_at_the_end_no_record_is_held_back_any_more(tmp_path: Path) -> None:
    node = node_that_said(tmp_path, peers=0)
    node.settle(5, lambda: False)
    assert cast("Process", node.process).told == ["release"]


def test_what_others_hold_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node_that_said(tmp_path, peers=2, records=12, own=5, held=5, acknowledged=4).tell_end(5, 1.0)
    assert capsys.readouterr().out == (
        "shared  5 records of this machine, of which another holds 5 and two others 4; "
        "7 records of others; 2 others are here\n"
    )
    node_that_said(tmp_path).tell_end(5, 1.0)
    assert "nobody else is here" in capsys.readouterr().out
    node_that_said(tmp_path, peers=2, beside=0).tell_end(5, 1.0)
    assert "; 2 of other islands, and nobody else of this one" in capsys.readouterr().out
    node = node_that_said(tmp_path, peers=2, records=12, own=5)
    node.json = True
    node.tell_end(5, 1.0)
    assert json.loads(capsys.readouterr().out) == {
        "schema": "praxis-evolve/run/1", "t": 1.0, "event": "shared", "records": 5,
        "held": 0, "acknowledged": 0, "peers": 2, "foreign": 7,
    }  # fmt: skip


def test_the_line_is_printed_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = node_that_said(tmp_path)
    node.tell_line()
    said = capsys.readouterr().out
    assert said == f"join      praxis-evolve peer --join {ADDRESS}#{DIGEST}\n"
    assert said.endswith((tmp_path / "join.txt").read_text())
    node.json = True
    node.tell_line()
    assert json.loads(capsys.readouterr().out)["join"] == f"{ADDRESS}#{DIGEST}"


def test_a_failure_of_a_node_that_was_up_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = node_that_said(tmp_path)
    node.hear({"event": "failed", "reason": "no disk"})
    assert capsys.readouterr().err == ""
    node.silent = False
    node.hear({"event": "failed", "reason": "no disk"})
    assert "no disk; it is started again" in capsys.readouterr().err


def test_a_node_that_keeps_dying_says_nothing_of_others(tmp_path: Path) -> None:
    node = node_that_said(tmp_path)
    node.hear({"event": "listening", "peer": "p", "addresses": []})
    node.hear({"event": "failed", "reason": "no disk"})
    assert node.heard == 0.0
    node.hear({"event": "flights", "others": {}})
    assert node.heard > 0.0


def test_who_is_not_reached_is_named(tmp_path: Path) -> None:
    with pytest.raises(CliError) as caught:
        node_that_said(tmp_path).wait_for("joined", 0.0)
    assert caught.value.code == Code.UNREACHABLE
    assert ADDRESS in caught.value.what
    assert caught.value.why == "no joined"


def test_progress_has_peers_and_records_of_others(tmp_path: Path) -> None:
    status = Status(MANIFEST)
    assert "peers" not in line_of(status, 0)
    status.node = node_that_said(tmp_path, peers=2, records=12, own=5)
    assert "peers=2 foreign=7" in line_of(status, 0)
    console = Console(width=100)
    with console.capture() as shown:
        console.print(drawn(status, 0))
    assert "peers 2, records 7" in shown.get()
