"""The application: its commands, and how an error ends it."""

from __future__ import annotations

import os
import sys
import time
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .. import __version__
from .catalog import catalog
from .control import control
from .doctor import doctor
from .errors import CliError, Code
from .export import export
from .importances import importances
from .market import market
from .options import Listening
from .output import event_json, notice
from .peer import peer, relay
from .replay import replay
from .report import report
from .reproduce import reproduce
from .run import demo, run
from .runs import runs
from .sample import sample
from .shares import shares
from .show import show
from .status import status
from .stores import stores
from .tune import tune
from .winners import winners


class Root(TyperGroup):
    """The group of all commands: its help is plain text, for panels take longer than all else."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.rich_markup_mode = None


app = typer.Typer(
    name="praxis-evolve",
    cls=Root,
    help="Search for better small language models: genetic architecture search on your own text.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"praxis-evolve {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show a traceback where a command fails.")
    ] = False,
) -> None:
    if verbose:
        os.environ["PRAXIS_VERBOSE"] = "1"


for command in (
    demo,
    run,
    peer,
    relay,
    tune,
    status,
    winners,
    shares,
    market,
    importances,
    show,
    report,
    sample,
    export,
    reproduce,
    replay,
    doctor,
):
    app.command(cls=Listening if command in (run, peer, relay) else None)(command)
app.add_typer(control, name="control")
app.add_typer(runs, name="runs")
app.add_typer(stores, name="store")
app.add_typer(catalog, name="catalog")


def main() -> None:
    """Run a command; an error ends it in at most three lines and with its exit code.

    Of a fleet it is an event, too: nobody reads lines there.
    """
    began = time.monotonic()
    try:
        app()
    except Exception as error:
        found = readable(error)
        if "--fleet" in sys.argv:
            event_json(
                "run/1", time.monotonic() - began, "failed", error=found.what, why=found.why,
                cure=found.cure, code=int(found.code),
            )  # fmt: skip
        for line in found.lines():
            notice(line)
        if os.environ.get("PRAXIS_VERBOSE"):
            traceback.print_exc()
        sys.exit(found.code)


def readable(error: Exception) -> CliError:
    """Return *error* as the command line says it."""
    if isinstance(error, CliError):
        return error
    # imported late: a command that fails has paid for them, one that helps has not
    from ..blocks.registry import CatalogError
    from ..evaluator.folder import FolderError
    from ..evaluator.task import TaskError
    from ..genome.text import GenomeError
    from ..market.errors import IdentityError, NotFoundError, StoreError

    codes: dict[type[Exception], Code] = {
        TaskError: Code.USAGE,
        FolderError: Code.USAGE,
        GenomeError: Code.USAGE,
        NotFoundError: Code.NOT_FOUND,
        StoreError: Code.STORE,
        CatalogError: Code.STORE,
        IdentityError: Code.STORE,
    }
    for kind, code in codes.items():
        if isinstance(error, kind):
            return CliError(str(error), code=code)
    return CliError(
        f"{type(error).__name__}: {error}",
        why="this is a fault of the program, not of what you typed",
        cure="praxis-evolve --verbose COMMAND shows where; please report it",
        code=Code.FAILURE,
    )
