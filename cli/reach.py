"""How others reach the node of a run: where it listens, and what they are told of it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated

import typer

from .errors import CliError, Code
from .join_line import is_ip, place_of
from .options import HERE, SWARM

ANNOUNCE = Annotated[
    str | None,
    typer.Option(
        metavar="HOST[:PORT]",
        help="Name or address at which everybody reaches this machine, if not where it listens.",
        rich_help_panel=SWARM,
    ),
]
UPNP = Annotated[
    bool, typer.Option("--upnp", help="Ask the router for a port.", rich_help_panel=SWARM)
]
RELAYED = Annotated[
    bool,
    typer.Option(
        "--relayed",
        help="Be reached by way of the peers that are joined: nobody else reaches this machine.",
        rich_help_panel=SWARM,
    ),
]

_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class Reach:
    """How others reach a node.

    ``listen`` is ``HOST:PORT``, or None where nobody is told; ``announce`` is ``HOST[:PORT]``.
    """

    listen: str | None = None
    announce: str | None = None
    upnp: bool = False
    relayed: bool = False

    def flags(self) -> tuple[str, ...]:
        """Return the words of a command line by which others reach a node so."""
        listen = () if self.listen is None else ("--listen", self.listen)
        announce = () if self.announce is None else ("--announce", self.announce)
        return (*listen, *announce, *(["--upnp"] if self.upnp else []))

    def announced(self) -> tuple[str, ...]:
        """Return the multiaddrs that others are told of instead of those where it listens.

        Raises:
            CliError: others are told of a node that does not listen, ``announce`` is no place, or
                its port is not known.
        """
        if self.listen is None and (self.announce is not None or self.upnp):
            raise CliError(
                "others are told how to reach this machine, but it does not listen",
                cure="add --listen 0.0.0.0:4001",
                code=Code.USAGE,
            )
        if self.announce is None:
            return ()
        _, listened = place_of(self.listen or HERE)
        host, port = _split(self.announce)
        if problem := _problem(host, port or listened):
            raise CliError(
                f"--announce is {self.announce!r}",
                why=problem,
                cure="name the machine as others know it and listen at a port of your choice: "
                "--listen 0.0.0.0:4001 --announce peer.example.org",
                code=Code.USAGE,
            )
        kind = f"ip{ipaddress.ip_address(host).version}" if is_ip(host) else "dns"
        return (f"/{kind}/{host}/tcp/{port or listened}",)


def _split(text: str) -> tuple[str, int]:
    """Return host and port, 0 where none is named; -1 where it is no number."""
    if is_ip(text):
        return text, 0
    host, mark, port = text.rpartition(":")
    if not mark:
        return text, 0
    number = int(port) if re.fullmatch(r"[0-9]{1,5}", port) else -1
    return host.removeprefix("[").removesuffix("]"), number or -1


def _problem(host: str, port: int) -> str | None:
    if not (is_ip(host) or _NAME.fullmatch(host)):
        return f"{host[:60]!r} is neither a name nor an address of a machine"
    if port == 0:
        return "the port where it listens is drawn anew each time, and others must know it"
    return None if 0 < port < 65536 else "a port is a number from 1 to 65535"
