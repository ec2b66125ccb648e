"""Stored weights: which trainings of a run kept theirs, and the model of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..evaluator.job import WEIGHTS
from .context import Opened
from .errors import CliError, Code
from .launch import setup_of
from .places import short

if TYPE_CHECKING:
    from ..evaluator.result import Result
    from ..genome.build import Model
    from ..genome.graph import Genome


@dataclass(frozen=True)
class Trained:
    """A trained model in ``eval()``, its genome and the result that was measured on it."""

    model: Model
    genome: Genome
    result: Result


def trained(run: Opened, prefix: str, replica: int | None) -> Trained:
    """Return the model of a genome from its stored weights.

    Of several replicas the best on the search split is taken: choosing by the test split would be
    reporting luck.

    Raises:
        CliError: the genome is unknown, or has no stored weights (of that replica).
        FolderError: the file of the weights is damaged.
    """
    from ..evaluator.folder import load_weights
    from ..genome.build import build

    name, genome = run.genome(prefix)
    kept = stored(run, name)
    wanted = [result for result in kept if replica in (None, result.replica)]
    if not wanted:
        raise _no_weights(run, name, replica, kept)
    result = min(wanted, key=lambda r: (r.bits_per_byte or 0.0, r.replica))
    model = build(genome, catalog=run.catalog, context=run.manifest.context)
    load_weights(model, _setup(run).weights_path(name, result.rung, result.replica))
    return Trained(model.eval(), genome, result)


def stored(run: Opened, genome: str) -> list[Result]:
    """Return the results of a genome (by id) whose weights are there."""
    setup = _setup(run)
    return [
        result
        for result in run.plan.results
        if result.genome == genome
        and result.ok
        and setup.weights_path(genome, result.rung, result.replica).is_file()
    ]


def facts(run: Opened, result: Result) -> dict[str, Any]:
    """Return the figures that an exported model carries along."""
    costs = result.costs
    return {
        "run": run.name,
        "task": run.manifest.task,
        "task_sha256": run.manifest.task_digest,
        "genome": result.genome,
        "trained_tokens": result.rung,
        "replica": result.replica,
        "seed": result.seed,
        "search_bits_per_byte": result.bits_per_byte,
        "test_bits_per_byte": result.test_bits_per_byte,
        "parameters": costs and costs.parameters,
        "flops_per_token": costs and costs.flops,
        "program": run.manifest.program,
        "catalog_sha256": run.manifest.catalog,
    }


def _setup(run: Opened) -> Any:
    return setup_of(run.manifest, run.folder, device="cpu", memory_bytes=None)


def _trainers(run: Opened, genome: str) -> list[str]:
    """Return the authors who trained finals of a genome (by id), in short."""
    several = (r for r in run.ledger.records(run.name) if r.result.genome == genome)
    return sorted({r.author[:12] for r in several if r.result.ok and r.result.replica > 0})


def _no_weights(run: Opened, name: str, replica: int | None, kept: list[Result]) -> CliError:
    if kept:
        there = ", ".join(str(result.replica) for result in kept)
        return CliError(
            f"{short(name)} has no stored weights of replica {replica}",
            cure=f"there are those of {there}",
            code=Code.NOT_FOUND,
        )
    names = dict.fromkeys(r.genome for r in run.plan.results if stored(run, r.genome))
    there = ", ".join(map(short, names))
    why = f"finalists and baselines keep theirs: {there}" if there else "the run kept none yet"
    if authors := _trainers(run, name):
        why = (
            f"its finals were trained where {', '.join(authors)} signs, and who trains them keeps "
            f"them: their files are not in {run.folder / WEIGHTS}"
        )
    return CliError(
        f"{short(name)} has no stored weights in run {run.name}",
        why=why,
        cure=f"praxis-evolve reproduce {short(name)} --run {run.name} --out FOLDER trains it again",
        code=Code.NOT_FOUND,
    )
