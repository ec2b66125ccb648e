"""What goes over a stream: a request, then frames, then an end that says what came before it.

A stream that is cut by the death of its sender looks like one that ended, so the end is said:
the number of the frames and the hash over all of them, each with its length.
"""

from __future__ import annotations

import asyncio
import hashlib
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from .transport import FRAME, REQUEST, TransportError

ANSWERED, ENDED, REFUSED = b"F", b"E", b"R"
"""The kinds of frames."""

REASON = 300
"""The most bytes of a reason for refusing."""

_HEAD = struct.Struct(">cI")  # kind, length
_ASKED = struct.Struct(">BI")  # length of the method, length of the request
_END = struct.Struct(">Q32s")  # frames, SHA-256
_MOST = {ANSWERED: FRAME, ENDED: _END.size, REFUSED: REASON}


class RefusedError(TransportError):
    """The peer is there and says no."""


@asynccontextmanager
async def within(seconds: float, what: str) -> AsyncGenerator[None]:
    """Let *what* take that many seconds, and say what failed of it.

    Raises:
        TransportError: it took longer, or the other side went away.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TransportError(f"{what}: took longer than {seconds:g} s") from None
    except (OSError, EOFError) as error:
        raise TransportError(f"{what}: the connection was cut ({error or 'closed'})") from None


class Tally:
    """What came over a stream so far: the sender and the receiver must count the same."""

    def __init__(self) -> None:
        self._count = 0
        self._hash = hashlib.sha256()

    def add(self, frame: bytes) -> None:
        """Count a frame."""
        self._count += 1
        self._hash.update(len(frame).to_bytes(4, "big"))
        self._hash.update(frame)

    def end(self) -> bytes:
        """Return what the end must say."""
        return _END.pack(self._count, self._hash.digest())


async def send(writer: asyncio.StreamWriter, kind: bytes, body: bytes) -> None:
    """Send a frame, and wait until it is mostly on its way."""
    writer.write(_HEAD.pack(kind, len(body)))
    writer.write(body)
    await writer.drain()


async def receive(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return the kind and the body of the next frame.

    Raises:
        TransportError: it is not a frame, or longer than one may be.
        EOFError: the stream was cut.
    """
    kind, length = _HEAD.unpack(await reader.readexactly(_HEAD.size))
    if length > _MOST.get(kind, -1):
        raise TransportError(f"a frame of kind {kind!r} with {length} bytes was sent")
    return kind, await reader.readexactly(length)


async def send_request(writer: asyncio.StreamWriter, method: str, request: bytes) -> None:
    """Send a request for *method*, a name of at most 255 bytes."""
    name = method.encode()
    writer.write(_ASKED.pack(len(name), len(request)) + name)
    writer.write(request)
    await writer.drain()


async def receive_method(reader: asyncio.StreamReader) -> tuple[str, int]:
    """Return the method that is asked for and the bytes of the request, which follow.

    Raises:
        ValueError: the request is too long, or its method is not UTF-8.
        EOFError: the stream was cut.
    """
    letters, length = _ASKED.unpack(await reader.readexactly(_ASKED.size))
    method = (await reader.readexactly(letters)).decode()
    if length > REQUEST:
        raise ValueError(f"a request may have {REQUEST} bytes, but this one has {length}")
    return method, length
