"""The real transport: peers over libp2p, by hivemind's daemon, with a directory of who is there.

A peer that loses its daemon, or all of its neighbours, gets them back by itself: it is looked after
every few seconds, and the peers that were good lately are remembered in a file.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .daemon import Daemon
from .directory import Directory
from .frames import ANSWERED, ENDED, RefusedError, Tally, receive, send_request, within
from .limits import Limits
from .peer_key import PeerKey, public_of
from .remembered import ADDRESSES, MOST, load_contacts, save_contacts
from .serving import Server
from .transport import ANNOUNCED, REQUEST, Contact, Handler, TransportError
from .validator import Shards

SKEW = 3.0
"""The most seconds that the clock may differ from the others': announcements end by the clock."""

DIAL = 10.0
"""The most seconds for reaching a peer at its addresses."""

DIALLED = 16
"""Peers that are dialled at once."""

WATCH = 5.0
"""The seconds between two looks at the daemon and the neighbours."""

TRIES = 3
"""How often something fails before the daemon is started anew."""

LONGEST = 300.0
"""The most seconds between two new starts."""

_WHOLE = 4 << 20
"""The most bytes of an answer of the directory."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Network:
    """How a peer stands in the network."""

    listen: Sequence[str] = ("127.0.0.1",)
    """Addresses of this host, or whole multiaddrs, to listen at; none to be reached by relays."""
    port: int = 0
    """The TCP port to listen at; 0 takes a free one."""
    announce: Sequence[str] = ()
    """Multiaddrs at which all others reach this peer, if not those where it listens; it relays to
    those that cannot be reached.
    """
    nat_port_map: bool = False
    """Whether to ask the router for a port by UPnP."""
    relays: Sequence[str] = ()
    """Addresses of peers by way of which this one, which cannot be reached, is to be reached."""
    startup_timeout: float = 60.0
    """The seconds that the daemon may take to start."""

    @property
    def places(self) -> tuple[str, ...]:
        """The multiaddrs to listen at."""
        return tuple(host if host.startswith("/") else self._place(host) for host in self.listen)

    def _place(self, host: str) -> str:
        return f"/ip{6 if ':' in host else 4}/{host}/tcp/{self.port}"


@dataclass
class _Watched:
    """What the watch counts."""

    silent: int = 0
    """How often in a row the daemon did not answer."""
    alone: int = 0
    """How often in a row nobody was reached."""
    pause: float = WATCH
    """Seconds until the next new start, which double."""
    next_start: float = 0.0
    saved: frozenset[Contact] = frozenset()
    """What the file says."""


class P2PTransport:
    """A peer of a swarm on the network; made by ``create``."""

    def __init__(
        self,
        key: PeerKey,
        launch: Callable[..., Awaitable[Daemon]],
        places: Sequence[str],
        *,
        shards: Shards,
        limits: Limits,
        file: Path | None,
        now: Callable[[], float],
        rng: random.Random,
    ) -> None:
        """*launch* starts the daemon that listens at *places*; *file* has who is remembered."""
        self._key, self._launch, self._places = key, launch, places
        self._file, self._rng = file, rng
        self._protocol = f"/praxis-evolve/1/{shards.swarm}"
        self._server = Server(limits)
        self._stirred = asyncio.Event()
        self._directory = Directory(key, self._whole, shards, now=now, stirred=self._stirred.set)
        self._server.handlers.update(self._directory.handlers)
        self._daemon: Daemon | None = None
        self._watching: asyncio.Task[None] | None = None
        self._contacts: dict[str, Contact] = {}
        self._watched = _Watched()
        self._dialling = asyncio.Semaphore(DIALLED)
        self._held = ExitStack()
        self._closed = False

    @classmethod
    async def create(
        cls,
        swarm: str,
        *,
        identity: Path,
        join: Sequence[str] = (),
        remembered_in: Path | None = None,
        network: Network | None = None,
        shards: int = 1,
        limits: Limits | None = None,
        watch: float = WATCH,
        now: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> P2PTransport:
        """Start a peer and let it meet the peers at *join* and those in the file *remembered_in*.

        *identity* is the file of its key, made if absent. A peer that reaches nobody starts all the
        same and tries on, about every *watch* seconds: see ``neighbours``.

        Raises:
            TransportError: the daemon did not start, another process is this peer, or the clock is
                too far from the others'.
            ValueError: something in *join* is not the address of a peer.
        """
        contacts = [contact_of(address) for address in join]
        contacts += load_contacts(remembered_in) if remembered_in else ()
        key, network = PeerKey.load_or_create(identity), network or Network()
        self = cls(
            key,
            partial(
                Daemon.start,
                key,
                identity,
                announce=network.announce,
                nat_port_map=network.nat_port_map,
                relays=network.relays,
                startup_timeout=network.startup_timeout,
            ),
            network.places,
            shards=Shards(swarm, shards),
            limits=limits or Limits(),
            file=remembered_in,
            now=now,
            rng=rng or random.Random(),
        )
        for contact in reversed(contacts):
            self._remember(contact)
        try:
            self._held.enter_context(PeerKey.held(identity))
            await self._start(self._places)
            await self._join()
        except BaseException:
            await self.close()
            raise
        self._watching = asyncio.create_task(self._watch(watch))
        return self

    @property
    def me(self) -> Contact:
        """This peer, as others may reach it."""
        return Contact(self._key.peer, self._daemon.addresses if self._daemon else ())

    @property
    def neighbours(self) -> tuple[str, ...]:
        """The peers that answered lately, by name."""
        return self._directory.neighbours

    @property
    def skew(self) -> float:
        """The seconds that this clock is ahead of those of the neighbours, in the middle."""
        return self._directory.skew

    @property
    def pid(self) -> int | None:
        """The process of the daemon."""
        return self._daemon.pid if self._daemon else None

    def serve(self, method: str, handler: Handler) -> None:
        """Answer requests of that name by *handler*; each of several runs beside the others.

        Raises:
            ValueError: the name is empty, longer than 255 bytes, or starts with a dot.
        """
        if method.startswith(".") or not 0 < len(method.encode()) < 256:
            raise ValueError(f"a method has 1 to 255 bytes and no dot at its start, not {method!r}")
        self._server.handlers[method] = handler

    async def ask(
        self, peer: str, method: str, request: bytes, *, deadline: float = 10.0
    ) -> AsyncGenerator[bytes]:
        """Yield the frames of a peer's answer; that it ends says that it is whole.

        *deadline* is the most seconds that a frame may take.

        Raises:
            TransportError: as its text says; frames that came before may be kept.
            ValueError: the request is longer than ``REQUEST``.
        """
        if len(request) > REQUEST:
            raise ValueError(f"a request may have {REQUEST} bytes, but this one has {len(request)}")
        daemon, what = self._reachable(peer), f"{method!r} asked of {peer}"
        tally, writer = Tally(), None
        try:
            async with within(deadline, what):
                reader, writer = await daemon.open(peer, self._protocol, deadline=deadline)
                with suppress(ConnectionError):  # it may have refused before it read all
                    await send_request(writer, method, request)
                kind, body = await receive(reader)
            while kind == ANSWERED:
                tally.add(body)
                yield body
                async with within(deadline, what):
                    kind, body = await receive(reader)
            _ended(kind, body, tally, what)
        finally:
            if writer is not None:
                writer.transport.abort()

    async def announce(self, said: bytes) -> None:
        """Say something about this peer to whoever looks, for ``LIFE`` seconds.

        Raises:
            TransportError: nobody else heard it.
            ValueError: it is longer than ``ANNOUNCED``.
        """
        if len(said) > ANNOUNCED:
            raise ValueError(f"an announcement may have {ANNOUNCED} bytes, not {len(said)}")
        if not await self._directory.announce(said):
            raise TransportError("nobody else heard the announcement")

    async def announced(self) -> Mapping[str, bytes]:
        """Return what others said lately by their names, as far as it is heard; never this peer."""
        return await self._directory.announced()

    async def meet(self, contacts: Sequence[Contact]) -> Sequence[str]:
        """Try to reach peers at their addresses and return the names of those that answered."""
        others = {each.peer: each for each in contacts if each.peer != self._key.peer}
        met = await asyncio.gather(*(self._met(each) for each in others.values()))
        return [contact.peer for contact, here in zip(others.values(), met, strict=True) if here]

    async def close(self) -> None:
        """Leave, and stop everything that was started."""
        self._closed = True
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._directory.close()
        await self._stop()
        await self._save()
        self._held.close()

    async def _met(self, contact: Contact) -> bool:
        try:
            async with self._dialling:
                await self._reachable(contact.peer).connect(
                    contact.peer, contact.addresses[:ADDRESSES], deadline=DIAL
                )
            await self._directory.greet(contact.peer)
        except (TransportError, ValueError) as error:
            _logger.debug("%s was not reached: %s", contact.peer[:64], error)
            return False
        await self._note(contact.peer)
        return True

    async def _whole(self, peer: str, method: str, request: bytes, *, deadline: float) -> bytes:
        answer = bytearray()
        frames = self.ask(peer, method, request, deadline=deadline)
        async for frame in frames:
            answer += frame
            if len(answer) > _WHOLE:
                raise TransportError(f"{peer} answered with more than {_WHOLE} bytes")
        return bytes(answer)

    def _reachable(self, peer: str) -> Daemon:
        """Return the daemon by which a peer may be reached.

        Raises:
            TransportError: there is none now, or that is no peer to reach.
        """
        if self._daemon is None or self._closed:
            raise TransportError("this peer is not connected now")
        try:
            public_of(peer)
        except ValueError as error:
            raise TransportError(str(error)) from None
        return self._daemon

    async def _start(self, places: Sequence[str]) -> None:
        self._daemon = await self._launch(listen=places, ended=self._stirred.set)
        await self._daemon.serve(self._protocol, self._server.answer)

    async def _stop(self) -> None:
        if self._daemon is not None:
            await self._daemon.stop()
        self._daemon = None

    async def _join(self) -> None:
        """Meet all who are remembered, look around, and check the clock by theirs."""
        if not await self.meet(tuple(self._contacts.values())):
            return
        await self._directory.explore()
        skew = self._directory.skew
        if abs(skew) > SKEW:
            side = "ahead of" if skew > 0 else "behind"
            raise TransportError(
                f"the clock of this host is {abs(skew):.0f} s {side} those of the others; "
                "set it by the network (NTP) and start again"
            )

    async def _watch(self, period: float) -> None:
        """Look after the connection every so often, and soon when something happened."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(period * self._rng.uniform(0.8, 1.2)):
                    await self._stirred.wait()
            self._stirred.clear()
            try:
                await self._look_after()
            except Exception:  # the watch must go on, whatever it met
                _logger.warning("looking after the connection failed", exc_info=True)
            await asyncio.sleep(period / 50)  # whoever keeps stirring keeps us less busy

    async def _look_after(self) -> None:
        if self._daemon is None or self._daemon.exited:
            await self._start_again("the daemon ended")
        elif not await self._daemon.alive():
            self._watched.silent += 1
            if self._watched.silent >= TRIES:
                await self._start_again("the daemon did not answer")
        else:
            self._watched.silent = 0
            await self._look_around()

    async def _look_around(self) -> None:
        """Keep in touch with the others, and find back to them if nobody is near."""
        strangers = [peer for peer in self._contacts if peer not in set(self.neighbours)]
        if self.neighbours:
            self._watched.alone, self._watched.pause = 0, WATCH
            # a swarm that fell in two grows together where one meets another's neighbour
            await self.meet([self._contacts[peer] for peer in self._some(strangers, 1)])
            # one who lost us hears of us again, and one who is gone leaves the table
            with suppress(TransportError):
                await self._directory.greet(self._rng.choice(self.neighbours))
            fresh = [peer for peer in self.neighbours if peer not in self._contacts]
            some = self._some(fresh or self.neighbours, DIALLED)
            await asyncio.gather(*(self._note(peer) for peer in some))
            await self._save()
        elif strangers:
            met = await self.meet([self._contacts[peer] for peer in self._some(strangers, DIALLED)])
            self._watched.alone = 0 if met else self._watched.alone + 1
            if self._watched.alone >= TRIES:
                await self._start_again("nobody was reached")

    async def _start_again(self, why: str) -> None:
        """Start a new daemon at the old addresses, but not too often."""
        if time.monotonic() < self._watched.next_start:
            return
        pause = self._watched.pause
        self._watched.next_start = time.monotonic() + pause
        self._watched.pause = min(LONGEST, self._watched.pause * 2 * self._rng.uniform(0.8, 1.2))
        self._watched.alone = self._watched.silent = 0
        _logger.warning("%s; a new one is started", why)
        places = [address.partition("/p2p/")[0] for address in self.me.addresses]
        await self._stop()
        try:
            await self._start(places or self._places)
        except TransportError:  # something else may have taken the port
            await self._start(self._places)
        self._watched.next_start = time.monotonic() + pause  # a start may take as long
        await self.meet(tuple(self._contacts.values()))
        await self._directory.explore()

    def _some(self, peers: Sequence[str], count: int) -> list[str]:
        return self._rng.sample(peers, min(count, len(peers)))

    async def _note(self, peer: str) -> None:
        """Remember a peer that answered, by the addresses where it says that it listens."""
        if self._daemon is not None:
            addresses = await self._daemon.known(peer)
            if addresses:
                self._remember(Contact(peer, addresses))

    def _remember(self, contact: Contact) -> None:
        """Put a contact first, and forget the last if they are too many."""
        if contact.peer == self._key.peer:
            return
        before = self._contacts.pop(contact.peer, contact)
        addresses = dict.fromkeys((*contact.addresses, *before.addresses))
        self._contacts[contact.peer] = Contact(contact.peer, tuple(addresses)[:ADDRESSES])
        while len(self._contacts) > MOST:
            del self._contacts[next(iter(self._contacts))]

    async def _save(self) -> None:
        """Write who is remembered to the file, if it is not so there."""
        contacts = frozenset(self._contacts.values())
        if self._file is None or contacts == self._watched.saved:
            return
        latest_first = tuple(reversed(self._contacts.values()))
        try:
            await asyncio.to_thread(save_contacts, self._file, latest_first)
        except OSError as error:
            _logger.warning("the contacts cannot be written to %s: %s", self._file, error)
        else:
            self._watched.saved = contacts


def contact_of(address: str) -> Contact:
    """Return the peer that a multiaddr with a name at its end leads to.

    Raises:
        ValueError: it has no name of a peer at its end.
    """
    place, _, peer = address.rpartition("/p2p/")
    if not place.startswith("/"):
        raise ValueError(
            f"{address[:200]!r} is not the address of a peer, "
            "which looks like /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW..."
        )
    public_of(peer)
    return Contact(peer, (address,))


def _ended(kind: bytes, body: bytes, tally: Tally, what: str) -> None:
    """Check the last frame of an answer.

    Raises:
        TransportError: the answer was refused, or is not what was sent.
    """
    if kind != ENDED:
        raise RefusedError(f"{what}: refused: {body.decode(errors='replace')}")
    if body != tally.end():
        raise TransportError(f"{what}: the answer is not what was sent")
