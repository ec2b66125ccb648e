"""The node of a run as the command line has it: what it tells, and how it begins and ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..market.swarm.orders import Fetches
from .errors import CliError, Code
from .join_line import COMMAND, FILE, JoinLine, free_port, line_of, parsed, place_of, why_not
from .options import HERE
from .output import answer, event_json, notice

if TYPE_CHECKING:
    from ..market.swarm.parent import Told
    from ..market.swarm.process import NodeProcess
    from .reach import Reach

STARTING = 30.0
"""The most seconds until a node listens; it tries 10 s to reach whom it is told to join."""

FETCHING = 600.0
"""The most seconds for the text of a run, once somebody was reached."""

CATCHING_UP = 8.0
"""The most seconds that a peer waits for the records of others before it evaluates."""

SETTLING = 15.0
"""The most seconds at the end for others to take the last records."""

FREEING = 5.0
"""The seconds in which a node whose parent was killed has gone."""

LOOK = 0.1

KEY = "peer.key"
"""The file in the folder of a run that its node holds as long as it is there."""


@dataclass(frozen=True)
class RunOf:
    """A run as a node has it: the store and the name there, the digest, the folder of its files."""

    store: str
    name: str
    digest: str
    folder: Path


@dataclass
class Node:
    """The process beside this one that holds the records of a run together with others'.

    ``silent`` keeps what happens to it from the terminal until it is up; ``heard`` is when it said
    last what others work on, by the monotonic clock.
    """

    run: RunOf
    own: str
    join: tuple[str, ...]
    json: bool
    quiet: bool
    silent: bool = True
    heard: float = 0.0
    process: NodeProcess = field(init=False)
    fetches: Fetches = field(init=False)

    def __post_init__(self) -> None:
        self.fetches = Fetches(lambda order: self.process.tell("fetch", **asdict(order)))

    @property
    def status(self) -> Told:
        """What it said last of how it goes; empty before it said anything."""
        return self.process.latest.get("status", {})

    @property
    def committed(self) -> Sequence[str]:
        """The records to which their authors were bound before they could have copied."""
        return self.process.latest.get("committed", {"records": ()})["records"]

    @property
    def line(self) -> JoinLine:
        """The line by which others join through it."""
        said = self.process.latest["listening"]
        return line_of(cast("list[str]", said["addresses"]), self.run.digest)

    @property
    def foreign(self) -> int:
        """How many records of others are here."""
        return self.status.get("records", 0) - self.status.get("own", 0)

    def field(self) -> dict[str, int]:
        """Return peers, records of others and what they hold of ours, for a line of progress.

        ``behind`` are the own records that nobody else holds yet.
        """
        told = {name: self.status.get(name, 0) for name in ("peers", "held", "acknowledged")}
        behind = max(0, self.status.get("own", 0) - told["held"])
        return {"peers": told.pop("peers"), "foreign": self.foreign, **told, "behind": behind}

    def hear(self, said: Told) -> None:
        """Take a line of the process; called in a thread of its own."""
        if said["event"] == "flights":  # one that keeps dying says much, but not that
            self.heard = time.monotonic()
        self.fetches.hear(said)
        if said["event"] == "failed" and not (self.silent or self.quiet):
            notice(f"node        {said['reason']}; it is started again")

    def wait_for(self, event: str, seconds: float) -> Told:
        """Return what it says of *event*.

        Raises:
            CliError: it failed, or did not say so in time.
        """
        from ..market.swarm.process import NodeError

        try:
            return self.process.wait_for(event, seconds)
        except NodeError as error:
            raise CliError(
                f"run {self.run.name!r} could not be joined at {self.join[0]}"
                if self.join
                else f"the node of run {self.run.name!r} could not start",
                why=str(error),
                cure="is a peer running there, is the line its newest (join.txt), is no firewall "
                "between?",
                code=Code.UNREACHABLE,
            ) from error

    def catch_up(self) -> None:
        """Wait until the records of the first peers are here, but not for long."""
        from ..market.swarm.process import NodeError

        with suppress(NodeError):  # what comes later is heard while others are asked
            self.process.wait_for("caught_up", CATCHING_UP)

    def settle(self, own: int, give_up: Callable[[], bool]) -> None:
        """Wait until others hold the *own* records of this machine, but not for long.

        None is held back any more. Who lives on another island holds none of them.
        """
        self.process.tell("release", again=True)
        end = time.monotonic() + SETTLING
        while own and time.monotonic() < end and not give_up():
            status = self.status
            beside = status.get("beside", 0)
            safe = status.get("held" if beside == 1 else "acknowledged", 0)
            if beside == 0 or (status["own"] >= own and safe >= own):
                return
            time.sleep(LOOK)

    def tell_end(self, own: int, seconds: float) -> None:
        """Say how many of this machine's records others hold."""
        peers, held = self.status.get("peers", 0), self.status.get("acknowledged", 0)
        one = min(own, self.status.get("held", 0))
        if self.json:
            event_json(
                "run/1", seconds, "shared", records=own, held=one, acknowledged=held, peers=peers,
                foreign=self.foreign,
            )  # fmt: skip
            return
        here = f"{peers} {'other is' if peers == 1 else 'others are'} here"
        if not peers:
            here = "nobody else is here, so what is new waits until somebody comes"
        elif not self.status.get("beside", 0):
            here = (
                f"{peers} of other islands, and nobody else of this one, so what is new waits here"
            )
        answer(
            f"shared  {own} records of this machine, of which another holds {one} and two others "
            f"{min(held, own)}; {self.foreign} records of others; {here}"
        )

    def tell_line(self) -> None:
        """Say how others join, and write it into the folder of the run."""
        line = self.line
        (self.run.folder / FILE).write_text(f"{COMMAND} {line}\n")
        if self.json:
            event_json(
                "run/1", 0.0, "listening", run=self.run.name, digest=self.run.digest,
                addresses=list(line.addresses), join=str(line),
            )  # fmt: skip
        else:
            answer(f"join      {COMMAND} {line}")


def run_of(store: str, name: str) -> RunOf:
    """Return a run that is in the store.

    Raises:
        CliError: it is not.
    """
    from ..market.ledger import Ledger
    from .context import run_of as found_in
    from .places import run_folder

    with Ledger.open(store, create=False) as ledger:
        return RunOf(store, name, found_in(ledger, name).digest, run_folder(store, name))


@contextmanager
def node_of(
    run: RunOf, *, reach: Reach, join: tuple[str, ...] = (), json: bool, quiet: bool
) -> Generator[Node]:
    """Give the node of *run*, which listens, and end it.

    Args:
        run: the run.
        reach: how others reach it; the line for them is told where they are to.
        join: addresses of peers.
        json: whether events are told as JSON.
        quiet: whether nothing is told of its failures.

    Raises:
        CliError: it cannot listen there or be announced so, or has not started in time.
    """
    from ..market.identity_key import Identity, default_path
    from ..market.swarm.process import NodeProcess, Settings

    own = Identity.load_or_create().author
    run.folder.mkdir(parents=True, exist_ok=True)
    announce = reach.announced()
    host, port = _place(reach.listen, run.folder)
    require_free(host, port)
    _require_no_other(run)
    settings = Settings(
        store=run.store, run=run.name, digest=run.digest, folder=str(run.folder.resolve()),
        identity=str(default_path().resolve()), listen=(host,), port=port, join=join,
        announce=announce, upnp=reach.upnp, relayed=reach.relayed,
    )  # fmt: skip
    node = Node(run, own, join, json, quiet)
    node.process = NodeProcess(settings, watch=node.hear)
    try:
        node.wait_for("listening", STARTING)
        if reach.listen is not None:
            node.tell_line()
        node.silent = bool(join)
        yield node
    finally:
        node.process.close()


def require_free(host: str, port: int) -> None:
    """Refuse a place where nothing can listen.

    Raises:
        CliError: another program listens there, or it is no address of this machine.
    """
    end = time.monotonic() + (FREEING if port else 0.0)
    while (reason := why_not(host, port)) is not None:
        if time.monotonic() >= end:
            raise CliError(
                f"nothing can listen at {host}:{port}",
                why=reason,
                cure="choose another port or address of this machine: --listen HOST:PORT",
                code=Code.UNREACHABLE,
            )
        time.sleep(LOOK)


def _place(listen: str | None, folder: Path) -> tuple[str, int]:
    """Return where to listen: at a free port the one of last time, if that is free.

    The port is fixed where others are told of it, so that a node that is started again has it.
    """
    host, port = place_of(listen or HERE)
    if listen is None or port:
        return host, port
    with suppress(OSError, CliError):
        port = parsed((folder / FILE).read_text()).port
    return host, port if port and why_not(host, port) is None else free_port(host)


def _require_no_other(run: RunOf) -> None:
    """Refuse a second node for one folder; one whose parent was killed is given time to go.

    Raises:
        CliError: there is another one.
    """
    key = run.folder / KEY
    end = time.monotonic() + FREEING
    while has_node(run.folder):
        if time.monotonic() >= end:
            raise CliError(
                f"run {run.name!r} has a node already: another process of this machine",
                why=f"a run takes part by one node, and {key} is in use",
                cure="end that process (a run, peer or relay), or use another store",
                code=Code.STORE,
            )
        time.sleep(LOOK)


def has_node(folder: Path) -> bool:
    """Whether a process of this machine is the node of the run in *folder*."""
    key = folder / KEY
    if not key.exists():
        return False
    import fcntl  # only where nodes are, which Windows lacks, too

    file = os.open(key, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
