"""A swarm of many peers in one process and virtual time, with real ledgers and real signatures.

All chance (who publishes when, who is killed, parted or joins, which frames are lost) comes from
one seed, so any run repeats from its seed, event for event. Peers keep their ledger when they are
killed, as a disk is kept; some never come back. What ``Claims`` say of a record is asked once for
all peers; signatures, genomes and chains each peer looks at by itself. On several islands each
believes what it hears of its own, as who has measured it does.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from statistics import fmean

from praxis_evolve.benchmarks.identities import identity_of
from praxis_evolve.benchmarks.small_run import FEW, small_run
from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.job import seed_of
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.identity import identify
from praxis_evolve.market.claims import Claims
from praxis_evolve.market.islands import Islands
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.record import Record
from praxis_evolve.market.swarm import virtual
from praxis_evolve.market.swarm.gossip import Gossip
from praxis_evolve.market.swarm.memory import Network
from praxis_evolve.market.swarm.migration import Migration
from praxis_evolve.market.swarm.replica import LedgerReplica
from praxis_evolve.market.swarm.transport import Contact
from praxis_evolve.market.weighed import weighed

CATALOG = installed().only(FEW)
MANIFEST = small_run(CATALOG, FEW)
SPACE = MANIFEST.space(CATALOG, {})
RUN = "run"

KNOWN = 3
"""How many peers a peer knows when it joins."""

LOSS = 0.01
"""The chance that a request or a frame is lost, and with it its answer."""

FOR_GOOD = 0.2
"""The part of those killed that never come back."""

LOOKS = 20
"""How many pages of its log a peer reads until it knows what it offers."""

PATIENCE = 1800.0
"""The most virtual seconds until all know all."""


@dataclass(frozen=True)
class Outcome:
    """What came of a simulation; seconds are virtual."""

    peers: int
    islands: int
    records: int
    held: float
    """Records that a peer holds at the end, those of other islands among them."""
    room: float
    """Characters of these, with their genomes."""
    acknowledged: int
    lost: int
    """Records that were acknowledged and that a living peer of their island lacks at the end."""
    kills: int
    gone: int
    """Those among them that never came back."""
    partitions: int
    quiet: float
    """Seconds after the last record until all of an island know all of it; infinite if never."""
    migrants: int
    """Records that are offered to other islands then."""
    everywhere: float
    """Seconds after the last record until every peer holds those, too; infinite if never."""
    exchanges: int
    heads: float
    """Bytes of an exchange that are not of records: who has what, and who is there."""
    batches: float
    """Bytes of records and genomes that each peer sent to others of its island."""
    migrated: float
    """Bytes of names, records and genomes that each peer sent to other islands."""
    sent: float
    """Bytes that each peer sent in all, asking and answering."""
    events: int
    trace: str
    """The SHA-256 of all events, their times and their bytes."""


class Check:
    """What ``Claims`` say of a record, once for all peers."""

    def __init__(self) -> None:
        self._claims = Claims(MANIFEST, SPACE)
        self._said: dict[str, str | None] = {}

    def __call__(self, record: Record, genome: Genome) -> str | None:
        """Return what is wrong with a record."""
        if record.id not in self._said:
            self._said[record.id] = self._claims(record, genome)
        return self._said[record.id]


class Believing(LedgerReplica):
    """A replica whose owner believes all that it hears of its own island."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._islands = Islands(self.run, self.islands)
        self._weighed = 0

    def look(self) -> None:
        """Read on, and log that what came counts fully."""
        page = weighed(self.ledger.store, self.name, self._weighed)
        if page:
            self._weighed = page[-1].place + 1
            home = self._islands.of(self.author)
            fresh = [one.record for one in page if one.weight < 1.0]
            near = [record for record in fresh if self._islands.of(record.author) == home]
            self.ledger.append_weights(self.name, dict.fromkeys(near, 1.0))
        super().look()


class Traffic:
    """Counts the bytes under way, by the method that they belong to; watches a network."""

    def __init__(self) -> None:
        self.bytes: Counter[str] = Counter()
        self._methods: dict[str, str] = {}

    def __call__(self, event: str) -> None:
        """Take in a line of the trace: time, stream, what happened, bytes."""
        _, stream, what, *rest = event.split(" ")
        if what == "asks":
            method = self._methods[stream] = rest[1].strip("'")
            self.bytes[f"asks {method}"] += int(rest[-1])
        elif what == "brings":
            self.bytes[f"answers {self._methods[stream]}"] += int(rest[-1])


class Peer:
    """A peer with a ledger in memory, which gossips until it is killed."""

    def __init__(self, network: Network, number: int, check: Check, islands: int) -> None:
        self.identity = identity_of(number)
        self.name = f"p{number:06}"
        self.ledger = Ledger.open("sqlite:///:memory:", catalog=CATALOG, now=lambda: 1000.0)
        run = self.ledger.create_run(RUN, MANIFEST.to_dict()).digest
        self.islands = Islands(run, islands)
        self.island = self.islands.of(self.identity.author)
        self._check = check
        self.gossip: Gossip | None = None
        self.acknowledged = 0
        self.exchanges = 0
        self._network, self._number = network, number
        self._task: asyncio.Task[None] | None = None

    def begin(self, contacts: Sequence[Peer]) -> None:
        """Run, knowing some others."""
        author, transport = self.identity.author, self._network.join(self.name)
        replica, migration = self.replica(), None
        if self.islands.count > 1:
            migration = Migration(transport, replica, islands=self.islands, author=author)
        self.gossip = Gossip(
            transport, replica, author=author, rng=Random(self._number), migration=migration
        )
        known = [Contact(peer.name) for peer in contacts if peer is not self]
        self._task = asyncio.create_task(self.gossip.run(known))

    def replica(self) -> Believing:
        """Return its records, as who reads them anew."""
        return Believing(self.ledger, RUN, self.identity.author, self._check, self.islands.count)

    def here(self) -> int:
        """Return how many records it has of its own island."""
        counts = self.ledger.counts(RUN)
        return sum(counts[author] for author in counts if self.islands.of(author) == self.island)

    async def kill(self) -> None:
        """End at once, keeping the ledger."""
        self.note()
        self._network.kill(self.name)
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.gossip = None

    def publish(self, number: int) -> None:
        """Publish what an evaluator would have found of a genome."""
        genome = SPACE.sample(Random(number), f"{number}")
        name = identify(genome, CATALOG)
        result = Result(
            name.genome, name.architecture, 100, 0, seed_of(MANIFEST.task_digest, 0),
            2 + number % 97 / 97, costs=SPACE.costs(genome), curve=((50, 4.0), (100, 3.0)),
        )  # fmt: skip
        self.ledger.put_genome(RUN, genome)
        self.ledger.publish(RUN, self.identity, result)

    def note(self) -> None:
        """Note how many own records were acknowledged, and what this life came to."""
        if self.gossip is not None:
            self.acknowledged = max(self.acknowledged, self.gossip.acknowledged)
            self.exchanges += self.gossip.tally.exchanges

    def safe(self) -> list[str]:
        """Return the ids of its records that were acknowledged."""
        chain = sorted(self.ledger.places(RUN, self.identity.author))
        return [name for _, name in chain[: self.acknowledged]]


class Swarm:
    """Peers at one network, and the chance of one seed."""

    def __init__(self, seed: int, stack: ExitStack, islands: int) -> None:
        self.rng, self.traffic = Random(seed), Traffic()
        self.network = Network(seed, loss=LOSS, watch=self.traffic)
        self.peers: list[Peer] = []
        self.dead: list[Peer] = []
        self.kills = self.partitions = 0
        self._stack, self._check, self.islands = stack, Check(), islands

    def join(self) -> None:
        """Let one more peer join by some that are there."""
        number = len(self.peers) + len(self.dead)
        peer = Peer(self.network, number, self._check, self.islands)
        self._stack.callback(peer.ledger.close)
        self._begin(peer)
        self.peers.append(peer)

    async def live(self, records: int, seconds: float, churn: float) -> None:
        """Publish so many records at random times; each *churn* seconds somebody is struck."""
        end = _time() + seconds
        times = sorted((self.rng.uniform(_time(), end), "publish") for _ in range(records))
        strikes = [(_time() + churn * n, "strike") for n in range(1, int(seconds / churn))]
        authors = self._authors(records)
        for number, (when, what) in enumerate(sorted([*times, *strikes])):
            await asyncio.sleep(when - _time())
            if what == "strike":
                await self._strike()
            else:
                peer = authors.pop()
                (peer if peer.gossip else self.rng.choice(self.peers)).publish(number)
        self.network.heal()

    async def quiet(self) -> float:
        """Return the seconds until every peer has all of its island that any of them has."""
        authors, totals = dict[str, int](), Counter[int]()
        for peer in self.peers:
            for author, count in peer.ledger.counts(RUN).items():
                authors[author] = max(count, authors.get(author, 0))
        for author, count in authors.items():
            totals[self.peers[0].islands.of(author)] += count
        return await self._until(lambda peer: peer.here() == totals[peer.island])

    async def everywhere(self, migrants: Collection[str]) -> float:
        """Return the seconds until every peer has all of *migrants*."""
        return await self._until(
            lambda peer: len(peer.ledger.stored(RUN, migrants)) == len(migrants)
        )

    def migrants(self) -> set[str]:
        """Return what is offered to other islands by those who know all of their own."""
        found = set[str]()
        for peer in {peer.island: peer for peer in self.peers}.values():
            replica = peer.replica()
            for _ in range(LOOKS):
                replica.look()
            found.update(replica.emigrants())
        return found

    async def _until(self, has: Callable[[Peer], bool]) -> float:
        began, left = _time(), list(self.peers)
        while _time() - began < PATIENCE:
            while left and has(left[-1]):
                left.pop()
            if not left:
                return _time() - began
            await asyncio.sleep(0.5)
        return float("inf")

    def _authors(self, records: int) -> list[Peer]:
        """Return who publishes: each peer as often as any other, in a random order."""
        several = [self.peers[n % len(self.peers)] for n in range(records)]
        self.rng.shuffle(several)
        return several

    async def _strike(self) -> None:
        """Kill a peer and let it come back, or not; or part the network, or let one more join."""
        lot = self.rng.random()
        if lot < 0.1:
            self.partitions += 1
            some = self.rng.sample(self.peers, len(self.peers) // 3)
            self.network.part([[peer.name for peer in some]])
        elif lot < 0.3:
            self.network.heal()
            self.join()
        elif len(self.peers) > 2:
            self.kills += 1
            peer = self.peers.pop(self.rng.randrange(len(self.peers)))
            await peer.kill()
            if self.rng.random() < FOR_GOOD:
                self.dead.append(peer)
            else:
                self._begin(peer)
                self.peers.append(peer)

    def _begin(self, peer: Peer) -> None:
        peer.begin(self.rng.sample(self.peers, min(KNOWN, len(self.peers))))


def simulated(
    peers: int,
    *,
    seed: int,
    records: int,
    seconds: float = 120.0,
    churn: float = 2.0,
    islands: int = 1,
) -> Outcome:
    """Return what came of so many peers that publish so many records within *seconds*."""
    with ExitStack() as stack:
        swarm = Swarm(seed, stack, islands)
        return virtual.run(_simulated(swarm, peers, records, seconds, churn), seed=seed)


async def _simulated(
    swarm: Swarm, peers: int, records: int, seconds: float, churn: float
) -> Outcome:
    for _ in range(peers):
        swarm.join()
        await asyncio.sleep(0.01)
    await asyncio.sleep(30.0)
    await swarm.live(records, seconds, churn)
    ended = _time()
    quiet = await swarm.quiet()
    migrants = swarm.migrants() if swarm.islands > 1 else set[str]()
    everywhere = _time() - ended + await swarm.everywhere(migrants)
    for peer in swarm.peers:
        peer.note()
    known = [*swarm.peers, *swarm.dead]
    safe = {name: peer.island for peer in known for name in peer.safe()}
    held = [(peer.island, peer.ledger.ids(RUN)) for peer in swarm.peers]
    lost = {
        name
        for name, island in safe.items()
        if not all(name in ids for lives, ids in held if lives == island)
    }
    exchanges = sum(peer.exchanges for peer in known)
    moved = swarm.traffic.bytes
    migrated = moved["answers migrants"]
    batches = moved["answers pull"] + moved["asks push"]
    return Outcome(
        peers=len(swarm.peers), islands=swarm.islands,
        records=len(set[str]().union(*(ids for _, ids in held))),
        held=fmean(len(ids) for _, ids in held),
        room=fmean(sum(peer.ledger.sizes(RUN).values()) for peer in swarm.peers),
        acknowledged=len(safe), lost=len(lost), kills=swarm.kills, gone=len(swarm.dead),
        partitions=swarm.partitions, quiet=quiet, migrants=len(migrants), everywhere=everywhere,
        exchanges=exchanges,
        heads=(moved.total() - batches - migrated) / exchanges,
        batches=batches / len(known), migrated=migrated / len(known),
        sent=moved.total() / len(known), events=swarm.network.events, trace=swarm.network.trace,
    )  # fmt: skip


def _time() -> float:
    return asyncio.get_running_loop().time()
