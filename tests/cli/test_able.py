"""What a machine proves before it works in a run of several, and what does not fit it."""

from __future__ import annotations

import json
import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
import torch

from praxis_evolve.blocks.registry import installed
from praxis_evolve.cli import resources
from praxis_evolve.cli.able import Fit, Machine, able
from praxis_evolve.cli.errors import CliError, Code
from praxis_evolve.cli.launch import launch
from praxis_evolve.cli.session import How
from praxis_evolve.cli.settings import layered
from praxis_evolve.evaluator.golden import TOLERANCE
from praxis_evolve.evaluator.preset import PRESETS
from praxis_evolve.evaluator.proof import Proof, proof
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.plan import Plan
from praxis_evolve.market.swarm.orders import Fetches
from praxis_evolve.search.base import Able, Asked
from praxis_evolve.tests.cli.calling import Cli, Tiny
from praxis_evolve.tests.cli.conftest import WORDS
from praxis_evolve.tests.evaluator.golden_jobs import BROKEN

GIB = 1 << 30
SOUND = Proof(
    1e-7, "", held_bytes=300 << 20, peak_bytes=320 << 20, tokens_per_second=1000.0,
    operations_per_second=1e9,
)  # fmt: skip
CPU = Machine("cpu", 1, GIB)
TALKING, JSON = (
    How(json=False, quiet=False, report=False),
    How(json=True, quiet=False, report=False),
)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "words.txt"
    path.write_text(" ".join(Random(1).choices(WORDS, k=4000)))
    return path


@pytest.fixture(scope="module")
def plan(text: Path) -> Plan:
    flags = {
        "text": str(text), "size": "demo", "population": 4, "rungs": "512,1k", "device": "cpu",
    }  # fmt: skip
    return Plan(launch(layered(flags).settings, installed()).manifest, installed())


class Proving:
    """Takes the place of workers: answers what it is told to, and counts."""

    def __init__(self, found: Proof = SOUND) -> None:
        self.found = found
        self.calls = 0
        self.gpus = list[object]()

    def __call__(self, *arguments: object, gpu: int, **others: object) -> Proof:
        self.calls += 1
        self.gpus.append(gpu)
        return self.found


@pytest.fixture
def proving(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Proving:
    found = Proving()
    monkeypatch.setattr("praxis_evolve.cli.able.proof", found)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    return found


def test_a_machine_is_proven_once_for_each_shape_of_a_run(plan: Plan, proving: Proving) -> None:
    first = able(plan, CPU, TALKING)
    assert able(plan, CPU, TALKING) == first
    assert proving.calls == 1
    able(plan, replace(CPU, limit_bytes=2 * GIB), TALKING)
    wide = Plan(replace(plan.manifest, batch=8), plan.catalog)
    able(wide, CPU, TALKING)
    assert proving.calls == 3


def test_the_first_gpu_that_was_chosen_is_proven_and_shared_by_its_workers(
    plan: Plan, proving: Proving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def properties(number: int) -> SimpleNamespace:
        return SimpleNamespace(total_memory=(2 + number) * GIB)

    def name_of(number: int) -> str:
        return "ABC"[number]

    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)
    monkeypatch.setattr(torch.cuda, "get_device_name", name_of)
    second = Machine("cuda", 4, 8 * GIB, gpus=(1, 2))
    assert second.name == "B"
    assert able(plan, second, TALKING).memory_bytes == 3 * GIB // 2 - SOUND.held_bytes
    able(plan, replace(second, gpus=(2,)), TALKING)
    assert proving.gpus == [1, 2], "another kind of GPU is another machine"


def test_a_container_may_have_less_than_the_machine(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "max").write_text(f"{GIB}\n")
    monkeypatch.setattr(resources, "LIMITS", (tmp_path / "max",))
    assert Fit(plan, replace(CPU, workers=2), SOUND).limit == GIB // 2


def test_a_file_that_cannot_be_read_is_no_proof(
    plan: Plan, proving: Proving, tmp_path: Path
) -> None:
    able(plan, CPU, TALKING)
    (kept,) = tmp_path.glob("kept/**/*.json")
    for text in ("", "{}", "[1]", json.dumps({**json.loads(kept.read_text()), "deviation": 1.0})):
        kept.write_text(text)
        able(plan, CPU, TALKING)
    assert proving.calls == 5


def test_who_is_wrong_is_refused_each_time(plan: Plan, proving: Proving) -> None:
    proving.found = replace(SOUND, deviation=2 * TOLERANCE)
    for call in (1, 2):
        with pytest.raises(CliError, match="golden genome") as refused:
            able(plan, CPU, TALKING)
        assert refused.value.code == Code.UNSOUND
        assert "0.0002 bits per byte off, and 1e-04 may be" in refused.value.why
        assert proving.calls == call
    proving.found = replace(SOUND, deviation=math.inf, reason="the gate refused it")
    with pytest.raises(CliError) as refused:
        able(plan, CPU, TALKING)
    assert refused.value.why == "it failed: the gate refused it"


def test_what_it_can_do_is_what_is_left_of_the_memory_and_the_longest_evaluation(
    plan: Plan, proving: Proving
) -> None:
    found = able(plan, CPU, TALKING)
    assert found.memory_bytes == GIB - SOUND.held_bytes
    assert found.operations == 1e9 * plan.manifest.seconds
    many = Fit(plan, replace(CPU, workers=10_000), SOUND)
    assert many.limit < GIB / 10, "all workers together have the memory of the machine"


def test_memory_time_and_work_of_an_hour_are_told(
    plan: Plan, proving: Proving, capsys: pytest.CaptureFixture[str]
) -> None:
    able(plan, CPU, TALKING)
    said = " ".join(capsys.readouterr().err.split())
    assert "300 MiB idle" in said
    assert "the limit is 1 GiB" in said
    assert "512 tokens 0.5 s, 1 k tokens 1.0 s" in said
    able(plan, CPU, JSON)
    event = json.loads(capsys.readouterr().out)
    assert (event["event"], event["kept"]) == ("able", True)
    assert event["rung_seconds"] == {"512": 0.512, "1000": 1.0}
    # 8 births: 8 evaluations of 512 tokens; 3 go on to 1000, from 9 tenths of 512 tokens
    tokens = (8 * 512 + 3 * (1000 - 461)) / 11
    assert event["evaluations_per_hour"] == pytest.approx(3600 * 1000 / tokens)
    assert event["fitting"]["512"] == event["starters"]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (replace(SOUND, held_bytes=GIB - (1 << 20)), "a worker has room for 1 MiB"),
        (replace(SOUND, operations_per_second=1.0), "and 1 min 00 s"),
        (
            replace(SOUND, tokens_per_second=0.0, operations_per_second=1.0, reason="too slow"),
            "and 1 min 00 s",
        ),
    ],
    ids=["memory", "time", "not even the usual genome"],
)
def test_a_machine_that_nothing_fits_is_told_so(
    plan: Plan, proving: Proving, found: Proof, told: str
) -> None:
    proving.found = found
    with pytest.raises(CliError, match=r"nothing of the run on .* fits this machine") as refused:
        able(plan, CPU, TALKING)
    assert refused.value.code == Code.UNFIT
    assert "the least starters take" in refused.value.why
    assert told in refused.value.why
    assert "--memory-limit" in refused.value.cure


def test_a_machine_that_some_of_it_fits_goes_on(plan: Plan, proving: Proving) -> None:
    fit = Fit(plan, CPU, SOUND)
    assert fit.fitting(1000) == list(fit.starters)
    needs = sorted(plan.need(genome, 512).operations for genome in fit.starters.values())
    middle = needs[len(needs) // 2]
    proving.found = replace(SOUND, operations_per_second=middle / plan.manifest.seconds)
    found = able(plan, CPU, TALKING)
    assert found.operations == pytest.approx(middle)
    less = Fit(plan, CPU, proving.found)
    assert len(less.fitting(512)) == sum(need <= middle for need in needs)
    assert len(less.fitting(1000)) < len(less.fitting(512))


def test_real_workers_prove_this_machine(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    found = able(plan, Machine("cpu", 1, 4 * GIB), TALKING)
    assert found.memory_bytes is not None
    assert found.operations is not None
    assert GIB < found.memory_bytes < 4 * GIB
    (kept,) = tmp_path.glob("kept/**/*.json")
    told = Proof(**json.loads(kept.read_text()))
    assert told.deviation < TOLERANCE / 10
    assert told.tokens_per_second > 100
    assert found.operations == told.operations_per_second * PRESETS["cpu-demo"].seconds


def of(text: Path) -> tuple[str, ...]:
    return (
        "--text", str(text), "--size", "demo", "--population", "4", "--rungs", "512,1k",
        "--workers", "1", "--device", "cpu", "--no-report",
    )  # fmt: skip


def _untold(event: str, *, again: bool = False, **values: object) -> bool:
    return False


class NoNode:
    """A node that nobody reaches."""

    fetches = Fetches(lambda order: False)
    process = SimpleNamespace(latest=dict[str, object](), tell=_untold)
    heard = 0.0

    def settle(self, own: int, give_up: object) -> None:
        pass

    def tell_end(self, own: int, seconds: float) -> None:
        pass


@contextmanager
def no_node(*arguments: object, **others: object) -> Generator[NoNode]:
    yield NoNode()


def test_a_broken_product_of_matrices_ends_a_run_of_several_before_any_work(
    cli: Cli, text: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = partial(proof, evaluator="praxis_evolve.tests.evaluator.golden_jobs:worker")
    monkeypatch.setattr("praxis_evolve.cli.able.proof", broken)
    monkeypatch.setattr("praxis_evolve.cli.node.node_of", no_node)
    monkeypatch.setenv(BROKEN, "short")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    store = f"sqlite:///{tmp_path / 'b.db'}"
    called = cli("run", "--listen", "--store", store, "--name", "b", *of(text))
    assert called.code == Code.UNSOUND
    assert "error: this machine trains the golden genome to something else" in called.err
    assert list(tmp_path.glob("kept/**/*.json")) == []
    with Ledger.open(store) as ledger:
        assert list(ledger.events("b")) == []


def test_a_small_machine_does_what_fits_it_and_says_what_is_left(
    cli: Cli, text: Path, plan: Plan, proving: Proving, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    needs = [
        plan.need(genome, 512).operations for genome in Fit(plan, CPU, SOUND).starters.values()
    ]
    most = max(needs)
    proving.found = replace(SOUND, operations_per_second=most / plan.manifest.seconds)
    monkeypatch.setattr("praxis_evolve.cli.node.node_of", no_node)
    store = f"sqlite:///{tmp_path / 's.db'}"
    called = cli("run", "--listen", "--store", store, "--name", "s", "--quiet", *of(text))
    assert called.code == Code.DONE
    assert "what is left of the run does not fit this machine" in called.err
    assert "continue: praxis-evolve run --listen 127.0.0.1:0 --resume s" in called.out
    again = cli(
        "run", "--listen", "--store", store, "--resume", "s", "--fleet", "--no-report",
        "--device", "cpu", "--workers", "1",
    )  # fmt: skip
    assert again.code == Code.NOTHING_LEFT
    with Ledger.open(store) as ledger:
        events = list(ledger.events("s"))
        asked = [event.assignment for event in events if isinstance(event, Asked)]
        assert [event for event in events if isinstance(event, Able)] == [events[0]]
    assert len(asked) >= plan.manifest.births
    assert all(plan.need(each.genome, each.rung).operations <= most for each in asked)


def test_a_run_that_is_through_needs_no_proof_and_its_log_stays(
    cli: Cli, copied: Tiny, proving: Proving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("praxis_evolve.cli.node.node_of", no_node)
    with Ledger.open(copied.url) as ledger:
        before = list(ledger.events("tiny"))
    called = cli(
        "run", "--listen", "--resume", "tiny", "--store", copied.url, "--no-report", "--quiet",
        "--device", "cpu", "--workers", "1",
    )  # fmt: skip
    assert called.code == Code.DONE
    assert proving.calls == 0
    with Ledger.open(copied.url) as ledger:
        assert list(ledger.events("tiny")) == before
