"""Gossip: how all peers come to hold the records of all (anti-entropy by pull and push).

A peer compares heads with two others now and then, pulls what it lacks and pushes what they lack
(Demers et al. 1987, Epidemic Algorithms for Replicated Database Maintenance). A new record of its
own goes out at once; it is acknowledged when two others hold it. All is opened by the caller, so it
works behind a router at home, too. Who is there is learned from announcements and from each answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from .. import canonical, fields
from ..errors import RecordError
from . import message
from .heads import AUTHORS, NONE, Heads, decoded, encoded, lacking, root
from .limits import Buckets
from .parts import ALL, ROOM, Answer, compared, prefix_of, read, told
from .refused import Refused
from .replica import Received, Replica
from .transport import REQUEST, Contact, Transport, TransportError

PERIOD = 10.0
"""Seconds between rounds, of which a fifth more or less is chance."""

FANOUT = 2
"""How many peers a round asks, and how many others must hold a record that is acknowledged."""

ANNOUNCE = 60.0
"""Seconds between announcements."""

LOOK = 0.5
"""Seconds between looks for own records that are new."""

PATIENCE = 1.0, 300.0
"""The first and the longest time that a peer which failed is left alone; it doubles each time."""

TOLD = 8
"""How many other peers an answer tells of."""

RECENT = 300.0
"""The seconds that a peer may have been silent for others to be told of it."""

WHOLE = 120.0
"""The most seconds of an exchange; what came by then is kept."""

UNHEARD = 3
"""How often a peer that others told of may fail before it is forgotten, if it never answered."""

HEADS = 1 << 20
"""The most bytes of heads."""

JUNK = 1024
"""How many records of a peer may be refused before an exchange with it ends."""

PUSHED = float(1 << 20), float(64 << 20)
"""The bytes that a peer may push in a second, in the long run and at first."""

DEAR = 16
"""How many bytes each byte counts of a batch of which something was refused."""


@dataclass
class Tally:
    """What gossip came to: rounds with a peer, those that failed, records that came and went."""

    exchanges: int = 0
    failures: int = 0
    added: int = 0
    pushed: int = 0
    refused: int = 0


@dataclass
class _Known:
    """What is known of another peer: when it answered, how often it failed since, and until when it
    is left alone, in seconds of the loop; how many of this peer's own records it holds; and what it
    announced last.
    """  # noqa: D205

    contact: Contact
    answered: float | None = None
    failed: int = 0
    rests: float = 0.0
    holds: int = 0
    refused: Refused = field(default_factory=Refused)  # of what it has
    declined: Refused = field(default_factory=Refused)  # by it
    said: bytes = b""


class Gossip:
    """Keeps one replica together with those of other peers.

    Args:
        transport: the way to the others.
        replica: the records of this peer.
        author: this peer's key, whose new records go out at once.
        rng: all chance.
        period: seconds between rounds.
    """

    def __init__(
        self,
        transport: Transport,
        replica: Replica,
        *,
        author: str,
        rng: Random,
        period: float = PERIOD,
    ) -> None:
        self.tally = Tally()
        self._transport, self._replica, self._author = transport, replica, author
        self._rng, self._period = rng, period
        self._known: dict[str, _Known] = {}
        self._pushers = Buckets(*PUSHED)
        transport.serve("heads", self._heads)
        transport.serve("pull", self._pull)
        transport.serve("push", self._push)

    @property
    def peers(self) -> list[str]:
        """The names of all peers that ever were heard of."""
        return sorted(self._known)

    @property
    def acknowledged(self) -> int:
        """How many of this peer's own records two others hold."""
        return self.held_by(FANOUT)

    def held_by(self, others: int) -> int:
        """Return how many of this peer's own records so many others hold, as far as it knows."""
        held = sorted((known.holds for known in self._known.values()), reverse=True)
        return held[others - 1] if len(held) >= others else 0

    def in_touch(self, seconds: float) -> bool:
        """Whether two others, or all that there are, answered in the last *seconds*."""
        times = [known.answered for known in self._known.values() if known.answered is not None]
        lately = sum(answered >= self._now() - seconds for answered in times)
        return lately >= min(FANOUT, len(times))

    async def run(self, contacts: Sequence[Contact] = ()) -> None:
        """Gossip until cancelled, beginning with *contacts*."""
        await self.meet(contacts)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._rounds())
            tasks.create_task(self._announcing())
            tasks.create_task(self._sharing())

    async def meet(self, contacts: Sequence[Contact]) -> None:
        """Try to reach peers by their addresses."""
        for contact in contacts:
            self._hear_of(contact)
        for name in await self._transport.meet(contacts):
            self._hear_of(Contact(name))
            if name in self._known:
                self._known[name].rests = 0.0

    def some(self, most: int) -> list[str]:
        """Return at most so many peers that may answer now, at random."""
        return self._chosen(most)

    def hear_of(self, peer: str) -> None:
        """Note that there is a peer of that name."""
        self._hear_of(Contact(peer))

    async def exchange(self, peer: str) -> bool:
        """Pull what this peer lacks from another and push what that lacks; return whether it went.

        A peer that cannot be reached, or whose answers are no answers, is left alone for a while.
        """
        self._hear_of(Contact(peer))
        known = self._known.get(peer)
        if known is None:
            return False
        self.tally.exchanges += 1
        try:
            async with asyncio.timeout(WHOLE):
                await self._exchange(peer, known)
        except (TransportError, RecordError, TimeoutError):
            self.tally.failures += 1
            known.failed += 1
            if known.answered is None and known.failed >= UNHEARD:
                self._known.pop(peer, None)
            first, longest = PATIENCE
            patience = min(longest, first * 2 ** min(known.failed - 1, 20))
            known.rests = self._now() + patience * self._rng.uniform(0.5, 1.0)
            return False
        known.answered, known.failed, known.rests = self._now(), 0, 0.0
        return True

    # ------------------------------------------------------------------------------- asking

    async def _exchange(self, peer: str, known: _Known) -> None:
        mine = self._replica.heads()
        theirs = await self._theirs(peer, mine)
        passed = known.refused.at(self._now())
        if wanted := {author for author, _ in lacking(theirs, mine)} - passed:
            junk = await self._pulled(peer, sorted(wanted), mine)
            mine = self._replica.heads()
            # of whom it still has more; what was refused may name no author
            short = wanted & {author for author, _ in lacking(theirs, mine)} if junk else set[str]()
            known.refused.note(short, wanted - short, self._now())
            if junk > JUNK:
                raise TransportError(f"peer {peer} sent {junk} records that were refused")
        passed = known.declined.at(self._now()) & mine.keys() - {self._author}
        given = {**theirs, **{author: mine[author] for author in passed}}
        declined = await self._pushed(peer, given) if any(lacking(mine, given)) else 0
        own = mine.get(self._author)
        if not declined:
            known.declined.note((), mine.keys() - passed, self._now())
            known.holds = max(known.holds, 0 if own is None else own.upto)
        else:  # what it has now it says itself
            theirs = await self._theirs(peer, mine)
            short = {author for author, _ in lacking(mine, theirs)}
            known.declined.note(short - passed, mine.keys() - short, self._now())
            held = theirs.get(self._author)
            known.holds = max(known.holds, 0 if held is None else held.upto)
            if self._author in short:
                known.answered = self._now()  # it is there, and left alone longer each time
                raise TransportError(f"peer {peer} refused {declined} records")

    async def _theirs(self, peer: str, mine: Heads) -> Heads:
        """Return another's heads, and hear of those that it knows."""
        answer = await self._told(peer, [ALL], root(mine))
        for one in fields.sequence(answer["peers"], "peers", TOLD):
            self._hear_of(_contact(one))
        if answer["heads"] is None:
            return mine

        async def ask(prefixes: Sequence[str]) -> Answer:
            answer = await self._told(peer, prefixes, None)
            return read(answer["heads"], answer["parts"])

        return await compared(mine, read(answer["heads"], answer["parts"]), ask)

    async def _told(
        self, peer: str, prefixes: Sequence[str], mine: str | None
    ) -> Mapping[str, object]:
        """Return what another tells of parts; with the root of *mine*, whether it has the same."""
        asked = canonical.encode({"parts": prefixes, "root": mine, "run": self._replica.run})
        answer = await self._one(peer, "heads", asked)
        return message.read(answer, ("heads", "parts", "peers"), limit=HEADS)

    async def _pulled(self, peer: str, wanted: Sequence[str], mine: Heads) -> int:
        """Pull what is new of some authors, and return how many records were refused.

        It ends where those are more than ``JUNK``.
        """
        junk = 0
        for start in range(0, len(wanted), ROOM):
            some = {each: mine.get(each, NONE) for each in wanted[start : start + ROOM]}
            asked = canonical.encode({"heads": encoded(some), "run": self._replica.run})
            async for batch in self._transport.ask(peer, "pull", asked):
                junk += len(self._received(batch, peer).refused)
                if junk > JUNK:
                    return junk
        return junk

    def _received(self, batch: bytes, peer: str) -> Received:
        received = self._replica.receive(batch, peer)
        self.tally.added += received.added
        self.tally.refused += len(received.refused)
        return received

    async def _pushed(self, peer: str, theirs: Heads) -> int:
        """Push what another lacks and return how many records it refused."""
        refused = 0
        for batch in self._replica.lacking(theirs):
            said = await self._one(peer, "push", batch)
            answer = message.read(said, ("added", "refused"), limit=HEADS)
            self.tally.pushed += fields.whole(answer["added"], "added")
            refused += fields.whole(answer["refused"], "refused")
        return refused

    async def _one(self, peer: str, method: str, request: bytes) -> bytes:
        """Return the only frame of an answer."""
        found: bytes | None = None
        async for frame in self._transport.ask(peer, method, request):
            if found is not None:
                raise TransportError(f"peer {peer} answered {method} with several frames, not one")
            found = frame
        if found is None:
            raise TransportError(f"peer {peer} answered {method} with nothing")
        return found

    # ---------------------------------------------------------------------------- answering

    async def _heads(self, caller: str, request: bytes) -> AsyncIterator[bytes]:
        """Answer with this peer's heads of the parts that are asked for, or the parts in them.

        Who says the root of its own heads is told of other peers, too, and no heads if it has them.
        """
        self._hear_of(Contact(caller))
        found, mine = self._of_run(request, ("parts", "root", "run")), self._replica.heads()
        several = {prefix_of(one) for one in fields.sequence(found["parts"], "parts", ROOM)}
        same, others = False, list[Contact]()
        if found["root"] is not None:
            same = fields.hexadecimal(found["root"], "root", 64) == root(mine)
            others = self._others(caller)
        answer = told(mine, () if same else sorted(several))
        answer["peers"] = [[each.peer, list(each.addresses)] for each in others]
        yield canonical.encode({**answer, "heads": None} if same else answer)

    async def _pull(self, caller: str, request: bytes) -> AsyncIterator[bytes]:
        """Answer with what the caller lacks of the authors whose heads it sends."""
        del caller
        theirs = decoded(self._of_run(request, ("run", "heads"))["heads"])
        for batch in self._replica.lacking({**self._replica.heads(), **theirs}):
            yield batch

    async def _push(self, caller: str, request: bytes) -> AsyncIterator[bytes]:
        """Store what the caller sends, and say how much of it was new and how much refused."""
        pusher = self._pushers.of(caller, now := self._now())
        if pusher.owed:
            raise RecordError("too much was pushed lately; push again later")
        pusher.take(len(request), now)
        received = self._received(request, caller)
        if received.refused:
            pusher.take((DEAR - 1) * len(request), now)
        yield canonical.encode({"added": received.added, "refused": len(received.refused)})

    def _of_run(self, request: bytes, names: Sequence[str]) -> dict[str, object]:
        found = message.read(request, names, limit=REQUEST)
        if found["run"] != self._replica.run:
            raise RecordError(
                f"this peer is of run {self._replica.run[:12]}, but the request of "
                f"{fields.shown(found['run'])}"
            )
        return found

    def _others(self, caller: str) -> list[Contact]:
        """Return some peers that answered not long ago."""
        since = self._now() - RECENT
        recent = [
            known.contact
            for name, known in sorted(self._known.items())
            if name != caller and known.answered is not None and known.answered >= since
        ]
        return self._rng.sample(recent, min(TOLD, len(recent)))

    # ------------------------------------------------------------------------------- rounds

    async def _rounds(self) -> None:
        while True:
            await asyncio.sleep(self._period * self._rng.uniform(0.8, 1.2))
            await self._listen()
            await asyncio.gather(*map(self.exchange, self._chosen(FANOUT)))

    async def _announcing(self) -> None:
        while True:
            with suppress(TransportError):
                await self._transport.announce(self._said())
            await asyncio.sleep(ANNOUNCE * self._rng.uniform(0.8, 1.2))

    async def _sharing(self) -> None:
        """Bring own records to others as soon as they are there, until two hold them."""
        while True:
            own = self._replica.heads().get(self._author)
            if own is not None and self.acknowledged < own.upto:
                lacking = [n for n, each in sorted(self._known.items()) if each.holds < own.upto]
                await asyncio.gather(*map(self.exchange, self._chosen(FANOUT, lacking)))
            await asyncio.sleep(LOOK * self._rng.uniform(0.8, 1.2))

    async def _listen(self) -> None:
        """Hear of those that announced themselves."""
        with suppress(TransportError):
            said = await self._transport.announced()
            for name in sorted(said):
                if name in self._known and self._known[name].said == said[name]:
                    continue
                with suppress(RecordError):
                    found = message.read(said[name], ("addresses", "run"), limit=HEADS)
                    if found["run"] == self._replica.run[:16]:
                        self._hear_of(_contact([name, found["addresses"]]))
                        if name in self._known:
                            self._known[name].said = said[name]

    def _said(self) -> bytes:
        addresses = list(self._transport.me.addresses[:3])
        return canonical.encode({"run": self._replica.run[:16], "addresses": addresses})

    def _chosen(self, most: int, among: Sequence[str] | None = None) -> list[str]:
        """Return some peers that are not left alone now, at random."""
        now = self._now()
        ready = [
            name
            for name in (sorted(self._known) if among is None else among)
            if self._known[name].rests <= now
        ]
        tried = [name for name in ready if self._known[name].answered is not None]
        chosen = self._rng.sample(tried, min(most, len(tried)))
        hearsay = [name for name in ready if self._known[name].answered is None]
        # of those that never answered one a round is tried, so invented ones starve nobody
        return chosen + self._rng.sample(hearsay, min(1 if chosen else most, len(hearsay)))

    def _hear_of(self, contact: Contact) -> None:
        if contact.peer == self._transport.me.peer:
            return
        known = self._known.get(contact.peer)
        if known is None and len(self._known) < AUTHORS:
            self._known[contact.peer] = _Known(contact)
        elif known is not None and contact.addresses:
            known.contact = contact

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _contact(value: object) -> Contact:
    name, addresses = fields.several(value, "a peer", 2)
    several = fields.sequence(addresses, "addresses", 3)
    return Contact(
        fields.text(name, "the name of a peer", 128),
        tuple(fields.text(each, "an address", 256) for each in several),
    )
