"""Migration: how the best results of an island come to the peers of another.

A peer asks one of another island now and then what it offers (``emigrants``), and for what it lacks
of that. Only records of that peer's own island are taken: every island is asked by itself, and what
came from it goes no further than to those who live here, by gossip like all else. Who asks believes
none of it: a migrant is a stranger's claim.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from .. import canonical, fields
from ..errors import RecordError
from ..islands import Islands
from ..record import Record
from . import message
from .asking import only_frame
from .emigrants import OFFERED
from .refused import Refused
from .replica import Received
from .transport import FRAME, REQUEST, Transport, TransportError

METHOD = "migrants"
"""What a peer is asked for: names where the request has none, else the records of these names."""


class Shore(Protocol):
    """The records of a run, as far as those of other islands see them."""

    run: str

    def look(self) -> None:
        """Read on what is believed; a bounded work."""
        ...

    def emigrants(self) -> Sequence[str]:
        """Return the ids of what is offered to other islands, at most ``OFFERED``."""
        ...

    def named(self, ids: Collection[str]) -> Iterator[bytes]:
        """Yield batches of the records of these ids, as far as they are here."""
        ...

    def lacked(self, ids: Collection[str]) -> Sequence[str]:
        """Return which of these ids are not here."""
        ...

    def receive(
        self, batch: bytes, sender: str = "", *, only: Callable[[Record], str | None] | None = None
    ) -> Received:
        """Add what is sound in a batch, and of which *only* says nothing.

        Raises:
            RecordError: it is no batch at all.
        """
        ...


@dataclass(frozen=True)
class Visit:
    """What came of asking a peer: on which island it lives, and how many records came."""

    island: int
    added: int = 0
    refused: int = 0


class Migration:
    """Offers the best of a peer's own island to others, and fetches theirs.

    Args:
        transport: the way to the others.
        shore: the records of this peer.
        islands: those of the run.
        author: this peer's key, which says where it lives.
    """

    def __init__(
        self, transport: Transport, shore: Shore, *, islands: Islands, author: str
    ) -> None:
        self.island = islands.of(author)
        """Where this peer lives."""
        self._transport, self._shore, self._islands = transport, shore, islands
        transport.serve(METHOD, self._answer)

    def look(self) -> None:
        """Read on what is to be offered."""
        self._shore.look()

    def is_foreign(self, author: str) -> bool:
        """Whether an author lives on another island."""
        return self._islands.of(author) != self.island

    def read(self, value: object) -> int:
        """Return the island in plain data, which may come from a stranger.

        Raises:
            RecordError: it is none of the run.
        """
        return fields.whole(value, "an island", self._islands.count - 1)

    async def fetch(self, peer: str, refused: Refused, now: float) -> Visit:
        """Fetch what this peer lacks of what one of another island offers.

        *refused* are the names of what it sent in vain before the time *now* (seconds).

        Raises:
            TransportError: it did not answer, or not as it was asked.
            RecordError: its answer is none.
        """
        said = await only_frame(self._transport, peer, METHOD, self._request(None))
        found = message.read(said, ("ids", "island"), limit=FRAME)
        island, ids = self.read(found["island"]), _names(found["ids"])
        if island == self.island:
            return Visit(island)
        passed = refused.at(now)
        wanted = [name for name in self._shore.lacked(ids) if name not in passed]
        if not wanted:
            return Visit(island)
        added, junk = await self._fetched(peer, island, wanted)
        lacked = self._shore.lacked(wanted)
        refused.note(lacked, set(wanted).difference(lacked), now)
        return Visit(island, added, junk)

    async def _fetched(self, peer: str, island: int, wanted: Sequence[str]) -> tuple[int, int]:
        """Ask for records by their names; return how many were new, and how many refused."""
        names, added, junk, frames = frozenset(wanted), 0, 0, 0

        def only(record: Record) -> str | None:
            if record.id not in names:
                return "was not asked for"
            if (lives := self._islands.of(record.author)) != island:
                return f"is of an author of island {lives}, but came from one of island {island}"
            return None

        async for batch in self._transport.ask(peer, METHOD, self._request(wanted)):
            received = self._shore.receive(batch, peer, only=only)
            added, junk, frames = added + received.added, junk + len(received.refused), frames + 1
            # a record that is refused may have a genome that is, too
            if junk > 2 * len(wanted) or frames > len(wanted):
                raise TransportError(
                    f"peer {peer} was asked for {len(wanted)} records, but sent {frames} batches "
                    f"of which {junk} records were refused"
                )
        return added, junk

    def _request(self, ids: Sequence[str] | None) -> bytes:
        return canonical.encode({"ids": ids, "run": self._shore.run})

    async def _answer(self, caller: str, request: bytes) -> AsyncIterator[bytes]:
        """Answer with what is offered: names, or the records of those that are asked for."""
        del caller
        found = message.read(request, ("ids", "run"), limit=REQUEST)
        if found["run"] != self._shore.run:
            raise RecordError(
                f"this peer is of run {self._shore.run[:12]}, but the request of "
                f"{fields.shown(found['run'])}"
            )
        offered = self._shore.emigrants()
        if found["ids"] is None:
            yield canonical.encode({"ids": list(offered), "island": self.island})
            return
        wanted = set(_names(found["ids"]))
        for batch in self._shore.named([name for name in offered if name in wanted]):
            yield batch


def _names(value: object) -> list[str]:
    """Return ids, each once, in plain data, which may come from a stranger."""
    several = fields.sequence(value, "the ids of migrants", OFFERED)
    return list(dict.fromkeys(fields.hexadecimal(each, "an id", 64) for each in several))
