"""The line by which others join a run: where its peers are, and what the run is by its digest."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import CliError, Code

FILE = "join.txt"
"""Where a run that listens keeps its line, in the folder of the run."""

COMMAND = "praxis-evolve peer --join"

MOST = 16
"""The addresses that a line may have."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_ADDRESS = re.compile(
    r"/(ip4|ip6|dns|dns4|dns6)/([^/\s,#]{1,253})/(?:tcp|udp)/(\d{1,5})(?:/[^\s,#/]+)*"
    r"/p2p/12D3KooW[1-9A-HJ-NP-Za-km-z]{44}"
)
_CURE = "copy it whole from where the run listens; its folder has it in join.txt"


@dataclass(frozen=True)
class JoinLine:
    """Addresses of peers, the best first, and the digest of the run (64 hex digits)."""

    addresses: tuple[str, ...]
    digest: str

    def __str__(self) -> str:
        return f"{','.join(self.addresses)}#{self.digest}"

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each address that is reached by TCP."""
        found = map(_ADDRESS.fullmatch, self.addresses)
        return tuple((f[2], int(f[3])) for f in found if f is not None and "/tcp/" in f[0])

    @property
    def port(self) -> int:
        """The port of the first address."""
        found = _ADDRESS.fullmatch(self.addresses[0])
        assert found is not None
        return int(found[3])


def line_of(addresses: Sequence[str], digest: str) -> JoinLine:
    """Return the line of a peer at *addresses*: those that other hosts can use, if there are any.

    Raises:
        CliError: none of them is the address of a peer.
    """
    usable = [address for address in addresses if _problem(address) is None]
    wide = [address for address in usable if not _is_loopback(address)]
    return parsed(f"{','.join((wide or usable)[:MOST])}#{digest}")


def is_line(text: str) -> bool:
    """Whether *text* is meant as a line, or as a file with one; else it is the name of a run."""
    return text.startswith("@") or any(mark in text for mark in "/#, ")


def read(text: str) -> JoinLine:
    """Return the line in *text*, which may be ``@FILE``; a command before it does not matter.

    Raises:
        CliError: there is no such file, or no line in it.
    """
    if not text.startswith("@"):
        return parsed(text)
    path = Path(text[1:]).expanduser()
    try:
        return parsed(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise CliError(
            f"the line to join by cannot be read from {path}",
            why=reason or str(error),
            cure="name the join.txt of the run, or paste the line itself",
            code=Code.USAGE,
        ) from error


def parsed(text: str) -> JoinLine:
    """Return the line in *text*.

    Raises:
        CliError: it is none; the text says what is wrong with it.
    """
    words = text.split() or [""]
    places, mark, digest = words[-1].strip("'\"").partition("#")
    addresses = tuple(places.split(",")) if places else ()
    for problem in _problems(addresses, mark, digest):
        raise CliError(
            "the line to join by is not as it should be", why=problem, cure=_CURE, code=Code.USAGE
        )
    return JoinLine(addresses, digest)


def place_of(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; the host is an address of this machine, not a name.

    Raises:
        CliError: it is not that.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not is_ip(host) or not re.fullmatch(r"\d{1,5}", port) or int(port) > 65535:
        raise CliError(
            f"--listen is {text!r}",
            why="it must be HOST:PORT, an address of this machine and a port from 0 to 65535",
            cure="--listen 0.0.0.0:4001 listens for a whole LAN, --listen alone for this machine",
            code=Code.USAGE,
        )
    return host, int(port)


def why_not(host: str, port: int) -> str | None:
    """Return why nothing can listen at *host* and *port* now, None where it can."""
    try:
        with _listener(host, port):
            return None
    except OSError as error:
        return error.strerror or str(error)


def free_port(host: str) -> int:
    """Return a port of *host* where nobody listens; 0 where that is not to be had."""
    try:
        with _listener(host, 0) as listener:
            return listener.getsockname()[1]
    except OSError:
        return 0


@contextmanager
def _listener(host: str, port: int) -> Generator[socket.socket]:
    """Give a socket that listens, as the daemon's would."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1)
        yield listener


def _problems(addresses: Sequence[str], mark: str, digest: str) -> Iterator[str]:
    if not mark:
        yield "it must be ADDRESS[,ADDRESS...]#DIGEST, but has no #"
    if not _DIGEST.fullmatch(digest):
        yield f"behind the # stand 64 hex digits, not {digest[:70]!r}"
    if not 0 < len(addresses) <= MOST:
        yield f"it must have 1 to {MOST} addresses before the #, but has {len(addresses)}"
    yield from filter(None, map(_problem, addresses))


def _problem(address: str) -> str | None:
    """Return what is wrong with an address, None if nothing is."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return (
            "an address looks like /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW... with 52 letters at its "
            f"end, not {address[:120]!r}"
        )
    kind, host, port = found.groups()
    if not 0 < int(port) < 65536:
        return f"a port is from 1 to 65535, not {port} as in {address[:120]!r}"
    if kind in ("ip4", "ip6") and not is_ip(host, int(kind[-1])):
        return f"{host[:60]!r} is no address of IPv{kind[-1]}"
    return None


def is_ip(text: str, version: int | None = None) -> bool:
    """Whether a text is an address, of that version of IP if one is named."""
    try:
        return version in (None, ipaddress.ip_address(text).version)
    except ValueError:
        return False


def _is_loopback(address: str) -> bool:
    _, _, host, *_ = address.split("/")
    return host.startswith("127.") or host == "::1"
