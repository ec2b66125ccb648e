"""``doctor``: what works on this machine, and what to do about the rest."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from .errors import Code
from .options import JSON, STORE
from .output import answer, answer_json

LISTEN = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Look whether a run could --listen there."),
]


def doctor(
    store: STORE = None,
    join: Annotated[
        str | None,
        typer.Option(
            metavar="LINE", help="Also look whether a run can be joined by this line, or @FILE."
        ),
    ] = None,
    listen: LISTEN = None,
    json: JSON = False,
) -> None:
    """Check what a run needs here, and name each fix."""
    from .checks import checks
    from .network_checks import network_checks

    found = [*checks(store), *network_checks(join, listen)]
    if json:
        answer_json("doctor/1", checks=[asdict(check) for check in found])
    else:
        for check in found:
            answer(f"{check.state:<5} {check.name:<9} {check.text}")
            if check.fix:
                answer(f"{'':<15} fix: {check.fix}")
    if any(check.state == "fail" for check in found):
        raise typer.Exit(Code.STORE)
