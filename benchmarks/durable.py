"""How many asks and tells a second several processes get through a shared store, and how fast each.

    python benchmarks/durable.py --folder a/folder/on/the/disk/in/question

Processes drive a run each, all in one SQLite file, by the parts of ``praxis-evolve run``. An ask
and its tell are two commits, each flushed to the disk before it is acknowledged:

* the ask: the lease on the run is checked, the genome is stored unless it is there, and a line with
  the whole assignment is appended to the log, hashed over the line before;
* the tell: the lease is checked, the result is signed (Ed25519) as the next record of its author's
  chain and stored, unless the same was published before, and a line that names it is appended.

``stored`` hands out genomes that were bred before: the store alone. ``evolution`` asks the default
search without its screen for each, and tells it the result. ``row`` is what a script would do: the
result as a row of JSON, by SQLAlchemy into a SQLite file with a write-ahead log, a commit each,
asks nowhere. ``optuna`` is a study in Optuna's SQLite storage with a parameter for each visit,
drawn by chance: its ask and its tell, as durable as SQLite is unless told otherwise. Flushes are
4 kB appended to a file and flushed, one after the other by one process: what the disk allows.

Afterwards every run is read again and checked, each line, signature and chain. ``errors`` counts
what raised, what was acknowledged and is not there, and what is wrong with a run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, insert

from praxis_evolve.benchmarks.long_genomes import evolution, founders, scored, species
from praxis_evolve.benchmarks.rows import add_row, end_line
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.graph import Genome
from praxis_evolve.market import canonical
from praxis_evolve.market.drive import LedgerJournal
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.lease import acquire, release
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.result_text import content_of
from praxis_evolve.search.base import Asked, Assignment, Birth, Finished

LEDGERS = ("stored", "evolution")
"""The kinds whose stores are ledgers."""

STUDY = "study"
ROWS = Table(
    "rows", MetaData(), Column("id", Integer, primary_key=True), Column("number", Integer),
    Column("body", Text),
)  # fmt: skip
LETTERS = 8
"""The choices of each parameter of Optuna's study."""


Bred = Sequence[tuple[Assignment, Result]]


@dataclass(frozen=True)
class Client:
    """One of the processes: where it stores what, and how many asks and tells are timed."""

    url: str
    number: int
    births: int
    founders: Mapping[str, Genome]
    visits: int
    bred: Bred = ()

    @property
    def run(self) -> str:
        """The run that it drives."""
        return f"run-{self.number}"


Once = Callable[[int], float]
"""Does the ask and the tell of a number and returns the seconds that they took."""


@dataclass(frozen=True)
class Timed:
    """What a process did: when it began and ended, how long each took, and what raised.

    ``processor`` are the seconds of a core that all of them took.
    """

    began: float
    ended: float
    processor: float
    seconds: tuple[float, ...]
    errors: tuple[str, ...]


def breed(starters: Mapping[str, Genome], births: int, visits: int) -> Bred:
    """Return the founders and their offspring with their results."""
    those, bred = species(visits), list[tuple[Assignment, Result]]()
    search = evolution(those, starters, births=births, shares=False)
    for number in range(len(starters) + births):
        assignment = search.ask(Birth("run", "client", number))
        assert assignment is not None
        bred.append((assignment, scored(assignment.genome, those)))
        search.tell([Asked(assignment), Finished(bred[-1][1])])
    return bred


@contextmanager
def journal_of(client: Client) -> Generator[LedgerJournal]:
    """Give the journal of the client's run, under a lease."""
    with Ledger.open(client.url) as ledger:
        lease = acquire(ledger.store, client.run, now=time.time())
        journal = LedgerJournal(ledger, client.run, Identity.new(), lease, time.time)
        try:
            yield journal
        finally:
            release(ledger.store, journal.lease)


@contextmanager
def storing(client: Client) -> Generator[Once]:
    """Store what was bred before."""
    with journal_of(client) as journal:

        def once(number: int) -> float:
            assignment, result = client.bred[number]
            began = time.perf_counter()
            assert journal.asked(assignment)
            journal.finished(result)
            journal.heard()
            journal.beat()
            return time.perf_counter() - began

        yield after_founders(client, once)


@contextmanager
def searching(client: Client) -> Generator[Once]:
    """Ask a search for each, which has got through its founders, and tell it the result."""
    those = species(client.visits)
    search = evolution(those, client.founders, births=client.births)
    with journal_of(client) as journal:

        def once(number: int) -> float:
            began = time.perf_counter()
            assignment = search.ask(Birth(client.run, "client", number))
            assert assignment is not None
            search.tell(journal.asked(assignment))
            asked = time.perf_counter()
            result = scored(assignment.genome, those)
            scored_at = time.perf_counter()
            journal.finished(result)
            search.tell(journal.heard())
            journal.beat()
            return time.perf_counter() - scored_at + asked - began

        yield after_founders(client, once)


def after_founders(client: Client, once: Once) -> Once:
    """Get through the founders, which is not timed, and return what goes on from there."""
    for number in range(len(client.founders)):
        once(number)
    return lambda number: once(len(client.founders) + number)


@contextmanager
def adding_rows(client: Client) -> Generator[Once]:
    """Add the same result as a row, again and again."""
    result = scored(next(iter(client.founders.values())), species(client.visits))
    body = canonical.encode(content_of(result)).decode()
    engine = create_engine(client.url, connect_args={"timeout": 60})
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")

    def once(number: int) -> float:
        began = time.perf_counter()
        with engine.begin() as connection:
            connection.execute(insert(ROWS).values(number=number, body=body))
        return time.perf_counter() - began

    yield once
    engine.dispose()


@contextmanager
def asking_optuna(client: Client) -> Generator[Once]:
    """Ask a study for parameters and tell it a value."""
    study = optuna.load_study(
        study_name=STUDY, storage=client.url, sampler=optuna.samplers.RandomSampler()
    )
    letters = optuna.distributions.CategoricalDistribution(tuple(range(LETTERS)))
    parameters = {str(visit): letters for visit in range(client.visits)}

    def once(number: int) -> float:
        began = time.perf_counter()
        study.tell(study.ask(dict(parameters)), float(number))
        return time.perf_counter() - began

    yield once


KINDS: Mapping[str, Callable[[Client], AbstractContextManager[Once]]] = {
    "stored": storing,
    "evolution": searching,
    "row": adding_rows,
    "optuna": asking_optuna,
}
"""What the processes do, by name."""

_together: Barrier


def _share(barrier: Barrier) -> None:
    global _together
    _together = barrier


def work(kind: str, client: Client) -> Timed:
    """Do the client's asks and tells together with the others."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with KINDS[kind](client) as once:
            _together.wait()
            return timed(once, client.births)
    except BaseException:
        _together.abort()  # nobody waits for this one
        raise


def timed(once: Once, births: int) -> Timed:
    """Return how long each of so many took; what raised is noted, and the next one tried."""
    began, used = time.perf_counter(), time.process_time()
    seconds, errors = list[float](), list[str]()
    for number in range(births):
        try:
            seconds.append(once(number))
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
    used = time.process_time() - used
    return Timed(began, time.perf_counter(), used, tuple(seconds), tuple(errors))


def run(kind: str, folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one kind, with a store of its own in *folder*."""
    url, births = f"sqlite:///{folder / kind}.db", asked.births
    starters = {} if kind == "optuna" else founders(species(asked.visits), asked.population)
    if kind == "optuna":
        births = asked.trials
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        optuna.create_study(study_name=STUDY, storage=url)
    elif kind == "row":
        ROWS.create(create_engine(url))
    else:
        with Ledger.open(url) as ledger:
            for number in range(asked.processes):
                ledger.create_run(f"run-{number}", {"number": number})
    bred = breed(starters, births, asked.visits) if kind == "stored" else ()
    clients = [
        Client(url, number, births, starters, asked.visits, bred)
        for number in range(asked.processes)
    ]
    several = together(kind, clients)
    errors = [error for each in several for error in each.errors]
    errors += problems(clients, several) if kind in LEDGERS else []
    return {"kind": kind, "processes": asked.processes, **figures(several), "errors": errors}


def together(kind: str, clients: Sequence[Client]) -> list[Timed]:
    """Return what each client did in a process of its own, all at the same time."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(clients))
    with ProcessPoolExecutor(
        len(clients), context, initializer=_share, initargs=(barrier,)
    ) as pool:
        return list(pool.map(work, [kind] * len(clients), clients))


def problems(clients: Sequence[Client], several: Sequence[Timed]) -> Iterator[str]:
    """Yield what is missing or wrong in the runs, read again."""
    with Ledger.open(clients[0].url, create=False) as ledger:
        for client, each in zip(clients, several, strict=True):
            wanted = len(each.seconds) + len(client.founders)
            kept = sum(isinstance(event, Finished) for event in ledger.events(client.run))
            if kept != wanted:
                yield f"{client.run} was acknowledged {wanted} results and has {kept}"
            yield from ledger.problems(client.run)


def figures(several: Sequence[Timed]) -> dict[str, float]:
    """Return the rate of all together and how long one took."""
    seconds = [second for each in several for second in each.seconds]
    wall = max(each.ended for each in several) - min(each.began for each in several)
    middle, slow = np.quantile(seconds, [0.5, 0.99]) if seconds else (np.nan, np.nan)
    return {
        "done": len(seconds),
        "rate": len(seconds) / wall,
        "median": float(middle),
        "p99": float(slow),
        "longest": max(seconds, default=np.nan),
        "processor": sum(each.processor for each in several) / max(1, len(seconds)),
    }


def flushes(folder: Path, count: int = 300) -> float:
    """Return how often a second one process appends 4 kB to a file and flushes it to the disk."""
    began = time.perf_counter()
    with (folder / "flushes").open("wb", buffering=0) as file:
        for _ in range(count):
            file.write(bytes(4096))
            os.fsync(file.fileno())
    return count / (time.perf_counter() - began)


SPENT = ("median", "p99", "longest", "processor")


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield (
        f"{'':12}{'a second':>10}{'median':>12}{'99 of 100':>12}{'longest':>12}{'of a core':>12}"
        f"{'done':>8}{'errors':>8}"
    )
    for row in rows:
        spent = "".join(f"{1000 * row[name]:9.1f} ms" for name in SPENT)
        yield (f"{row['kind']:12}{row['rate']:10.1f}{spent}{row['done']:8}{len(row['errors']):8}")


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS), metavar="KIND")
    add("--processes", type=int, default=8)
    add("--births", type=int, default=200, help="asks and tells of each process")
    add("--trials", type=int, default=5, help="asks and tells of each process, of Optuna")
    add("--visits", type=int, default=24)
    add("--population", type=int, default=64)
    add("--folder", type=Path, default=Path("runs"), help="where the stores are made, and removed")
    add("--out", type=Path, help="a file of JSON lines, a line for each kind")
    return parser


def main() -> None:
    """Time each kind and print a table."""
    asked, rows = options().parse_args(), list[dict[str, Any]]()
    asked.folder.mkdir(parents=True, exist_ok=True)
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        end_line(asked.out)
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        print(f"{asked.processes} processes; {flushes(Path(folder)):,.0f} flushes a second")
        for kind in asked.kinds:
            with tempfile.TemporaryDirectory(dir=folder) as own:  # kinds may be named again
                rows.append(run(kind, Path(own), asked))
            if asked.out:
                add_row(asked.out, rows[-1])
    print("\n".join(table(rows)))
    for row in rows:
        print("\n".join(f"{row['kind']}: {error}" for error in row["errors"][:5]), end="")


if __name__ == "__main__":
    main()
