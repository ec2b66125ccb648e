"""``control``: pause, resume, finish or stop a run that works here, from another shell."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from .errors import CliError, Code
from .options import JSON, NAME, STORE, store_of
from .output import answer, answer_json

if TYPE_CHECKING:
    from pathlib import Path

    from .channel import Order, Working

PATIENCE = 10.0
"""The most seconds for a process to take an order; it looks four times a second."""

LOOK = 0.05

control = typer.Typer(
    help="Pause, resume, finish or stop a run, peer or tuning that works here.",
    no_args_is_help=True,
)


@control.command()
def pause(name: NAME = None, store: STORE = None, json: JSON = False) -> None:
    """Hand out nothing and hold what is evaluated where it is, until resume; nothing is lost."""
    _tell("pause", name, store, json=json)


@control.command()
def resume(name: NAME = None, store: STORE = None, json: JSON = False) -> None:
    """Go on after pause; --hours, --idle and --on-battery hold as before."""
    _tell("resume", name, store, json=json)


@control.command()
def finish(name: NAME = None, store: STORE = None, json: JSON = False) -> None:
    """Hand out nothing more, finish what is evaluated, then end, as the first Ctrl-C does."""
    _tell("finish", name, store, json=json)


@control.command()
def stop(name: NAME = None, store: STORE = None, json: JSON = False) -> None:
    """End at once, as the second Ctrl-C does; what was evaluated is done again by --resume."""
    _tell("stop", name, store, json=json)


def _tell(word: str, name: str | None, store: str | None, *, json: bool) -> None:
    from .channel import Order
    from .places import run_folder

    url = store_of(store)
    name, found = _meant(url, name)
    order = Order(word)
    _leave(run_folder(url, name), name, found, order)
    if json:
        answer_json("control/1", run=name, order=word, pid=found.process.pid)
    else:
        answer(f"run {name} (process {found.process.pid}) was told to {word}")


def _meant(url: str, name: str | None) -> tuple[str, Working]:
    """Return the run that is meant and who works on it; without a name the only one.

    Raises:
        CliError: nobody works on it, or several work and none is named.
    """
    from ..market.ledger import Ledger
    from .channel import working
    from .context import run_of
    from .places import run_folder

    with Ledger.open(url, create=False) as ledger:
        names = [run.name for run in ledger.runs()]
        if name is not None:
            names = [run_of(ledger, name).name]
    at_work = [(each, found) for each in names if (found := working(run_folder(url, each)))]
    if len(at_work) == 1:
        return at_work[0]
    if at_work:
        raise CliError(
            f"{len(at_work)} runs are at work: {', '.join(each for each, _ in at_work)}",
            cure="name the one that is meant",
            code=Code.USAGE,
        )
    raise CliError(
        "no run of the store is at work" if name is None else f"run {name!r} is not at work",
        why="no process works on it, so there is nothing to tell",
        cure="praxis-evolve runs shows states; praxis-evolve run --resume NAME goes on with one",
        code=Code.NOT_FOUND,
    )


def _leave(folder: Path, name: str, found: Working, order: Order) -> None:
    """Leave the order, and wait until it is taken.

    Raises:
        CliError: it is not taken in time; it is withdrawn then.
    """
    from .channel import leave, taken, withdraw

    end, left = time.monotonic() + PATIENCE, False
    while time.monotonic() < end:
        left = left or leave(folder, found.process, order)
        if left and taken(folder):
            return
        time.sleep(LOOK)
    if left:
        withdraw(folder)
    process = found.process
    raise CliError(
        f"run {name!r} did not take the order within {PATIENCE:.0f} seconds",
        why=f"process {process.pid} on {process.where} begins, ends, or hangs",
        cure="try again, or end that process",
        code=Code.UNREACHABLE,
    )
