"""A network in memory, for tests and simulations: peers that are killed, parted, frozen and lost.

All chance comes from one seed and all time from the running loop, so that under ``virtual.run`` a
run of the same seed repeats exactly: ``Network.trace`` is then the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from .transport import ANNOUNCED, LIFE, REQUEST, Contact, Handler, TransportError
from .wire import SILENT, End, Trace, Wire, now, together

MEETING = 5.0
"""Seconds in which a peer must answer to be met."""

LEAVING = 5.0
"""The most seconds that handlers have to end when their peer leaves."""

_MEET = "memory.meet"


class Network:
    """Peers by name, and what lies between them. Use it within one loop.

    *delay* is the least and most seconds that a request or frame travels, *loss* the chance that it
    never comes, *unheard* the chance that a peer never hears an announcement. *watch* is called
    with each event as a line of text: where two traces differ, the first line that does says why.
    """

    def __init__(
        self,
        seed: int,
        *,
        delay: tuple[float, float] = (0.005, 0.05),
        loss: float = 0.0,
        unheard: float = 0.0,
        watch: Callable[[str], None] | None = None,
    ) -> None:
        if not 0 <= delay[0] <= delay[1]:
            raise ValueError(f"delay is from the least to the most seconds, not {delay}")
        for name, chance in (("loss", loss), ("unheard", unheard)):
            if not 0 <= chance <= 1:
                raise ValueError(f"{name} is a chance from 0 to 1, not {chance}")
        self._trace = Trace(watch)
        self._wire = Wire(Random(seed), self._trace, delay=delay, loss=loss)
        self._board = _Board(self._wire, unheard)

    @property
    def trace(self) -> str:
        """The SHA-256 of all events so far, with their times and bytes, in hexadecimal digits."""
        return self._trace.digest

    @property
    def events(self) -> int:
        """How many events there were."""
        return self._trace.count

    @property
    def peers(self) -> tuple[str, ...]:
        """The names of those that are here, frozen ones among them, as they joined."""
        return tuple(self._wire.live)

    def join(self, name: str) -> MemoryTransport:
        """Return the transport of a new peer, or of one that comes again.

        Raises:
            ValueError: a peer of that name is here.
        """
        if name in self._wire.live:
            raise ValueError(f"a peer called {name!r} is on this network; kill or close it first")
        self._trace.note(f"{name} joins")
        return MemoryTransport(self._wire.join(name), self._wire, self._board)

    def kill(self, name: str) -> None:
        """End a peer at once, as ``kill -9`` does: its streams are cut, and its handlers cancelled.

        Those that read an answer of it, or ask it later, are told so or hear nothing until their
        deadline, by chance. Its transport refuses all from now on.

        Raises:
            ValueError: no peer of that name is here.
        """
        end = self._end(name)
        self._trace.note(f"{name} is killed")
        self._wire.killed.add(name)
        self._wire.depart(end, silent=SILENT)

    def freeze(self, name: str) -> None:
        """Hold all that comes to a peer or leaves it, as if its process were stopped.

        Raises:
            ValueError: no peer of that name is here.
        """
        end = self._end(name)
        self._trace.note(f"{name} freezes")
        end.held = [] if end.held is None else end.held

    def thaw(self, name: str) -> None:
        """Let a frozen peer go on, with all that was held for it.

        Raises:
            ValueError: no peer of that name is here.
        """
        end = self._end(name)
        self._trace.note(f"{name} thaws")
        end.thaw()

    def part(self, groups: Sequence[Sequence[str]]) -> None:
        """Separate groups of names from each other; all other names are one more group.

        What is under way between groups is lost, and what is said later is not heard in others.

        Raises:
            ValueError: a name is in two groups.
        """
        sides: dict[str, int] = {}
        for side, group in enumerate(groups):
            for name in group:
                if sides.setdefault(name, side) != side:
                    raise ValueError(f"{name!r} cannot be on two sides of a partition")
        self._trace.note(f"parts {sides}")
        self._wire.sides = sides

    def heal(self) -> None:
        """End the partition; streams that lost a frame to it do not go on."""
        self._trace.note("heals")
        self._wire.sides = {}

    def _end(self, name: str) -> End:
        if name not in self._wire.live:
            raise ValueError(f"no peer called {name!r} is on this network")
        return self._wire.live[name]


class MemoryTransport:
    """The transport of one peer of a ``Network``, which makes it."""

    def __init__(self, end: End, wire: Wire, board: _Board) -> None:
        self._end, self._wire, self._board = end, wire, board
        self.serve(_MEET, _nothing)

    @property
    def me(self) -> Contact:
        """This peer, with an address that says its name."""
        return Contact(self._end.name, (f"memory/{self._end.name}",))

    def serve(self, method: str, handler: Handler) -> None:
        """Answer requests of that name by *handler*, and no longer by the one before."""
        self._end.handlers[method] = handler

    def ask(
        self, peer: str, method: str, request: bytes, *, deadline: float = 10.0
    ) -> AsyncGenerator[bytes, None]:
        """Yield the frames of a peer's answer; the request leaves when the first is asked for.

        *deadline* is the most seconds that a frame may take.

        Raises:
            TransportError: as its text says; frames that came before may be kept.
            ValueError: the request is longer than ``REQUEST``.
        """
        if len(request) > REQUEST:
            raise ValueError(f"a request of {len(request)} bytes is longer than {REQUEST}")
        return self._ask(peer, method, request, deadline)

    async def announce(self, said: bytes) -> None:
        """Say something to all that are not parted from this peer, also to those that come later.

        Raises:
            TransportError: no other is here that could hear it.
            ValueError: it is longer than ``ANNOUNCED``.
        """
        if len(said) > ANNOUNCED:
            raise ValueError(f"an announcement of {len(said)} bytes is longer than {ANNOUNCED}")
        await asyncio.sleep(self._wire.delay())
        self._board.put(self._end, said)

    async def announced(self) -> Mapping[str, bytes]:
        """Return what others said lately by their names; nothing after this peer left."""
        await asyncio.sleep(self._wire.delay())
        return self._board.read(self._end)

    async def meet(self, contacts: Sequence[Contact]) -> Sequence[str]:
        """Try to reach peers, by name alone, and return the names of those that answered."""
        names = list(dict.fromkeys(contact.peer for contact in contacts))
        answered = await asyncio.gather(*(self._meets(name) for name in names))
        return [name for name, here in zip(names, answered, strict=True) if here]

    async def close(self) -> None:
        """Leave: cut all streams, tell those at their other ends, and end the handlers."""
        if self._end.left:
            return
        self._wire.trace.note(f"{self._end.name} leaves")
        tasks = self._wire.depart(self._end, silent=0.0)
        if tasks:
            await asyncio.wait(tasks, timeout=LEAVING)

    async def _ask(
        self, peer: str, method: str, request: bytes, deadline: float
    ) -> AsyncGenerator[bytes, None]:
        if self._end.left:
            raise TransportError(f"{self._end.name} has left the network and asks nobody")
        if peer == self._end.name:
            raise TransportError(f"{peer} cannot ask itself")
        stream = self._wire.ask(self._end, peer, method, request)
        try:
            while (frame := await self._wire.next(stream, deadline=deadline)) is not None:
                yield frame
        finally:
            self._wire.leave(stream)

    async def _meets(self, peer: str) -> bool:
        try:
            async for _ in self.ask(peer, _MEET, b"", deadline=MEETING):
                pass
        except TransportError:
            return False
        return True


@dataclass(frozen=True)
class _Said:
    """An announcement: when it was made, who never hears it, and the partition of that time."""

    text: bytes
    at: float
    deaf: frozenset[str]
    sides: Mapping[str, int]


class _Board:
    """What was announced last by each name. It outlives its author, as in a table shared by all."""

    def __init__(self, wire: Wire, unheard: float) -> None:
        self._wire, self._unheard = wire, unheard
        self._said: dict[str, _Said] = {}

    def put(self, author: End, text: bytes) -> None:
        """Let others hear something, and forget what the author said before."""
        if author.left or author.held is not None or next(self._hearers(author), None) is None:
            raise TransportError(f"nobody heard what {author.name} announced")
        deaf = frozenset(name for name in self._wire.live if self._misses())
        self._wire.trace.note(f"{author.name} announces to all but {sorted(deaf)}", text)
        self._said[author.name] = _Said(text, now(), deaf, self._wire.sides)

    def read(self, reader: End) -> dict[str, bytes]:
        """Return what a peer hears at this moment."""
        if reader.left or reader.held is not None:
            return {}
        name, moment = reader.name, now()
        heard = {
            author: said.text
            for author, said in self._said.items()
            if author != name and moment - said.at < LIFE and self._hears(name, author, said)
        }
        self._wire.trace.note(f"{name} hears {len(heard)}")
        return heard

    def _hears(self, name: str, author: str, said: _Said) -> bool:
        met = together(said.sides, name, author) or self._wire.together(name, author)
        return met and name not in said.deaf

    def _hearers(self, author: End) -> Iterator[End]:
        for end in self._wire.live.values():
            near = self._wire.together(author.name, end.name)
            if end is not author and end.held is None and near:
                yield end

    def _misses(self) -> bool:
        return self._unheard > 0 and self._wire.rng.random() < self._unheard


async def _nothing(caller: str, request: bytes) -> AsyncIterator[bytes]:
    return
    yield b""
