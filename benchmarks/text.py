"""Searches on real text at equal trained tokens: what winners are worth, how soon they are found.

    export PRAXIS_BENCH=/path/to/bench      # the folder with text/tinyshakespeare.txt
    python benchmarks/text.py --seeds 5 --workers 2      # stopped? call it again
    python benchmarks/text.py --seeds 5 --table          # only print what was measured

One run is a text, a search and a seed. All search the space of ``run --size small`` (its width and
context) among genomes with no more parameters and FLOPs than the Llama block, on one short ladder,
until as many tokens were trained as so many births are expected to take (``--births``); what the
gate refuses before its training costs nothing. No search is given starters unless ``--starters``
gives all of them to all. The seed also is that of the trainings, so that runs of one seed differ in
the search alone.

A run's winner is the genome with the lowest bits per byte on the search split at the top rung that
passes the full gate in every final. Printed are, paired by seed:

* its bits per byte on the test split, the mean of two trainings from scratch on fresh seeds;
* the same of the training that it won by, which is partly luck;
* the lowest bits per byte on the search split after a quarter, a half and all of the tokens;
* after which share of the tokens a search was as good as the baseline at the end of its run;
* the smallest difference that the pairs could have shown (a paired t test at 5 %, two-sided, with a
  power of 80 %): (t(97.5 %) + t(80 %)) times the standard error of the paired difference.

Rows go to a file of JSON lines by all of this and the sources; what is there is not run again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from statistics import fmean

from praxis_evolve.benchmarks.comparison import Row
from praxis_evolve.benchmarks.rows import add_row, digest_of, end_line, known_rows
from praxis_evolve.benchmarks.text_run import EMBEDDED, PARTS, Plan, opened, run
from praxis_evolve.benchmarks.text_table import table
from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.task import Task
from praxis_evolve.search.algorithms import OWN

SEARCHERS = ("evolution", "random", "tpe", "aging", *PARTS)
TEXTS = (EMBEDDED, "tinyshakespeare")
ENDLESS = [name for name in OWN if name not in ("halving", "hyperband")]
"""The searches that tokens can end; the two others plan a number of births."""

SOURCES = (
    "search/*.py",
    "genome/*.py",
    "evaluator/*.py",
    "benchmarks/budget.py",
    "benchmarks/text_run.py",
)


@cache
def sources() -> str:
    """Return a digest of the code that rows depend on."""
    return digest_of(SOURCES, installed().digest)


def key_of(task: Task, searcher: str, seed: int, plan: Plan) -> str:
    """Return what makes a run the same run, but for its sources."""
    policy = "starters" if plan.starters else "no starters"
    return f"{task.name} {searcher} {seed} {plan.births} {plan.rungs} {policy} {task.digest[:16]}"


def work(key: str, text: str, searcher: str, seed: int, plan: Plan) -> Row:
    """Return the row of a run, or of how it failed: other runs go on."""
    row = {
        "key": f"{key} {sources()}",
        "run": key,
        "text": text,
        "searcher": searcher,
        "seed": seed,
    }
    try:
        return {**row, **run(text, searcher, seed, plan)}
    except Exception as error:
        return {**row, "raised": f"{type(error).__name__}: {error}"}


def measure(tasks: Mapping[str, Task], asked: argparse.Namespace, plan: Plan) -> None:
    """Do the runs that the file of rows does not have; seeds first, searches take turns."""
    known = known_rows(asked.out)
    end_line(asked.out)
    waiting = [
        (key, text, searcher, seed, plan)
        for seed in range(asked.first, asked.first + asked.seeds)
        for text, task in tasks.items()
        for searcher in asked.searchers
        if f"{(key := key_of(task, searcher, seed, plan))} {sources()}" not in known
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(asked.workers, mp_context=context) as pool:
        futures = [pool.submit(work, *each) for each in waiting]
        try:
            for number, future in enumerate(as_completed(futures), 1):
                row = future.result()
                add_row(asked.out, row)
                print(f"{number} of {len(waiting)}: {said(row)}", flush=True)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise SystemExit(f"stopped; what is in {asked.out} stays, call it again") from None


def said(row: Row) -> str:
    """Return a line on a row."""
    name = f"{row['text']} {row['searcher']} seed {row['seed']}"
    if "raised" in row:
        return f"{name} raised {row['raised']}"
    return f"{name}: test {fmean(row['test'][1:]):.4f}, {row['births']} births, {row['wall']:.0f} s"


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    bench = os.environ.get("PRAXIS_BENCH")
    add("--bench", type=Path, default=Path(bench) if bench else None, help="folder with text/")
    add("--texts", nargs="+", default=list(TEXTS), choices=TEXTS, metavar="TEXT")
    add(
        "--searchers",
        nargs="+",
        default=list(SEARCHERS),
        choices=[*ENDLESS, *PARTS],
        metavar="NAME",
    )
    add("--baseline", default="random", help="the search that others are compared with")
    add("--seeds", type=int, default=5)
    add("--first", type=int, default=0, help="the first seed")
    add("--births", type=int, default=160, help="the tokens are what so many births take")
    add("--rungs", type=int, nargs="+", default=[10_000, 30_000], help="in tokens")
    add("--starters", action="store_true", help="every search begins with all named starters")
    add("--workers", type=int, default=1, help="runs at once, one thread each")
    add("--out", type=Path, default=Path("runs/text.jsonl"))
    add("--table", action="store_true", help="only print what was measured")
    return parser


def texts_of(
    names: Sequence[str], bench: Path | None, say: Callable[[str], None]
) -> dict[str, Task]:
    """Return the texts that are there; of others a word is said."""
    found = dict[str, Task]()
    for name in names:
        try:
            found[name] = opened(name, bench)
        except FileNotFoundError as error:
            say(f"{name} is skipped: {error}")
    return found


def main() -> None:
    """Run what the file of rows does not have, and print the figures of each text."""
    asked = options().parse_args()
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    plan = Plan(asked.births, tuple(asked.rungs), asked.starters, asked.bench)
    tasks = texts_of(asked.texts, asked.bench, print)
    if not asked.table:
        measure(tasks, asked, plan)
    latest = {row["run"]: row for row in known_rows(asked.out).values()}
    seeds = range(asked.first, asked.first + asked.seeds)
    for text, task in tasks.items():
        keys = (key_of(task, name, seed, plan) for name in asked.searchers for seed in seeds)
        rows = [latest[key] for key in keys if key in latest]
        lines = table(text, rows, plan, asked.baseline) if rows else [f"{text}: no runs yet"]
        print("\n".join(lines), flush=True)


if __name__ == "__main__":
    main()
