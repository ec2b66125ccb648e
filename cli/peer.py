"""``peer`` and ``relay``: take part in a run of others, with or without evaluating."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import CliError, Code
from .options import (
    DEVICE,
    DISK,
    EVENTS,
    FLEET_OF_PEERS,
    GPUS,
    HOURS,
    IDLE,
    LISTEN,
    MAX_EVALS,
    MEMORY_LIMIT,
    MINUTES,
    ON_BATTERY,
    ONCE,
    QUIET,
    REPORT,
    STORE,
    WORKERS,
)
from .output import event_json, notice
from .reach import ANNOUNCE, RELAYED, UPNP, Reach

if TYPE_CHECKING:
    from ..market.ledger import Ledger
    from .node import Node, RunOf
    from .session import How
    from .settings import RunSettings

LINE_SECONDS = 30.0

WAITS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, *[300.0] * 5)
"""Seconds between the tries of a fleet to join: half an hour in all."""

JOIN = Annotated[
    str,
    typer.Option(
        metavar="LINE",
        help="What run --listen printed, or @FILE with it, or the name of a run in the own store.",
    ),
]
RUN_NAME = Annotated[
    str | None, typer.Option(help="Name of the run here, if not that of its digest.")
]


def peer(
    join: JOIN,
    listen: LISTEN = None,
    announce: ANNOUNCE = None,
    upnp: UPNP = False,
    relayed: RELAYED = False,
    minutes: MINUTES = None,
    max_evals: MAX_EVALS = None,
    device: DEVICE = None,
    workers: WORKERS = None,
    memory_limit: MEMORY_LIMIT = None,
    gpus: GPUS = None,
    hours: HOURS = None,
    idle: IDLE = None,
    on_battery: ON_BATTERY = None,
    disk: DISK = None,
    once: ONCE = None,
    name: RUN_NAME = None,
    store: STORE = None,
    report: REPORT = True,
    json: EVENTS = False,
    quiet: QUIET = False,
    fleet: FLEET_OF_PEERS = False,
) -> None:
    """Take part in a run of others: evaluate here, and share all results with them."""
    from .session import How, Session
    from .settings import layered

    settings = layered({
        "minutes": minutes, "max_evals": max_evals, "device": device, "workers": workers,
        "memory_limit": memory_limit, "gpus": gpus, "hours": hours, "idle": idle,
        "on_battery": on_battery, "disk": disk, "once": once, "name": name, "store": store,
    }).settings  # fmt: skip
    if settings.on_battery is None:  # who lends a machine wants it there when it is needed
        settings = settings.model_copy(update={"on_battery": False})
    how = How(json=json or fleet, quiet=quiet, report=report, fleet=fleet)
    reach = Reach(listen, announce, upnp, relayed)
    with ExitStack() as stack:
        node = entered(stack, lambda: _joined(settings, join, reach, how), how)
        Session(settings, how, company=lambda name: nullcontext(node), again="peer --join").resume(
            node.run.name
        )


def relay(
    join: JOIN,
    listen: LISTEN = None,
    announce: ANNOUNCE = None,
    upnp: UPNP = False,
    relayed: RELAYED = False,
    name: RUN_NAME = None,
    store: STORE = None,
    json: EVENTS = False,
    quiet: QUIET = False,
) -> None:
    """Keep a run together without evaluating: others join here and find all records."""
    from ..market.ledger import Ledger
    from .session import How
    from .settings import layered

    settings = layered({"name": name, "store": store}).settings
    how = How(json=json, quiet=quiet, report=False)
    with (
        _joined(settings, join, Reach(listen, announce, upnp, relayed), how) as node,
        Ledger.open(node.run.store, create=False) as ledger,
    ):
        _stay(node, _weighing(node, ledger))


def entered(
    stack: ExitStack,
    join: Callable[[], AbstractContextManager[Node]],
    how: How,
    sleep: Callable[[float], None] = time.sleep,
) -> Node:
    """Join, and of a fleet join again and again where nobody is reached; *stack* ends it.

    Raises:
        CliError: it cannot be joined.
    """
    began = time.monotonic()
    for wait in WAITS if how.fleet else ():
        try:
            return stack.enter_context(join())
        except CliError as error:
            if error.code is not Code.UNREACHABLE:
                raise
            event_json(
                "run/1", time.monotonic() - began, "waiting", reason=error.what, why=error.why,
                seconds=wait,
            )  # fmt: skip
            sleep(wait)
    return stack.enter_context(join())


@contextmanager
def _joined(settings: RunSettings, join: str, reach: Reach, how: How) -> Generator[Node]:
    """Give the node of the run that is meant, which is in the store then."""
    from .node import FETCHING, node_of

    reach.announced()  # what cannot be announced is refused before anything is looked up
    began = time.monotonic()
    run, addresses, is_here = _meant(settings, join)
    if is_here:
        _require_blocks(run)
    with node_of(run, reach=reach, join=addresses, json=how.json, quiet=how.quiet) as node:
        if not is_here:
            node.wait_for("joined", FETCHING)
            _require_blocks(run)
        node.wait_for("status", FETCHING)
        node.catch_up()
        node.silent = False
        _tell(node, settings, how, time.monotonic() - began)
        yield node


def _meant(settings: RunSettings, join: str) -> tuple[RunOf, tuple[str, ...], bool]:
    """Return the run that is meant, addresses of its peers, and whether it is in the store."""
    from ..market.ledger import Ledger
    from .join_line import is_line, read
    from .node import RunOf, run_of
    from .places import name_for, run_folder

    if not is_line(join):
        return run_of(settings.store, join), (), True
    line = read(join)
    with Ledger.open(settings.store) as ledger:
        known = {run.name: run.digest for run in ledger.runs()}
    same = [name for name, digest in known.items() if digest == line.digest]
    name = settings.name or (same[-1] if same else name_for(line.digest, known))
    if known.get(name, line.digest) != line.digest:
        raise CliError(
            f"the store has another run {name!r}",
            why=f"it is {known[name][:12]}, and the line is of {line.digest[:12]}",
            cure="give the run another name here: --name NAME",
            code=Code.STORE,
        )
    run = RunOf(settings.store, name, line.digest, run_folder(settings.store, name))
    return run, line.addresses, name in known


def _require_blocks(run: RunOf) -> None:
    """Refuse a run whose blocks are missing here or other ones.

    Raises:
        StoreError: so it is.
    """
    from ..blocks.registry import installed
    from ..market.ledger import Ledger
    from ..market.manifest import Manifest

    with Ledger.open(run.store, create=False) as ledger:
        Manifest.from_dict(ledger.manifest(run.name)).require_same_blocks(installed())


def _tell(node: Node, settings: RunSettings, how: How, seconds: float) -> None:
    """Say what was joined, as whom, what is sent and where data lie."""
    from .session import shown

    run, peers = node.run, node.status["peers"]
    if how.json:
        event_json(
            "run/1", seconds, "joined", run=run.name, digest=run.digest, peers=peers,
            author=node.own, folder=str(run.folder), store=shown(settings),
        )  # fmt: skip
    elif not how.quiet:
        here = f"{peers} {'other is' if peers == 1 else 'others are'} here"
        here = here if peers else "nobody else is here yet"
        notice(f"joined      run {run.name} ({run.digest[:12]}) in {seconds:.1f} s; {here}")
        notice(f"author      {node.own[:12]}")
        notice(
            "sends       signed results with their genomes and this machine's speed, and the "
            "weights that they name; nothing else"
        )
        notice(f"data        {run.folder} and {shown(settings)}")


def _weighing(node: Node, ledger: Ledger) -> Callable[[], None]:
    """Return what weighs what came, which no search does here; a store that fails waits."""
    from ..blocks.registry import installed
    from ..market.errors import StoreError
    from ..market.identity_key import Identity
    from ..market.manifest import Manifest
    from ..market.plan import Plan
    from ..market.weighing import Weighing

    identity = Identity.load_or_create()
    plan = Plan(Manifest.from_dict(ledger.manifest(node.run.name)), installed())
    weighing = Weighing(
        ledger, node.run.name, identity, now=time.time, committed=lambda: node.committed,
        lines=plan.lines_anew,
    )  # fmt: skip

    def look() -> None:
        try:
            weighing.look()
        except StoreError as error:
            if not (node.json or node.quiet):
                notice(f"store       {error}; tried again in {LINE_SECONDS:.0f} s")

    return look


def _stay(node: Node, look: Callable[[], None]) -> None:
    """Let the node work until a signal comes, and *look* what came."""
    came = list[int]()
    ended = threading.Event()

    def on_signal(number: int, frame: object) -> None:
        came.append(number)
        ended.set()

    before = {n: signal.signal(n, on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        began = time.monotonic()
        look()
        while not ended.wait(LINE_SECONDS):
            look()
            _tell_status(node, time.monotonic() - began)
        look()
        _tell_status(node, time.monotonic() - began)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    raise typer.Exit(Code.TERMINATED if came[-1] == signal.SIGTERM else Code.INTERRUPTED)


def _tell_status(node: Node, seconds: float) -> None:
    """Print how many peers and records there are."""
    peers, records = node.status["peers"], node.status["records"]
    if node.json:
        event_json("run/1", seconds, "relay", peers=peers, records=records)
    elif not node.quiet:
        notice(f"t={seconds:.0f}s peers={peers} records={records}")
