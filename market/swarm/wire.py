"""The wire of a network in memory: how requests and the frames of answers travel, late or lost.

What travels to or from a frozen end is held until it thaws. What is lost stops its stream: nothing
comes after it, as on a connection, and whoever waits has a deadline.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from itertools import count
from random import Random
from typing import Any, TypeAlias, cast

from .transport import FRAME, Handler, TransportError

WINDOW = 8
"""The most frames of an answer that are sent and not read."""

FORGOTTEN = 30.0
"""Seconds until an end notices that a caller is gone whom it cannot hear."""

SILENT = 0.5
"""The part of the streams and requests to a killed end that hear nothing; others are told."""

Item: TypeAlias = bytes | TransportError | None
"""What an answer consists of: frames, and at last an error or None."""


class Trace:
    """The events of a network in their order, as one hash."""

    def __init__(self, watch: Callable[[str], None] | None = None) -> None:
        self.count = 0
        self._hash = sha256()
        self._watch = watch

    @property
    def digest(self) -> str:
        """The SHA-256 of all events so far, in hexadecimal digits."""
        return self._hash.hexdigest()

    def note(self, event: str, payload: bytes = b"") -> None:
        """Add an event of this moment, and the bytes that it was about."""
        line = f"{now()!r} {event} {len(payload)}\n"
        self.count += 1
        self._hash.update(line.encode())
        self._hash.update(payload)
        if self._watch is not None:
            self._watch(line.rstrip())


@dataclass(eq=False)
class End:
    """A peer from when it joins until it leaves; ``held`` is a list while it is frozen."""

    name: str
    handlers: dict[str, Handler] = field(default_factory=dict[str, Handler])
    asking: dict[int, Stream] = field(default_factory=dict[int, Any])
    answering: dict[int, Stream] = field(default_factory=dict[int, Any])
    held: list[Callable[[], object]] | None = None
    left: bool = False

    def when_awake(self, act: Callable[[], object]) -> None:
        """Do something, or hold it until this end thaws."""
        if self.held is None:
            act()
        else:
            self.held.append(act)

    def thaw(self) -> None:
        """Let what was held go on, in its order."""
        held, self.held = self.held or [], None
        for act in held:
            act()


@dataclass(eq=False)
class Stream:
    """A request and its answer; in ``inbox``, None is the end of the answer."""

    number: int
    caller: End
    peer: str
    method: str
    inbox: asyncio.Queue[Item] = field(default_factory=asyncio.Queue[Item])
    room: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, WINDOW))
    flight: deque[Item] = field(default_factory=deque[Item])
    stopped: bool = False  # nothing more is sent
    ended: bool = False  # the caller has the end
    deserted: bool = False  # the server knows that the caller left
    task: asyncio.Task[None] | None = None


class Wire:
    """What lies between ends: delays in seconds, and losses, drawn from one generator."""

    def __init__(
        self, rng: Random, trace: Trace, *, delay: tuple[float, float], loss: float
    ) -> None:
        self.rng, self.trace = rng, trace
        self.live: dict[str, End] = {}
        self.killed: set[str] = set()
        self.sides: Mapping[str, int] = {}
        self._delay, self._loss = delay, loss
        self._numbers = count()

    def delay(self) -> float:
        """Draw the seconds that something travels."""
        return self.rng.uniform(*self._delay)

    def together(self, one: str, other: str) -> bool:
        """Return whether no partition lies between two names."""
        return together(self.sides, one, other)

    def join(self, name: str) -> End:
        """Return a new end."""
        self.killed.discard(name)
        end = self.live[name] = End(name)
        return end

    def ask(self, caller: End, peer: str, method: str, request: bytes) -> Stream:
        """Send a request on its way."""
        stream = Stream(next(self._numbers), caller, peer, method)
        caller.asking[stream.number] = stream
        self._note(f"asks {peer} {method!r}", stream, request)
        caller.when_awake(partial(self._send_request, stream, request))
        return stream

    async def next(self, stream: Stream, *, deadline: float) -> bytes | None:
        """Return the next frame, None if the answer is whole.

        Raises:
            TransportError: there is none after *deadline* seconds, or there will be none.
        """
        try:
            async with asyncio.timeout(deadline):
                item = await stream.inbox.get()
        except TimeoutError:
            raise TransportError(
                f"{stream.peer} did not answer {stream.method!r} within {deadline:g} seconds"
            ) from None
        if isinstance(item, bytes):
            stream.room.release()
            return item
        stream.ended = True
        if item is not None:
            raise item
        return None

    def leave(self, stream: Stream) -> None:
        """Let the caller read no further: who answers is told, if late."""
        if stream.caller.asking.pop(stream.number, None) is None or stream.ended:
            return
        told = self.together(stream.caller.name, stream.peer) and not self._loses()
        _later(self.delay() if told else FORGOTTEN, self._desert, stream)

    def depart(self, end: End, *, silent: float) -> list[asyncio.Task[None]]:
        """Take an end off the wire, cut its streams, and return the tasks that answered.

        Who reads an answer of it is told so, except with the chance *silent*.
        """
        del self.live[end.name]
        end.left = True
        tasks = [self._cut(stream, silent) for stream in list(end.answering.values())]
        for stream in list(end.asking.values()):
            stream.inbox.put_nowait(TransportError(f"{end.name} has left the network"))
            self.leave(stream)
        return [task for task in tasks if task is not None]

    def _send_request(self, stream: Stream, request: bytes) -> None:
        if self._loses():
            self._note("was lost", stream)
        else:
            _later(self.delay(), self._request_arrives, stream, request)

    def _request_arrives(self, stream: Stream, request: bytes) -> None:
        server = self.live.get(stream.peer)
        if not self.together(stream.caller.name, stream.peer):
            self._note("met a partition", stream)
        elif server is not None:
            server.when_awake(partial(self._begin, server, stream, request))
        elif stream.peer in self.killed and self.rng.random() < SILENT:
            self._note("met nobody", stream)
        else:
            self._send(stream, TransportError(f"no peer called {stream.peer} is there"))

    def _begin(self, server: End, stream: Stream, request: bytes) -> None:
        self._note("begins", stream)
        server.answering[stream.number] = stream
        loop = asyncio.get_running_loop()
        stream.task = loop.create_task(self._answer(server, stream, request))
        stream.task.add_done_callback(lambda _: server.answering.pop(stream.number))
        if stream.deserted:  # a frozen server sees the request before it sees that nobody waits
            _later(self.delay(), self._desert, stream)

    async def _answer(self, server: End, stream: Stream, request: bytes) -> None:
        end: TransportError | None = None
        try:
            handler = _handler(server, stream.method)
            await self._send_all(server, stream, handler(stream.caller.name, request))
        except Exception as error:
            reason = str(error) or type(error).__name__
            end = TransportError(f"{server.name} refused {stream.method!r}: {reason}")
        server.when_awake(partial(self._send, stream, end))

    async def _send_all(self, server: End, stream: Stream, frames: AsyncIterator[bytes]) -> None:
        try:
            async for frame in frames:
                if len(frame) > FRAME:
                    raise ValueError(f"a frame of {len(frame)} bytes is longer than {FRAME}")
                await stream.room.acquire()
                server.when_awake(partial(self._send, stream, frame))
        finally:
            await end_early(frames)

    def _send(self, stream: Stream, item: Item) -> None:
        if stream.stopped:
            return
        if self._loses():
            stream.stopped = True
            self._note("lost a frame", stream)
            return
        stream.flight.append(item)
        _later(self.delay(), self._arrives, stream)

    def _arrives(self, stream: Stream) -> None:
        if not stream.flight:  # what came before met a partition
            return
        if self.together(stream.caller.name, stream.peer):
            item = stream.flight.popleft()  # the first sent comes first, whichever timer is due
            stream.caller.when_awake(partial(self._deliver, stream, item))
        else:
            stream.stopped = True
            stream.flight.clear()
            self._note("lost frames to a partition", stream)

    def _deliver(self, stream: Stream, item: Item) -> None:
        if isinstance(item, bytes):
            self._note("brings", stream, item)
        else:
            self._note("is whole" if item is None else f"fails, {item}", stream)
        stream.inbox.put_nowait(item)

    def _cut(self, stream: Stream, silent: float) -> asyncio.Task[None] | None:
        if self.rng.random() >= silent:
            self._send(stream, TransportError(f"{stream.peer} left and cut {stream.method!r}"))
        stream.stopped = True
        if stream.task is not None:
            stream.task.cancel()
        return stream.task

    def _desert(self, stream: Stream) -> None:
        stream.deserted = True
        server = self.live.get(stream.peer)
        if server is not None and stream.number in server.answering and stream.task is not None:
            self._note("is deserted", stream)
            server.when_awake(stream.task.cancel)

    def _loses(self) -> bool:
        return self._loss > 0 and self.rng.random() < self._loss

    def _note(self, event: str, stream: Stream, payload: bytes = b"") -> None:
        self.trace.note(f"{stream.caller.name}:{stream.number} {event}", payload)


def together(sides: Mapping[str, int], one: str, other: str) -> bool:
    """Return whether two names are on the same side; those that no side has are on one, too."""
    return sides.get(one, -1) == sides.get(other, -1)


def now() -> float:
    """Return the time of the running loop, in seconds."""
    return asyncio.get_running_loop().time()


async def end_early(frames: AsyncIterator[bytes]) -> None:
    """End an iteration now, where it can be told to: a generator can."""
    if isinstance(frames, AsyncGenerator):
        await cast(AsyncGenerator[bytes, None], frames).aclose()


def _later(delay: float, act: Callable[..., object], *args: object) -> None:
    asyncio.get_running_loop().call_later(delay, partial(act, *args))


def _handler(server: End, method: str) -> Handler:
    if method not in server.handlers:
        raise LookupError(f"it has no method called {method!r}")
    return server.handlers[method]
