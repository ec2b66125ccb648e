"""Which GPUs a run uses, how many workers it has, and how much memory each."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from praxis_evolve.cli import resources
from praxis_evolve.cli.errors import CliError, Code
from praxis_evolve.cli.resources import (
    gpus_of,
    part_of,
    usable_cores,
    usable_memory,
    with_bytes,
    workers_of,
)
from praxis_evolve.cli.settings import RunSettings
from praxis_evolve.tests.cli.calling import Cli

GIB = 1 << 30


@pytest.fixture
def three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """GPUs of 10, 20 and 30 GiB, as far as torch is asked."""

    def properties(number: int) -> SimpleNamespace:
        return SimpleNamespace(total_memory=(number + 1) * 10 * GIB)

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)


def memory(settings: RunSettings, device: str, workers: int) -> int:
    return int(with_bytes(settings, device, workers).memory_limit)


@pytest.mark.usefixtures("three_gpus")
def test_gpus_are_all_or_those_that_are_named() -> None:
    assert gpus_of(RunSettings(), "cuda") == (0, 1, 2)
    assert gpus_of(RunSettings(gpus=(2, 0)), "cuda") == (2, 0)
    assert workers_of(RunSettings(gpus=(2, 0)), "cuda") == 2
    assert workers_of(RunSettings(gpus=(2, 0), workers=5), "cuda") == 5
    assert workers_of(RunSettings(workers=5, once=True), "cuda") == 1
    with pytest.raises(CliError, match="--gpus names 3, but there are 3, from 0 to 2"):
        gpus_of(RunSettings(gpus=(1, 3)), "cuda")


def test_on_a_cpu_there_is_none() -> None:
    assert gpus_of(RunSettings(), "cpu") == (0,)
    assert workers_of(RunSettings(), "cpu") == usable_cores() >= 1
    with pytest.raises(CliError, match="--gpus names 0, but this run is on the CPU"):
        workers_of(RunSettings(gpus=(0,)), "cpu")


@pytest.mark.usefixtures("three_gpus")
def test_max_is_an_even_part_of_what_workers_share() -> None:
    half = RunSettings(memory_limit="MAX/2")
    assert memory(half, "cuda", 3) == 5 * GIB  # of the smallest
    assert memory(half, "cuda", 4) == 10 * GIB // 4  # two on one of three
    assert memory(RunSettings(memory_limit="MAX", gpus=(1, 2)), "cuda", 2) == 20 * GIB
    here = usable_memory()
    assert memory(half, "cpu", 4) == here // 4 // 2
    assert with_bytes(RunSettings(), "cpu", 4) == RunSettings()
    with pytest.raises(CliError, match="--memory-limit is 'MAX-99999G'") as caught:
        memory(RunSettings.model_construct(memory_limit="MAX-99999G"), "cpu", 1)
    assert caught.value.code == Code.USAGE


def test_a_container_may_have_less_than_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "LIMITS", (tmp_path / "none", tmp_path / "max"))
    total = psutil.virtual_memory().total
    assert usable_memory() == total
    for text, usable in (("max\n", total), (f"{1 << 62}\n", total), (f"{GIB}\n", GIB)):
        (tmp_path / "max").write_text(text)
        assert usable_memory() == usable
    assert part_of("cpu", 8, (0,)) == GIB // 8
    assert memory(RunSettings(memory_limit="MAX/2"), "cpu", 4) == GIB // 8


def test_a_gpu_that_is_not_here_is_refused_before_anything_starts(cli: Cli) -> None:
    called = cli("run", "--device", "cpu", "--gpus", "0")
    assert called.code == Code.USAGE
    assert "--gpus names 0, but this run is on the CPU" in called.err
