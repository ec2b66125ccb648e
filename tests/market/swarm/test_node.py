"""Nodes are processes: they join, come back where they were, and end with their parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from praxis_evolve.benchmarks.chaos import CATALOG, MANIFEST, RUN, SPACE, TASK, Peer, chaos
from praxis_evolve.evaluator import evaluate as module
from praxis_evolve.evaluator.evaluate import evaluate
from praxis_evolve.evaluator.job import Job, Setup, seed_of
from praxis_evolve.evaluator.pool import SerialPool
from praxis_evolve.evaluator.result import Result
from praxis_evolve.evaluator.task import save_task
from praxis_evolve.evaluator.train import train
from praxis_evolve.genome.graph import Genome, Training
from praxis_evolve.genome.identity import identify
from praxis_evolve.market import canonical
from praxis_evolve.market.fetching import fetching
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.islands import Islands
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.plan import Plan
from praxis_evolve.market.swarm.orders import Fetches
from praxis_evolve.market.swarm.process import NodeError, NodeProcess, Settings
from praxis_evolve.search.base import Asked, Assignment, Birth

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
    first.node.tell("flights", again=True, works=works)
    until(lambda: seen() == {first.identity.author: works})
    pid = first.node.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: first.node.pid not in (None, pid))
    assert first.node.tell("flights", again=True, works=works[:1])
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


class Islander:
    """A node that lives on an island of two, and its store."""

    def __init__(self, folder: Path, island: int, join: Sequence[str] = ()) -> None:
        folder.mkdir()
        of = replace(MANIFEST, islands=2)
        digest = canonical.digest(canonical.encode(of.to_dict()))
        several = (Identity.load_or_create(folder / f"key-{n}") for n in range(100))
        number, self.identity = next(
            (n, each)
            for n, each in enumerate(several)
            if Islands(digest, 2).of(each.author) == island
        )
        self.ledger = Ledger.open(f"sqlite:///{folder / 'store.db'}")
        if not join:
            self.ledger.create_run(RUN, of.to_dict())
            (folder / "run").mkdir()
            save_task(TASK, folder / "run" / "task.bin")
        settings = Settings(
            store=f"sqlite:///{folder / 'store.db'}", run=RUN, digest=digest,
            folder=str(folder / "run"), identity=str(folder / f"key-{number}"), join=tuple(join),
            period=0.3,
        )  # fmt: skip
        self.node = NodeProcess(settings)

    def close(self) -> None:
        self.node.close()
        self.ledger.close()

    def publish(self, number: int) -> None:
        genome = SPACE.sample(Random(number), f"{number}")
        name = identify(genome, CATALOG)
        result = Result(
            name.genome, name.architecture, 100, 0, seed_of(TASK.digest, 0), 2 + number / 97,
            costs=SPACE.costs(genome),
        )  # fmt: skip
        self.ledger.put_genome(RUN, genome)
        self.ledger.publish(RUN, self.identity, result)

    def own(self) -> set[str]:
        return self.best(1000)

    def best(self, most: int) -> set[str]:
        own = [r for r in self.ledger.records(RUN) if r.author == self.identity.author]
        own.sort(key=lambda record: record.result.bits_per_byte or 0.0)
        return {record.id for record in own[:most]}


@pytest.mark.slow
def test_nodes_of_two_islands_have_the_best_of_each_other(tmp_path: Path) -> None:
    """Nobody weighs here: each offers the best sixteen of its own."""
    with ExitStack() as stack:
        first = Islander(tmp_path / "first", 0)
        stack.callback(first.close)
        addresses = first.node.wait_for("listening", 60.0)["addresses"]
        for number in range(22):
            first.publish(number)
        second = Islander(tmp_path / "second", 1, join=addresses)
        stack.callback(second.close)
        second.node.wait_for("joined", 60.0)
        for number in range(22, 44):
            second.publish(number)
        for here, there in ((first, second), (second, first)):
            held = len(here.own()) + 16
            until(lambda here=here, held=held: len(here.ledger.ids(RUN)) == held, 120.0)
            assert here.ledger.ids(RUN) == here.own() | there.best(16)
        status = first.node.latest["status"]
        assert (status["held"], status["acknowledged"]) == (0, 0), "who lives elsewhere counts not"
        assert (status["peers"], status["beside"]) == (1, 0)
    assert not daemons()


class Home:
    """A machine with a node and an evaluator, in a run whose children inherit weights."""

    def __init__(self, folder: Path, join: Sequence[str] = ()) -> None:
        folder.mkdir()
        self.identity = Identity.load_or_create(folder / "identity")
        self.ledger = Ledger.open(f"sqlite:///{folder / 'store.db'}")
        if not join:
            self.ledger.create_run(RUN, HEIRS.to_dict())
            (folder / "run").mkdir()
            save_task(TASK, folder / "run" / "task.bin")
        (folder / "run" / "weights").mkdir(parents=True)
        self.setup = Setup(
            task=str(folder / "run" / "task.bin"), task_digest=TASK.digest,
            folder=str(folder / "run" / "weights"), rungs=HEIRS.rungs, context=HEIRS.context,
            batch=HEIRS.batch, search_windows=4, test_windows=4, inherit=True,
        )  # fmt: skip
        self.fetches = Fetches(lambda order: self.node.tell("fetch", **asdict(order)))
        settings = Settings(
            store=f"sqlite:///{folder / 'store.db'}", run=RUN,
            digest=canonical.digest(canonical.encode(HEIRS.to_dict())),
            folder=str(folder / "run"), identity=str(folder / "identity"), join=tuple(join),
            period=2.0,
        )  # fmt: skip
        self.node = NodeProcess(settings, watch=self.fetches.hear)

    def close(self) -> None:
        self.node.close()
        self.ledger.close()

    def trained(self, job: Job) -> Result:
        """Evaluate a job and publish its result."""
        result = evaluate(job, self.setup, CATALOG)
        self.ledger.put_genome(RUN, job.genome)
        self.ledger.publish(RUN, self.identity, result)
        return result

    def bred(self, child: Genome, parent: Genome) -> Job:
        """The job of a child that this machine asks for, who believes everybody."""
        self.ledger.append_weights(RUN, dict.fromkeys(self.ledger.records(RUN), 1.0))
        self.plan = Plan(HEIRS, CATALOG)
        self.plan.search.tell(list(self.ledger.events(RUN)))
        parents = (self.plan.identify(parent),)
        asked = Assignment(child, HEIRS.rungs[0], 0, Birth("r", "me", 0), "x", parents)
        self.plan.search.tell([Asked(asked)])
        return self.plan.job(asked)

    def evaluated(self, job: Job) -> Result:
        """What comes of a job where states are fetched."""
        pool = SerialPool[str](lambda job: evaluate(job, self.setup, CATALOG))
        several = fetching(pool, self.setup, self.plan, self.fetches)
        several.submit("child", job)
        end = time.monotonic() + 60
        while not (found := several.wait(0.5)):
            assert time.monotonic() < end
        ((_, result),) = found
        return result


HEIRS = replace(MANIFEST, inherit=True, rungs=(1280, 2560))


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[tuple[Home, Home]]:
    with ExitStack() as stack:
        first = Home(tmp_path / "first")
        stack.callback(first.close)
        addresses = first.node.wait_for("listening", 60.0)["addresses"]
        second = Home(tmp_path / "second", addresses)
        stack.callback(second.close)
        second.node.wait_for("joined", 60.0)
        yield first, second
    assert not daemons()


def test_a_child_inherits_from_a_line_that_was_trained_elsewhere(
    homes: tuple[Home, Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = homes
    oldest = SPACE.sample(Random(1), "1")
    rates = (0.004, 0.005, 0.006)
    parent, child, other = (replace(oldest, training=Training(learning_rate=r)) for r in rates)
    first.trained(Job(oldest, 1280))
    first.trained(Job(parent, 1280, line=(oldest,)))
    until(lambda: len(second.ledger.records(RUN)) == 2)
    steps = list[int]()

    def counted(*args: Any, **more: Any) -> Any:
        steps.append(more["schedule"].steps - (more["start"].step if more["start"] else 0))
        return train(*args, **more)

    monkeypatch.setattr(module, "train", counted)
    job = second.bred(child, parent)
    assert job.line == (oldest, parent)
    found = second.evaluated(job)
    assert steps == [1, 10]  # what was sent was proved, and nothing trained again
    wanted = evaluate(job, first.setup, CATALOG)
    assert found.bits_per_byte == pytest.approx(wanted.bits_per_byte, abs=1e-6)
    assert (found.inherited_tokens, found.parent) == (wanted.inherited_tokens, wanted.parent)
    assert found.inherited_tokens == 2 * 9 * 128
    # nobody has it any more: the line is trained, and all is the same
    for home in homes:
        for path in Path(home.setup.folder).iterdir():
            path.unlink()
    steps.clear()
    again = second.evaluated(second.bred(other, parent))
    assert steps == [10, 10, 10]
    assert again.inherited_tokens == found.inherited_tokens


def test_orders_to_a_node_that_is_gone_are_answered(homes: tuple[Home, Home]) -> None:
    _, second = homes
    pid = second.node.pid
    assert pid is not None
    name = "ab" * 32
    second.fetches.fetch(name, 9)
    until(lambda: second.fetches.fetched(name) is False)
    assert "there is no blob" in second.node.latest["missing"]["reason"]
    os.kill(pid, signal.SIGKILL)
    second.fetches.fetch(name, 9)
    until(lambda: second.fetches.fetched(name) is False, 60.0)
    second.node.close()
    assert not second.node.tell("anything")


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


def test_a_node_for_which_there_was_no_room_is_started_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("praxis_evolve.market.swarm.process.MODULE", "asyncio")  # until it ends
    monkeypatch.setattr("praxis_evolve.market.swarm.process.PATIENCE", (0.1, 0.1))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(tmp_path / "nothing"))
        settings = Settings(
            store="sqlite://", run="r", digest="0" * 64, folder=str(tmp_path), identity="none"
        )
        node = NodeProcess(settings)
        with pytest.raises(NodeError, match=r"it cannot be started: .*No such file"):
            node.wait_for("listening", 0.5)
        assert node.pid is None
    until(lambda: node.pid is not None)
    node.close()
    assert node.pid is None


def test_settings_are_read_as_they_were_written() -> None:
    settings = Settings(store="s", run="r", digest="d", folder="f", identity="i", join=("a", "b"))
    assert Settings.from_json(settings.to_json()) == settings
    assert json.loads(settings.to_json())["join"] == ["a", "b"]


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_while_nodes_are_killed(tmp_path: Path) -> None:
    found = chaos(12, seconds=60.0, every=3.0, seed=1, folder=tmp_path)
    assert found.kills >= 15
    assert found.acknowledged > 20
    assert found.lost == 0
    assert found.quiet < 60
    assert found.restarted < 120
    assert found.orphans == 0
