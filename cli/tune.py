"""``tune``: search the training genes of one genome, as a run of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import GENOME, RUN, STORE
from .output import notice
from .places import short

if TYPE_CHECKING:
    from .context import Opened

TRIALS = 30


def tune(
    genome: GENOME,
    run: RUN = None,
    store: STORE = None,
    trials: Annotated[int, typer.Option(min=3, help="How many training genes are tried.")] = TRIALS,
    rungs: Annotated[
        str | None, typer.Option(help="Training tokens of the rungs. \\[those of the run]")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="End about then, finals included.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the search. \\[the run's]")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda. \\[auto]")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Trainings at once. \\[a core or a GPU each]")
    ] = None,
    memory_limit: Annotated[
        str | None, typer.Option(help="Most memory of one worker. \\[4G]")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the new run.")] = None,
    report: Annotated[bool, typer.Option(help="Write the page at the end.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object an event.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Tune the training genes of a genome by TPE, beside the genome as it is."""
    from .context import opened
    from .launch import tuning
    from .session import How, Session
    from .settings import layered

    flags = {
        "store": store, "minutes": minutes, "device": device, "workers": workers,
        "memory_limit": memory_limit, "name": name, "rungs": rungs, "seed": seed,
    }  # fmt: skip
    settings = layered(flags).settings
    with opened(settings.store, run) as found:
        tuned, original = found.genome(genome)
        planned = tuning(
            found,
            original,
            settings,
            trials=trials,
            rungs=found.manifest.rungs if rungs is None else settings.rungs,
            seed=found.manifest.seed if seed is None else settings.seed,
        )
        parent = found.name
    if not (quiet or json):
        notice(f"tune        {short(tuned)} of run {parent}: {trials} trials of its training genes")
    session = Session(settings, How(json=json, quiet=quiet, report=report))
    session.begin(planned, prefix=f"tune-{tuned[:6]}")


def gene_rows(run: Opened, best: str) -> list[list[str]]:
    """Return each training gene of the original and of the *best* genome as text."""
    pairs = _training(run, best)
    return [[name, f"{before:g}", f"{after:g}"] for name, (before, after) in pairs.items()]


def training_json(run: Opened) -> dict[str, Any]:
    """Return under ``training`` what the tuning of a genome chose; nothing for other runs."""
    from .view import winner_of

    best = winner_of(run)
    if run.plan.original is None or best is None:
        return {}
    pairs = _training(run, best)
    return {"training": {name: {"original": a, "winner": b} for name, (a, b) in pairs.items()}}


def _training(run: Opened, best: str) -> dict[str, tuple[float, float]]:
    """Return each training gene of the original and of the best genome of a tuning."""
    from dataclasses import asdict

    if run.plan.original is None:
        return {}
    before = asdict(run.plan.original.training)
    after = asdict(run.plan.evolution.population.genomes[best].training)
    return {name: (before[name], after[name]) for name in before}
