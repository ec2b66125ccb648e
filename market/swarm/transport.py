"""The seam to the network: a peer asks others by name, is asked, and says and hears who is there.

All of the swarm is written against this protocol, in asyncio. ``memory.Network`` is the twin for
tests and simulations; ``contract.TransportContract`` is what every transport passes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

FRAME = 256 * 1024
"""The most bytes of a frame of an answer."""

REQUEST = 1 << 20
"""The most bytes of a request."""

ANNOUNCED = 512
"""The most bytes of an announcement."""

LIFE = 180.0
"""The seconds after which an announcement is forgotten unless it is made again."""


class TransportError(RuntimeError):
    """A peer was not reached, did not answer in time, or its answer was cut or refused."""


Handler = Callable[[str, bytes], AsyncIterator[bytes]]
"""(name of the caller, request) -> the frames of the answer. What it raises refuses the request."""


@dataclass(frozen=True)
class Contact:
    """A peer by name, and the addresses at which it may be reached, of which there may be none."""

    peer: str
    addresses: tuple[str, ...] = ()


class Transport(Protocol):
    """A peer's way to the others. Names of peers are authentic: nobody answers by another's name.

    Nothing here waits for ever: each method ends by itself, a stream with each of its frames.
    """

    @property
    def me(self) -> Contact:
        """This peer, as others may reach it."""
        ...

    def serve(self, method: str, handler: Handler) -> None:
        """Answer requests of that name by *handler*; each of several runs beside the others."""
        ...

    def ask(
        self, peer: str, method: str, request: bytes, *, deadline: float = 10.0
    ) -> AsyncIterator[bytes]:
        """Yield the frames of a peer's answer; that it ends says that it is whole.

        *deadline* is the most seconds that a frame may take.

        Raises:
            TransportError: as its text says; frames that came before may be kept.
            ValueError: the request is longer than ``REQUEST``.
        """
        ...

    async def announce(self, said: bytes) -> None:
        """Say something about this peer to whoever looks, for ``LIFE`` seconds.

        Raises:
            TransportError: nobody else heard it.
            ValueError: it is longer than ``ANNOUNCED``.
        """
        ...

    async def announced(self) -> Mapping[str, bytes]:
        """Return what others said lately by their names, as far as it is heard; never this peer."""
        ...

    async def meet(self, contacts: Sequence[Contact]) -> Sequence[str]:
        """Try to reach peers at their addresses and return the names of those that answered."""
        ...

    async def close(self) -> None:
        """Leave, and stop everything that was started."""
        ...
