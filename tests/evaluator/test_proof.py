"""A proof is made on the device that the run will work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from praxis_evolve.blocks.registry import Catalog, installed
from praxis_evolve.evaluator.golden import golden_genome
from praxis_evolve.evaluator.job import Job, Setup, failed
from praxis_evolve.evaluator.proof import Sample, proof
from praxis_evolve.evaluator.result import Result


@dataclass
class Failing:
    """A pool whose workers die."""

    setup: Setup
    catalog: Catalog
    jobs: list[tuple[str, Job]] = field(default_factory=list[tuple[str, Job]])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def submit(self, key: str, job: Job) -> None:
        self.jobs.append((key, job))

    def wait(self, timeout: float | None = None) -> list[tuple[str, Result]]:
        key, job = self.jobs.pop()
        return [(key, failed(job, self.setup, self.catalog, "worker died", "no such GPU"))]


@pytest.mark.parametrize("gpu", [0, 2])
def test_both_trainings_are_on_the_gpu_that_was_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu: int
) -> None:
    seen = list[Sequence[int]]()

    def pool(
        setup: Setup, catalog: Catalog, *, workers: int, evaluator: str, devices: Sequence[int]
    ) -> Failing:
        seen.append(devices)
        return Failing(setup, catalog)

    monkeypatch.setattr("praxis_evolve.evaluator.proof.ProcessPool", pool)
    catalog = installed()
    sample = Sample(
        genome=golden_genome(catalog), context=32, batch=4, steps=8, seconds=60.0, memory_bytes=None
    )
    found = proof(sample, catalog, tmp_path, device="cuda", gpu=gpu)
    assert not found.sound
    assert found.reason == "no such GPU"
    assert seen == [(gpu,), (gpu,)]
