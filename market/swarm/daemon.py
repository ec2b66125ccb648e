"""The daemon p2pd: the process that speaks libp2p for us, and that goes when we go.

Each command has a connection of its own, over sockets in a folder that only we can enter. The
daemon ends by itself once the connection that is kept open is gone, however we died.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import tempfile
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from .frames import within
from .hive import P2PD, Multiaddr, PeerID, read_pbmsg_safe, write_pbmsg
from .hive import daemon as pb
from .peer_key import PeerKey
from .transport import FRAME, TransportError

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Answer = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What is done with a stream that a peer, by its name, opened."""

LOCAL = 10.0
"""The most seconds for what the daemon can answer by itself."""

STREAMS = 1024
"""The most streams of others at a time."""

_logger = logging.getLogger(__name__)

_FOLDER = "praxis-p2p-"


class Daemon:
    """A running daemon of the peer ``peer``."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        folder: Path,
        peer: str,
        ended: Callable[[], None],
    ) -> None:
        self.peer = peer
        self.pid = process.pid
        self.addresses: tuple[str, ...] = ()
        self.exited = False
        self._process, self._folder, self._ended = process, folder, ended
        self._tail: deque[str] = deque(maxlen=5)
        self._ready = asyncio.Event()
        self._reading = asyncio.create_task(self._read())
        self._kept: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None
        self._streams: set[asyncio.Task[None]] = set()

    @classmethod
    async def start(
        cls,
        key: PeerKey,
        path: Path,
        *,
        listen: Sequence[str],
        announce: Sequence[str] = (),
        nat_port_map: bool = False,
        relays: Sequence[str] = (),
        startup_timeout: float = 60.0,
        ended: Callable[[], None],
    ) -> Daemon:
        """Start the daemon of the key in *path*, which listens at addresses of the network.

        What it announces all others reach; *relays* are by way of whom they reach it otherwise.
        *ended* is called when the daemon ended, for whatever reason.

        Raises:
            TransportError: it did not start.
        """
        _sweep()
        folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir=_room()))
        try:
            process = await asyncio.create_subprocess_exec(
                *_arguments(folder, path, listen),
                *_reach(announce, relays),
                f"-natPortMap={int(nat_port_map)}",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: we leave first, and it follows
            )
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise TransportError(f"the daemon {P2PD} cannot be started: {error}") from error
        except BaseException:  # who started it leaves
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self = cls(process, folder, key.peer, ended)
        try:
            await self._settle(startup_timeout)
        except BaseException:
            await self.stop()
            raise
        return self

    async def alive(self) -> bool:
        """Return whether the daemon answers; its addresses are up to date then."""
        try:
            response = await self._command(LOCAL, "IDENTIFY")
        except TransportError:
            return False
        self.addresses = _addresses(response.identify.addrs, self.peer)
        return not self.exited

    async def connect(self, peer: str, addresses: Sequence[str], *, deadline: float) -> None:
        """Connect to a peer, at addresses if there are any, or where its neighbours know it.

        Raises:
            TransportError: it was not reached.
            ValueError: something is not an address.
        """
        places = [_place(peer, address) for address in addresses]
        connect = pb.ConnectRequest(peer=_raw(peer), addrs=places, timeout=_whole(deadline))
        await self._command(deadline, "CONNECT", connect=connect)

    async def known(self, peer: str) -> tuple[str, ...]:
        """Return the addresses at which a peer says that it listens, of which there may be none."""
        find = pb.DHTRequest(type=pb.DHTRequest.FIND_PEER, peer=_raw(peer), timeout=2)
        try:
            response = await self._command(LOCAL, "DHT", dht=find)
        except TransportError:
            return ()
        return _addresses(response.dht.peer.addrs, peer)

    async def open(self, peer: str, protocol: str, *, deadline: float) -> Stream:
        """Open a stream to a peer.

        Raises:
            TransportError: it was not reached, or does not speak the protocol.
        """
        wanted = pb.StreamOpenRequest(peer=_raw(peer), proto=[protocol], timeout=_whole(deadline))
        async with self._asked(deadline, "STREAM_OPEN", streamOpen=wanted) as (_, stream):
            return stream

    async def serve(self, protocol: str, answer: Answer) -> None:
        """Have streams of a protocol answered, each in a task of its own."""

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(self._streams) >= STREAMS:
                writer.transport.abort()
                return
            task = asyncio.create_task(_accepted(answer, reader, writer))
            self._streams.add(task)
            task.add_done_callback(self._streams.discard)

        place = self._folder / "streams"
        self._server = await asyncio.start_unix_server(accept, place, limit=2 * FRAME)
        handler = pb.StreamHandlerRequest(addr=_unix(place), proto=[protocol], balanced=False)
        await self._command(LOCAL, "STREAM_HANDLER", streamHandler=handler)

    async def stop(self) -> None:
        """Stop the daemon and all of its streams; nothing of it is left then."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._streams):
            task.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)
        if self._kept is not None:
            self._kept.transport.abort()
        await self._end()
        await asyncio.gather(self._reading, return_exceptions=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _end(self) -> None:
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(3):
                await self._process.wait()
        except TimeoutError:  # it is stopped, or busy beyond hope
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _settle(self, seconds: float) -> None:
        """Wait until the daemon is ready, and tie its life to ours."""
        async with within(seconds, "the start of the daemon"):
            await self._ready.wait()
        if self.exited:
            raise TransportError(f"the daemon did not start: {' / '.join(self._tail)}")
        async with self._asked(seconds, "PERSISTENT_CONN_UPGRADE") as (_, (_, writer)):
            self._kept = writer
        response = await self._command(seconds, "IDENTIFY")
        self.addresses = _addresses(response.identify.addrs, self.peer)

    async def _read(self) -> None:
        """Take what the daemon prints, lest it wait for a reader, until it ends."""
        output = self._process.stdout
        assert output is not None
        with suppress(OSError):
            while line := await _line(output):
                self._tail.append(line.rstrip().decode(errors="replace"))
                if line.startswith(b"Peer ID:"):
                    self._ready.set()
        self.exited = True
        self._ready.set()
        self._ended()

    async def _command(self, deadline: float, kind: str, **fields: Any) -> Any:
        """Return the daemon's response to a command."""
        async with self._asked(deadline, kind, **fields) as (response, (_, writer)):
            writer.close()
            return response

    @asynccontextmanager
    async def _asked(self, deadline: float, kind: str, **fields: Any):
        """Give a command, and the stream behind it, which is closed if anything fails."""
        request = pb.Request(type=getattr(pb.Request, kind), **fields)
        response, writer = pb.Response(), None
        try:
            async with within(deadline, kind.lower().replace("_", " ")):
                reader, writer = await asyncio.open_unix_connection(
                    self._folder / "control", limit=2 * FRAME
                )
                await write_pbmsg(writer, request)
                await read_pbmsg_safe(reader, response)
            if response.type == pb.Response.ERROR:
                raise TransportError(response.error.msg[:300])
            yield response, (reader, writer)
        except BaseException:
            if writer is not None:
                writer.transport.abort()
            raise


async def _accepted(
    answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    info = pb.StreamInfo()
    try:
        async with within(LOCAL, "a stream from the daemon"):
            await read_pbmsg_safe(reader, info)
        await answer(PeerID(info.peer).to_base58(), reader, writer)
    except TransportError:
        pass  # who opened it went away
    except Exception:
        _logger.exception("a stream was not answered")
    finally:
        writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()


async def _line(output: asyncio.StreamReader) -> bytes:
    """Return the next line, or a piece of one that is too long."""
    try:
        return await output.readline()
    except ValueError:
        return b"..."


def _arguments(folder: Path, key: Path, listen: Sequence[str]) -> list[str]:
    return [
        P2PD,
        f"-listen=/unix{folder / 'control'}",
        f"-id={key}",
        f"-hostAddrs={','.join(listen)}" if listen else "-noListenAddrs=1",
        "-dhtServer=1",
        "-connManager=1",
        "-autonat=1",
        "-relay=1",
        "-tls=1",
        "-idleTimeout=30s",
    ]


def _reach(announce: Sequence[str], relays: Sequence[str]) -> list[str]:
    """Return what the daemon is told of who reaches it: it would take minutes to find out."""
    if relays:
        return ["-autoRelay=1", f"-trustedRelays={','.join(relays)}", "-forceReachabilityPrivate=1"]
    if announce:
        return [f"-announceAddrs={','.join(announce)}", "-forceReachabilityPublic=1"]
    return []


def _room() -> str:
    """Return the folder for ours, whose name is short enough for that of a socket inside."""
    usual = tempfile.gettempdir()
    return usual if len(usual) < 60 else "/tmp"


def _sweep() -> None:
    """Remove the sockets of our own processes that were killed."""
    for folder in Path(_room()).glob(f"{_FOLDER}*-*"):
        pid = folder.name.removeprefix(_FOLDER).partition("-")[0]
        with suppress(OSError, ValueError):
            ours = folder.stat().st_uid == os.getuid()
            if ours and not psutil.pid_exists(int(pid)) and not _answered(folder / "control"):
                shutil.rmtree(folder, ignore_errors=True)


def _answered(control: Path) -> bool:
    """Return whether a daemon listens: its owner may be in a container that shares our folder."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        return probe.connect_ex(str(control)) == 0


def _addresses(raw: Sequence[bytes], peer: str) -> tuple[str, ...]:
    """Return addresses as text, each with the name of the peer at its end."""
    found: list[str] = []
    for each in raw:
        with suppress(Exception):  # the library has many errors for what it cannot read
            found.append(f"{Multiaddr(each)}/p2p/{peer}")
    return tuple(found)


def _place(peer: str, address: str) -> bytes:
    """Return an address without the name at its end, as the daemon wants it."""
    place, _, name = address.partition("/p2p/")
    if name not in ("", peer):
        raise ValueError(f"the address {address!r} is not one of {peer}")
    return _multiaddr(place).to_bytes()


def _multiaddr(text: str) -> Multiaddr:
    try:
        return Multiaddr(text)
    except Exception as error:  # the library has many errors for what it cannot read
        raise ValueError(f"{text[:200]!r} is not an address: {error}") from None


def _unix(path: Path) -> bytes:
    return Multiaddr(f"/unix{path}").to_bytes()


def _raw(peer: str) -> bytes:
    return PeerID.from_base58(peer).to_bytes()


def _whole(seconds: float) -> int:
    """Return the seconds after which the daemon gives up, too; it counts whole ones."""
    return max(1, int(seconds + 0.999))
