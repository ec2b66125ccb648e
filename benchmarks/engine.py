"""Any search on any offline table: regret and hypervolume over seeds, and paired differences.

    export PRAXIS_BENCH=/path/to/bench          # the folder with data/nb201.npz, data/hwgpt.npz
    python benchmarks/engine.py --tables nb201-c10 nb201-c100 --budget 1000 --seeds 200
    python benchmarks/engine.py --tables hwgpt-s --objectives bits_per_byte parameters

One run is a search, a table and a seed. Searches see validation values of single trainings; regret
is of the truth, which they do not see: the best mean validation accuracy of the table less that of
the genome whose value looked best, at the highest rung that was reached. Where a table has several
trainings of a genome all runs see the first, as in the figures that are known, or by ``--training
seed`` each another one. What looks best of all has its own regret: in ``nb201-c100`` .187 in the
first training, .407 and 0 in the others, so that no search can be sure of less.

A budget is a number of genomes or, by ``--seconds``, of simulated seconds of all workers together.
Figures at 100 results are those after the first 100 of the run; a search that suits itself to its
budget (``evolution``) wants a call for each. Hypervolumes are fractions of the largest that is
known.

Plumbing, with the figures that are published or known from elsewhere:

    # random 93.88 +- .05 and aging-10/3 94.06 +- .06 per cent, that is a test error of 6.12, 5.94
    python benchmarks/engine.py --rungs 12 --seconds 20000 --seeds 500 --searchers random aging-10/3
    # two fidelities, 20 full trainings: regret .438 for random cells, then full trainings
    python benchmarks/engine.py --rungs 12 200 --seconds 36620 --seeds 200

Rows go to a file of JSON lines by all of this and the sources of the search; a run that is there is
not run again, so stop it as you like. A table whose data is missing is passed over with a word.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from random import Random
from statistics import fmean

from praxis_evolve.benchmarks.budget import Budgeted
from praxis_evolve.benchmarks.comparison import END, VOLUME, Row, report
from praxis_evolve.benchmarks.rows import add_row, digest_of, end_line, known_rows
from praxis_evolve.benchmarks.searchers import SEARCHERS, Setting
from praxis_evolve.benchmarks.tables import TABLES, Table
from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.graph import Genome
from praxis_evolve.search.base import Asked, Finished
from praxis_evolve.search.objectives import OBJECTIVES, QUALITY, Objective, objectives
from praxis_evolve.search.simulation import simulate

QUICK = ["random", "local", "aging-64/16", "evolution"]
"""The searches that are run unless given: TPE takes fifty times as long as these."""

SOURCES = (
    "search/*.py",
    "benchmarks/budget.py",
    "benchmarks/engine.py",
    "benchmarks/searchers.py",
    "benchmarks/tables/*.py",
)


def run(table: Table, searcher: str, seed: int, asked: argparse.Namespace) -> Row:
    """Return the figures of one run."""
    setting = setting_of(table, seed, asked)
    start = time.perf_counter()
    log = simulate(
        Budgeted(
            SEARCHERS[searcher](setting),
            math.inf if asked.seconds is None else asked.seconds,
            lambda result: result.measured.seconds,
        ),
        partial(table.evaluate, seed=seed if asked.training == "seed" else 0),
        workers=asked.workers,
        seconds=lambda rng: rng.lognormvariate(0.0, 1.0),
        rng=Random(seed),
        deaths=asked.deaths,
    )
    wall = time.perf_counter() - start
    results = in_time([e.result for e in log if isinstance(e, Finished)], asked.seconds)
    genomes = {
        table.words.identify(e.assignment.genome): e.assignment.genome
        for e in log
        if isinstance(e, Asked)
    }
    marks = {str(n): n for n in asked.marks if n <= len(results)} | {END: len(results)}
    return {
        "results": len(results),
        "seconds": sum(result.measured.seconds for result in results),
        "wall": round(wall, 3),
        "marks": {
            mark: figures(table, results[:count], genomes, setting) for mark, count in marks.items()
        },
    }


def setting_of(table: Table, seed: int, asked: argparse.Namespace) -> Setting:
    """Return what a search is told of a table and its budget."""
    rungs = tuple(asked.rungs or table.rungs[-1:])
    if missing := set(rungs) - set(table.rungs):
        raise SystemExit(f"{table.name} has the rungs {table.rungs}, but not {sorted(missing)}")
    ladder = Ladder(rungs, eta=asked.eta or eta_of(rungs))
    births = expected = asked.budget
    if asked.seconds is not None:
        expected = max(1, round(asked.seconds / seconds_of_birth(table, ladder)))
        births = 4 * expected
    wanted = [noisy(objective, table) for objective in objectives(asked.objectives)]
    return Setting(table.words, seed, ladder, wanted, births, expected)


def eta_of(rungs: Sequence[int]) -> int:
    """Return the ratio of the lowest two rungs: then each rung gets as much training in all."""
    return rungs[1] // rungs[0] if len(rungs) > 1 else 2


def noisy(objective: Objective, table: Table) -> Objective:
    """Return the objective with the table's noise, where it is the value."""
    return replace(objective, noise=table.noise) if objective.name == QUALITY.name else objective


def seconds_of_birth(table: Table, ladder: Ladder) -> float:
    """Return what a genome takes on average, with the promotions of one in ``eta``."""
    rng, sample = Random(0), 200
    words = [table.words.read(table.words.sample(rng, "")) for _ in range(sample)]
    means = [fmean(table.look(word, rung, 0).seconds for word in words) for rung in ladder.rungs]
    return sum(mean / ladder.eta**place for place, mean in enumerate(means))


def in_time(results: list[Result], seconds: float | None) -> list[Result]:
    """Return the results that were there before so many seconds were spent."""
    spent, count = 0.0, 0
    for result in results:
        spent += result.measured.seconds
        if seconds is not None and spent > seconds:
            break
        count += 1
    return results[:count]


def figures(
    table: Table,
    results: Sequence[Result],
    genomes: Mapping[str, Genome],
    setting: Setting,
) -> dict[str, float]:
    """Return the truth of the genome that looks best, and the hypervolume of all at the top."""
    if not results:
        return {}
    top = max(result.rung for result in results)
    there = [result for result in results if result.rung == top]
    looks_best = min(there, key=lambda result: result.bits_per_byte or 0.0)
    found = dict(table.truth(table.words.read(genomes[looks_best.genome])))
    if len(setting.objectives) > 1 and table.frame is not None:
        words = {table.words.read(genomes[result.genome]) for result in there}
        found[VOLUME] = table.frame.fraction([table.point(word) for word in sorted(words)])
    return found


@cache
def sources() -> str:
    """Return a digest of the code that rows depend on."""
    return digest_of(SOURCES)


def key_of(table: Table, searcher: str, seed: int, asked: argparse.Namespace) -> str:
    """Return what makes a run the same run."""
    budget = asked.budget if asked.seconds is None else f"{asked.seconds:g}s"
    names = ("rungs", "eta", "objectives", "marks", "training", "workers", "deaths")
    said = " ".join(str(getattr(asked, name)) for name in names)
    return f"{table.name} {searcher} {seed} {budget} {said} {table.digest} {sources()}"


def runs(table: Table, asked: argparse.Namespace) -> Iterator[tuple[str, int, Row]]:
    """Yield each run of a table, doing those that the file of rows does not have.

    Seeds come first and searches take turns, so that what was stopped has as many of each.
    """
    known = known_rows(asked.out)
    end_line(asked.out)
    for seed in range(asked.seeds):
        for searcher in asked.searchers:
            key = key_of(table, searcher, seed, asked)
            if key not in known:
                known[key] = {"key": key, **run(table, searcher, seed, asked)}
                add_row(asked.out, known[key])
            yield searcher, seed, known[key]


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    bench = os.environ.get("PRAXIS_BENCH")
    add("--bench", type=Path, default=Path(bench) if bench else None, help="folder with data/")
    add("--tables", nargs="+", default=["nb201-c10"], choices=list(TABLES), metavar="TABLE")
    add("--searchers", nargs="+", default=QUICK, choices=list(SEARCHERS), metavar="NAME")
    add("--baseline", default="random", help="the search that others are compared with")
    add("--seeds", type=int, default=20)
    add("--budget", type=int, default=300, help="genomes")
    add("--seconds", type=float, help="simulated, instead of genomes")
    add("--marks", type=int, nargs="+", default=[100, 300, 1000], help="results")
    add("--rungs", type=int, nargs="+", help="the table's last alone unless given")
    add("--eta", type=int, help="one in so many is promoted; the ratio of the lowest two rungs")
    add("--objectives", nargs="+", default=[QUALITY.name], choices=list(OBJECTIVES))
    add("--training", choices=["first", "seed"], default="first", help="which one a run sees")
    add("--workers", type=int, default=1)
    add("--deaths", type=float, default=0.0, help="chance that a worker dies in an evaluation")
    add("--out", type=Path, default=Path("runs/engine.jsonl"))
    return parser


def opened(name: str, bench: Path | None, say: Callable[[str], None]) -> Table | None:
    """Return a table, or None when its data is missing, after saying so."""
    try:
        return TABLES[name](bench)
    except FileNotFoundError as error:
        say(f"{name} is skipped: {error}")
        return None


def main() -> None:
    """Run what the file of rows does not have, table by table, and print the figures."""
    asked = options().parse_args()
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    for name in asked.tables:
        table = opened(name, asked.bench, print)
        if table is not None:
            found = list(runs(table, asked))
            print("\n".join(report(table.name, found, asked.baseline)), flush=True)


if __name__ == "__main__":
    main()
