"""How much work is done twice in a swarm.

    python benchmarks/duplicates.py --peers 20

Honest peers are simulated in one process and virtual time, each with a ledger, a search and a trust
of its own; a training takes as long as its rung and the peer's speed say, records and what is
worked on go from peer to peer a second later. All of a run is done: tuning, evolution, looks and
finals. Training itself is a landscape (``liars``).

``twice`` are evaluations that repeat what another had done or begun, audits not counted, for each
evaluation. Of them ``proof`` are those before the peer believed who had done it: so it comes to
believe. ``checks`` measure again what somebody says who is believed, because a lot fell on it, or
it would be the best and nobody else says so. The ``rest`` is done twice for nothing. ``audits``
measure again what another claimed, too. Where all are ``friends`` they believe each other from the
start: so it is seen how work is dealt out, whatever trust makes of it.
"""

from __future__ import annotations

import argparse
import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random
from types import MappingProxyType
from typing import Literal, NamedTuple

from praxis_evolve.benchmarks.landscape import RUNGS, Landscape, manifest
from praxis_evolve.benchmarks.liars import Peer, exchange
from praxis_evolve.cli.flying import LINGER
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.market.swarm.commitments import spreading
from praxis_evolve.market.swarm.gossip import PERIOD
from praxis_evolve.search.audits import AUDIT
from praxis_evolve.search.base import Assignment, Key, Said, Taken, key_of

SECOND = 1.0
"""What a record, or word of what is worked on, takes to another peer."""

IDLE = 2.0
"""Seconds until a peer that had nothing to do looks again."""


VARIANTS: Mapping[str, Mapping[str, bool]] = MappingProxyType(
    {"told": {}, "untold": {"told": False}, "friends": {"friends": True}}
)
"""How a swarm may be, by name."""


class Flight(NamedTuple):
    """When others hear that a peer is at a work, and when that it is not any more."""

    since: float
    until: float


class Worker:
    """A peer that takes its time, and says what it works on."""

    def __init__(self, number: int, of: Manifest, *, speed: float) -> None:
        self.peer = Peer(number, of)
        self.speed = speed
        self.others: Sequence[Worker] = ()
        """Whose word of what they work on it hears."""
        self._flights: dict[Key, Flight] = {}
        self._taken: dict[str, tuple[Key, ...]] = {}
        self._said: dict[str, tuple[Key, ...]] = {}
        self._common = self.peer.plan.common()
        self._done = set[tuple[str, Key]]()
        self._idle: object = None
        """What it knew when it found nothing to do."""

    @property
    def author(self) -> str:
        """The key by which others know it."""
        return self.peer.identity.author

    def begin(self, at: float) -> Assignment | None:
        """Ask for a work and hand it out; None as long as there is none."""
        self._heed(at)
        if (known := (len(self.peer.records), self._taken, self._said)) == self._idle:
            return None  # it would find nothing again
        assignment = self.peer.ask()
        self._idle = known if assignment is None else None
        if assignment is not None:
            self.peer.begin(assignment)
            self._flights[self.work_of(assignment)] = Flight(at + SECOND, float("inf"))
        return assignment

    def end(self, assignment: Assignment, landscape: Landscape, at: float) -> str:
        """Publish what a work came to, and return the id of the record."""
        result = landscape.measured(assignment)
        if assignment.replica > 0:
            result = replace(result, test_bits_per_byte=result.bits_per_byte)
        record = self.peer.publish(result, assignment.genome)
        work = self.work_of(assignment)
        self._flights[work] = self._flights[work]._replace(until=at + LINGER)
        return record.id

    def work_of(self, assignment: Assignment) -> Key:
        """Return what an assignment is of."""
        plan = self.peer.plan
        return Key(plan.identify(assignment.genome), assignment.rung, assignment.replica)

    def believes(self, author: str) -> bool:
        """Whether what that author measures counts here."""
        return author in self.peer.friends or author in self.peer.reckoning.trusted

    def has_heard(self, author: str, work: Key) -> bool:
        """Whether it has that author's record of a work."""
        return (author, work) in self._done

    def flights(self, at: float) -> list[Key]:
        """Return what others hear now that it works on."""
        self._flights = {work: f for work, f in self._flights.items() if f.until > at}
        return sorted(work for work, flight in self._flights.items() if flight.since <= at)

    def _heed(self, at: float) -> None:
        """Leave alone what others work on, as a journal tells a search of it."""
        self._done.update((r.author, key_of(r.result)) for r, _ in self.peer.news(self))
        now = {
            other.author: self._open(other.author, other.flights(at))
            for other in self.others
            if other is not self
        }
        taken = {author: works for author, works in now.items() if self.believes(author)}
        said = {
            author: tuple(work for work in works if work in self._common)
            for author, works in now.items()
            if author not in taken
        }
        for author in sorted({*taken, *self._taken}):
            works = taken.get(author, ())
            if works != self._open(author, self._taken.get(author, ())):
                self.peer.plan.search.tell([Taken(author, works)])
        for author in sorted({*said, *self._said}):
            if said.get(author, ()) != self._said.get(author, ()):
                self.peer.plan.search.tell([Said(author, said.get(author, ()))])
        self._taken, self._said = taken, said

    def _open(self, author: str, works: Sequence[Key]) -> tuple[Key, ...]:
        """Return those works of which an author has no record."""
        return tuple(work for work in works if (author, work) not in self._done)


@dataclass
class Done:
    """What was done, by origin: evaluations, those done twice, those of them by which a peer came
    to believe another, and those that check what is believed; and when the last peer was through,
    in seconds.
    """  # noqa: D205

    all: Counter[str] = field(default_factory=Counter[str])
    twice: Counter[str] = field(default_factory=Counter[str])
    proof: Counter[str] = field(default_factory=Counter[str])
    checks: Counter[str] = field(default_factory=Counter[str])
    seconds: float = 0.0

    @property
    def rest(self) -> Counter[str]:
        """What was done twice for nothing."""
        return self.twice - self.proof - self.checks


def swarm(peers: int, *, births: int, seed: int, told: bool = True, friends: bool = False) -> Done:
    """Let so many peers do a run together.

    *told* is whether they hear what others work on, *friends* whether they believe each other.
    """
    base = manifest(births)
    of = replace(base, tuned=True, looks=(-1, -2), replicas=(1, 2, 3))
    rng = Random(seed)
    several = [Worker(n, of, speed=2 ** rng.uniform(-1, 1)) for n in range(peers)]
    names = frozenset(worker.author for worker in several)
    for worker in several:
        worker.others = several if told else ()
        worker.peer.friends = names if friends else frozenset()
    return _worked(several, Landscape(seed), rng)


def _worked(several: Sequence[Worker], landscape: Landscape, rng: Random) -> Done:
    """Let virtual time go on until all peers are through."""
    done, by, numbers = Done(), dict[Key, set[str]](), count()
    signed, hold = dict[str, float](), spreading(len(several)) + PERIOD
    queue = list[tuple[float, int, Worker, Assignment | Literal["gossip", "share"] | None]]()
    for worker in several:
        queue.append((rng.uniform(0, 5), next(numbers), worker, None))
        queue.append((rng.uniform(0, PERIOD), next(numbers), worker, "gossip"))
    heapq.heapify(queue)
    while queue and not all(worker.peer.plan.search.done for worker in several):
        at, _, worker, what = heapq.heappop(queue)
        match what:
            case "gossip" | "share":
                for other in rng.sample([w for w in several if w is not worker], 2):
                    exchange(worker.peer, other.peer)
                    for each in (worker.peer, other.peer):
                        each.bind(signed, since=at - hold, hold=hold)
                if what == "gossip":
                    later = at + PERIOD * rng.uniform(0.8, 1.2)
                    heapq.heappush(queue, (later, next(numbers), worker, "gossip"))
                continue
            case Assignment():
                signed[worker.end(what, landscape, at)] = at
                heapq.heappush(queue, (at + SECOND, next(numbers), worker, "share"))
            case _:
                pass
        begun = worker.begin(at)
        if begun is None:
            heapq.heappush(queue, (at + IDLE, next(numbers), worker, None))
            continue
        _count(done, worker, begun, by)
        done.seconds = at
        ready = at + 60 * begun.rung / RUNGS[0] / worker.speed
        heapq.heappush(queue, (ready, next(numbers), worker, begun))
    return done


def _count(done: Done, worker: Worker, begun: Assignment, by: dict[Key, set[str]]) -> None:
    origin = begun.origin.partition(":")[0]
    done.all[origin] += 1
    work = worker.work_of(begun)
    before = by.setdefault(work, set())
    if before and origin != AUDIT:
        done.twice[origin] += 1
        believed = [author for author in before if worker.believes(author)]
        if not believed:
            done.proof[origin] += 1
        elif any(worker.has_heard(author, work) for author in believed):
            done.checks[origin] += 1
    before.add(worker.author)


def lines(found: Mapping[str, Done]) -> Iterator[str]:
    """Yield the lines of a table."""
    names = ("audits", "twice", "proof", "checks", "rest", "hours")
    yield f"{'':>14}{'all':>7}" + "".join(f"{name:>8}" for name in names)
    for name, done in found.items():
        total = done.all.total()
        counts = (done.twice, done.proof, done.checks, done.rest)
        sums = (done.all[AUDIT], *(each.total() for each in counts))
        shares = "".join(f"{number / total:8.1%}" for number in sums)
        yield f"{name:>14}{total:7}{shares}{done.seconds / 3600:8.2f}"
        for origin in sorted(done.twice):
            twice, rest = done.twice[origin], done.rest[origin]
            yield f"{origin:>20}: {twice} of {done.all[origin]} twice, {rest} for nothing"


def main() -> None:
    """Simulate and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--peers", type=int, default=20)
    parser.add_argument("--births", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variants", choices=VARIANTS, nargs="+", default=["told", "friends"])
    asked = parser.parse_args()
    for name in asked.variants:
        found = swarm(asked.peers, births=asked.births, seed=asked.seed, **VARIANTS[name])
        print("\n".join(lines({name: found})), flush=True)


if __name__ == "__main__":
    main()
