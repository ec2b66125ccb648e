"""What a swarm costs each of its peers, from constants that are measured here and now.

    python benchmarks/cost_model.py

Every peer holds every record, and all evaluate all the time, ``--minutes`` for each. Each peer asks
``FANOUT`` others in a ``PERIOD`` and is asked as often. Of a record that spreads so, the part of
the peers that have it grows as dp/dt = r p (1 - p) with r = 2 FANOUT / PERIOD; two random peers
differ in it with the chance 2 p (1 - p), of which the integral over time is 2 / r. So they differ
in L PERIOD / FANOUT records, where L are made in a second, however many peers there are.

Past ``--island`` peers there are islands of about so many: a peer holds all of its own and one in
``SHARE`` of the others', any of whose authors it may have heard of; in one of ``VISITS`` rounds it
visits another island, and as often it is visited, for which all names that may be offered are sent.

Where an island has more peers than an author tells itself, each asks for commitments as often as it
exchanges, says which it heard lately, and gets each of its island's once.
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
from praxis_evolve.market.swarm.commitments import Commitment, signed, spreading
from praxis_evolve.market.swarm.emigrants import OFFERED, SHARE
from praxis_evolve.market.swarm.flights import MOST_PEERS
from praxis_evolve.market.swarm.gossip import FANOUT, PERIOD, TOLD, VISITS
from praxis_evolve.market.swarm.heads import Head, encoded, root
from praxis_evolve.market.swarm.parts import ALL, Answer, compared, read, told
from praxis_evolve.market.swarm.replica import LedgerReplica
from praxis_evolve.market.swarm.room import MOST_AUTHORS
from praxis_evolve.market.swarm.rumours import MOST_KEPT, name_of
from praxis_evolve.search.base import Key

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
    looked: float = 0.0
    """Seconds to read what its line of the log says, of which there are two, where it may go."""
    headed: float = 0.0
    """Seconds that an exchange takes for each author of whom there are records."""


@dataclass(frozen=True)
class Costs:
    """What a day costs a peer."""

    peers: int
    islands: int
    records: float
    """Records that all make in a day."""
    held: float
    """Those of them that a peer comes to hold."""
    received: float
    """Bytes of records that come in a day."""
    compared: float
    """Bytes in a day that say who has what, both ways."""
    visited: float
    """Bytes in a day of what is offered to other islands and what they offer."""
    passed: float
    """Bytes in a day of commitments that are passed on, both ways."""
    rate: float
    """Bytes in a second of all these."""
    cpu: float
    """Seconds of a core in a day to look at records, to store them and to compare heads."""
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
        began = time.process_time()
        replicas[1].look()
        looked = time.process_time() - began
    with _ledger(folder / "empty.db"):
        pass  # closing writes all into the file
    stored = (folder / "1.db").stat().st_size - (folder / "empty.db").stat().st_size
    return Constants(
        record=len(few) / TOGETHER, stored=stored / added, taken=taken / added,
        looked=looked / added, headed=_headed(),
    )  # fmt: skip


def _headed(*, authors: int = 20_000) -> float:
    """Return the seconds that who is asked for heads takes for each author."""
    names = [hashlib.sha256(f"{number}".encode()).hexdigest() for number in range(authors)]
    heads = {name: Head(9, 9, name) for name in names}
    began = time.process_time()
    root(heads)
    told(heads, [ALL])
    return (time.process_time() - began) / authors


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


def passed_bytes(peers: int, records: float) -> float:
    """Return the bytes of commitments in a day, both ways, on an island of so many peers."""
    if peers - 1 <= MOST_PEERS:
        return 0.0
    identity = Identity.new()
    one = signed(RUN, identity, Commitment(Key("0" * 64, 10_000, 0), "0" * 64))
    told = len(canonical.encode([identity.author, list(one)])) + 1
    known = min(MOST_KEPT, records / DAY * (spreading(peers) + 2 * PERIOD))
    asked = len(canonical.encode({"run": "0" * 64, "has": [], "bound": []}))
    named = known * (len(canonical.encode(name_of(identity.author, one))) + 1)
    return 2 * records * told + 2 * FANOUT * DAY / PERIOD * (asked + named)


def costs(
    peers: int,
    constants: Constants,
    *,
    minutes: float = 5.0,
    repeated: float = 1.5,
    islands: int = 1,
) -> Costs:
    """Return what a day costs each peer, where each record comes *repeated* times."""
    records = peers * DAY / (60 * minutes)
    held = records / islands + (records - records / islands) / SHARE
    differ = held / DAY * PERIOD / FANOUT
    moved, requests = compared_bytes(peers, min(peers, max(1, round(differ))))
    same, _ = compared_bytes(1, 0)  # nothing but the question
    exchanges, some = 2 * FANOUT * DAY / PERIOD, min(1.0, differ)
    received = held * constants.record * repeated
    told_of = exchanges * (some * moved + (1 - some) * same)
    visits = 0.0 if islands == 1 else 2 * DAY / PERIOD / VISITS
    visited = visits * len(canonical.encode({"ids": ["0" * 64] * OFFERED, "island": 0}))
    passed = passed_bytes(peers // islands, records / islands)
    looks = 0.0 if islands == 1 else 2 * held * constants.looked
    return Costs(
        peers=peers, islands=islands, records=records, held=held, received=received,
        compared=told_of, visited=visited, passed=passed,
        rate=(received + told_of + visited + passed) / DAY,
        cpu=held * constants.taken + looks + exchanges * peers * constants.headed,
        disk=30 * held * constants.stored,
        requests=(exchanges * (1 + some * requests + (passed > 0)) + 3 * visits) / DAY,
    )  # fmt: skip


def table(several: Sequence[Costs]) -> Iterator[str]:
    """Yield the costs as lines, with a column for each number of peers."""
    rows = {
        "peers": [f"{each.peers:,}" for each in several],
        "islands": [f"{each.islands:,}" for each in several],
        "records a day": [f"{each.records:,.0f}" for each in several],
        "of which a peer holds": [f"{each.held:,.0f}" for each in several],
        "MB of records a day": [f"{each.received / 1e6:,.1f}" for each in several],
        "MB of heads a day, both ways": [f"{each.compared / 1e6:,.1f}" for each in several],
        "MB of offers a day, both ways": [f"{each.visited / 1e6:,.1f}" for each in several],
        "MB of commitments a day": [f"{each.passed / 1e6:,.1f}" for each in several],
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
    add("--island", type=int, default=1000, help="about how many peers make an island")
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
        costs(
            peers, found, minutes=asked.minutes, repeated=asked.repeated,
            islands=max(1, round(peers / asked.island)),
        )
        for peers in asked.peers
    ]  # fmt: skip
    print(*table(several), sep="\n")
    print(f"a peer takes records of {MOST_AUTHORS:,} authors of its island at most")


if __name__ == "__main__":
    main()
