"""``export``: a trained model as a folder; or all that a run tried, as a study of Optuna."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .errors import CliError, Code
from .options import REPLICA, RUN, STORE, named, store_of
from .output import answer, notice
from .places import short_tokens

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from .context import Opened

PROGRESS = 5.0
"""Seconds between lines of progress."""


def export(
    what: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="A genome as elsewhere; with --to the name of a run."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A new or empty folder.")] = None,
    run: RUN = None,
    store: STORE = None,
    replica: REPLICA = None,
    form: Annotated[
        Literal["genome"],
        typer.Option("--format", help="genome: genome.json, model.safetensors, config.json."),
    ] = "genome",
    to: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="optuna URL",
            help="Write the whole run as a study into this database, e.g. sqlite:///study.db.",
        ),
    ] = None,
) -> None:
    """Write a trained finalist or baseline as a folder without code, or a run --to Optuna."""
    if to is not None:
        if out is not None or replica is not None:
            raise CliError(
                "--to writes a whole run, and --out and --replica are of one model",
                cure="leave them out",
                code=Code.USAGE,
            )
        _export_run(named(what, run), store_of(store), *to)
    elif what is None or out is None:
        raise CliError(
            "export needs a genome and --out FOLDER, or --to optuna URL",
            cure="praxis-evolve winners lists the genomes",
            code=Code.USAGE,
        )
    else:
        _export_model(what, out, run, store_of(store), replica)


def _export_model(genome: str, out: Path, run: str | None, store: str, replica: int | None) -> None:
    from ..evaluator.folder import save
    from .context import opened
    from .weights import facts, trained

    with opened(store, run) as found:
        chosen = trained(found, genome, replica)
        save(out, chosen.model, chosen.genome, facts=facts(found, chosen.result))
    size = sum(path.stat().st_size for path in out.iterdir())
    answer(f"wrote {out} (genome.json, model.safetensors, config.json)  {size / 1e6:.2f} MB")
    answer(f"load    praxis_evolve.load({str(out)!r})")
    answer(f'sample  praxis-evolve sample {out} "import "')


def _export_run(run: str | None, store: str, tool: str, url: str) -> None:
    from ..search.objectives import objectives
    from ..search.optuna_study import StudyError, write_study
    from .context import opened
    from .tried import tried

    if tool != "optuna":
        raise CliError(
            f"a run cannot be exported to {tool!r}", cure="--to optuna URL", code=Code.USAGE
        )
    with opened(store, run) as found:
        several = tried(found)
        if not several:
            raise CliError(
                f"run {found.name} has no results yet, so there is nothing to export",
                cure=f"praxis-evolve status --run {found.name}",
                code=Code.NOT_FOUND,
            )
        try:
            states = write_study(
                several.values(),
                objectives(found.manifest.objectives),
                top=found.plan.top,
                storage=url,
                name=found.name,
                attributes=_attributes(found),
                on_written=_progress(len(several)),
            )
        except StudyError as error:
            raise CliError(
                str(error), cure="such as: --to optuna sqlite:///study.db", code=Code.STORE
            ) from error
        _say(found.name, url, found.plan.top, states)


def _attributes(run: Opened) -> dict[str, object]:
    """Return what the study says of itself."""
    from .view import facts

    top = short_tokens(run.plan.top)
    return {
        "praxis_evolve_run": run.name,
        "state": run.state,
        "values": f"complete trials: search split, {top} training tokens, one seed each; "
        "intermediate values: bits per byte by training tokens",
        **facts(run.manifest),
    }


def _progress(count: int) -> Callable[[int], None]:
    last = [time.monotonic()]

    def written(number: int) -> None:
        if time.monotonic() - last[0] >= PROGRESS:
            last[0] = time.monotonic()
            notice(f"written {number} of {count} trials")

    return written


def _say(name: str, url: str, top: int, states: Counter[str]) -> None:
    from sqlalchemy import make_url

    shown = make_url(url).render_as_string(hide_password=True)
    answer(
        f"wrote the study {name} to {shown}: {states['complete']} trials complete at "
        f"{short_tokens(top)} tokens, {states['pruned']} pruned below, {states['fail']} failed"
    )
    answer(f"load    optuna.load_study(study_name={name!r}, storage={shown!r})")
    answer(f"open    optuna-dashboard {shown}")
