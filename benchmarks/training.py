"""What a simulated swarm trains on: a landscape that is known, or with ``--text`` a real text."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import torch

from praxis_evolve.benchmarks.kept_results import KeptResults
from praxis_evolve.benchmarks.landscape import CATALOG, Landscape
from praxis_evolve.benchmarks.text import TEXTS
from praxis_evolve.benchmarks.text_run import opened
from praxis_evolve.benchmarks.trained import Trained, setup
from praxis_evolve.evaluator.evaluate import Evaluator
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.graph import Genome
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.search.base import Assignment


class Training(Protocol):
    """What evaluations come to, and what is true of a genome."""

    def manifest(self, births: int) -> Manifest:
        """Return the run of so many births; there is nothing but its evolution."""
        ...

    def measured(self, assignment: Assignment) -> Result:
        """Return what everybody finds who evaluates honestly."""
        ...

    def worth(self, genome: Genome) -> float:
        """Return the bits per byte of a genome as nobody in the swarm sees them."""
        ...


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what to train on to a command line."""
    bench = os.environ.get("PRAXIS_BENCH")
    add = parser.add_argument
    add("--text", choices=TEXTS, help="train on it instead of a landscape that is known")
    add("--bench", type=Path, default=Path(bench) if bench else None, help="folder with text/")
    add("--kept", type=Path, default=Path("runs/trained.jsonl"), help="where trainings are kept")


@contextmanager
def trainings(asked: argparse.Namespace) -> Generator[Callable[[int], Training]]:
    """Lend what makes the training of each seed, of what was *asked* for.

    Raises:
        SystemExit: the text is not there; it says how to give it.
    """
    if asked.text is None:
        yield Landscape
        return
    try:
        task = opened(asked.text, asked.bench)
    except FileNotFoundError as error:
        raise SystemExit(f"{asked.text} is skipped: {error}") from None
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        of = setup(task, Path(folder))
        evaluate = KeptResults(Evaluator(of, CATALOG), of, CATALOG, asked.kept)
        yield lambda seed: Trained(evaluate, task, seed=seed)
