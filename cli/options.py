"""Options that mean the same in every command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from .errors import CliError, Code

SEARCH, EVALUATION, SWARM, OUTPUT = "Search", "Evaluation", "Swarm", "Output"
"""The groups of the options of ``run``."""

GENOME = Annotated[
    str, typer.Argument(metavar="ID", help="Id of a genome, its start, or a baseline's name.")
]
RUN = Annotated[str | None, typer.Option("--run", help="Name of the run. \\[the newest]")]
NAME = Annotated[str | None, typer.Argument(metavar="RUN", help="Name of the run. \\[the newest]")]
STORE = Annotated[
    str | None, typer.Option("--store", help="Database URL. \\[sqlite:///runs/praxis-evolve.db]")
]
REPLICA = Annotated[int | None, typer.Option(help="Which training, by its replica.")]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

EVENTS = Annotated[
    bool, typer.Option("--json", help="Print one JSON object an event.", rich_help_panel=OUTPUT)
]
QUIET = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show no progress.", rich_help_panel=OUTPUT)
]
REPORT = Annotated[bool, typer.Option(help="Write the page at the end.", rich_help_panel=OUTPUT)]

SEED = Annotated[
    int | None, typer.Option(help="Seed of the search. \\[1337]", rich_help_panel=SEARCH)
]
MINUTES = Annotated[
    float | None,
    typer.Option(help="End about then; time is kept for the finals.", rich_help_panel=SEARCH),
]
MAX_EVALS = Annotated[
    int | None,
    typer.Option(help="End the search after so many evaluations here.", rich_help_panel=SEARCH),
]
DEVICE = Annotated[
    str | None, typer.Option(help="auto, cpu or cuda. \\[auto]", rich_help_panel=EVALUATION)
]
WORKERS = Annotated[
    int | None,
    typer.Option(help="Evaluations at once. \\[a core or a GPU each]", rich_help_panel=EVALUATION),
]
MEMORY_LIMIT = Annotated[
    str | None,
    typer.Option(
        help="Most memory of one worker; MAX is its part of the machine, as in MAX/2. \\[4G]",
        rich_help_panel=EVALUATION,
    ),
]
LISTEN = Annotated[
    str | None,
    typer.Option(
        metavar="[HOST:PORT]",
        help="Let others join here, and print how they do: 0.0.0.0:4001 for a LAN. "
        "[127.0.0.1 and a free port: this machine alone]",
        rich_help_panel=SWARM,
    ),
]
ISLANDS = Annotated[
    int | None,
    typer.Option(
        help="Parts of the swarm, each holding its own records and the best of the others: about "
        "one for each thousand peers, fixed with the run. [1]",
        rich_help_panel=SWARM,
    ),
]
GPUS = Annotated[
    str | None,
    typer.Option(metavar="N[,N...]", help="Use only these GPUs, such as 0,2; all unless given."),
]
HOURS = Annotated[
    str | None,
    typer.Option(help="Work only then, in local time, such as 22-7 or 9:30-17."),
]
IDLE = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Work only where nobody typed and other programs took less than a quarter of the "
        "cores for so long, such as 3m.",
    ),
]
ON_BATTERY = Annotated[
    str | None,
    typer.Option(
        metavar="yes|no",
        help="Work without a plug, too; run does unless told otherwise, peer does not.",
    ),
]
DISK = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="The most that the folder of the run and the store may take, such as 2G: old "
        "checkpoints go first, then the run ends.",
    ),
]
ONCE = Annotated[
    bool | None, typer.Option("--once", help="End with the first evaluation, shared and stored.")
]
UNSEEN = "For machines nobody looks at: JSON lines, no keys, code 10 where nothing is left to do"
FLEET = Annotated[bool, typer.Option("--fleet", help=f"{UNSEEN}.", rich_help_panel=OUTPUT)]
FLEET_OF_PEERS = Annotated[
    bool,
    typer.Option("--fleet", help=f"{UNSEEN}; joins again and again.", rich_help_panel=OUTPUT),
]

HERE = "127.0.0.1:0"
"""Where a node listens unless told otherwise: for this machine alone, at a free port."""


def named(name: str | None, flag: str | None) -> str | None:
    """Return which run is meant: it may be named as it is or by the flag that all commands have.

    Raises:
        CliError: both name one, and not the same.
    """
    if name is not None and flag is not None and name != flag:
        raise CliError(
            f"two runs are named: {name!r} and, by --run, {flag!r}",
            cure="name one",
            code=Code.USAGE,
        )
    return flag if name is None else name


def store_of(flag: str | None) -> str:
    """Return the URL of the store: the flag, or what the other layers of settings say."""
    from .settings import layered  # not at the top: --help needs no pydantic

    return layered({"store": flag}).settings.store


class Listening(TyperCommand):
    """A command whose ``--listen`` may stand without a value; it has no arguments by position."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the value where it is missing, then read the line."""
        return super().parse_args(ctx, list(with_place(args)))


def with_place(arguments: Sequence[str]) -> Iterator[str]:
    """Yield *arguments*, with ``HERE`` behind each ``--listen`` that has nothing behind it."""
    for place, argument in enumerate(arguments):
        yield argument
        after = arguments[place + 1] if place + 1 < len(arguments) else "-"
        if argument == "--listen" and after.startswith("-"):
            yield HERE
