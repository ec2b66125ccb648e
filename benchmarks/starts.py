"""How long a start takes on a long history: until a peer can say what it has, and until it can ask.

    python benchmarks/starts.py --counts 1000 10000 30000

The records are of twenty others, of genomes that descend from each other, a third of them at both
rungs; the peer measured some of them again, and so believes some authors. The first start weighs
all of them, as that of a peer which has just joined does, the second finds in the log what it said.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from resource import RUSAGE_SELF, getrusage
from tempfile import TemporaryDirectory
from time import process_time

from praxis_evolve.benchmarks.cost_model import CATALOG, MANIFEST, RUN
from praxis_evolve.benchmarks.identities import identity_of
from praxis_evolve.evaluator.job import seed_of
from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.identity import identify
from praxis_evolve.genome.mutation import mutate
from praxis_evolve.genome.text import to_json
from praxis_evolve.market.claims import Claims
from praxis_evolve.market.drive import LedgerJournal, restore
from praxis_evolve.market.lease import acquire, release
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.plan import Plan
from praxis_evolve.market.record import FIRST, Record, sign
from praxis_evolve.market.swarm.replica import LedgerReplica
from praxis_evolve.search.garbage import collect_seldom

SPACE = MANIFEST.space(CATALOG, {})
OWN, *OTHERS = [identity_of(number) for number in range(21)]
TESTED = 12
"""How many of the first records of each other the peer measures again, besides one in a hundred."""

TOGETHER = 500
"""How many records come in at once."""


@dataclass(frozen=True)
class Start:
    """Seconds of a core that a start takes: until heads are told, the log is read and weighed, and
    the search was told all of it.
    """  # noqa: D205

    records: int
    lines: int
    """Of the log."""
    heads: float
    heard: float
    told: float
    bytes: int
    """The most memory that the process has had so far."""


def bred(count: int, rng: Random) -> Iterator[Genome]:
    """Yield genomes, a tenth of them drawn and the others children of one of the last hundred."""
    last = list[Genome]()
    for number in range(count):
        drawn = not last or rng.random() < 0.1
        genome = (
            SPACE.sample(rng, f"{number}")
            if drawn
            else mutate(rng.choice(last), SPACE, rng, f"{number}").genome
        )
        last = [*last[-99:], genome]
        yield genome


def results(count: int, rng: Random) -> Iterator[tuple[Genome, Result]]:
    """Yield so many results with their genomes."""
    seed = seed_of(MANIFEST.task_digest, 0)
    made = 0
    for genome in bred(count, rng):
        name, bits = identify(genome, CATALOG), rng.uniform(2, 3)
        for rung in MANIFEST.rungs[: 1 + (rng.random() < 1 / 3)]:
            if made == count:
                return
            made += 1
            yield (
                genome,
                Result(
                    name.genome, name.architecture, rung, 0, seed, bits - rung / 1000,
                    costs=SPACE.costs(genome),
                    curve=tuple((rung * n // 30, rng.uniform(3, 4)) for n in range(1, 31)),
                    measured=Measurement(rng.uniform(100, 500), 1.0, rng.uniform(1e3, 1e5), 10**9),
                ),
            )  # fmt: skip


def fill(ledger: Ledger, count: int, rng: Random) -> None:
    """Let so many records of others come in, and measure some again."""
    digest = ledger.create_run(RUN, MANIFEST.to_dict()).digest
    ends = {other.author: (0, FIRST) for other in OTHERS}
    texts, records, tested = dict[str, None](), list[Record](), list[Result]()

    def come_in() -> None:
        ledger.take_in(RUN, records, texts, own=OWN.author, check=lambda record, genome: None)
        for result in tested:
            ledger.publish(RUN, OWN, result)
        for several in (texts, records, tested):
            several.clear()

    for number, (genome, result) in enumerate(results(count, rng)):
        other = OTHERS[number % len(OTHERS)]
        seq, prev = ends[other.author]
        records.append(
            sign(result, other, run=digest, seq=seq, prev=prev, catalog=CATALOG.digest, program="0")
        )
        ends[other.author] = seq + 1, records[-1].id
        texts[to_json(genome)] = None
        if seq < TESTED or rng.random() < 0.01:
            tested.append(result)
        if len(records) == TOGETHER:
            come_in()
    come_in()


def start(url: str) -> Start:
    """Begin as a peer does that goes on with the run."""
    with Ledger.open(url, catalog=CATALOG) as ledger:
        plan = Plan(MANIFEST, CATALOG)
        lease = acquire(ledger.store, RUN, now=0.0)
        journal = LedgerJournal(ledger, RUN, OWN, lease, lambda: 0.0)
        began = process_time()
        LedgerReplica(ledger, RUN, OWN.author, Claims(MANIFEST, plan.space)).heads()
        has_heads = process_time()
        events = journal.heard()
        has_heard = process_time()
        restore(plan, events, run=ledger.run(RUN).digest, author=OWN.author)
        told = process_time()
        release(ledger.store, lease)
        count = len(ledger.ids(RUN))
    most = 1024 * getrusage(RUSAGE_SELF).ru_maxrss
    return Start(
        count, len(events), has_heads - began, has_heard - has_heads, told - has_heard, most
    )


def table(starts: Sequence[Start]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield (
        f"{'records':>8}{'lines':>8}{'heads, s':>10}{'heard, s':>10}{'told, s':>10}"
        f"{'ms a record':>13}{'memory, MB':>12}"
    )
    for each in starts:
        every = 1000 * (each.heads + each.heard + each.told) / each.records
        yield (
            f"{each.records:8}{each.lines:8}{each.heads:10.2f}{each.heard:10.2f}{each.told:10.2f}"
            f"{every:13.2f}{each.bytes / 1e6:12.0f}"
        )


def measured(folder: Path, count: int) -> list[Start]:
    """Return two starts, each in a process of its own, on so many records."""
    url = f"sqlite:///{folder / f'{count}.db'}"
    with Ledger.open(url, catalog=CATALOG) as ledger:
        fill(ledger, count, Random(1))
    context = multiprocessing.get_context("spawn")
    found = list[Start]()
    for _ in range(2):
        with context.Pool(1, collect_seldom) as pool:
            found.append(pool.apply(start, (url,)))
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[1_000, 10_000])
    counts = parser.parse_args().counts
    with TemporaryDirectory() as folder:
        starts = [each for count in counts for each in measured(Path(folder), count)]
    print(*table(starts), sep="\n")


if __name__ == "__main__":
    main()
