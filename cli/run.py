"""``run`` and ``demo``: start a search, or go on with one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from ..reports.quantities import amount, duration
from .errors import CliError, Code
from .options import (
    DEVICE,
    DISK,
    EVALUATION,
    EVENTS,
    FLEET,
    GPUS,
    HOURS,
    IDLE,
    ISLANDS,
    LISTEN,
    MAX_EVALS,
    MEMORY_LIMIT,
    MINUTES,
    ON_BATTERY,
    ONCE,
    OUTPUT,
    QUIET,
    REPORT,
    SEARCH,
    SEED,
    STORE,
    WORKERS,
)
from .output import answer, answer_json, answer_table
from .reach import ANNOUNCE, UPNP, Reach

if TYPE_CHECKING:
    from .session import Company, How
    from .settings import Layered

MAY_CHANGE = (
    "minutes", "max_evals", "workers", "device", "memory_limit", "gpus", "hours", "idle",
    "on_battery", "disk", "once", "store", "name",
)  # fmt: skip
"""What may differ when a run is resumed; all else defines the search."""


def run(
    population: Annotated[
        int | None,
        typer.Option(help="Living genomes; twice as many are born. \\[64]", rich_help_panel=SEARCH),
    ] = None,
    minutes: MINUTES = None,
    max_evals: MAX_EVALS = None,
    objectives: Annotated[
        list[str] | None,
        typer.Option(
            help="What genomes are compared by: bpb, flops, active, params, carry, tok_s, memory. "
            "[bpb,flops]",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help="Limits such as params=500k,memory=2Gi: flops, params, carry, memory, visits. "
            "[flops of the Llama block]",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            help="The point that hypervolumes are taken from, such as bpb=5,flops=1M. "
            "[what knows but frequencies of bytes, and the limits]",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(
            help="evolution, or another: aging, random, tpe, nsga2, hyperband... \\[evolution]",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    shares: Annotated[
        bool | None,
        typer.Option(
            "--shares/--no-shares",
            help="Assign what does well more often. \\[yes]",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    screen: Annotated[
        bool | None,
        typer.Option(
            "--screen/--no-screen",
            help="Breed several children and try the most promising. \\[yes]",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    seed: SEED = None,
    inherit: Annotated[
        bool | None,
        typer.Option(
            "--inherit",
            help="Children begin with their parents' weights in the search; finals never do.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on with the run of this name.", rich_help_panel=SEARCH)
    ] = None,
    history: Annotated[
        str | None,
        typer.Option(
            help="Try the genomes of a study first: optuna:URL#STUDY.", rich_help_panel=SEARCH
        ),
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SLOT=VALUE[:STRENGTH]",
            help="Expect good of a trait, such as mixer=retention or attention.heads=4:0.2, until "
            "results say otherwise; a negative strength expects bad. \\[0.05 of a standing]",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    genome: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Try a genome of your own first, as export and show --json write it; repeatable.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            help="A text file or a folder of them. \\[the source of Python's library]",
            rich_help_panel=EVALUATION,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(help="demo, small, medium or large. \\[small]", rich_help_panel=EVALUATION),
    ] = None,
    rungs: Annotated[
        str | None,
        typer.Option(
            help="Training tokens of the rungs, such as 50k,150k,450k.", rich_help_panel=EVALUATION
        ),
    ] = None,
    device: DEVICE = None,
    workers: WORKERS = None,
    memory_limit: MEMORY_LIMIT = None,
    gpus: GPUS = None,
    hours: HOURS = None,
    idle: IDLE = None,
    on_battery: ON_BATTERY = None,
    disk: DISK = None,
    once: ONCE = None,
    listen: LISTEN = None,
    announce: ANNOUNCE = None,
    upnp: UPNP = False,
    islands: ISLANDS = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the run. \\[drawn]", rich_help_panel=OUTPUT)
    ] = None,
    store: STORE = None,
    report: REPORT = True,
    json: EVENTS = False,
    quiet: QUIET = False,
    fleet: FLEET = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            help="Print settings, origins, work and time; start nothing.", rich_help_panel=OUTPUT
        ),
    ] = False,
) -> None:
    """Search for a better language model, or --resume a search."""
    from .settings import layered

    flags = {
        "population": population, "minutes": minutes, "max_evals": max_evals,
        "objectives": objectives or None, "limit": limit or None,
        "reference": reference or None,
        "search": search, "shares": shares, "screen": screen, "inherit": inherit,
        "islands": islands,
        "seed": seed, "history": history, "genome": genome or None,
        "prior": prior or None,
        "text": text, "size": size, "rungs": rungs, "device": device, "workers": workers,
        "memory_limit": memory_limit, "gpus": gpus, "hours": hours, "idle": idle,
        "on_battery": on_battery, "disk": disk, "once": once, "name": name, "store": store,
    }  # fmt: skip
    settings = layered(flags)
    from .session import How, Session

    how = How(json=json or fleet, quiet=quiet, report=report, fleet=fleet)
    reach = Reach(listen, announce, upnp)
    company = _company(settings.settings.store, reach, how)
    again = " ".join(("run", *reach.flags(), "--resume"))
    if resume is not None:
        _refuse_changes(resume, flags)
        Session(settings.settings, how, company=company, again=again).resume(resume)
    elif dry_run:
        _dry_run(settings, json=how.json)
    else:
        Session(settings.settings, how, company=company, again=again).start()


def demo(
    seed: SEED = None,
    store: STORE = None,
    workers: WORKERS = None,
    json: EVENTS = False,
    quiet: QUIET = False,
) -> None:
    """Run a small search and write its page, in about a minute."""
    from .settings import layered

    flags = {
        "population": 12, "size": "demo", "device": "cpu", "seed": seed, "store": store,
        "workers": workers,
    }  # fmt: skip
    settings = layered(flags).settings
    from .session import How, Session

    Session(settings, How(json=json, quiet=quiet, report=True)).start(prefix="demo")


def _company(store: str, reach: Reach, how: How) -> Company | None:
    """Return what gives a node that listens, None where it is not to.

    A place where it cannot is refused at once.
    """
    from .join_line import place_of
    from .node import node_of, require_free, run_of

    reach.announced()
    if reach.listen is None:
        return None
    require_free(*place_of(reach.listen))
    return lambda name: node_of(run_of(store, name), reach=reach, json=how.json, quiet=how.quiet)


def _refuse_changes(name: str, flags: Mapping[str, object]) -> None:
    changed = [key for key, value in flags.items() if value is not None and key not in MAY_CHANGE]
    if changed:
        raise CliError(
            f"run {name!r} cannot be resumed with another {', '.join(changed)}",
            why="these define the search and are frozen in its manifest",
            cure=f"only {', '.join(MAY_CHANGE[:-2])} may change; or start a new run",
            code=Code.STORE,
        )


def _dry_run(found: Layered, *, json: bool) -> None:
    from .launch import launch
    from .places import without_password
    from .session import searchable

    planned = launch(found.settings, searchable())
    values = {
        name: without_password(value) if isinstance(value, str) else value
        for name, value in found.settings.model_dump().items()
    }
    if json:
        answer_json(
            "dry-run/1",
            settings={k: {"value": v, "origin": found.origin[k]} for k, v in values.items()},
            manifest=planned.manifest.to_dict(),
            tokens=dict(planned.tokens),
            seconds=round(planned.seconds),
        )
        return
    answer_table(
        ("setting", "value", "from"),
        [[k, str(v), found.origin[k]] for k, v in values.items()],
    )
    for note in planned.notes:
        answer(f"limits   {note}")
    for stage, tokens in planned.tokens.items():
        answer(f"{stage:<8} {amount(tokens)} tokens")
    answer(
        f"time     about {duration(planned.seconds)} on {planned.workers} x {planned.device} where "
        "nobody else uses it"
    )
