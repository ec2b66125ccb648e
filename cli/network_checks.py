"""What ``doctor`` looks at for taking part in runs of others: ports, the daemon, peers, clocks."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .checks import Check, safe
from .errors import CliError
from .join_line import place_of, read, why_not

if TYPE_CHECKING:
    from .join_line import JoinLine

DEADLINE = 5.0
"""The most seconds until an address answers."""

STARTING = 40.0
"""The most seconds until the daemon is up, or a peer was met and the daemon is down again."""

FIREWALL = "is a peer running there, is the line its newest (join.txt), is no firewall between?"


def network_checks(join: str | None, listen: str | None) -> Iterator[Check]:
    """Yield the checks, given the line to join by and the place to listen at, if any."""
    yield safe("port", lambda: port(listen))
    found = safe("daemon", daemon)
    yield found
    if join is None:
        text = "how far it is off is not known without a peer"
        yield Check("clock", "skip", text, "praxis-evolve doctor --join LINE")
        return
    try:
        line = read(join)
    except CliError as error:
        yield Check("line", "fail", f"{error.what}: {error.why}", error.cure)
        return
    yield safe("reach", lambda: reach(line))
    if found.state == "ok":
        yield safe("clock", lambda: clock(line))


def port(listen: str | None) -> Check:
    """Look whether a run can listen, and for whom; what lies between hosts is not known here."""
    try:
        host, number = place_of(listen or "127.0.0.1:0")
    except CliError as error:
        return Check("port", "fail", error.what, f"{error.why}: {error.cure}")
    place = f"{host}:{number}" if number else f"{host}, a free port"
    if (reason := why_not(host, number)) is not None:
        return Check("port", "fail", f"nothing can listen at {place}: {reason}", "choose another")
    if host.startswith("127.") or host == "::1":
        others = f"for others --listen {_outward() or '0.0.0.0'}:4001"
        return Check("port", "ok", f"can listen at {place}: for this machine alone; {others}")
    return Check("port", "ok", f"can listen at {place}; others need a way there (firewall, router)")


def daemon() -> Check:
    """Start the daemon of libp2p and end it."""
    if os.name != "posix":
        return Check("daemon", "skip", "hivemind has none for Windows", "use WSL to take part")
    from ..market.swarm.transport import TransportError

    try:
        _ = asyncio.run(_met((), "0" * 16))
    except (TransportError, TimeoutError, OSError) as error:
        text = f"hivemind's daemon does not start: {str(error) or f'not in {STARTING:.0f} s'}"
        return Check("daemon", "fail", text, "pip install --force-reinstall hivemind")
    return Check("daemon", "ok", "hivemind's daemon starts and ends")


def reach(line: JoinLine) -> Check:
    """Connect to each address of a line."""
    if not line.places:
        return Check("reach", "skip", "the line has no address for TCP", "nothing: it is tried")
    reasons = {place: _refused(*place) for place in line.places}
    lost = [f"{host}:{port} ({why})" for (host, port), why in reasons.items() if why is not None]
    if not lost:
        return Check("reach", "ok", ", ".join(f"{host}:{port}" for host, port in reasons))
    text = f"not reached: {', '.join(lost)}"
    return Check("reach", "warn" if len(lost) < len(reasons) else "fail", text, FIREWALL)


def clock(line: JoinLine) -> Check:
    """Meet a peer of the line and compare clocks."""
    from ..market.swarm.p2p import SKEW
    from ..market.swarm.transport import TransportError

    try:
        skew = asyncio.run(_met(line.addresses, line.digest[:16]))
    except TransportError as error:
        what, _, cure = str(error).partition("; ")
        return Check("clock", "fail", what, cure or FIREWALL)
    except TimeoutError:
        return Check("clock", "fail", f"no peer answered in {STARTING:.0f} s", FIREWALL)
    if skew is None:
        return Check("clock", "fail", "no peer of the run answered", FIREWALL)
    side = "ahead of" if skew > 0 else "behind"
    text = f"{abs(skew):.1f} s {side} that of the peer"
    if abs(skew) > SKEW / 3:
        return Check("clock", "warn", f"{text}; {SKEW:.0f} s are refused", "set it by NTP")
    return Check("clock", "ok", text)


async def _met(addresses: tuple[str, ...], swarm: str) -> float | None:
    """Start a peer that keeps nothing, and end it; return the skew to whom it met, if anybody."""
    from ..market.swarm.p2p import P2PTransport

    with tempfile.TemporaryDirectory(prefix="praxis-doctor-") as folder:
        async with asyncio.timeout(STARTING):
            peer = await P2PTransport.create(
                swarm, identity=Path(folder, "peer.key"), join=addresses
            )
            try:
                return peer.skew if peer.neighbours else None
            finally:
                await peer.close()


def _refused(host: str, port: int) -> str | None:
    """Return why a place is not reached, None if it is."""
    try:
        socket.create_connection((host, port), timeout=DEADLINE).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _outward() -> str | None:
    """Return an address of this machine that is not its own alone."""
    import psutil

    for addresses in psutil.net_if_addrs().values():
        for each in addresses:
            if each.family == socket.AF_INET and not each.address.startswith("127."):
                return each.address
    return None
