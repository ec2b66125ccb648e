"""A proof: what a worker of this machine computes, holds and trains, found before it works.

In processes of their own, as everything that is evaluated. This module is torch-free.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..blocks.registry import Catalog
from ..genome.footprint import training_operations
from ..genome.graph import Genome
from .golden import TOLERANCE, deviation, golden_job, golden_setup
from .job import Job, Setup
from .pool import EVALUATOR, ProcessPool
from .result import Result

KEY = "proof"


@dataclass(frozen=True)
class Proof:
    """What was found of a worker.

    ``deviation`` is how far the golden genome's curve was from the expected one, and ``reason`` why
    there was none; ``held_bytes`` what a worker with so small a genome holds; of the usual genome
    of a run ``peak_bytes`` and ``tokens_per_second``, 0 where it could not be trained;
    ``operations_per_second`` as far as the genomes say.
    """

    deviation: float
    reason: str
    held_bytes: int
    peak_bytes: int = 0
    tokens_per_second: float = 0.0
    operations_per_second: float = 0.0

    @property
    def sound(self) -> bool:
        """Whether the machine computes what others do."""
        return self.deviation <= TOLERANCE


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The training that speed and memory are taken of: a genome and the shape of a step."""

    genome: Genome
    context: int
    batch: int
    steps: int
    seconds: float
    memory_bytes: int | None


def proof(
    sample: Sample,
    catalog: Catalog,
    folder: Path,
    *,
    device: str,
    gpu: int = 0,
    evaluator: str = EVALUATOR,
) -> Proof:
    """Have workers train the golden genome and then *sample*, which is not if that fails.

    Args:
        sample: what speed and memory are taken of.
        catalog: the blocks.
        folder: an empty folder for their files.
        device: ``cpu`` or ``cuda``.
        gpu: for CUDA, which GPU.
        evaluator: what the workers run, as ``ProcessPool`` has it.

    Raises:
        WorkerError: the program is broken, or cannot start here.
    """
    setup = golden_setup(folder, device=device)
    later = _timing(sample, setup)
    with (  # the second starts meanwhile, which takes longer than the golden genome
        _worker(setup, catalog, evaluator, gpu) as proving,
        _worker(later, catalog, evaluator, gpu) as timing,
    ):
        golden = _answer(proving, golden_job(catalog))
        found = Proof(deviation(golden), golden.reason, golden.measured.peak_memory_bytes)
        if not found.sound:
            return found
        job = Job(sample.genome, sample.steps * sample.batch * sample.context)
        return _with(found, golden, _answer(timing, job))


def _timing(sample: Sample, golden: Setup) -> Setup:
    """Return the setup of the timing: nothing of it counts, so there is no gate."""
    return Setup(
        task=golden.task, task_digest=golden.task_digest, folder=golden.folder,
        rungs=(sample.steps * sample.batch * sample.context,), context=sample.context,
        batch=sample.batch, search_windows=1, seconds=sample.seconds,
        memory_bytes=sample.memory_bytes, device=golden.device, gate=False,
    )  # fmt: skip


def _worker(setup: Setup, catalog: Catalog, evaluator: str, gpu: int) -> ProcessPool[str]:
    return ProcessPool(setup, catalog, workers=1, evaluator=evaluator, devices=(gpu,))


def _answer(pool: ProcessPool[str], job: Job) -> Result:
    pool.submit(KEY, job)
    return pool.wait()[0][1]


def _with(found: Proof, golden: Result, timed: Result) -> Proof:
    """Add what was measured; where the usual genome failed the golden one says how fast it goes."""
    told = timed if timed.ok else golden
    speed, costs = told.measured.tokens_per_second, told.costs
    assert costs is not None
    rate = training_operations(costs, tokens=1) * speed
    if not timed.ok:
        return replace(found, reason=timed.reason, operations_per_second=rate)
    peak = timed.measured.peak_memory_bytes
    return replace(found, peak_bytes=peak, tokens_per_second=speed, operations_per_second=rate)
