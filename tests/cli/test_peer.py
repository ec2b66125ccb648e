"""Real processes on this machine: they join, share what they find, go on alone, and leave."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any, cast

import psutil
import pytest

from praxis_evolve.cli.errors import CliError, Code
from praxis_evolve.cli.node import Node
from praxis_evolve.cli.peer import WAITS, entered
from praxis_evolve.cli.places import name_for
from praxis_evolve.cli.session import How
from praxis_evolve.market.identity_key import Identity, default_path
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.search.base import Finished, Grown
from praxis_evolve.tests.cli.calling import Cli, Tiny
from praxis_evolve.tests.cli.claiming import claims
from praxis_evolve.tests.market.receiving import received

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the daemon needs POSIX")

LIMIT = 90.0
"""Seconds after which a call counts as hung."""

NOBODY = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWQgF7oy9Y6mDVZxc9P5ueDyPedQgpiapS6j4ubKJ1AUBv"


@dataclass
class Machine:
    """A folder with a store, an identity and the calls of the command line that ran there."""

    folder: Path
    database: str = "store.db"
    calls: list[subprocess.Popen[str]] = field(default_factory=list[subprocess.Popen[str]])
    seen: list[psutil.Process] = field(default_factory=list[psutil.Process])
    names: set[str] = field(default_factory=set[str])
    errors: list[str] = field(default_factory=list[str])

    @property
    def store(self) -> str:
        return f"sqlite:///{self.folder / self.database}"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a call, which has a session of its own."""
        environment = dict(os.environ) | {
            "PRAXIS_IDENTITY": str(self.folder / "identity"), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        call = subprocess.Popen(
            [sys.executable, "-m", "praxis_evolve", *arguments, "--store", self.store, "--json"],
            cwd=self.folder, env=environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.calls.append(call)
        return call

    def run(self, population: int = 4) -> subprocess.Popen[str]:
        words = random.Random(1).choices(
            ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog"], k=5000
        )
        (self.folder / "words.txt").write_text(" ".join(words))
        return self.start(
            "run", "--listen", "--name", "r", "--text", "words.txt", "--size", "demo",
            "--population", str(population), "--rungs", "512,1k", "--device", "cpu",
            "--workers", "1", "--no-report",
        )  # fmt: skip

    def peer(self, line: str) -> subprocess.Popen[str]:
        return self.start(
            "peer", "--join", line, "--name", "r", "--device", "cpu", "--workers", "1",
            "--no-report",
        )  # fmt: skip

    def until(self, call: subprocess.Popen[str], event: str) -> dict[str, Any]:
        """Return the next line of a call about *event*."""
        assert call.stdout is not None
        for line in call.stdout:
            if f'"{event}"' in line:
                below = psutil.Process(call.pid).children(recursive=True)
                self.seen += below
                self.names.update(one.name() for one in below)
                return json.loads(line)
        assert call.stderr is not None
        raise AssertionError(f"it ended before {event}: {call.stderr.read()}")

    def ended(self, call: subprocess.Popen[str]) -> tuple[int, list[dict[str, Any]]]:
        """Wait for the end of a call; its exit code and the rest of what it said."""
        assert call.stdout is not None
        assert call.stderr is not None
        # communicate would pass over what ``until`` has read ahead
        with ThreadPoolExecutor(2) as pool:
            said, errors = pool.submit(call.stdout.read), pool.submit(call.stderr.read)
            try:
                call.wait(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                call.kill()
                raise
        call.stdout.close()
        call.stderr.close()
        assert "Traceback" not in errors.result()
        self.errors.append(errors.result())
        return call.returncode, [json.loads(line) for line in said.result().splitlines()]

    def stop(self, call: subprocess.Popen[str], number: int = signal.SIGINT) -> int:
        call.send_signal(number)
        return self.ended(call)[0]

    def records(self) -> dict[str, int]:
        with Ledger.open(self.store, create=False) as ledger:
            assert list(ledger.problems("r")) == []
            return ledger.counts("r")

    def digest(self) -> str:
        with Ledger.open(self.store, create=False) as ledger:
            return ledger.digest("r")

    def assert_nobody_left(self) -> None:
        """All processes that were seen below the calls are gone: workers, nodes, daemons."""
        assert any("p2pd" in name for name in self.names)
        _, alive = psutil.wait_procs(self.seen, timeout=20)
        assert alive == []


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Sequence[Machine]]:
    several = [Machine(tmp_path / name) for name in ("one", "two")]
    for machine in several:
        machine.folder.mkdir()
    yield several
    for machine in several:
        for call in machine.calls:
            if call.poll() is None:
                call.kill()
            call.communicate(timeout=LIMIT)
        psutil.wait_procs(machine.seen, timeout=20)


def wait_until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    end, pause = monotonic() + seconds, Event()
    while not true():
        assert monotonic() < end
        pause.wait(0.1)


def assert_no_node_is_left() -> None:
    """This process has no node and no daemon below it."""
    lines = [" ".join(each.cmdline()) for each in psutil.Process().children(recursive=True)]
    assert [line for line in lines if "p2pd" in line or "swarm.node" in line] == []


def test_two_machines_share_a_run(machines: Sequence[Machine]) -> None:
    one, two = machines
    first = one.run()
    listening = one.until(first, "listening")
    file = one.folder / "r" / "join.txt"
    assert file.read_text() == f"praxis-evolve peer --join {listening['join']}\n"
    second = two.peer(f"@{file}")
    joined = two.until(second, "joined")
    assert joined["digest"] == listening["digest"]
    assert (joined["peers"], joined["run"]) == (1, "r")
    proven = two.until(second, "able")
    assert proven["deviation"] < proven["tolerance"]
    assert proven["fitting"] == dict.fromkeys(["512", "1000"], proven["starters"])
    one.until(first, "result")
    two.until(second, "result")
    for machine, call in ((one, first), (two, second)):
        code, said = machine.ended(call)
        assert code == 0
        shared = next(each for each in said if each["event"] == "shared")
        assert said[-1]["event"] == "end"
        assert shared["records"] > 0
        machine.assert_nobody_left()
    mine, theirs = one.records(), two.records()
    assert joined["author"] in theirs
    assert set(mine) - {joined["author"]} <= set(theirs)

    relay = one.start("relay", "--join", "r", "--listen")
    again = one.until(relay, "listening")
    assert again["join"] == listening["join"]  # the port is free still
    other = two.start("relay", "--join", "r")
    one.until(relay, "joined")
    two.until(other, "joined")
    wait_until(lambda: one.digest() == two.digest())
    assert set(one.records()) == set(two.records()) >= {joined["author"]}
    assert one.stop(relay) == Code.INTERRUPTED
    assert two.stop(other, signal.SIGTERM) == Code.TERMINATED
    one.assert_nobody_left()
    two.assert_nobody_left()


@pytest.mark.slow
def test_a_peer_goes_on_alone_when_the_first_is_killed(machines: Sequence[Machine]) -> None:
    one, two = machines
    first = one.run(population=8)
    line = one.until(first, "listening")["join"]
    second = two.peer(line)
    two.until(second, "joined")
    one.until(first, "result")
    first.kill()
    first.communicate(timeout=LIMIT)
    one.assert_nobody_left()
    two.until(second, "result")
    code, said = two.ended(second)
    assert (code, said[-1]["event"]) == (0, "end")
    two.assert_nobody_left()
    known = one.records()
    third = one.start("run", "--resume", "r", "--listen", "--workers", "1", "--no-report")
    assert one.until(third, "listening")["join"] == line
    one.until(third, "result")
    assert one.stop(third) == Code.INTERRUPTED
    one.assert_nobody_left()
    assert all(one.records()[author] >= count for author, count in known.items())


@pytest.mark.slow
def test_an_interrupted_peer_leaves_and_comes_back(
    machines: Sequence[Machine], copied: Tiny
) -> None:
    one, two = Machine(copied.folder.parent, "test.db"), machines[1]
    first = one.start("relay", "--join", "tiny", "--listen", "127.0.0.1:0")
    line = one.until(first, "listening")["join"]
    second = two.peer(line)
    assert two.until(second, "joined")["peers"] == 1
    two.until(second, "start")
    assert two.stop(second) == Code.INTERRUPTED
    two.assert_nobody_left()
    with Ledger.open(copied.url) as ledger:
        assert two.records().items() >= ledger.counts("tiny").items()
    assert "continue: praxis-evolve peer --join r\n" in two.errors[-1]
    third = two.peer("r")  # its node remembers the others
    assert two.until(third, "joined")["peers"] == 1
    two.until(third, "start")
    assert two.stop(third, signal.SIGTERM) == Code.TERMINATED
    assert one.stop(first) == Code.INTERRUPTED
    one.assert_nobody_left()
    two.assert_nobody_left()


def test_a_relay_weighs_what_came_by_the_results_of_its_owner(cli: Cli, copied: Tiny) -> None:
    one = Machine(copied.folder.parent, "test.db")
    shutil.copy(default_path(), one.folder / "identity")
    with Ledger.open(copied.url) as ledger:
        (own,) = ledger.counts("tiny")
        lies = claims(ledger, Identity.new(), 0.5)
        received(ledger, "tiny", lies, own=own)
    relay = one.start("relay", "--join", "tiny", "--json")
    one.until(relay, "joined")
    with Ledger.open(copied.url) as ledger:

        def counting() -> set[float]:
            told = ledger.told("tiny")
            last = {r.id: e.weight for e, r in told if r is not None and isinstance(e, Finished)}
            return {last[each.id] for each in lies}

        wait_until(lambda: counting() == {0.0})
        assert one.stop(relay) == Code.INTERRUPTED
        one.assert_nobody_left()
        assert ledger.run("tiny").state == "finished"
    assert cli("replay", "tiny", "--store", copied.url).code == Code.DONE


def test_a_bad_line_or_name_is_refused(cli: Cli, tiny: Tiny) -> None:
    called = cli("peer", "--join", f"{NOBODY}#12", "--store", tiny.url)
    assert called.code == Code.USAGE
    assert "64 hex digits, not '12'" in called.err
    called = cli("relay", "--join", "tyni", "--store", tiny.url)
    assert called.code == Code.NOT_FOUND
    assert "tiny" in called.err
    assert cli("peer", "--store", tiny.url).code == Code.USAGE


def test_a_run_of_another_digest_under_the_name_is_refused(cli: Cli, tiny: Tiny) -> None:
    line = f"{NOBODY}#{'0' * 64}"
    called = cli("peer", "--join", line, "--name", "tiny", "--store", tiny.url)
    assert called.code == Code.STORE
    assert "another run 'tiny'" in called.err
    assert "--name NAME" in called.err


def test_a_run_of_other_blocks_is_refused(cli: Cli, copied: Tiny) -> None:
    with Ledger.open(copied.url) as ledger:
        manifest: dict[str, Any] = ledger.manifest("tiny")
        sources = dict.fromkeys(manifest["sources"], "9/ab")
        ledger.create_run("older", manifest | {"sources": sources})
        ledger.create_run("wider", manifest | {"blocks": [*manifest["blocks"], "teleport"]})
    for name, why in (("older", "another one than the run"), ("wider", "['teleport']")):
        called = cli("peer", "--join", name, "--store", copied.url)
        assert called.code == Code.STORE
        assert why in called.err


def test_a_run_that_blocks_joined_later_is_not_shared(cli: Cli, copied: Tiny) -> None:
    with Ledger.open(copied.url) as ledger:
        manifest: dict[str, Any] = ledger.manifest("tiny")
        *blocks, last = manifest["blocks"]
        sources = dict(manifest["sources"])
        joined = {last: sources.pop(last)}
        ledger.create_run("grown", manifest | {"blocks": blocks, "sources": sources})
        ledger.note("grown", Grown(tuple(joined.items())))
    (copied.folder.parent / "grown").mkdir()
    called = cli("run", "--resume", "grown", "--listen", "--store", copied.url)
    assert called.code == Code.STORE
    assert "cannot be shared with others" in called.err
    assert last in called.err


def test_nobody_at_the_addresses_is_said_soon(cli: Cli, tmp_path: Path) -> None:
    began = monotonic()
    called = cli("peer", "--join", f"{NOBODY}#{'0' * 64}", "--store", f"sqlite:///{tmp_path}/s.db")
    assert called.code == Code.UNREACHABLE
    assert NOBODY in called.err
    assert len(called.err.splitlines()) == 3
    assert monotonic() - began < 30
    assert_no_node_is_left()


def tried(code: Code, failures: int, *, fleet: bool) -> tuple[list[float], str]:
    """Join where the first tries fail; the waits between, and how it ended."""
    waits, left = list[float](), iter([True] * failures)
    node = cast("Node", object())

    @contextmanager
    def join() -> Generator[Node]:
        if next(left, False):
            raise CliError("nobody there", code=code)
        yield node

    how = How(json=True, quiet=False, report=False, fleet=fleet)
    with ExitStack() as stack:
        try:
            return waits, "in" if entered(stack, join, how, waits.append) is node else "?"
        except CliError as error:
            return waits, error.what


def test_a_fleet_joins_again_and_again_where_nobody_is_reached(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tried(Code.UNREACHABLE, 3, fleet=True) == ([5.0, 10.0, 20.0], "in")
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["event"], each["seconds"]) for each in said] == [
        ("waiting", 5.0), ("waiting", 10.0), ("waiting", 20.0),
    ]  # fmt: skip
    assert said[0]["reason"] == "nobody there"
    assert tried(Code.UNREACHABLE, 99, fleet=True) == (list(WAITS), "nobody there")


def test_what_waiting_does_not_help_and_who_is_no_fleet_fails_at_once() -> None:
    assert tried(Code.STORE, 1, fleet=True) == ([], "nobody there")
    assert tried(Code.UNREACHABLE, 1, fleet=False) == ([], "nobody there")
    assert tried(Code.UNREACHABLE, 0, fleet=False) == ([], "in")


def test_the_waits_of_a_fleet_grow_to_a_bound() -> None:
    assert all(before <= after for before, after in pairwise(WAITS))
    assert (WAITS[0], WAITS[-1]) == (5.0, 300.0)


def test_a_place_where_nothing_can_listen_is_refused(
    cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("praxis_evolve.cli.node.FREEING", 0.3)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        called = cli("run", "--resume", "tiny", "--listen", place, "--store", tiny.url)
    assert called.code == Code.UNREACHABLE
    assert f"nothing can listen at {place}" in called.err
    assert cli("run", "--listen", "here").code == Code.USAGE


def test_everybody_calls_a_run_the_same_unless_the_name_is_taken() -> None:
    digest = "32c40e2517e3" + "0" * 52
    assert name_for(digest, ()) == name_for(digest, ("other",))
    assert name_for(digest, (name_for(digest, ()),)) != name_for(digest, ())
