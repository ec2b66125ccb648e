"""What a swarm costs each of its peers, from constants that are measured here and now.

    python benchmarks/cost_model.py

Every peer holds every record, and all evaluate all the time, ``--minutes`` for each. Each peer asks
``FANOUT`` others in a ``PERIOD`` and is asked as often. Of a record that spreads so, the part of
the peers that have it grows as dp/dt = r p (1 - p) with r = 2 FANOUT / PERIOD; two random peers
differ in it with the chance 2 p (1 - p), of which the integral over time is 2 / r. So they differ
in L PERIOD / FANOUT records, where L are made in a second, however many peers there are.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from praxis_evolve.benchmarks.small_run import small_run
from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.job import seed_of
from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.genome.identity import identify
from praxis_evolve.market import canonical
from praxis_evolve.market.claims import Claims
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.swarm.gossip import FANOUT, PERIOD, TOLD
from praxis_evolve.market.swarm.heads import Head, encoded
from praxis_evolve.market.swarm.parts import ALL, Answer, compared, read, told
from praxis_evolve.market.swarm.replica import LedgerReplica
from praxis_evolve.market.swarm.room import MOST_AUTHORS

DAY = 86_400.0
TOGETHER = 8
"""How many records are sent at once: half of those in which two of 1,000 peers differ."""

RUN = "run"
CATALOG = installed()
NAMES = (
    "attention", "retention", "glu", "mlp", "mingru", "short_conv", "token_shift", "pre", "post",
    "rmsnorm", "layernorm", "token",
)  # fmt: skip
MANIFEST = replace(small_run(CATALOG, NAMES), widths=(128,), layers=4, context=128, visits=16)


@dataclass(frozen=True)
class Constants:
    """What is measured: bytes and seconds of one each."""

    record: float
    """Bytes of a record with its genome on the way, where ``TOGETHER`` are sent at once."""
    stored: float
    """Bytes of it in a SQLite file, with its genome, indexes and its line in the log."""
    taken: float
    """Seconds to look at it and to store it."""


@dataclass(frozen=True)
class Costs:
    """What a day costs a peer."""

    peers: int
    records: float
    """Records that all make in a day."""
    received: float
    """Bytes of records that come in a day."""
    compared: float
    """Bytes in a day that say who has what, both ways."""
    rate: float
    """Bytes in a second of both."""
    cpu: float
    """Seconds of a core in a day to look at records and to store them."""
    disk: float
    """Bytes on the disk after 30 days."""
    requests: float
    """Requests in a second that it makes and answers, those of the directory apart."""


def measured(folder: Path, *, count: int = 300) -> Constants:
    """Return the constants of this program on this machine, over so many records."""
    identity, space, rng = Identity.new(), MANIFEST.space(CATALOG, {}), Random(0)
    with ExitStack() as stack:
        one, other = (stack.enter_context(_ledger(folder / f"{n}.db")) for n in range(2))
        for number in range(count):
            genome = space.sample(Random(number), f"{number}")
            name = identify(genome, CATALOG)
            result = Result(
                name.genome, name.architecture, 100, 0, seed_of(MANIFEST.task_digest, 0),
                rng.uniform(2, 3), costs=space.costs(genome),
                curve=tuple((10 * n, rng.uniform(3, 4)) for n in range(1, 11)),
                measured=Measurement(rng.uniform(100, 500), 1.0, rng.uniform(1e3, 1e5), 10**9),
            )  # fmt: skip
            one.put_genome(RUN, genome)
            one.publish(RUN, identity, result)
        replicas = [
            LedgerReplica(each, RUN, identity.author, Claims(MANIFEST, space))
            for each in (one, other)
        ]
        batches, last = list(replicas[0].lacking({})), len(one.ids(RUN)) - TOGETHER
        (few,) = replicas[0].lacking({identity.author: Head(last, last, "0" * 64)})
        began = time.process_time()
        added = sum(replicas[1].receive(batch).added for batch in batches)
        taken = time.process_time() - began
        if added != len(one.ids(RUN)):
            raise RuntimeError(f"{added} of {len(one.ids(RUN))} records were taken in")
    with _ledger(folder / "empty.db"):
        pass  # closing writes all into the file
    stored = (folder / "1.db").stat().st_size - (folder / "empty.db").stat().st_size
    return Constants(
        record=len(few) / TOGETHER, stored=stored / added, taken=taken / added
    )  # fmt: skip


def compared_bytes(authors: int, differ: int) -> tuple[float, int]:
    """Return the bytes of an exchange where so many authors differ, both ways, and its requests."""
    names = [hashlib.sha256(f"{number}".encode()).hexdigest() for number in range(authors)]
    mine = {name: Head(9, 9, name) for name in names}
    theirs = {**mine, **{name: Head(10, 10, name[::-1]) for name in names[:differ]}}
    moved, requests = 0, 0

    def tell(prefixes: Sequence[str]) -> Answer:
        nonlocal moved, requests
        peers = [["Q" * 52, ["/ip4/192.168.100.100/tcp/40000/p2p/" + "Q" * 52]]] * TOLD
        answer = {**told(theirs, prefixes), "peers": [] if requests else peers}
        asked = {"parts": prefixes, "root": None if requests else "0" * 64, "run": "0" * 64}
        moved += len(canonical.encode(asked)) + len(canonical.encode(answer))
        requests += 1
        return read(answer["heads"], answer["parts"])

    async def ask(prefixes: Sequence[str]) -> Answer:
        return tell(prefixes)

    found = asyncio.run(compared(mine, tell([ALL]), ask))
    if found != theirs:
        raise RuntimeError("what was compared is not what is there")
    wanted = dict(list(theirs.items())[: differ // 2])  # the other half is pushed
    return moved + len(canonical.encode(encoded(wanted))), requests


def costs(
    peers: int, constants: Constants, *, minutes: float = 5.0, repeated: float = 1.5
) -> Costs:
    """Return what a day costs each peer, where each record comes *repeated* times."""
    records = peers * DAY / (60 * minutes)
    differ = records / DAY * PERIOD / FANOUT
    moved, requests = compared_bytes(peers, min(peers, max(1, round(differ))))
    same, _ = compared_bytes(1, 0)  # nothing but the question
    exchanges, some = 2 * FANOUT * DAY / PERIOD, min(1.0, differ)
    received = records * constants.record * repeated
    told_of = exchanges * (some * moved + (1 - some) * same)
    return Costs(
        peers=peers, records=records, received=received, compared=told_of,
        rate=(received + told_of) / DAY, cpu=records * constants.taken,
        disk=30 * records * constants.stored,
        requests=exchanges / DAY * (1 + some * requests),
    )  # fmt: skip


def table(several: Sequence[Costs]) -> Iterator[str]:
    """Yield the costs as lines, with a column for each number of peers."""
    rows = {
        "peers": [f"{each.peers:,}" for each in several],
        "records a day": [f"{each.records:,.0f}" for each in several],
        "MB of records a day": [f"{each.received / 1e6:,.1f}" for each in several],
        "MB of heads a day, both ways": [f"{each.compared / 1e6:,.1f}" for each in several],
        "KB/s": [f"{each.rate / 1e3:,.2f}" for each in several],
        "core-seconds a day": [f"{each.cpu:,.1f}" for each in several],
        "GB on disk after 30 days": [f"{each.disk / 1e9:,.2f}" for each in several],
        "requests a second": [f"{each.requests:,.2f}" for each in several],
    }
    for name, values in rows.items():
        yield f"{name:32}" + "".join(f"{value:>16}" for value in values)


def _ledger(file: Path) -> Ledger:
    ledger = Ledger.open(f"sqlite:///{file}", catalog=CATALOG)
    ledger.create_run(RUN, MANIFEST.to_dict())
    return ledger


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--peers", type=int, nargs="+", default=[10, 100, 1000, 10_000, 100_000])
    add("--minutes", type=float, default=5.0, help="of an evaluation")
    add("--repeated", type=float, default=1.5, help="how often each record comes")
    return parser


def main() -> None:
    """Measure, and print the table."""
    asked = options().parse_args()
    with TemporaryDirectory() as folder:
        found = measured(Path(folder))
    for name, value in vars(found).items():
        print(f"{name:10}{value:>12,.6g}")
    several = [
        costs(peers, found, minutes=asked.minutes, repeated=asked.repeated) for peers in asked.peers
    ]
    print(*table(several), sep="\n")
    print(f"a peer takes records of {MOST_AUTHORS:,} authors at most")


if __name__ == "__main__":
    main()
