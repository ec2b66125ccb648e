"""Whether a swarm of real nodes loses anything while its processes are killed.

    python benchmarks/chaos.py --peers 12 --seconds 300

Each peer is a node in a process of its own with libp2p's daemon, all on 127.0.0.1, and a ledger to
which results are published all the time, as an evaluator would. Every few seconds a node is killed
by SIGKILL, the first one, by which all others joined, for good; the others start again by
themselves. At the end all rest, and what was acknowledged (two other peers hold it) must be in the
ledger of every peer that is left, and all ledgers must have one digest. Then all nodes stop, start
again in a random order, and must come to the same digest.

Jepsen's set test, on the network as it is: https://jepsen.io.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil

from praxis_evolve.benchmarks.small_run import FEW, small_run
from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.job import seed_of
from praxis_evolve.evaluator.result import Result
from praxis_evolve.evaluator.task import Task, save_task
from praxis_evolve.genome.identity import identify
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.swarm.process import NodeProcess, Settings

CATALOG = installed()
TASK = Task("words", np.frombuffer(b"to be or not to be, " * 4000, np.uint8))
MANIFEST = replace(small_run(CATALOG, FEW), task_digest=TASK.digest, task_bytes=len(TASK.text))
SPACE = MANIFEST.space(CATALOG, {})
RUN = "run"


class Peer:
    """A node, its store, and the count of its records that were acknowledged."""

    def __init__(
        self, folder: Path, *, join: Sequence[str] = (), digest: str = "", period: float = 2.0
    ) -> None:
        folder.mkdir()
        self.identity = Identity.load_or_create(folder / "identity")
        self.ledger = Ledger.open(f"sqlite:///{folder / 'store.db'}")
        self.acknowledged = 0
        if not digest:
            digest = self.ledger.create_run(RUN, MANIFEST.to_dict()).digest
            (folder / "run").mkdir()
            save_task(TASK, folder / "run" / "task.bin")
        self.settings = Settings(
            store=f"sqlite:///{folder / 'store.db'}", run=RUN, digest=digest,
            folder=str(folder / "run"), identity=str(folder / "identity"), join=tuple(join),
            period=period,
        )  # fmt: skip
        self.start()

    def start(self) -> None:
        """Start the node."""
        self.node = NodeProcess(self.settings, watch=self._watch)

    def kill(self) -> None:
        """Kill the node's process as a machine does that loses its power."""
        with suppress(ProcessLookupError):
            if self.node.pid is not None:
                os.kill(self.node.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the node and close the store."""
        self.node.close()
        self.ledger.close()

    def publish(self, number: int) -> None:
        """Publish what an evaluator would have found of a genome."""
        genome = SPACE.sample(Random(number), f"{number}")
        name = identify(genome, CATALOG)
        result = Result(
            name.genome, name.architecture, 100, 0, seed_of(TASK.digest, 0),
            2 + number % 97 / 97, costs=SPACE.costs(genome),
        )  # fmt: skip
        self.ledger.put_genome(RUN, genome)
        self.ledger.publish(RUN, self.identity, result)

    def safe(self) -> set[str]:
        """Return the ids of its records that were acknowledged."""
        chain = sorted(self.ledger.places(RUN, self.identity.author))
        return {name for _, name in chain[: self.acknowledged]}

    def _watch(self, said: Mapping[str, Any]) -> None:
        if said["event"] == "status":
            self.acknowledged = max(self.acknowledged, said["acknowledged"])


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    peers: int
    kills: int
    records: int
    acknowledged: int
    lost: int
    quiet: float
    """Seconds until all had one digest after the last record; infinite if they never had."""
    restarted: float
    """The same after all had stopped and started again, with new records at one of them."""
    orphans: int
    """Daemons that are left when all have ended."""


def chaos(peers: int, *, seconds: float, every: float, seed: int, folder: Path) -> Outcome:
    """Let nodes live and die for so long, killing one *every* so many seconds."""
    rng, kills, number = Random(seed), 0, 0
    with ExitStack() as stack:
        several = _joined(peers, folder)
        for peer in several:
            stack.callback(peer.close)
        end, next_kill = time.monotonic() + seconds, time.monotonic() + every
        safe = set[str]()
        living = list(several)
        while time.monotonic() < end:
            rng.choice(living).publish(number := number + 1)
            time.sleep(rng.uniform(0.05, 0.15))
            if time.monotonic() >= next_kill:
                next_kill += every
                kills += 1
                if kills == 2:  # the one by which all joined
                    first = living.pop(0)
                    safe |= first.safe()
                    first.node.close()
                else:
                    rng.choice(living).kill()
        quiet = _until_equal(living, 60.0)
        for peer in living:
            safe |= peer.safe()
        held = [{record.id for record in peer.ledger.records(RUN)} for peer in living]
        lost = sum(not all(name in each for each in held) for name in safe)
        restarted = _restarted(living, rng, number + 1)
        records = len(set[str]().union(*held))
    time.sleep(1.0)
    children = psutil.Process().children(recursive=True)
    orphans = sum("p2pd" in child.name() for child in children)
    return Outcome(peers, kills, records, len(safe), lost, quiet, restarted, orphans)


def _joined(peers: int, folder: Path) -> list[Peer]:
    first = Peer(folder / "0")
    addresses = first.node.wait_for("listening", 60.0)["addresses"]
    others = [
        Peer(folder / str(number), join=addresses, digest=first.settings.digest)
        for number in range(1, peers)
    ]
    for peer in others:
        peer.node.wait_for("joined", 120.0)
    return [first, *others]


def _restarted(living: Sequence[Peer], rng: Random, number: int) -> float:
    """Stop all, publish something at one, start all in a random order, and wait."""
    for peer in living:
        peer.node.close()
    living[0].publish(number)
    for peer in rng.sample(list(living), len(living)):
        peer.start()
    return _until_equal(living, 120.0)


def _until_equal(peers: Sequence[Peer], most: float) -> float:
    """Return the seconds until all ledgers have one digest, infinite if that is too long."""
    began = time.monotonic()
    while len({peer.ledger.digest(RUN) for peer in peers}) > 1:
        if time.monotonic() - began > most:
            return float("inf")
        time.sleep(0.1)
    return time.monotonic() - began


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--peers", type=int, default=12)
    add("--seconds", type=float, default=300.0)
    add("--every", type=float, default=3.0, help="seconds between kills")
    add("--seed", type=int, default=0)
    return parser


def main() -> None:
    """Run it once and print what came of it."""
    asked = options().parse_args()
    with TemporaryDirectory() as folder:
        found = chaos(
            asked.peers, seconds=asked.seconds, every=asked.every, seed=asked.seed,
            folder=Path(folder),
        )  # fmt: skip
    for name, value in vars(found).items():
        print(f"{name:14}{value:>10,.1f}" if isinstance(value, float) else f"{name:14}{value:>10,}")


if __name__ == "__main__":
    main()
