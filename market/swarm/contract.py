"""What every transport promises, as tests: subclass ``TransportContract``, make some, run pytest.

class TestMine(TransportContract):
    def run(self, main: Coroutine[Any, Any, None]) -> None: ...
    async def connected(self, count: int) -> Sequence[Transport]: ...
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from .transport import ANNOUNCED, FRAME, REQUEST, Contact, Transport, TransportError

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds after which what should end by itself is held to hang."""


class TransportContract(ABC):
    """Tests of a transport between peers that lose nothing, in real or virtual time."""

    deadline = 1.0
    """Seconds within which a peer that is there surely sends a frame."""

    nobody = "nobody"
    """A name of the right form that no peer has."""

    @abstractmethod
    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine on a new loop until it ends, and raise what it raises."""

    @abstractmethod
    async def connected(self, count: int) -> Sequence[Transport]:
        """Return new transports, each of which has met all others."""

    def test_an_answer_of_one_frame(self) -> None:
        """The request and the frame come as they were sent."""

        async def scenario(one: Transport, other: Transport) -> None:
            other.serve("echo", _echo)
            every_byte = bytes(range(256))
            assert await _all(one.ask(other.me.peer, "echo", every_byte)) == [every_byte]
            assert await _all(one.ask(other.me.peer, "echo", b"")) == [b""]

        self._among(2, scenario)

    def test_an_answer_of_no_frame(self) -> None:
        """It ends as a whole."""

        async def scenario(one: Transport, other: Transport) -> None:
            other.serve("frames", _frames([]))
            assert await _all(one.ask(other.me.peer, "frames", b"")) == []

        self._among(2, scenario)

    def test_an_answer_of_many_frames(self) -> None:
        """They come in their order, empty ones among them."""
        many = [b"%d" % number * (number % 3) for number in range(500)]

        async def scenario(one: Transport, other: Transport) -> None:
            other.serve("frames", _frames(many))
            assert await _all(one.ask(other.me.peer, "frames", b"")) == many

        self._among(2, scenario)

    def test_the_largest_frames_and_request(self) -> None:
        """A request of ``REQUEST`` bytes and frames of ``FRAME`` pass, more of them than a window.

        That they are bytes of all values shows that nothing in between takes them for text.
        """
        request, frame = bytes(range(256)) * (REQUEST // 256), bytes(range(256)) * (FRAME // 256)

        async def scenario(one: Transport, other: Transport) -> None:
            async def handler(caller: str, asked: bytes) -> AsyncIterator[bytes]:
                assert asked == request
                for _ in range(40):
                    yield frame

            other.serve("large", handler)
            assert await _all(one.ask(other.me.peer, "large", request)) == [frame] * 40

        self._among(2, scenario)

    def test_a_request_that_is_too_long(self) -> None:
        """It is refused where it is made."""

        async def scenario(one: Transport, other: Transport) -> None:
            other.serve("echo", _echo)
            try:
                await _all(one.ask(other.me.peer, "echo", bytes(REQUEST + 1)))
            except ValueError:
                return
            raise AssertionError("a request longer than REQUEST was sent")

        self._among(2, scenario)

    def test_a_frame_that_is_too_long(self) -> None:
        """The answer is refused, and what came before is kept."""

        async def scenario(one: Transport, other: Transport) -> None:
            other.serve("frames", _frames([b"fine", bytes(FRAME + 1), b"late"]))
            got, _ = await _failing(one.ask(other.me.peer, "frames", b""))
            assert got == [b"fine"]

        self._among(2, scenario)

    def test_the_handler_is_told_the_true_caller(self) -> None:
        """Each caller's request comes under the name under which it says that it is reached."""

        async def scenario(*all_of_them: Transport) -> None:
            server, *callers = all_of_them
            server.serve("who", _who)
            for caller in callers:
                said = await _all(caller.ask(server.me.peer, "who", b""))
                assert said == [caller.me.peer.encode()]

        self._among(3, scenario)

    def test_a_handler_that_raises(self) -> None:
        """The caller hears the reason, after the frames that came before."""

        async def scenario(one: Transport, other: Transport) -> None:
            async def handler(caller: str, request: bytes) -> AsyncIterator[bytes]:
                for number in range(request[0]):
                    yield b"%d" % number
                raise LookupError("no such records here")

            other.serve("raise", handler)
            for count in (0, 3):
                got, text = await _failing(one.ask(other.me.peer, "raise", bytes([count])))
                assert got == [b"%d" % number for number in range(count)]
                assert "no such records here" in text

        self._among(2, scenario)

    def test_a_method_that_nobody_serves(self) -> None:
        """It is refused, and the text names it."""

        async def scenario(one: Transport, other: Transport) -> None:
            other.serve("echo", _echo)
            got, text = await _failing(one.ask(other.me.peer, "unheard-of", b""))
            assert got == []
            assert "unheard-of" in text

        self._among(2, scenario)

    def test_a_peer_that_nobody_knows(self) -> None:
        """To ask it fails, and by itself."""

        async def scenario(one: Transport, other: Transport) -> None:
            await _failing(one.ask(self.nobody, "echo", b"", deadline=self.deadline))

        self._among(2, scenario)

    def test_a_peer_that_is_gone(self) -> None:
        """To ask it fails, and by itself."""

        async def scenario(one: Transport, other: Transport) -> None:
            other.serve("echo", _echo)
            await _all(one.ask(other.me.peer, "echo", b""))
            await other.close()
            await _failing(one.ask(other.me.peer, "echo", b"", deadline=self.deadline))

        self._among(2, scenario)

    def test_a_handler_that_is_slow(self) -> None:
        """The deadline is that of each frame, not of all; past it the handler is ended."""

        async def scenario(one: Transport, other: Transport) -> None:
            ended = asyncio.Event()

            async def handler(caller: str, request: bytes) -> AsyncIterator[bytes]:
                try:
                    for _ in range(4):
                        await asyncio.sleep(self.deadline / 2)
                        yield b"slow"
                    await asyncio.sleep(100 * PATIENCE)
                finally:
                    ended.set()

            other.serve("slow", handler)
            got, _ = await _failing(
                one.ask(other.me.peer, "slow", b"", deadline=1.5 * self.deadline)
            )
            assert got == [b"slow"] * 4
            await _soon(ended.wait())

        self._among(2, scenario)

    def test_a_reader_that_leaves_early(self) -> None:
        """It ends an answer without an end, and others may be asked for."""

        async def scenario(one: Transport, other: Transport) -> None:
            ended = asyncio.Event()

            async def handler(caller: str, request: bytes) -> AsyncIterator[bytes]:
                try:
                    while True:
                        yield bytes(1000)
                finally:
                    ended.set()

            other.serve("endless", handler)
            other.serve("echo", _echo)
            frames = one.ask(other.me.peer, "endless", b"")
            assert await anext(frames) == bytes(1000)
            assert isinstance(frames, AsyncGenerator), "nobody can leave it early"
            await frames.aclose()
            await _soon(ended.wait())
            assert await _all(one.ask(other.me.peer, "echo", b"on")) == [b"on"]

        self._among(2, scenario)

    def test_requests_run_beside_each_other(self) -> None:
        """A handler that waits for the next request to the same method hears of it."""

        async def scenario(one: Transport, other: Transport) -> None:
            came = asyncio.Event()

            async def handler(caller: str, request: bytes) -> AsyncIterator[bytes]:
                if request == b"second":
                    came.set()
                await came.wait()
                yield request

            other.serve("both", handler)
            asked = [one.ask(other.me.peer, "both", word) for word in (b"first", b"second")]
            assert await asyncio.gather(*map(_all, asked)) == [[b"first"], [b"second"]]

        self._among(2, scenario)

    def test_peers_ask_each_other_at_once(self) -> None:
        """Requests in all directions do not mix."""

        async def scenario(*peers: Transport) -> None:
            for peer in peers:
                peer.serve("echo", _echo)
            words = [
                (one, other, f"{one.me.peer} {other.me.peer} {number}".encode())
                for one in peers
                for other in peers
                if one is not other
                for number in range(10)
            ]
            asked = [one.ask(other.me.peer, "echo", word) for one, other, word in words]
            answers = await asyncio.gather(*map(_all, asked))
            assert answers == [[word] for _, _, word in words]

        self._among(3, scenario)

    def test_announcements_are_heard_by_others(self) -> None:
        """The last one of each peer, by its name, and never one's own."""

        async def scenario(*peers: Transport) -> None:
            for word in (b"first", b"x" * ANNOUNCED):
                for peer in peers:
                    await peer.announce(word)
            for peer in peers:
                others = {other.me.peer for other in peers if other is not peer}
                await _soon(_hears(peer, dict.fromkeys(others, b"x" * ANNOUNCED)))

        self._among(3, scenario)

    def test_an_announcement_that_is_too_long(self) -> None:
        """It is refused where it is made."""

        async def scenario(one: Transport, other: Transport) -> None:
            try:
                await one.announce(bytes(ANNOUNCED + 1))
            except ValueError:
                return
            raise AssertionError("more than ANNOUNCED bytes were announced")

        self._among(2, scenario)

    def test_an_announcement_that_nobody_hears(self) -> None:
        """Who is alone is told so."""

        async def scenario(alone: Transport) -> None:
            try:
                await alone.announce(b"hello?")
            except TransportError:
                return
            raise AssertionError("somebody was heard by nobody and not told so")

        self._among(1, scenario)

    def test_meeting(self) -> None:
        """Those that are there are met, under their names."""

        async def scenario(one: Transport, other: Transport, third: Transport) -> None:
            gone = third.me
            await third.close()
            stranger = Contact(self.nobody, gone.addresses)
            assert list(await one.meet([gone, other.me, stranger])) == [other.me.peer]
            assert list(await one.meet([])) == []

        self._among(3, scenario)

    def test_closing_twice(self) -> None:
        """It does nothing the second time, and later requests and announcements are refused."""

        async def scenario(one: Transport, other: Transport) -> None:
            other.serve("echo", _echo)
            await one.close()
            await one.close()
            await _failing(one.ask(other.me.peer, "echo", b"", deadline=self.deadline))
            try:
                await one.announce(b"still here")
            except TransportError:
                return
            raise AssertionError("a transport announced after it was closed")

        self._among(2, scenario)

    def test_closing_cuts_what_is_answered(self) -> None:
        """The reader is told that the answer is not whole, and the handler is ended."""

        async def scenario(one: Transport, other: Transport) -> None:
            ended = asyncio.Event()
            other.serve("begin", _begun(ended))
            frames = one.ask(other.me.peer, "begin", b"", deadline=self.deadline)
            assert await anext(frames) == b"begun"
            await other.close()
            assert (await _failing(frames))[0] == []
            await _soon(ended.wait())

        self._among(2, scenario)

    def test_closing_ends_what_is_asked(self) -> None:
        """Who waits for a frame is told, and so is who answers."""

        async def scenario(one: Transport, other: Transport) -> None:
            ended = asyncio.Event()
            other.serve("begin", _begun(ended))
            frames = one.ask(other.me.peer, "begin", b"", deadline=self.deadline)
            assert await anext(frames) == b"begun"
            waiting = asyncio.create_task(_failing(frames))
            await asyncio.sleep(0)
            await one.close()
            assert (await waiting)[0] == []
            await _soon(ended.wait())

        self._among(2, scenario)

    def _among(self, count: int, scenario: Callable[..., Awaitable[None]]) -> None:
        async def main() -> None:
            async with AsyncExitStack() as stack:
                transports = await self.connected(count)
                for transport in transports:
                    stack.push_async_callback(transport.close)
                await _soon(scenario(*transports))

        self.run(main())


async def _echo(caller: str, request: bytes) -> AsyncIterator[bytes]:
    yield request


async def _who(caller: str, request: bytes) -> AsyncIterator[bytes]:
    yield caller.encode()


def _frames(frames: Sequence[bytes]) -> Callable[[str, bytes], AsyncIterator[bytes]]:
    async def handler(caller: str, request: bytes) -> AsyncIterator[bytes]:
        for frame in frames:
            yield frame

    return handler


def _begun(ended: asyncio.Event) -> Callable[[str, bytes], AsyncIterator[bytes]]:
    async def handler(caller: str, request: bytes) -> AsyncIterator[bytes]:
        try:
            yield b"begun"
            await asyncio.sleep(100 * PATIENCE)
        finally:
            ended.set()

    return handler


async def _hears(peer: Transport, expected: dict[str, bytes]) -> None:
    while dict(await peer.announced()) != expected:
        await asyncio.sleep(0.1)


async def _all(frames: AsyncIterator[bytes]) -> list[bytes]:
    return [frame async for frame in frames]


async def _failing(frames: AsyncIterator[bytes]) -> tuple[list[bytes], str]:
    """Return the frames that come before an error, and its text."""
    got: list[bytes] = []
    try:
        async for frame in frames:
            got.append(frame)
    except TransportError as error:
        return got, str(error)
    raise AssertionError(f"an answer ended as if it were whole, after {len(got)} frames")


async def _soon(awaited: Awaitable[T]) -> T:
    async with asyncio.timeout(PATIENCE):
        return await awaited
