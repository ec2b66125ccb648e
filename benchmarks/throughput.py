"""How many asks and tells a second a search gets through in memory, beside DEAP and Optuna.

    python benchmarks/throughput.py --out runs/throughput.jsonl

Ours breeds genomes of 24 visits over the whole catalog, without the screen: an ask, the telling of
it and the telling of its result are timed, what the result is is not. A genome that lost visits
does badly, so that parents stay long. The others choose as many letters: DEAP by a tournament, a
clone and a mutation of flat lists, the oldest leaving; Optuna by a study in memory.

Each has a process of its own, so that nobody's collector of garbage goes through what another one
keeps; it has one thread, and collects as a run of the command line does. All take turns in rounds,
so that neighbours on the machine slow all alike: look at the ratios, each the median over rounds.
Before the first round all have a population.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple, cast

import optuna
from deap import base, creator, tools
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler

from praxis_evolve.benchmarks.long_genomes import (
    POPULATION,
    VISITS,
    evolution,
    founders,
    mean_visits,
    scored,
    species,
)
from praxis_evolve.benchmarks.rows import add_row, end_line
from praxis_evolve.evaluator.worker import THREADS
from praxis_evolve.genome.graph import Genome
from praxis_evolve.search.base import Asked, Birth, Finished
from praxis_evolve.search.garbage import collect_seldom
from praxis_evolve.search.species import Species

LETTERS = 8
"""The choices of each gene of the others."""

Once = Callable[[], float]
"""Asks and tells once and returns the seconds that it took."""


class Ours:
    """The default search without its screen."""

    def __init__(
        self, those: Species, starters: Mapping[str, Genome], *, births: int, shares: bool
    ) -> None:
        self.born = list[Genome]()
        self._species = those
        self._search = evolution(those, starters, births=births, shares=shares)
        for _ in starters:
            self()

    def __call__(self) -> float:
        """Ask and tell once."""
        birth = Birth("run", "author", len(self.born))
        began = time.perf_counter()
        asked = self._search.ask(birth)
        assert asked is not None
        self._search.tell([Asked(asked)])
        asking = time.perf_counter() - began
        self.born.append(asked.genome)
        result = scored(asked.genome, self._species)
        began = time.perf_counter()
        self._search.tell([Finished(result)])
        return asking + time.perf_counter() - began


def deap(genes: int, population: int) -> Once:
    """Return aging evolution of flat lists by DEAP's operators."""
    if not hasattr(creator, "Flat"):
        creator.create("Least", base.Fitness, weights=(-1.0,))
        creator.create("Flat", list, fitness=cast("Any", creator).Least)
    rng, flat = Random(0), cast("Any", creator).Flat
    toolbox: Any = base.Toolbox()
    toolbox.register("mutate", tools.mutUniformInt, low=0, up=LETTERS - 1, indpb=1 / genes)
    toolbox.register("select", tools.selTournament, k=1, tournsize=max(2, population // 4))
    living: list[Any] = [flat(rng.choices(range(LETTERS), k=genes)) for _ in range(population)]
    for each in living:
        each.fitness.values = (rng.random(),)

    def once() -> float:
        began = time.perf_counter()
        (parent,) = toolbox.select(living)
        child = toolbox.clone(parent)
        toolbox.mutate(child)
        child.fitness.values = (rng.random(),)
        living.append(child)
        del living[0]
        return time.perf_counter() - began

    return once


def study(genes: int, population: int, sampler: Callable[[], BaseSampler]) -> Once:
    """Return a study in memory that has so many trials."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rng, asked = Random(0), optuna.create_study(sampler=sampler())
    letters = CategoricalDistribution(tuple(range(LETTERS)))
    parameters: dict[str, BaseDistribution] = {str(gene): letters for gene in range(genes)}

    def once() -> float:
        value, wanted = rng.random(), dict(parameters)
        began = time.perf_counter()
        asked.tell(asked.ask(wanted), value)
        return time.perf_counter() - began

    for _ in range(population):
        once()
    return once


def ours(visits: int, population: int, births: int, *, shares: bool) -> Ours:
    """Return ours, which has its population."""
    those = species(visits)
    return Ours(those, founders(those, population), births=births, shares=shares)


def contenders(visits: int, population: int, births: int) -> dict[str, Callable[[], Once]]:
    """Return who is compared, by name, each to be made."""
    of_optuna = {
        "optuna nsga2": partial(NSGAIISampler, seed=0, population_size=population),
        "optuna tpe": partial(TPESampler, seed=0),
    }
    return {
        "deap": partial(deap, visits, population),
        "evolution": partial(ours, visits, population, births, shares=True),
        "without-shares": partial(ours, visits, population, births, shares=False),
        **{name: partial(study, visits, population, make) for name, make in of_optuna.items()},
    }


class Turn(NamedTuple):
    """What somebody did in a turn: how many a second, and how long genomes are on average."""

    rate: float
    visits: float | None


_here: list[Once] = []
"""The contender of this process, which is made here and stays here."""


def make_here(make: Callable[[], Once]) -> None:
    """Make the contender of this process; garbage is collected as in a run of the command line."""
    _here[:] = [make()]
    collect_seldom()


def turn_here(seconds: float) -> Turn:
    """Let it ask and tell for so long."""
    once, spent, done = _here[0], 0.0, 0
    while spent < seconds:
        spent, done = spent + once(), done + 1
    visits = mean_visits(once.born[-done:]) if isinstance(once, Ours) else None
    return Turn(done / spent, visits)


def turns(
    several: Mapping[str, Callable[[], Once]], *, rounds: int, seconds: float
) -> dict[str, list[Turn]]:
    """Return what each did, round for round; each has so many seconds of a round."""
    for name in THREADS:
        os.environ[name] = "1"
    found: dict[str, list[Turn]] = {name: [] for name in several}
    with ExitStack() as stack:
        stands = {
            name: stack.enter_context(
                ProcessPoolExecutor(1, get_context("spawn"), make_here, (make,))
            )
            for name, make in several.items()
        }
        for _ in range(rounds):
            for name, stand in stands.items():
                found[name].append(stand.submit(turn_here, seconds).result())
    return found


def rows_of(found: Mapping[str, Sequence[Turn]]) -> list[Any]:
    """Return a row for each: its rate, the best of a round, and its ratio to DEAP's."""
    return [
        {
            "name": name,
            "rate": median(turn.rate for turn in several),
            "best": max(turn.rate for turn in several),
            "of_deap": median(a.rate / b.rate for a, b in zip(several, found["deap"], strict=True)),
            "visits": several[-1].visits,
        }
        for name, several in found.items()
    ]


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"{'':16}{'a second':>10}{'best round':>12}{'of DEAP':>10}{'visits':>8}"
    for row in rows:
        visits = f"{row['visits']:8.1f}" if row["visits"] else ""
        yield (
            f"{row['name']:16}{row['rate']:10,.0f}{row['best']:12,.0f}{row['of_deap']:10.2%}{visits}"
        )


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--rounds", type=int, default=9)
    add("--seconds", type=float, default=0.5, help="of each in a round")
    add("--visits", type=int, default=VISITS)
    add("--population", type=int, default=POPULATION)
    add("--births", type=int, default=1_000_000, help="more than anybody gets through")
    add("--out", type=Path, help="a file of JSON lines, a line for each")
    return parser


def main() -> None:
    """Time all and print a table."""
    asked = options().parse_args()
    several = contenders(asked.visits, asked.population, asked.births)
    rows = rows_of(turns(several, rounds=asked.rounds, seconds=asked.seconds))
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        end_line(asked.out)
        for row in rows:
            add_row(asked.out, row)
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
