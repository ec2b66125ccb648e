"""A swarm of many real nodes on this host: a process, a libp2p daemon and a ledger for each."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean

import psutil

from praxis_evolve.benchmarks.chaos import RUN, Peer
from praxis_evolve.market.swarm.gossip import PERIOD

AT_ONCE = 4
"""How many nodes start beside each other: each computes for some seconds until it listens."""

PATIENCE = 600.0
"""The most seconds until all know all."""


@dataclass(frozen=True)
class Outcome:
    """What came of it; seconds are of this host's clock, megabytes are means over the peers."""

    peers: int
    built: float
    """Seconds until all nodes had joined."""
    records: int
    spread: float
    """Seconds from the first record until all know all, one record of each peer."""
    kills: int
    healed: float
    """The same with a second record of each, after some nodes were killed by SIGKILL."""
    node: float
    """Megabytes that a node's process has for itself."""
    daemon: float
    """Megabytes that its daemon has for itself."""
    left: int
    """Processes of nodes and daemons that are left when all have ended."""


def real(peers: int, *, kills: int, seed: int, folder: Path) -> Outcome:
    """Return what came of so many nodes, of which some are killed."""
    rng = Random(seed)
    with ExitStack() as stack:
        began = time.monotonic()
        several = _joined(peers, folder, stack)
        built = time.monotonic() - began
        spread = _published(several, 0)
        processes = [psutil.Process(peer.node.pid) for peer in several]
        daemons = [child for each in processes for child in each.children(recursive=True)]
        node, daemon = _megabytes(processes), _megabytes(daemons)
        for peer in rng.sample(several, kills):
            peer.kill()
        healed = _published(several, peers)
        records = len(several[0].ledger.ids(RUN))
        daemons += [
            child
            for peer in several
            for child in psutil.Process(peer.node.pid).children(recursive=True)
        ]
    left = sum(each.is_running() for each in {*processes, *daemons})
    return Outcome(peers, built, records, spread, kills, healed, node, daemon, left)


def _joined(peers: int, folder: Path, stack: ExitStack) -> list[Peer]:
    several = [Peer(folder / "0", period=PERIOD)]
    stack.callback(several[0].close)
    addresses = several[0].node.wait_for("listening", PATIENCE)["addresses"]
    digest = several[0].settings.digest
    while len(several) < peers:
        numbers = range(len(several), min(peers, len(several) + AT_ONCE))
        started = [
            Peer(folder / f"{n}", join=addresses, digest=digest, period=PERIOD) for n in numbers
        ]
        for peer in started:
            stack.callback(peer.close)
        for peer in started:
            peer.node.wait_for("caught_up", PATIENCE)
        several += started
    return several


def _published(peers: list[Peer], first: int) -> float:
    """Publish one record at each peer and return the seconds until all ledgers are equal."""
    began = time.monotonic()
    for number, peer in enumerate(peers):
        peer.publish(first + number)
    total = len(set[str]().union(*(peer.ledger.ids(RUN) for peer in peers)))
    left = list(peers)
    while time.monotonic() - began < PATIENCE:
        while left and len(left[-1].ledger.ids(RUN)) == total:
            left.pop()
        if not left:
            return time.monotonic() - began
        time.sleep(0.5)
    return float("inf")


def _megabytes(processes: list[psutil.Process]) -> float:
    return fmean(each.memory_full_info().uss / 1e6 for each in processes)
