"""Real trainings of tiny genomes on a text, for swarms that are simulated in all else.

They are those of ``run --size demo`` but for models of half the width and fewer windows to measure
on, so that each takes some tenths of a second of a core.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from praxis_evolve.benchmarks import landscape
from praxis_evolve.benchmarks.text_run import PATIENCE
from praxis_evolve.cli.bounds import EQUAL
from praxis_evolve.evaluator.job import Job, Setup
from praxis_evolve.evaluator.preset import PRESETS
from praxis_evolve.evaluator.result import Result
from praxis_evolve.evaluator.task import Task, save_task
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.starters import llama
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.search.base import Assignment

DEMO = PRESETS["cpu-demo"]
RUNGS = DEMO.rungs

FINALS = 1, 2
"""The replicas that tell what a genome is worth; those of the search are others."""

BLIND = 8.0
"""Bits per byte of whoever knows nothing of bytes, as one that cannot be trained."""


class Trained:
    """The trainings of one seed as what a swarm trains on.

    Args:
        evaluate: trains and measures.
        task: what on.
        seed: of the search and of the trainings, so that runs of one seed differ in nothing else.
    """

    def __init__(self, evaluate: Callable[[Job], Result], task: Task, *, seed: int) -> None:
        self._evaluate, self._task, self._seed = evaluate, task, seed
        self._first = seed * (1 + len(FINALS))

    def manifest(self, births: int) -> Manifest:
        """Return a run of so many births."""
        return manifest(self._task, births, seed=self._seed)

    def measured(self, assignment: Assignment) -> Result:
        """Return what the search split says after a training with the seed of the search."""
        job = Job(assignment.genome, assignment.rung, self._first + assignment.replica)
        return replace(self._evaluate(job), replica=assignment.replica)

    def worth(self, genome: Genome) -> float:
        """Return what the test split says after trainings to the top rung, on the mean of seeds."""
        jobs = (Job(genome, RUNGS[-1], self._first + number, test=True) for number in FINALS)
        bits = [self._evaluate(job).test_bits_per_byte for job in jobs]
        return fmean(BLIND if each is None else each for each in bits)


def manifest(task: Task, births: int, *, seed: int) -> Manifest:
    """Return a run on a text of genomes that cost no more than the usual one."""
    wide = replace(
        landscape.manifest(births), seed=seed, task=task.name, task_digest=task.digest,
        task_bytes=len(task.text), layers=DEMO.layers, context=DEMO.context, batch=DEMO.batch,
        rungs=RUNGS, search_windows=64, test_windows=DEMO.test_windows, parameters=200_000,
    )  # fmt: skip
    space = wide.space(landscape.CATALOG)
    flops = space.costs(llama(space, layers=wide.layers)).flops
    return replace(wide, flops=round(EQUAL * flops))


def setup(task: Task, folder: Path) -> Setup:
    """Return what all trainings have in common; the task is written into *folder*."""
    save_task(task, folder / "task")
    of = manifest(task, 1, seed=0)
    return Setup(
        task=str(folder / "task"), task_digest=task.digest, folder=str(folder), rungs=of.rungs,
        context=of.context, batch=of.batch, search_windows=of.search_windows,
        test_windows=of.test_windows, seconds=PATIENCE,
    )  # fmt: skip
