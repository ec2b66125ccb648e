"""``runs``: the runs of a store; ``runs rm`` removes one."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import CliError, Code
from .options import JSON, STORE, store_of
from .output import answer, answer_json, answer_table, notice
from .places import short, short_tokens

if TYPE_CHECKING:
    from ..market.ledger import Ledger, Run
    from ..market.record import Record

OURS = (
    "command.txt", "control.json", "floors.json", "join.txt", "manifest.json", "order.json",
    "peer.key", "peers.json", "port", "report.html", "run.log", "task.bin",
)  # fmt: skip
PATTERNS = ("*.safetensors", "*.part")
"""What a run keeps in its folder and in ``weights/``; anything else is not ours to remove."""

runs = typer.Typer(help="List the runs of the store, or remove one.")


@runs.callback(invoke_without_command=True)
def list_runs(context: typer.Context, store: STORE = None, json: JSON = False) -> None:
    """List the runs of the store, the newest first."""
    if context.invoked_subcommand is not None:
        return
    from ..market.ledger import Ledger

    with Ledger.open(store_of(store), create=False) as ledger:
        found = [_facts(ledger, run) for run in reversed(ledger.runs())]
    if json:
        answer_json("runs/1", runs=found)
    elif found:
        answer_table(("name", "state", "started", "results>", "best"), [_row(f) for f in found])
    else:
        answer("The store has no run; start one: praxis-evolve run")


@runs.command("rm")
def remove(
    name: Annotated[str, typer.Argument(help="Name of the run.")],
    store: STORE = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a run: its records, log, checkpoints and weights."""
    from ..market.ledger import Ledger
    from .context import run_of
    from .places import run_folder

    url = store_of(store)
    folder = run_folder(url, name)
    with Ledger.open(url, create=False) as ledger:
        run_of(ledger, name)
        _refuse_shared(name, folder)
        if not yes:
            _confirm(name, len(ledger.results(name)), folder)
        _remove(ledger, name)
    kept = _empty(folder)
    answer(f"removed run {name}" + (f"; {folder} keeps what is not the run's" if kept else ""))


def _refuse_shared(name: str, folder: Path) -> None:
    """Refuse to remove a run whose node is there: it would fetch it from others again.

    Raises:
        CliError: so it is.
    """
    from .node import has_node

    if has_node(folder):
        raise CliError(
            f"run {name!r} has a node: another process of this machine shares it with others",
            why="it would fetch the run from them again",
            cure="end that process (a run, peer or relay) first",
            code=Code.STORE,
        )


def _remove(ledger: Ledger, name: str) -> None:
    """Remove the run under its lease, so that nobody drives it meanwhile."""
    from ..market.lease import acquire, release

    lease = acquire(ledger.store, name, now=time.time())
    try:
        ledger.remove_run(name)
    finally:
        release(ledger.store, lease)


def _confirm(name: str, results: int, folder: Path) -> None:
    if not sys.stdin.isatty():
        raise CliError(
            f"run {name!r} with {results} results would be removed for good",
            why="this is no terminal, so nobody can be asked",
            cure=f"praxis-evolve runs rm {name} --yes",
            code=Code.USAGE,
        )
    notice(f"run {name} has {results} results; its checkpoints and weights are in {folder}")
    if not typer.confirm("Remove all of it for good?", err=True):
        raise typer.Exit


def _empty(folder: Path) -> bool:
    """Remove what a run keeps in *folder* and return whether anything else is in it."""
    from ..evaluator.job import WEIGHTS

    weights = folder / WEIGHTS
    ours = [folder / name for name in OURS]
    ours += [path for pattern in PATTERNS for path in weights.glob(pattern)]
    try:
        for path in ours:
            path.unlink(missing_ok=True)
        for place in (weights, folder):
            if place.is_dir() and not any(place.iterdir()):
                place.rmdir()
    except OSError as error:
        raise CliError(
            f"the run is removed, but not all of {folder}",
            why=str(error),
            cure="remove the folder by hand",
            code=Code.STORE,
        ) from error
    return folder.exists()


def _facts(ledger: Ledger, run: Run) -> dict[str, Any]:
    from ..search.scores import TRUSTED, comparable
    from .context import state_of

    records = _records(ledger, run.name)
    search = [
        record.result
        for record, weight in records.values()
        if weight >= TRUSTED and comparable(record.result) and record.result.ok
    ]
    best = min(search, key=lambda r: (-r.rung, r.bits_per_byte, r.genome), default=None)
    return {
        "name": run.name,
        "state": state_of(ledger, run),
        "started": datetime.fromtimestamp(run.created, UTC).isoformat(timespec="seconds"),
        "results": len(records),
        "best_id": best and best.genome,
        "best_rung_tokens": best and best.rung,
        "best_search_bits_per_byte": best and best.bits_per_byte,
    }


def _records(ledger: Ledger, run: str) -> Mapping[str, tuple[Record, float]]:
    """Return the records of a run by id, each with how far it counts by the end of the log."""
    from ..market.weighed import PAGE, weighed

    found: dict[str, tuple[Record, float]] = {}
    since = 0
    while page := weighed(ledger.store, run, since):
        found.update((line.record.id, (line.record, line.weight)) for line in page)
        since = page[-1].place + 1
        if len(page) < PAGE:
            break
    return found


def _row(facts: dict[str, Any]) -> list[str]:
    best = "-"
    if facts["best_id"]:
        best = f"{short(facts['best_id'])} {facts['best_search_bits_per_byte']:.3f} bits/byte"
        best += f" at {short_tokens(facts['best_rung_tokens'])}"
    started = facts["started"][:16].replace("T", " ")
    return [facts["name"], facts["state"], started, str(facts["results"]), best]
