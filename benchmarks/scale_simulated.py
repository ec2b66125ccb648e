"""A swarm of many peers in one process and virtual time, with real ledgers and real signatures.

All chance (who publishes when, who is killed, parted or joins, which frames are lost) comes from
one seed, so any run repeats from its seed, event for event. Peers keep their ledger when they are
killed, as a disk is kept; some never come back. What ``Claims`` say of a record is asked once for
all peers; signatures, genomes and chains each peer looks at by itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random

from praxis_evolve.benchmarks.identities import identity_of
from praxis_evolve.benchmarks.small_run import FEW, small_run
from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.job import seed_of
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.identity import identify
from praxis_evolve.market.claims import Claims
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.record import Record
from praxis_evolve.market.swarm import virtual
from praxis_evolve.market.swarm.gossip import Gossip
from praxis_evolve.market.swarm.memory import Network
from praxis_evolve.market.swarm.replica import LedgerReplica
from praxis_evolve.market.swarm.transport import Contact

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

PATIENCE = 1800.0
"""The most virtual seconds until all know all."""


@dataclass(frozen=True)
class Outcome:
    """What came of a simulation; seconds are virtual."""

    peers: int
    records: int
    acknowledged: int
    lost: int
    """Records that were acknowledged and that a living peer lacks at the end."""
    kills: int
    gone: int
    """Those among them that never came back."""
    partitions: int
    quiet: float
    """Seconds after the last record until all know all; infinite if they never did."""
    exchanges: int
    heads: float
    """Bytes of an exchange that are not of records: who has what, and who is there."""
    batches: float
    """Bytes of records and genomes that each peer sent."""
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

    def __init__(self, network: Network, number: int, check: Check) -> None:
        self.identity = identity_of(number)
        self.name = f"p{number:06}"
        self.ledger = Ledger.open("sqlite:///:memory:", catalog=CATALOG, now=lambda: 1000.0)
        self.ledger.create_run(RUN, MANIFEST.to_dict())
        self.gossip: Gossip | None = None
        self.acknowledged = 0
        self.exchanges = 0
        self._network, self._number, self._check = network, number, check
        self._task: asyncio.Task[None] | None = None

    def begin(self, contacts: Sequence[Peer]) -> None:
        """Run, knowing some others."""
        author = self.identity.author
        replica = LedgerReplica(self.ledger, RUN, author, self._check)
        self.gossip = Gossip(
            self._network.join(self.name), replica, author=author, rng=Random(self._number)
        )
        known = [Contact(peer.name) for peer in contacts if peer is not self]
        self._task = asyncio.create_task(self.gossip.run(known))

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

    def __init__(self, seed: int, stack: ExitStack) -> None:
        self.rng, self.traffic = Random(seed), Traffic()
        self.network = Network(seed, loss=LOSS, watch=self.traffic)
        self.peers: list[Peer] = []
        self.dead: list[Peer] = []
        self.kills = self.partitions = 0
        self._stack, self._check = stack, Check()

    def join(self) -> None:
        """Let one more peer join by some that are there."""
        peer = Peer(self.network, len(self.peers) + len(self.dead), self._check)
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
        """Return the seconds until every peer has all that any of them has."""
        began = _time()
        total = len(set[str]().union(*(peer.ledger.ids(RUN) for peer in self.peers)))
        left = list(self.peers)
        while _time() - began < PATIENCE:
            while left and sum(left[-1].ledger.counts(RUN).values()) == total:
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
    peers: int, *, seed: int, records: int, seconds: float = 120.0, churn: float = 2.0
) -> Outcome:
    """Return what came of so many peers that publish so many records within *seconds*."""
    with ExitStack() as stack:
        return virtual.run(_simulated(stack, peers, seed, records, seconds, churn), seed=seed)


async def _simulated(
    stack: ExitStack, peers: int, seed: int, records: int, seconds: float, churn: float
) -> Outcome:
    swarm = Swarm(seed, stack)
    for _ in range(peers):
        swarm.join()
        await asyncio.sleep(0.01)
    await asyncio.sleep(30.0)
    await swarm.live(records, seconds, churn)
    quiet = await swarm.quiet()
    for peer in swarm.peers:
        peer.note()
    known = [*swarm.peers, *swarm.dead]
    safe = {name for peer in known for name in peer.safe()}
    held = [peer.ledger.ids(RUN) for peer in swarm.peers]
    exchanges = sum(peer.exchanges for peer in known)
    moved = swarm.traffic.bytes
    batches = moved["answers pull"] + moved["asks push"]
    return Outcome(
        peers=len(swarm.peers), records=len(set[str]().union(*held)), acknowledged=len(safe),
        lost=len(safe - set.intersection(*held)), kills=swarm.kills, gone=len(swarm.dead),
        partitions=swarm.partitions, quiet=quiet, exchanges=exchanges,
        heads=(moved.total() - batches) / exchanges,
        batches=batches / len(known),
        sent=moved.total() / len(known), events=swarm.network.events, trace=swarm.network.trace,
    )  # fmt: skip


def _time() -> float:
    return asyncio.get_running_loop().time()
