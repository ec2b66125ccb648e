"""Gossip: how all peers come to hold the records of all (anti-entropy by pull and push).

A peer compares heads with two others now and then, pulls what it lacks and pushes what they lack
(Demers et al. 1987, Epidemic Algorithms for Replicated Database Maintenance). A new record of its
own goes out at once; it is acknowledged when two others hold it. All is opened by the caller, so it
works behind a router at home, too. Who is there is learned from announcements and from each answer.

In a run of several islands (``islands``) all of this is among those who live on one. Who lives
elsewhere tells of others, and is asked for migrants now and then (``migration``).
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from .. import canonical, fields
from ..errors import RecordError
from . import message
from .asking import only_frame
from .heads import AUTHORS, NONE, Heads, decoded, encoded, lacking, nobody, root
from .limits import Buckets
from .migration import Migration
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
"""How often a peer that others told of may fail before it is forgotten, if it never answered or
lives on another island, where there are more.
"""

VISITS = 30
"""In one of so many rounds a peer of another island is asked for migrants."""

SCOUTS = 2
"""How many of the peers that an answer tells of may live elsewhere than who asks."""

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
    is left alone, in seconds of the loop; how many of this peer's own records it holds; what it
    announced last; and on which island it lives, as it said itself.
    """  # noqa: D205

    contact: Contact
    answered: float | None = None
    failed: int = 0
    rests: float = 0.0
    holds: int = 0
    refused: Refused = field(default_factory=Refused)  # of what it has
    declined: Refused = field(default_factory=Refused)  # by it
    said: bytes = b""
    island: int | None = None


class Gossip:
    """Keeps one replica together with those of other peers.

    Args:
        transport: the way to the others.
        replica: the records of this peer.
        author: this peer's key, whose new records go out at once.
        rng: all chance.
        period: seconds between rounds.
        migration: what goes between islands, None in a run of one.
    """

    def __init__(
        self,
        transport: Transport,
        replica: Replica,
        *,
        author: str,
        rng: Random,
        period: float = PERIOD,
        migration: Migration | None = None,
    ) -> None:
        self.tally = Tally()
        self._transport, self._replica, self._author = transport, replica, author
        self._rng, self._period, self._migration = rng, period, migration
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
        """Return at most so many peers of this island that may answer now, at random."""
        return self._chosen(most, self._near())

    def beside(self, peers: Sequence[str]) -> int:
        """Return how many of some peers live on this island, or of whom that is not known."""
        return sum(not self._is_abroad(self._known.get(name)) for name in peers)

    def hear_of(self, peer: str) -> None:
        """Note that there is a peer of that name."""
        self._hear_of(Contact(peer))

    async def exchange(self, peer: str) -> bool:
        """Pull what this peer lacks from another and push what that lacks; return whether it went.

        A peer that cannot be reached, or whose answers are no answers, is left alone for a while.
        With one of another island nothing is exchanged but who is there.
        """
        return await self._talked(peer, self._exchange)

    async def _talked(self, peer: str, talk: Callable[[str, _Known], Awaitable[None]]) -> bool:
        """Talk with a peer and return whether it went; where it did not, leave it alone."""
        self._hear_of(Contact(peer))
        known = self._known.get(peer)
        if known is None:
            return False
        self.tally.exchanges += 1
        try:
            async with asyncio.timeout(WHOLE):
                await talk(peer, known)
        except (TransportError, RecordError, TimeoutError):
            self.tally.failures += 1
            known.failed += 1
            if known.failed >= UNHEARD and (known.answered is None or self._is_abroad(known)):
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
        if self._is_abroad(known):
            return
        passed = known.refused.at(self._now())
        if wanted := {author for author, _ in self._lacking(theirs, mine)} - passed:
            junk = await self._pulled(peer, sorted(wanted), mine)
            mine = self._replica.heads()
            # of whom it still has more; what was refused may name no author
            short = (
                wanted & {author for author, _ in self._lacking(theirs, mine)}
                if junk
                else set[str]()
            )
            known.refused.note(short, wanted - short, self._now())
            if junk > JUNK:
                raise TransportError(f"peer {peer} sent {junk} records that were refused")
        passed = known.declined.at(self._now()) & mine.keys() - {self._author}
        given = {**theirs, **{author: mine[author] for author in passed}}
        declined = await self._pushed(peer, given) if any(self._lacking(mine, given)) else 0
        own = mine.get(self._author)
        if not declined:
            known.declined.note((), mine.keys() - passed, self._now())
            known.holds = max(known.holds, 0 if own is None else own.upto)
        else:  # what it has now it says itself
            theirs = await self._theirs(peer, mine)
            short = {author for author, _ in self._lacking(mine, theirs)}
            known.declined.note(short - passed, mine.keys() - short, self._now())
            held = theirs.get(self._author)
            known.holds = max(known.holds, 0 if held is None else held.upto)
            if self._author in short:
                known.answered = self._now()  # it is there, and left alone longer each time
                raise TransportError(f"peer {peer} refused {declined} records")

    async def _visit(self, peer: str, known: _Known) -> None:
        """Hear of those whom a peer of another island knows, and fetch migrants."""
        await self._theirs(peer, self._replica.heads())
        if self._migration is None or not self._is_abroad(known):
            return
        visit = await self._migration.fetch(peer, known.refused, self._now())
        known.island = visit.island
        self.tally.added += visit.added
        self.tally.refused += visit.refused

    async def _theirs(self, peer: str, mine: Heads) -> Heads:
        """Return another's heads, and hear of those that it knows.

        Those of one of another island are not compared: it has what is *mine*, as it were.
        """
        answer = await self._told(peer, [ALL], root(mine))
        self._lives(peer, answer)
        for one in fields.sequence(answer["peers"], "peers", TOLD):
            self._hear_of(_contact(one))
        if answer["heads"] is None or self._is_abroad(self._known.get(peer)):
            return mine

        async def ask(prefixes: Sequence[str]) -> Answer:
            answer = await self._told(peer, prefixes, None)
            return read(answer["heads"], answer["parts"])

        return await compared(mine, read(answer["heads"], answer["parts"]), ask)

    async def _told(
        self, peer: str, prefixes: Sequence[str], mine: str | None
    ) -> Mapping[str, object]:
        """Return what another tells of parts; with the root of *mine*, whether it has the same."""
        asked = {"parts": prefixes, "root": mine, "run": self._replica.run, **self._home()}
        answer = await only_frame(self._transport, peer, "heads", canonical.encode(asked))
        return message.read(answer, ("heads", "parts", "peers", *self._home()), limit=HEADS)

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
            said = await only_frame(self._transport, peer, "push", batch)
            answer = message.read(said, ("added", "refused"), limit=HEADS)
            self.tally.pushed += fields.whole(answer["added"], "added")
            refused += fields.whole(answer["refused"], "refused")
        return refused

    # ---------------------------------------------------------------------------- answering

    async def _heads(self, caller: str, request: bytes) -> AsyncIterator[bytes]:
        """Answer with this peer's heads of the parts that are asked for, or the parts in them.

        Who says the root of its own heads is told of other peers, too, and no heads if it has them
        or lives on another island.
        """
        self._hear_of(Contact(caller))
        found = self._of_run(request, ("parts", "root", "run", *self._home()))
        self._lives(caller, found)
        mine = self._replica.heads()
        several = {prefix_of(one) for one in fields.sequence(found["parts"], "parts", ROOM)}
        same, others = False, list[Contact]()
        if found["root"] is not None:
            same = fields.hexadecimal(found["root"], "root", 64) == root(mine)
            others = self._others(caller)
        same = same or self._is_abroad(self._known.get(caller))
        answer = told(mine, () if same else sorted(several)) | self._home()
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
        """Return some peers that answered not long ago, most of them of the caller's island."""
        since = self._now() - RECENT
        recent = [
            known
            for name, known in sorted(self._known.items())
            if name != caller and (self._is_abroad(known) or _answered(known) >= since)
        ]
        asks = self._known.get(caller)
        if self._migration is None or asks is None:
            return [one.contact for one in self._rng.sample(recent, min(TOLD, len(recent)))]
        beside = [one for one in recent if one.island == asks.island]
        others = [one for one in recent if one.island != asks.island]
        near = self._rng.sample(beside, min(TOLD - SCOUTS, len(beside)))
        far = self._rng.sample(others, min(SCOUTS, len(others)))
        return [one.contact for one in (*near, *far)]

    # ------------------------------------------------------------------------------- rounds

    async def _rounds(self) -> None:
        while True:
            await asyncio.sleep(self._period * self._rng.uniform(0.8, 1.2))
            await self._listen()
            await asyncio.gather(*map(self.exchange, self._chosen(FANOUT)), self._migrate())

    async def _migrate(self) -> None:
        """Now and then ask a peer of another island, each island as often, for what it offers."""
        if self._migration is None:
            return
        self._migration.look()
        ready = defaultdict[int, list[str]](list)
        for name, known in sorted(self._known.items()):
            if known.island is not None and self._is_abroad(known) and known.rests <= self._now():
                ready[known.island].append(name)
        if ready and self._rng.random() * VISITS < 1:
            island = self._rng.choice(sorted(ready))
            await self._talked(self._rng.choice(ready[island]), self._visit)

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
                lacking = [name for name in self._near() if self._known[name].holds < own.upto]
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
                    fields_of = ("addresses", "run", *self._home())
                    found = message.read(said[name], fields_of, limit=HEADS)
                    if found["run"] == self._replica.run[:16]:
                        self._hear_of(_contact([name, found["addresses"]]))
                        self._lives(name, found)
                        if name in self._known:
                            self._known[name].said = said[name]

    def _said(self) -> bytes:
        addresses = list(self._transport.me.addresses[:3])
        said = {"run": self._replica.run[:16], "addresses": addresses}
        return canonical.encode({**said, **self._home()})

    def _home(self) -> dict[str, object]:
        """Return what this peer says of where it lives: nothing in a run of one island."""
        return {} if self._migration is None else {"island": self._migration.island}

    def _lives(self, peer: str, said: Mapping[str, object]) -> None:
        """Note where a peer says that it lives.

        That may be false, and is nothing but a hint with whom to exchange what.
        """
        if self._migration is not None and peer in self._known:
            self._known[peer].island = self._migration.read(said["island"])

    def _is_abroad(self, known: _Known | None) -> bool:
        """Whether a peer lives on another island, as far as that is known."""
        if self._migration is None or known is None:
            return False
        return known.island not in (None, self._migration.island)

    def _near(self) -> list[str]:
        """Return the peers that live on this island, or of whom that is not known, sorted."""
        return [name for name, each in sorted(self._known.items()) if not self._is_abroad(each)]

    def _chosen(self, most: int, among: Sequence[str] | None = None) -> list[str]:
        """Return some peers that are not left alone now, at random.

        Unless told *among* whom, those of this island; who knows none here asks those elsewhere.
        """
        now = self._now()
        near = self._near() if among is None else among
        if among is None and not any(self._known[each].answered is not None for each in near):
            near = sorted(self._known)
        ready = [name for name in near if self._known[name].rests <= now]
        tried = [name for name in ready if self._known[name].answered is not None]
        chosen = self._rng.sample(tried, min(most, len(tried)))
        hearsay = [name for name in ready if self._known[name].answered is None]
        # of those that never answered one a round is tried, so invented ones starve nobody
        return chosen + self._rng.sample(hearsay, min(1 if chosen else most, len(hearsay)))

    def _lacking(self, mine: Heads, theirs: Heads) -> Iterator[tuple[str, int]]:
        """Yield of whom *theirs* lacks records of *mine*, and from which place on."""
        migration = self._migration
        return lacking(mine, theirs, nobody if migration is None else migration.is_foreign)

    def _hear_of(self, contact: Contact) -> None:
        if contact.peer == self._transport.me.peer:
            return
        known = self._known.get(contact.peer)
        if known is None and len(self._known) >= AUTHORS:
            self._make_room()
        if known is None and len(self._known) < AUTHORS:
            self._known[contact.peer] = _Known(contact)
        elif known is not None and contact.addresses:
            known.contact = contact

    def _make_room(self) -> None:
        """Forget a peer of another island, the one that answered longest ago, if there are many."""
        abroad = [name for name, each in sorted(self._known.items()) if self._is_abroad(each)]
        if len(abroad) > AUTHORS // 4:
            del self._known[min(abroad, key=lambda name: _answered(self._known[name]))]

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _answered(known: _Known) -> float:
    """Return when a peer answered last, long ago if it never did."""
    return -math.inf if known.answered is None else known.answered


def _contact(value: object) -> Contact:
    name, addresses = fields.several(value, "a peer", 2)
    several = fields.sequence(addresses, "addresses", 3)
    return Contact(
        fields.text(name, "the name of a peer", 128),
        tuple(fields.text(each, "an address", 256) for each in several),
    )
