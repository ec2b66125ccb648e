"""How much work is done twice in a swarm.

    python benchmarks/duplicates.py --peers 20

Honest peers are simulated in one process and virtual time, each with a ledger, a search and a trust
of its own; a training takes as long as its rung and the peer's speed say, records and what is
worked on go from peer to peer a second later. All of a run is done: tuning, evolution, looks and
finals. Training itself is a landscape (``liars``).

``twice`` are evaluations that repeat what another had done or begun, audits not counted, for each
evaluation; ``proof`` are those of them before the peer believed who had done it: so it comes to
believe. ``audits`` measure again what another claimed.
"""

from __future__ import annotations

import argparse
import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Literal

from praxis_evolve.benchmarks.ledger_peers import Peer, exchange
from praxis_evolve.benchmarks.liars import RUNGS, Landscape, manifest
from praxis_evolve.cli.flying import LINGER
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.market.swarm.gossip import PERIOD
from praxis_evolve.search.base import Assignment, Key
from praxis_evolve.search.species import Species

SECOND = 1.0
"""What a record, or word of what is worked on, takes to another peer."""

IDLE = 2.0
"""Seconds until a peer that had nothing to do looks again."""


class Worker(Peer):
    """A peer that takes its time."""

    def __init__(self, folder: Path, number: int, of: Manifest, *, speed: float) -> None:
        super().__init__(folder, number, of, lies=False)
        self.speed = speed
        self.flights: dict[Key, float] = {}

    def begin(self, at: float) -> Assignment | None:
        """Ask for a work and hand it out."""
        assignment = self.asked()
        if assignment is not None:
            self.flights[self.work_of(assignment)] = float("inf")
        self.flights = {work: until for work, until in self.flights.items() if until > at}
        return assignment

    def end(self, assignment: Assignment, landscape: Landscape, at: float) -> None:
        """Publish what a work came to."""
        result = landscape.measured(assignment)
        if assignment.replica > 0:
            result = replace(result, test_bits_per_byte=result.bits_per_byte)
        self.publish(result)
        self.flights[self.work_of(assignment)] = at + LINGER

    def work_of(self, assignment: Assignment) -> Key:
        """Return what an assignment is of."""
        return Key(self.plan.identify(assignment.genome), assignment.rung, assignment.replica)

    def leave_alone(self, others: Sequence[Worker]) -> None:
        """Hear from now on what others work on."""
        self.journal.others = lambda: {
            other.identity.author: sorted(other.flights) for other in others if other is not self
        }

    def believes(self, author: str) -> bool:
        """Whether what that author measures counts here."""
        return author in self.journal.believed


@dataclass
class Done:
    """What was done: evaluations by origin, those done twice by origin, and those of them by which
    a peer came to believe another; and when the last peer was through, in seconds.
    """  # noqa: D205

    all: Counter[str]
    twice: Counter[str]
    proof: int = 0
    seconds: float = 0.0


def swarm(peers: int, *, births: int, seed: int, told: bool) -> Done:
    """Let so many peers do a run together; *told* whether they hear what others work on."""
    base = manifest(births)
    of = replace(base, tuned=True, looks=(-1, -2), replicas=(1, 2, 3))
    rng = Random(seed)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        several = [
            Worker(Path(folder, f"{n}"), n, of, speed=2 ** rng.uniform(-1, 1)) for n in range(peers)
        ]
        for peer in several:
            stack.enter_context(peer.ledger)
            if told:
                peer.leave_alone(several)
        return _worked(several, Landscape(seed, Species(several[0].plan.space)), rng)


def _worked(several: Sequence[Worker], landscape: Landscape, rng: Random) -> Done:
    """Let virtual time go on until all peers are through."""
    done, by, numbers = Done(Counter(), Counter()), dict[Key, set[str]](), count()
    queue = list[tuple[float, int, Worker, Assignment | Literal["gossip", "share"] | None]]()
    for peer in several:
        queue.append((rng.uniform(0, 5), next(numbers), peer, None))
        queue.append((rng.uniform(0, PERIOD), next(numbers), peer, "gossip"))
    heapq.heapify(queue)
    while queue and not all(peer.plan.search.done for peer in several):
        at, _, peer, what = heapq.heappop(queue)

        match what:
            case "gossip" | "share":
                for other in rng.sample([p for p in several if p is not peer], 2):
                    exchange(peer, other)
                if what == "gossip":
                    later = at + PERIOD * rng.uniform(0.8, 1.2)
                    heapq.heappush(queue, (later, next(numbers), peer, "gossip"))
                continue
            case Assignment():
                peer.end(what, landscape, at)
                heapq.heappush(queue, (at + SECOND, next(numbers), peer, "share"))
            case _:
                pass
        begun = peer.begin(at)
        if begun is None:
            heapq.heappush(queue, (at + IDLE, next(numbers), peer, None))
            continue
        _count(done, peer, begun, by)
        done.seconds = at
        ready = at + 60 * begun.rung / RUNGS[0] / peer.speed
        heapq.heappush(queue, (ready, next(numbers), peer, begun))
    return done


def _count(done: Done, peer: Worker, begun: Assignment, by: dict[Key, set[str]]) -> None:
    origin = begun.origin.partition(":")[0]
    done.all[origin] += 1
    before = by.setdefault(peer.work_of(begun), set())
    if before and origin != "audit":
        done.twice[origin] += 1
        done.proof += not any(map(peer.believes, before))
    before.add(peer.identity.author)


def lines(found: Mapping[str, Done]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"{'':>14}{'all':>7}{'audits':>8}{'twice':>8}{'proof':>8}{'rest':>8}{'hours':>8}"
    for name, done in found.items():
        total, twice = done.all.total(), done.twice.total()
        shares = (done.all["audit"], twice, done.proof, twice - done.proof)
        yield (
            f"{name:>14}{total:7}"
            + "".join(f"{n / total:8.1%}" for n in shares)
            + (f"{done.seconds / 3600:8.2f}")
        )
        for origin in sorted(done.twice):
            yield f"{origin:>20}: {done.twice[origin]} of {done.all[origin]} twice"


def main() -> None:
    """Simulate and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--peers", type=int, default=20)
    parser.add_argument("--births", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    found = {
        name: swarm(asked.peers, births=asked.births, seed=asked.seed, told=told)
        for name, told in (("not told", False), ("told", True))
    }
    print("\n".join(lines(found)))


if __name__ == "__main__":
    main()
