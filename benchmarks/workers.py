"""How busy a search keeps its workers, and whether anything is lost when they die.

    python benchmarks/workers.py --out runs/workers.jsonl

Workers are simulated: an evaluation takes as long as its rung trains tokens, times a log-normal
number, and the search asks and is told in that order, as in a run. With ``deaths`` so many of the
evaluations end with their worker just before they would have been through; another worker takes its
place, and the lease of the dead one runs out a while later. With ``late`` so many results are on
their way for longer than that: their work was asked again, and they are one more sample, for no two
machines measure quite the same.

As in a run, baselines fill the workers that the search leaves idle: at its end it has not enough
left to do for all. ``--baselines 0`` leaves them out.

Busy is the share of all workers' time that evaluations took: until the last genome was asked for,
until the search was through, and over the whole, the last of the baselines included. ``problems``
counts what was lost, is stuck or was wrongly left out of a promotion; what it is goes to the rows.
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
from praxis_evolve.search.campaign import Agenda, Campaign, Entrant
from praxis_evolve.search.draws import lot, name_of
from praxis_evolve.search.evolution import population_for
from praxis_evolve.search.finals import finals
from praxis_evolve.search.simulation import timed
from praxis_evolve.search.toy import Toy

TOY = Toy(length=24, letters=6)
LADDER = Ladder(PRESETS["cpu-small"].rungs)

MISHAPS = {"none": (0.0, 0.0), "deaths": (0.1, 0.0), "deaths, late": (0.1, 0.1)}
"""Shares of evaluations whose worker dies and whose result is late."""

SHARES = ("busy_birth", "busy_search", "busy_whole")

Log = Sequence[tuple[float, Event]]


@dataclass
class Clock:
    """Draws how long evaluations take and remembers it; one at the lowest rung takes 1 on average.

    ``sigma`` is the standard deviation of the logarithm. A baseline is trained from scratch.
    """

    ladder: Ladder
    sigma: float
    taken: dict[Birth, float] = field(default_factory=dict[Birth, float])

    def seconds(self, assignment: Assignment, rng: Random) -> float:
        """Return how long an evaluation takes; asked again of the same, how long its result is."""
        tokens = assignment.rung if assignment.replica else self.ladder.work(assignment.rung)
        share = tokens / self.ladder.work(self.ladder.lowest)
        drawn = share * rng.lognormvariate(-(self.sigma**2) / 2, self.sigma)
        self.taken.setdefault(assignment.birth, drawn)
        return drawn


def run(searcher: str, mishaps: str, seed: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one simulated run."""
    deaths, late = MISHAPS[mishaps]
    population = population_for(asked.births)
    terms = Terms(seed=seed, ladder=LADDER, births=asked.births, population=population)
    search, clock = algorithm(searcher)(TOY, terms), Clock(LADDER, asked.sigma)
    baselines = Agenda(lambda: rivals(asked.baselines), TOY.identify)
    log = list(
        timed(
            Campaign(search, baselines), measured, workers=asked.workers, seconds=clock.seconds,
            rng=Random(seed), deaths=deaths, late=late, lease=asked.lease,
        )
    )  # fmt: skip
    events = of_search([event for _, event in log])
    return {
        "searcher": searcher, "mishaps": mishaps, "seed": seed, "workers": asked.workers,
        "births": asked.births, "sigma": asked.sigma, "lease": asked.lease,
        "baselines": asked.baselines,
        **busy(log, clock, asked.workers),
        **counts(events),
        "problems": list(problems(search, events)),
    }  # fmt: skip


def rivals(count: int) -> list[Entrant]:
    """Return the trainings of so many baselines for the finals."""
    genomes = {str(number): TOY.sample(Random(-1 - number), str(number)) for number in range(count)}
    return finals([], genomes, rung=LADDER.top)


def measured(assignment: Assignment) -> Result:
    """Return the result of an assignment on some machine: another one measures a little else."""
    result = TOY.evaluate(assignment)
    bits = (result.bits_per_byte or 0.0) + 1e-6 * lot(0, name_of(assignment.birth))
    return replace(result, bits_per_byte=bits)


def busy(log: Log, clock: Clock, workers: int) -> dict[str, float]:
    """Return the busy shares of all workers' time, and the moments that they are until."""
    asks = [(time, event.assignment) for time, event in log if isinstance(event, Asked)]
    spans = [(time, time + clock.taken[each.birth], each.replica) for time, each in asks]
    born = dict[str, float]()
    for time, each in asks:
        if each.replica == 0:
            born.setdefault(TOY.identify(each.genome), time)
    moments = {
        "birth": max(born.values()),
        "search": max(stop for _, stop, replica in spans if replica == 0),
        "whole": max(stop for _, stop, _ in spans),
    }

    def share(moment: float) -> float:
        worked = sum(min(stop, moment) - start for start, stop, _ in spans if start < moment)
        return worked / (workers * moment) if moment else math.nan

    shares = {f"busy_{name}": share(moment) for name, moment in moments.items()}
    return shares | {f"until_{name}": moment for name, moment in moments.items()}


def of_search(events: Sequence[Event]) -> list[Event]:
    """Return the events of the search's own work, without those of baselines."""
    asks = [event.assignment for event in events if isinstance(event, Asked)]
    beside = {each.birth for each in asks if each.replica}

    def is_own(event: Event) -> bool:
        match event:
            case Asked(assignment):
                return assignment.replica == 0
            case Finished(result):
                return result.replica == 0
            case Expired(birth):
                return birth not in beside
            case _:
                return True

    return [event for event in events if is_own(event)]


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
        f"{'search':14}{'mishaps':14}{'to last birth':>17}{'to its end':>17}{'whole':>17}"
        f"{'works':>8}{'results':>9}{'given up':>10}{'problems':>10}"
    )
    kinds = dict.fromkeys((row["searcher"], row["mishaps"]) for row in rows)
    for kind in kinds:
        those = [row for row in rows if (row["searcher"], row["mishaps"]) == kind]
        shares = "".join(_share([row[name] for row in those]) for name in SHARES)
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
    add("--baselines", type=int, default=3, help="each is trained on three seeds at the top rung")
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
