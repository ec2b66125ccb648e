"""Another shell tells a run what to do, and is told where nobody listens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pytest

from praxis_evolve.cli.channel import Channel, Order, taken
from praxis_evolve.cli.errors import Code
from praxis_evolve.evaluator.worker import SUSPENDS
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.tests.cli.calling import Cli, Tiny


@contextmanager
def at_work(folder: Path) -> Generator[list[Order]]:
    """Take the orders for a run as the process that works on it would."""
    heard, ended = list[Order](), threading.Event()
    channel = Channel(folder)
    channel.tell(None)

    def listen() -> None:
        while not ended.wait(0.01):
            heard.extend(channel.orders())

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield heard
    finally:
        ended.set()
        thread.join()
        channel.close()


@pytest.mark.parametrize("word", ["pause", "resume", "finish", "stop"])
def test_the_run_at_work_is_told(cli: Cli, copied: Tiny, word: str) -> None:
    with at_work(copied.folder) as heard:
        called = cli("control", word, "--store", copied.url)
        assert called.out == f"run tiny (process {os.getpid()}) was told to {word}\n"
        called = cli("control", word, "tiny", "--store", copied.url, "--json")
    assert called.json == {
        "schema": "praxis-evolve/control/1", "run": "tiny", "order": word, "pid": os.getpid(),
    }  # fmt: skip
    assert heard == [Order(word)] * 2


def test_where_nobody_works_nobody_is_told(cli: Cli, copied: Tiny) -> None:
    called = cli("control", "pause", "--store", copied.url)
    assert (called.code, "no run of the store is at work" in called.err) == (Code.NOT_FOUND, True)
    called = cli("control", "pause", "tiny", "--store", copied.url)
    assert called.code == Code.NOT_FOUND
    assert "'tiny' is not at work" in called.err
    called = cli("control", "stop", "tyni", "--store", copied.url)
    assert (called.code, "tiny" in called.err) == (Code.NOT_FOUND, True)
    assert cli("control", "explode").code == Code.USAGE


def test_of_several_runs_one_must_be_named(cli: Cli, copied: Tiny) -> None:
    with Ledger.open(copied.url) as ledger:
        ledger.create_run("other", ledger.manifest("tiny") | {"seed": 99})
    other = copied.folder.parent / "other"
    other.mkdir()
    with at_work(copied.folder) as tiny, at_work(other) as heard:
        called = cli("control", "pause", "--store", copied.url)
        assert called.code == Code.USAGE
        assert "2 runs are at work: tiny, other" in called.err
        assert cli("control", "pause", "other", "--store", copied.url).code == 0
    assert (tiny, heard) == ([], [Order.PAUSE])


def test_an_order_that_is_not_taken_is_withdrawn(
    cli: Cli, copied: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("praxis_evolve.cli.control.PATIENCE", 0.2)
    channel = Channel(copied.folder)
    channel.tell(None)
    called = cli("control", "pause", "--store", copied.url)
    assert called.code == Code.UNREACHABLE
    assert f"process {os.getpid()}" in called.err
    assert taken(copied.folder)


class Call:
    """A run of the command line in a process of its own; what it says is read line by line."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.store = f"sqlite:///{folder / 'store.db'}"
        self.folder = folder
        (folder / "words.txt").write_text("the quick brown fox jumps over a lazy dog " * 2000)
        environment = dict(os.environ) | {
            "PRAXIS_IDENTITY": str(folder / "identity"), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "praxis_evolve", "run", "--name", "k", "--text", "words.txt",
                "--size", "demo", "--population", "4", "--device", "cpu", "--workers", "1",
                "--no-report", "--json", "--store", self.store, *more,
            ],
            cwd=folder, env=environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def until(self, event: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if json.loads(line)["event"] == event:
                return json.loads(line)
        assert self.process.stderr is not None
        raise AssertionError(f"it ended before {event}: {self.process.stderr.read()}")

    def ended(self) -> tuple[int, list[dict[str, Any]], str]:
        said, errors = self.process.communicate(timeout=120)
        assert "Traceback" not in errors
        return self.process.returncode, [json.loads(line) for line in said.splitlines()], errors

    def workers(self) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]

    def results(self) -> int:
        with Ledger.open(self.store, create=False) as ledger:
            assert list(ledger.problems("k")) == []
            return len(ledger.results("k"))


@pytest.fixture
def calls(tmp_path: Path) -> Iterator[Callable[..., Call]]:
    made = list[Call]()

    def call(*more: str) -> Call:
        made.append(Call(tmp_path, *more))
        return made[-1]

    yield call
    for each in made:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate(timeout=60)


def wait_until(true: Callable[[], bool]) -> None:
    end, pause = monotonic() + 60, threading.Event()
    while not true():
        assert monotonic() < end
        pause.wait(0.05)


@pytest.mark.slow
@pytest.mark.skipif(not SUSPENDS, reason="workers are held still on Linux alone")
def test_a_real_run_is_paused_and_goes_on_and_finishes(
    cli: Cli, calls: Callable[..., Call]
) -> None:
    call = calls("--rungs", "2k,4k")
    assert call.until("start")["limits"]["on_battery"] is True
    call.until("result")
    assert cli("control", "pause", "--store", call.store).code == 0
    assert call.until("paused")["by"] == "owner"
    wait_until(lambda: [w.status() for w in call.workers()] == [psutil.STATUS_STOPPED])
    shown = cli("status", "--store", call.store)
    assert "running but paused: its owner said so; until resume" in shown.out
    assert cli("status", "--store", call.store, "--json").json["paused"]["by"] == "owner"
    known = call.results()
    assert cli("control", "resume", "k", "--store", call.store).code == 0
    call.until("resumed")
    call.until("result")
    assert call.results() > known
    assert cli("control", "finish", "--store", call.store).code == 0
    code, said, _ = call.ended()
    assert (code, said[-1]["event"], said[-1]["finished"]) == (0, "end", False)
    assert {each["event"] for each in said} >= {"told"}
    assert cli("control", "stop", "--store", call.store).code == Code.NOT_FOUND
    assert cli("status", "--store", call.store, "--json").json["paused"] is None


@pytest.mark.slow
def test_a_run_outside_of_its_hours_waits_and_can_be_ended(
    cli: Cli, calls: Callable[..., Call]
) -> None:
    begin = datetime.now() + timedelta(hours=6)
    call = calls("--rungs", "2k", "--hours", f"{begin:%H:%M}-{begin + timedelta(hours=1):%H:%M}")
    paused = call.until("paused")
    assert (paused["by"], paused["until"]) == ("hours", f"{begin:%H:%M}")
    assert cli("control", "resume", "--store", call.store).code == 0
    assert cli("control", "finish", "--store", call.store).code == 0
    code, _, _ = call.ended()
    assert (code, call.results()) == (0, 0)


@pytest.mark.slow
def test_a_run_that_keeps_too_much_ends_and_says_so(calls: Callable[..., Call]) -> None:
    call = calls("--rungs", "2k", "--disk", "1k")
    code, said, errors = call.ended()
    assert code == Code.STORE
    assert "above --disk 1 kB" in errors
    assert "--disk" in errors.splitlines()[-1]
    assert said[-1]["event"] == "end"


@pytest.mark.slow
def test_once_is_one_evaluation(calls: Callable[..., Call]) -> None:
    call = calls("--rungs", "2k", "--once")
    code, said, _ = call.ended()
    assert (code, call.results()) == (0, 1)
    assert [each["event"] for each in said].count("result") == 1


@pytest.mark.slow
def test_a_fleet_says_that_nothing_is_left(cli: Cli, copied: Tiny) -> None:
    called = cli(
        "run", "--resume", "tiny", "--store", copied.url, "--fleet", "--no-report", "--workers", "1"
    )
    assert called.code == Code.NOTHING_LEFT
    assert all(json.loads(line) for line in called.out.splitlines())


def test_a_dry_run_of_a_fleet_is_json(cli: Cli, copied: Tiny) -> None:
    called = cli(
        "run", "--dry-run", "--fleet", "--device", "cpu", "--size", "demo",
        "--text", str(copied.text),
    )  # fmt: skip
    assert called.code == Code.DONE
    assert called.json["schema"] == "praxis-evolve/dry-run/1"


def test_only_a_peer_of_a_fleet_joins_again(cli: Cli) -> None:
    run, peer = (
        " ".join(cli(name, "--help").out.replace("│", " ").split()) for name in ("run", "peer")
    )
    assert "joins again and again" in peer
    assert "joins again and again" not in run


def test_an_error_of_a_fleet_is_an_event_too(cli: Cli, copied: Tiny) -> None:
    called = cli("run", "--resume", "tyni", "--store", copied.url, "--fleet")
    assert called.code == Code.NOT_FOUND
    said = json.loads(called.out)
    assert (said["event"], said["code"]) == ("failed", Code.NOT_FOUND)
    assert said["error"] in called.err
