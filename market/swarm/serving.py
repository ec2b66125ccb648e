"""Answering: each stream is a request, which is let in or not, handled, and answered in frames."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator

from .frames import (
    ANSWERED,
    ENDED,
    REASON,
    REFUSED,
    RefusedError,
    Tally,
    receive_method,
    send,
    within,
)
from .limits import Gate, Limits
from .transport import FRAME, REQUEST, Handler, TransportError

_logger = logging.getLogger(__name__)


class Server:
    """Answers what peers ask by the handlers that were given."""

    def __init__(self, limits: Limits) -> None:
        self.handlers: dict[str, Handler] = {}
        self._limits = limits
        self._gate = Gate(limits, time.monotonic)

    async def answer(
        self, peer: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer a stream that *peer* opened.

        Raises:
            TransportError: the peer went away, or is too slow.
        """
        try:
            with self._gate.entered(peer):
                async with within(self._limits.asking, f"a request of {peer}"):
                    method, length = await receive_method(reader)
                with self._gate.admitted(peer, length):
                    await self._admitted(peer, method, length, reader, writer)
        except (RefusedError, ValueError) as error:
            await self._refuse(reader, writer, str(error))

    async def _admitted(
        self,
        peer: str,
        method: str,
        length: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        async with within(self._limits.sending, f"the request of {peer}"):
            request = await reader.readexactly(length)
        handler = self.handlers.get(method)
        if handler is None:
            raise RefusedError(f"there is nothing called {method[:80]!r} here")
        answering = asyncio.create_task(self._handled(handler, peer, request, writer))
        leaving = asyncio.create_task(reader.read(1))  # a peer says nothing more: it only leaves
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            answered = answering.done()
            answering.cancel()
            leaving.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
        if answered:
            answering.result()

    async def _handled(
        self, handler: Handler, peer: str, request: bytes, writer: asyncio.StreamWriter
    ) -> None:
        tally, frames = Tally(), _each(handler, peer, request)
        try:
            while (frame := await self._next(frames)) is not None:
                tally.add(frame)
                await self._send(writer, ANSWERED, frame)
                await asyncio.sleep(self._gate.sent(peer, len(frame)))
        finally:
            await frames.aclose()
        await self._send(writer, ENDED, tally.end())
        await _flushed(writer, self._limits.sending)

    async def _next(self, frames: AsyncIterator[bytes]) -> bytes | None:
        """Return the handler's next frame, or None at its end; refuse if it has none in time."""
        try:
            async with asyncio.timeout(self._limits.handling):
                frame = await anext(frames)
        except StopAsyncIteration:
            return None
        except TimeoutError:
            raise RefusedError("the answer takes too long") from None
        except Exception as error:
            if not isinstance(error, TransportError | LookupError | ValueError):
                _logger.warning("a handler failed", exc_info=True)  # it did not mean to refuse
            raise RefusedError(f"{error}" or type(error).__name__) from None
        if len(frame) > FRAME:
            raise RefusedError(
                f"the handler made a frame of {len(frame)} bytes; {FRAME} are allowed"
            )
        return frame

    async def _send(self, writer: asyncio.StreamWriter, kind: bytes, body: bytes) -> None:
        async with within(self._limits.sending, "sending a frame"):
            await send(writer, kind, body)

    async def _refuse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reason: str
    ) -> None:
        """Say no, and take what is still on its way: a stream closed before that loses the no."""
        await self._send(writer, REFUSED, reason.encode(errors="replace")[:REASON])
        async with within(self._limits.asking, "the end of a request"):
            left = REQUEST + FRAME
            while left > 0 and (taken := await reader.read(FRAME)):
                left -= len(taken)


async def _each(handler: Handler, peer: str, request: bytes) -> AsyncGenerator[bytes]:
    """Yield what a handler does, and end it when we are ended, whatever kind of iterator it is."""
    frames = handler(peer, request)
    try:
        async for frame in frames:
            yield frame
    finally:
        if isinstance(frames, AsyncGenerator):
            await frames.aclose()


async def _flushed(writer: asyncio.StreamWriter, seconds: float) -> None:
    """Close a stream when all that was written is on its way."""
    writer.close()
    async with within(seconds, "the end of an answer"):
        await writer.wait_closed()
