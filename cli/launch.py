"""From settings to a run: its task, its manifest, what its workers are set up with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .. import __version__
from ..blocks.registry import Catalog, installed
from ..evaluator.job import WEIGHTS, Setup
from ..evaluator.ladder import Ladder
from ..evaluator.preset import PRESETS, Preset, estimated_seconds, preset
from ..evaluator.task import Task, embedded_task, open_task, text_task
from ..genome.baselines import BASELINES, LEARNING_RATES, ROPE_BASES
from ..genome.graph import Genome
from ..genome.space import Limits, Space
from ..genome.text import to_json
from ..market.manifest import Manifest
from ..search.looks import CONTENDERS
from .bounds import limits_of, reference_of, require_room
from .context import Opened
from .errors import CliError, Code
from .own_genomes import read_genomes
from .places import task_file
from .priors import prior_text, read_priors
from .resources import with_bytes, workers_of
from .settings import OBJECTIVES, RunSettings, parse_amount, parse_limit

MOST_BYTES = 1 << 19
"""Of the texts of all genomes that are tried first, for the manifest holds them."""


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
    workers = workers_of(settings, device)
    settings = with_bytes(settings, device, workers)
    size = "small" if settings.size == "auto" else settings.size
    chosen = preset(size, device="cpu" if device == "cpu" else "cuda")
    task = embedded_task() if settings.text is None else _text(settings.text, chosen)
    asked = dict(parse_limit(text) for text in settings.limit)
    limits = limits_of(asked, catalog, chosen)
    manifest = _manifest(settings, catalog, chosen, task, limits, asked.get("memory"))
    notes = require_room(manifest, catalog, device, asked)
    space = manifest.space(catalog)
    manifest = _with_first(settings, manifest, space)
    priors = read_priors(settings.prior, space) if settings.prior else {}
    manifest = replace(manifest, priors={prior_text(t): value for t, value in priors.items()})
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
        genomes={},
        priors={},
    )
    task = open_task(require_text(run.folder, run.name))
    workers = workers_of(settings, device)
    settings = with_bytes(settings, device, workers)
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
        folder=str(folder / WEIGHTS),
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


def _with_first(settings: RunSettings, manifest: Manifest, space: Space) -> Manifest:
    """Return the manifest with the genomes that are to be tried first."""
    own, history = dict[str, str](), tuple[str, ...]()
    if settings.genome:
        most = settings.population
        own = read_genomes(settings.genome, space, most=most, most_bytes=MOST_BYTES)
    if settings.history is not None:
        from .history import read_history  # imports optuna, which others do without

        history = read_history(
            settings.history,
            space,
            layers=manifest.layers,
            most=settings.population // 2,
            most_bytes=MOST_BYTES - sum(map(len, own.values())),
        )
    return replace(manifest, genomes=own, history=history)


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
        reference=reference_of(settings, catalog, chosen, task, limits, memory),
        search=settings.search,
        shares=settings.shares,
        screen=settings.screen,
        inherit=settings.inherit,
        islands=settings.islands,
        seconds=float(chosen.seconds),
    )
