"""Real peers on this host for tests, and peers that do not keep to the rules."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

import psutil

from praxis_evolve.market.swarm.daemon import Answer, Daemon
from praxis_evolve.market.swarm.limits import Limits
from praxis_evolve.market.swarm.p2p import P2PTransport
from praxis_evolve.market.swarm.peer_key import PeerKey
from praxis_evolve.market.swarm.serving import Server
from praxis_evolve.market.swarm.transport import Contact, Handler, TransportError

SWARM = "test"
PROTOCOL = f"/praxis-evolve/1/{SWARM}"


class Peers:
    """Starts peers in a folder and closes all of them at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._stack = folder, AsyncExitStack()
        self._count = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    def path(self, name: str = "") -> Path:
        """Return the place of a key, of a new one if it has no name."""
        self._count += 1
        return self._folder / (name or f"key-{self._count}")

    async def start(self, *join: P2PTransport, name: str = "", **settings: Any) -> P2PTransport:
        """Start a peer that joins others."""
        settings.setdefault("join", [each.me.addresses[0] for each in join])
        swarm = settings.pop("swarm", SWARM)
        peer = await P2PTransport.create(swarm, identity=self.path(name), **settings)
        self._stack.push_async_callback(peer.close)
        return peer

    async def several(self, count: int, **settings: Any) -> list[P2PTransport]:
        """Start peers that join the first."""
        first = await self.start(**settings)
        others = await asyncio.gather(*(self.start(first, **settings) for _ in range(count - 1)))
        return [first, *others]

    async def raw(self, answer: Answer | None = None, name: str = "") -> Daemon:
        """Start a bare daemon, which answers as it likes."""
        path = self.path(name)
        daemon = await Daemon.start(
            PeerKey.load_or_create(path),
            path,
            listen=["/ip4/127.0.0.1/tcp/0"],
            ended=lambda: None,
        )
        self._stack.push_async_callback(daemon.stop)
        if answer is not None:
            await daemon.serve(PROTOCOL, answer)
        return daemon

    async def liar(self, lies: Mapping[str, Handler]) -> Contact:
        """Start a peer that answers the messages of the directory as it likes."""
        server = Server(Limits())
        server.handlers.update(lies)
        daemon = await self.raw(server.answer)
        return Contact(daemon.peer, daemon.addresses)


async def whole(frames: AsyncIterator[bytes]) -> list[bytes]:
    """Return all frames of an answer."""
    return [frame async for frame in frames]


async def refused(frames: AsyncIterator[bytes]) -> str:
    """Return why an answer is not whole."""
    try:
        async for _ in frames:
            pass
    except TransportError as error:
        return str(error)
    raise AssertionError("the answer was whole")


async def until(holds: Callable[[], bool | Awaitable[bool]], seconds: float = 20.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while True:
            found = holds()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


async def hears(peer: P2PTransport, said: Mapping[str, bytes]) -> bool:
    """Whether a peer hears just that in one look, which may end early on a busy machine."""
    return await peer.announced() == said


def always(*frames: bytes) -> Handler:
    """Return a handler that always answers the same."""

    async def handler(caller: str, request: bytes) -> AsyncIterator[bytes]:
        for frame in frames:
            yield frame

    return handler


async def echo(caller: str, request: bytes) -> AsyncIterator[bytes]:
    """Answer a request by itself."""
    yield request


def endless(size: int, ended: asyncio.Event) -> Handler:
    """Return a handler that never stops by itself."""

    async def handler(caller: str, request: bytes) -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(size)
        finally:
            ended.set()

    return handler


@asynccontextmanager
async def frozen(pid: int) -> AsyncGenerator[None]:
    """Stop a process for a while."""
    psutil.Process(pid).send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        psutil.Process(pid).send_signal(signal.SIGCONT)


def daemons() -> Sequence[int]:
    """Return the daemons that this process started and that still run."""
    return [
        child.pid
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE and "p2pd" in child.name()
    ]
