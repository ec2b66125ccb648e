"""From settings to a run: its task, its manifest, what its workers are set up with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from .. import __version__
from ..blocks.registry import Catalog, installed
from ..evaluator.floor import entropy
from ..evaluator.job import Setup
from ..evaluator.ladder import Ladder
from ..evaluator.preset import PRESETS, Preset, estimated_seconds, preset
from ..evaluator.task import Task, embedded_task, open_task, text_task
from ..genome.baselines import BASELINES, LEARNING_RATES, ROPE_BASES, baselines
from ..genome.graph import Genome
from ..genome.space import Limits, Space
from ..genome.starters import llama, starters
from ..genome.text import to_json
from ..market.manifest import Manifest
from ..reports.quantities import size
from ..search.looks import CONTENDERS
from .context import Opened
from .errors import CliError, Code
from .places import task_file
from .settings import OBJECTIVES, RunSettings, parse_amount, parse_limit, parse_reference

EQUAL = 1.02
"""Genomes may cost so many times the FLOPs of the Llama block: "equal" to within 2 %."""

ROOM = 8
"""How many genomes are drawn to see whether the limits leave any."""

DRAWN = 64
"""How many small genomes are drawn to say which limit leaves none."""


@dataclass(frozen=True)
class Launch:
    """A run that could start: what defines it, what it takes, and what its user should know."""

    manifest: Manifest
    task: Task
    preset: Preset
    device: str
    workers: int
    memory_bytes: int
    notes: tuple[str, ...] = ()

    @property
    def tokens(self) -> Mapping[str, int]:
        """About how many tokens each stage trains."""
        return stage_tokens(self.manifest)

    @property
    def seconds(self) -> float:
        """About how long all of it takes where nobody else uses the machine."""
        tokens = sum(self.tokens.values())
        return estimated_seconds(tokens, of=self.preset, workers=self.workers)


def stage_tokens(manifest: Manifest) -> Mapping[str, int]:
    """Return about how many tokens tuning, search and finals of a run train."""
    ladder = Ladder(manifest.rungs)
    top, tuning = ladder.top, manifest.rungs[min(1, len(manifest.rungs) - 1)]
    grid = len(LEARNING_RATES) * len(ROPE_BASES) if manifest.tuned else 0
    return {
        "tuning": tuning * grid,
        "search": ladder.tokens(manifest.births),
        "finals": top * finals_of(manifest),
    }


def finals_of(manifest: Manifest) -> int:
    """Return how many trainings the finals of a run are, second looks included."""
    rivals = 1 if manifest.original else len(BASELINES)
    looks = CONTENDERS * manifest.finalists * len(manifest.looks)
    return looks + (rivals + manifest.finalists) * len(manifest.replicas)


def launch(settings: RunSettings, catalog: Catalog) -> Launch:
    """Return what *settings* ask for.

    Raises:
        CliError: the device is not there, or nothing is within the limits.
        TaskError: the text cannot be used.
    """
    device = device_of(settings.device)
    size = "small" if settings.size == "auto" else settings.size
    chosen = preset(size, device="cpu" if device == "cpu" else "cuda")
    task = embedded_task() if settings.text is None else _text(settings.text, chosen)
    asked = dict(parse_limit(text) for text in settings.limit)
    limits = _limits(asked, catalog, chosen)
    manifest = _manifest(settings, catalog, chosen, task, limits, asked.get("memory"))
    notes = _require_room(manifest, catalog, device, asked)
    if settings.history is not None:
        from .history import read_history  # imports optuna, which others do without

        known = read_history(
            settings.history,
            manifest.space(catalog),
            layers=chosen.layers,
            most=settings.population // 2,
        )
        manifest = replace(manifest, history=known)
    workers = settings.workers or default_workers(device)
    memory = parse_amount(settings.memory_limit)
    return Launch(manifest, task, chosen, device, workers, memory, notes)


def tuning(
    run: Opened,
    original: Genome,
    settings: RunSettings,
    *,
    trials: int,
    rungs: tuple[int, ...],
    seed: int,
) -> Launch:
    """Return a run that searches the training genes of a genome of another *run*, on its text.

    Raises:
        StoreError: the blocks of the run are other ones here.
        CliError: its text is missing, or the device is not there.
    """
    manifest, catalog = run.manifest, run.catalog
    manifest.require_same_blocks(installed(), run.plan.joined)
    device = device_of(settings.device)
    found = replace(
        manifest,
        program=__version__,
        seed=seed,
        rungs=rungs,
        blocks=tuple(declaration.name for declaration in catalog),
        catalog=catalog.digest,
        sources=catalog.sources,
        population=trials,
        births=trials,
        objectives=(OBJECTIVES["bpb"],),
        reference=(),
        finalists=1,
        tuned=False,
        original=to_json(original),
        history=(),
    )
    task = open_task(require_text(run.folder, run.name))
    workers = settings.workers or default_workers(device)
    chosen = PRESETS[manifest.preset]
    return Launch(found, task, chosen, device, workers, parse_amount(settings.memory_limit))


def require_text(folder: Path, name: str) -> Path:
    """Return where the text of a run is.

    Raises:
        CliError: it is not there.
    """
    path = task_file(folder)
    if not path.exists():
        raise CliError(
            f"the text of run {name!r} is missing: {path}",
            cure="put the file back, or start a new run with --text",
            code=Code.STORE,
        )
    return path


def setup_of(manifest: Manifest, folder: Path, *, device: str, memory_bytes: int | None) -> Setup:
    """Return what the workers of a run in *folder* evaluate with.

    The space keeps the limits of the run; the baselines are what they are.
    """
    most = PRESETS[manifest.preset].parameters
    return Setup(
        task=str(task_file(folder)),
        task_digest=manifest.task_digest,
        folder=str(folder / "weights"),
        rungs=manifest.rungs,
        context=manifest.context,
        batch=manifest.batch,
        search_windows=manifest.search_windows,
        test_windows=manifest.test_windows,
        seconds=manifest.seconds,
        memory_bytes=memory_bytes,
        parameters=manifest.parameters and max(manifest.parameters, most),
        device="cpu" if device == "cpu" else "cuda",
        inherit=manifest.inherit,
    )


def device_of(asked: str) -> str:
    """Return ``cpu`` or ``cuda`` for what was asked; ``auto`` takes a GPU where there is one.

    Raises:
        CliError: there is no such device.
    """
    if asked == "cpu":
        return "cpu"
    import torch  # only where a GPU may be wanted: importing it takes a second

    if asked not in ("auto", "cuda"):
        raise CliError(
            f"--device is {asked!r}", why="it must be auto, cpu or cuda", code=Code.USAGE
        )
    if torch.cuda.is_available():
        return "cuda"
    if asked == "cuda":
        raise CliError(
            "--device is 'cuda', but torch sees no GPU here",
            cure="check the driver with: praxis-evolve doctor, or give --device cpu",
            code=Code.USAGE,
        )
    return "cpu"


def default_workers(device: str) -> int:
    """Return one worker a core that this process may use, or one a GPU."""
    if device == "cpu":
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity else os.cpu_count() or 1
    import torch

    return torch.cuda.device_count()


def _text(path: str, chosen: Preset) -> Task:
    return text_task(path, context=chosen.context)


def _manifest(
    settings: RunSettings,
    catalog: Catalog,
    chosen: Preset,
    task: Task,
    limits: Limits,
    memory: int | None,
) -> Manifest:
    return Manifest(
        program=__version__,
        preset=chosen.name,
        seed=settings.seed,
        task=task.name,
        task_digest=task.digest,
        task_bytes=len(task.text),
        widths=(chosen.width,),
        layers=chosen.layers,
        context=chosen.context,
        batch=chosen.batch,
        rungs=settings.rungs or chosen.rungs,
        search_windows=chosen.search_windows,
        test_windows=chosen.test_windows,
        blocks=tuple(declaration.name for declaration in catalog),
        catalog=catalog.digest,
        sources=catalog.sources,
        visits=limits.visits,
        parameters=limits.parameters,
        flops=limits.flops,
        carry_bytes=limits.carry_bytes,
        memory_bytes=memory,
        population=settings.population,
        births=2 * settings.population,
        objectives=tuple(OBJECTIVES[name] for name in settings.objectives),
        reference=_reference(settings, catalog, chosen, task, limits, memory),
        search=settings.search,
        shares=settings.shares,
        screen=settings.screen,
        inherit=settings.inherit,
        seconds=float(chosen.seconds),
    )


def _limits(asked: Mapping[str, int], catalog: Catalog, chosen: Preset) -> Limits:
    """The limits asked for; without them FLOPs equal to the Llama block's, and a size cap."""
    wide = _wide(catalog, chosen)
    rival = wide.costs(llama(wide, layers=chosen.layers))
    return Limits(
        visits=asked.get("visits", 4 * chosen.layers),
        parameters=asked.get("params", chosen.parameters),
        flops=float(asked.get("flops", round(EQUAL * rival.flops))),
        carry_bytes=float(asked["carry"]) if "carry" in asked else None,
    )


def _wide(catalog: Catalog, chosen: Preset) -> Space:
    """The space of a preset before there are limits."""
    return Space(catalog, widths=(chosen.width,), context=chosen.context)


def _reference(
    settings: RunSettings,
    catalog: Catalog,
    chosen: Preset,
    task: Task,
    limits: Limits,
    memory: int | None,
) -> tuple[float, ...]:
    """What hypervolumes are taken from: what was asked for, or else what anything should better.

    That is a model that knows the frequencies of bytes alone, at the limits, a tenth as fast as the
    preset takes for usual; where nothing limits the carry, with the largest of the starters.
    """
    if len(settings.objectives) == 1:
        return ()
    carry = limits.carry_bytes
    if carry is None and "carry" in settings.objectives:
        wide = _wide(catalog, chosen)
        several = starters(wide, layers=chosen.layers).values()
        carry = max(wide.costs(genome).carry_bytes for genome in several)
    usual = {
        "bpb": round(entropy(task.train), 3),
        "flops": limits.flops,
        "active": limits.flops,
        "params": limits.parameters,
        "carry": carry,
        "tok_s": chosen.tokens_per_second / 10,
        "memory": memory or parse_amount(settings.memory_limit),
    }
    asked = dict(parse_reference(text) for text in settings.reference)
    return tuple(float((usual | asked)[name] or 0) for name in settings.objectives)


def _require_room(
    manifest: Manifest, catalog: Catalog, device: str, asked: Mapping[str, int]
) -> tuple[str, ...]:
    """Check that genomes can be drawn within the limits; return what is outside of them.

    Raises:
        CliError: there is hardly any genome, or a worker without one takes too much memory.
    """
    space = manifest.space(catalog)
    try:
        for seed in range(ROOM):
            space.sample(Random(seed), "")
    except ValueError as error:
        raise CliError(
            "no genome is within the limits, or hardly any", why=_least(space) or str(error),
            cure="give a larger --limit", code=Code.USAGE,
        ) from error  # fmt: skip
    if manifest.memory_bytes is not None:
        _require_memory(manifest.memory_bytes, device)
    return tuple(_outside(space, manifest.layers, asked))


def _least(space: Space) -> str:
    """Say which limit not even the smallest of many genomes keeps; nothing if none is so."""
    small, rng = replace(space, limits=Limits(visits=2)), Random(0)
    drawn = [space.costs(small.sample(rng, "")) for _ in range(DRAWN)]
    return "; ".join(
        f"the limit of {name} is {limit:,.0f}, but the least of {DRAWN} small genomes has "
        f"{least:,.0f}"
        for name, limit in space.limits.of_cost.items()
        if (least := min(getattr(costs, name) for costs in drawn)) > limit
    )


def _require_memory(limit: int, device: str) -> None:
    if device != "cpu":
        return
    # A process of its own: this one holds the command line as well.
    held = int(subprocess.check_output([sys.executable, "-c", _HELD], text=True))
    if held > limit:
        raise CliError(
            "no genome is within the limits",
            why=f"the limit of memory is {size(limit)}, but a worker without a genome holds "
            f"{size(held)}",
            cure="give a larger --limit memory=...",
            code=Code.USAGE,
        )


_HELD = f"""
from {__name__.rpartition(".cli.")[0]}.evaluator.limits import Watch
watch = Watch()
watch.full()
print(watch.peak_bytes)
"""


def _outside(space: Space, layers: int, asked: Mapping[str, int]) -> Iterator[str]:
    """Say which starters and baselines break the limits that were asked for."""
    if not asked:
        return
    if not starters(space, layers=layers):
        yield "no starter is within the limits: the search begins with samples alone"
    for name, genome in baselines(space, llama(space, layers=layers), layers=layers).items():
        problems = list(space.limits.cost_problems(space.costs(genome)))
        if problems:
            yield f"the baseline {name} is outside, and stands beside the winners as it is"
