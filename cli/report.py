"""``report``: the page of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import __version__
from .errors import CliError, Code
from .options import RUN, STORE, store_of
from .output import answer

if TYPE_CHECKING:
    from .context import Opened


def report(
    run: RUN = None,
    store: STORE = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the page.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
) -> None:
    """Write the page of a run: one file, works offline."""
    from .context import opened

    with opened(store_of(store), run) as found:
        path = write_report(found, out)
    answer(str(path))
    if open_:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())


def write_report(run: Opened, out: Path | None) -> Path:
    """Write the page of *run* to *out*, by default into its folder, and return where it is.

    Raises:
        CliError: something else is there, or the file cannot be written.
    """
    from ..reports.page import write_page
    from .listed import market_of
    from .places import report_file
    from .view import command_of, genomes, view

    path = out or report_file(run.folder)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shown = replace(view(run, command_of(run.folder)), market=market_of(run))
        write_page(path, shown, genomes(run), run.catalog, version=__version__)
    except FileExistsError as error:
        raise CliError(str(error), code=Code.USAGE) from error
    except OSError as error:
        raise CliError(
            f"the page cannot be written to {path}", why=str(error.strerror),
            cure="name another file with --out", code=Code.STORE,
        ) from error  # fmt: skip
    return path
