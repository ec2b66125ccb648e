"""How busy a search keeps its workers, and whether anything is lost when they die.

    python benchmarks/workers.py --out runs/workers.jsonl

Workers are simulated: an evaluation takes as long as its rung trains tokens, times a log-normal
number, and the search asks and is told in that order, as in a run. With ``deaths`` so many of the
evaluations end with their worker just before they would have been through; another worker takes its
place, and the lease of the dead one runs out a while later. With ``late`` so many results are on
their way for longer than that: their work was asked again, and they are one more sample, for no two
machines measure quite the same.

Busy is the share of all workers' time that evaluations took: until the last genome was asked for,
and over the whole, where at the end there is not enough left to do for all. (A run trains the
baselines of its finals then.) ``problems`` counts what was lost, is stuck or was wrongly left out
of a promotion; what it is goes to the rows.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from praxis_evolve.benchmarks.rows import add_row, end_line
from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.evaluator.preset import PRESETS
from praxis_evolve.evaluator.result import Result
from praxis_evolve.search.algorithms import OWN, Breeder, Terms, algorithm
from praxis_evolve.search.asynchronous import AsynchronousSearch
from praxis_evolve.search.base import Asked, Assignment, Birth, Event, Expired, Finished
from praxis_evolve.search.draws import lot, name_of
from praxis_evolve.search.evolution import population_for
from praxis_evolve.search.simulation import timed
from praxis_evolve.search.toy import Toy

TOY = Toy(length=24, letters=6)
LADDER = Ladder(PRESETS["cpu-small"].rungs)

MISHAPS = {"none": (0.0, 0.0), "deaths": (0.1, 0.0), "deaths, late": (0.1, 0.1)}
"""Shares of evaluations whose worker dies and whose result is late."""

Log = Sequence[tuple[float, Event]]


@dataclass
class Clock:
    """Draws how long evaluations take and remembers it; one at the lowest rung takes 1 on average.

    ``sigma`` is the standard deviation of the logarithm.
    """

    ladder: Ladder
    sigma: float
    taken: dict[Birth, float] = field(default_factory=dict[Birth, float])

    def seconds(self, assignment: Assignment, rng: Random) -> float:
        """Return how long an evaluation takes; asked again of the same, how long its result is."""
        share = self.ladder.work(assignment.rung) / self.ladder.work(self.ladder.lowest)
        drawn = share * rng.lognormvariate(-(self.sigma**2) / 2, self.sigma)
        self.taken.setdefault(assignment.birth, drawn)
        return drawn


def run(searcher: str, mishaps: str, seed: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one simulated run."""
    deaths, late = MISHAPS[mishaps]
    population = population_for(asked.births)
    terms = Terms(seed=seed, ladder=LADDER, births=asked.births, population=population)
    search, clock = algorithm(searcher)(TOY, terms), Clock(LADDER, asked.sigma)
    log = list(
        timed(
            search, measured, workers=asked.workers, seconds=clock.seconds, rng=Random(seed),
            deaths=deaths, late=late, lease=asked.lease,
        )
    )  # fmt: skip
    return {
        "searcher": searcher, "mishaps": mishaps, "seed": seed, "workers": asked.workers,
        "births": asked.births, "sigma": asked.sigma, "lease": asked.lease,
        **busy(log, clock, asked.workers),
        **counts([event for _, event in log]),
        "problems": list(problems(search, [event for _, event in log])),
    }  # fmt: skip


def measured(assignment: Assignment) -> Result:
    """Return the result of an assignment on some machine: another one measures a little else."""
    result = TOY.evaluate(assignment)
    bits = (result.bits_per_byte or 0.0) + 1e-6 * lot(0, name_of(assignment.birth))
    return replace(result, bits_per_byte=bits)


def busy(log: Log, clock: Clock, workers: int) -> dict[str, float]:
    """Return the busy shares of all workers' time, and when the last genome was asked for."""
    asks = [(time, event.assignment) for time, event in log if isinstance(event, Asked)]
    spans = [(time, time + clock.taken[each.birth]) for time, each in asks]
    born = dict[str, float]()
    for time, each in asks:
        born.setdefault(TOY.identify(each.genome), time)
    last, end = max(born.values()), max(stop for _, stop in spans)
    before = sum(min(stop, last) - start for start, stop in spans if start < last)
    return {
        "busy": before / (workers * last) if last else math.nan,
        "busy_whole": sum(stop - start for start, stop in spans) / (workers * end),
        "last_birth": last,
        "time": end,
    }


def counts(events: Sequence[Event]) -> dict[str, int]:
    """Return how many results came in, of how many works, and how often one was given up."""
    results = [event.result for event in events if isinstance(event, Finished)]
    return {
        "results": len(results),
        "works": len({(result.genome, result.rung) for result in results}),
        "expired": sum(isinstance(event, Expired) for event in events),
    }


def problems(search: Breeder, events: Sequence[Event]) -> Iterator[str]:
    """Yield what was lost, is stuck or was not promoted, a sentence each.

    What ranks is the mean of the samples that were told, whenever they came.
    """
    if not search.done:
        yield "the search is not done"
    samples = defaultdict[tuple[str, int], set[float]](set)
    for event in events:
        if isinstance(event, Finished):
            result = event.result
            samples[result.genome, result.rung].add(result.bits_per_byte or 0.0)
    asks = [event.assignment for event in events if isinstance(event, Asked)]
    for genome, rung in sorted({(TOY.identify(a.genome), a.rung) for a in asks} - set(samples)):
        yield f"genome {genome[:12]} was asked for at {rung} and never answered"
    for (genome, rung), several in samples.items():
        score = search.population.scores(rung).get(genome)
        if score is None or not math.isclose(score, fmean(several), rel_tol=1e-12):
            yield f"genome {genome[:12]} has the score {score} at {rung}, but was told {several}"
    if isinstance(search, AsynchronousSearch):
        yield from unpromoted({work: fmean(several) for work, several in samples.items()}, LADDER)


def unpromoted(scores: dict[tuple[str, int], float], ladder: Ladder) -> Iterator[str]:
    """Yield who is in the top of its rung and was not trained on, though there was a place."""
    for rung, above in zip(ladder.rungs, ladder.rungs[1:], strict=False):
        ranked = sorted((score, name) for (name, at), score in scores.items() if at == rung)
        quota = len(ranked) // ladder.eta
        promoted = sum(at == above for _, at in scores)
        left = [name for _, name in ranked[:quota] if (name, above) not in scores]
        if promoted < quota and left:
            yield f"genome {left[0][:12]} should have been promoted from {rung}"
        if promoted > quota:
            yield f"{promoted} genomes were promoted from {rung}, but the quota is {quota}"


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table: means over seeds, in brackets the least."""
    yield (
        f"{'search':14}{'mishaps':14}{'busy':>17}{'of the whole':>17}"
        f"{'works':>8}{'results':>9}{'given up':>10}{'problems':>10}"
    )
    kinds = dict.fromkeys((row["searcher"], row["mishaps"]) for row in rows)
    for kind in kinds:
        those = [row for row in rows if (row["searcher"], row["mishaps"]) == kind]
        shares = "".join(_share([row[name] for row in those]) for name in ("busy", "busy_whole"))
        means = [fmean(row[name] for row in those) for name in ("works", "results", "expired")]
        numbers = "".join(f"{mean:{size}.0f}" for mean, size in zip(means, (8, 9, 10), strict=True))
        wrong = sum(len(row["problems"]) for row in those)
        yield f"{kind[0]:14}{kind[1]:14}{shares}{numbers}{wrong:10}"


def _share(values: Sequence[float]) -> str:
    return f"{fmean(values):9.1%} ({min(values):.0%})"


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--searchers", nargs="+", default=["evolution"], choices=list(OWN), metavar="NAME")
    add("--mishaps", nargs="+", default=list(MISHAPS), choices=list(MISHAPS), metavar="NAME")
    add("--workers", type=int, default=16)
    add("--births", type=int, default=512)
    add("--seeds", type=int, default=3)
    add("--sigma", type=float, default=1.0, help="of the logarithm of times")
    add("--lease", type=float, default=1.0, help="how long a dead worker goes unnoticed, "
        "in mean times of the lowest rung")  # fmt: skip
    add("--out", type=Path, help="a file of JSON lines, a line for each run")
    return parser


def main() -> None:
    """Simulate the runs and print a table."""
    asked, rows = options().parse_args(), list[dict[str, Any]]()
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        end_line(asked.out)
    for searcher in asked.searchers:
        for mishaps in asked.mishaps:
            for seed in range(asked.seeds):
                rows.append(run(searcher, mishaps, seed, asked))
                if asked.out:
                    add_row(asked.out, rows[-1])
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
