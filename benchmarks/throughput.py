"""How many asks and tells a second a search gets through in memory, beside DEAP and Optuna.

    python benchmarks/throughput.py --out runs/throughput.jsonl

Ours breeds genomes of 24 visits over the whole catalog, without the screen: an ask, the telling of
it and the telling of its result are timed, what the result is is not. A genome that lost visits
does badly, so that parents stay long. The others choose as many letters: DEAP by a tournament, a
clone and a mutation of flat lists, the oldest leaving; Optuna by a study in memory.

All take turns in rounds, so that neighbours on the machine slow all alike: look at the ratios, each
the median over rounds. Before the first round all have a population.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, cast

import optuna
from deap import base, creator, tools
from optuna.distributions import BaseDistribution, CategoricalDistribution

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
from praxis_evolve.genome.graph import Genome
from praxis_evolve.search.base import Asked, Birth, Finished
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


def study(genes: int, population: int, sampler: optuna.samplers.BaseSampler) -> Once:
    """Return a study in memory that has so many trials."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rng, asked = Random(0), optuna.create_study(sampler=sampler)
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


def contenders(visits: int, population: int, births: int) -> dict[str, Once]:
    """Return who is compared, by name."""
    those = species(visits)
    ours = partial(Ours, those, founders(those, population), births=births)
    samplers = {
        "optuna nsga2": optuna.samplers.NSGAIISampler(seed=0, population_size=population),
        "optuna tpe": optuna.samplers.TPESampler(seed=0),
    }
    return {
        "deap": deap(visits, population),
        "evolution": ours(shares=True),
        "without-shares": ours(shares=False),
        **{name: study(visits, population, sampler) for name, sampler in samplers.items()},
    }


def rates(several: Mapping[str, Once], *, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return how many each did a second, round for round; each has so many seconds of a round."""
    found: dict[str, list[float]] = {name: [] for name in several}
    for _ in range(rounds):
        for name, once in several.items():
            spent, done = 0.0, 0
            while spent < seconds:
                spent, done = spent + once(), done + 1
            found[name].append(done / spent)
    return found


def rows_of(found: Mapping[str, Sequence[float]], visits: Mapping[str, float]) -> list[Any]:
    """Return a row for each: its rate, the best of a round, and its ratio to DEAP's."""
    return [
        {
            "name": name,
            "rate": median(several),
            "best": max(several),
            "of_deap": median(a / b for a, b in zip(several, found["deap"], strict=True)),
            "visits": visits.get(name),
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
    found = rates(several, rounds=asked.rounds, seconds=asked.seconds)
    bred = {name: once.born for name, once in several.items() if isinstance(once, Ours)}
    visits = {name: mean_visits(born[asked.population :]) for name, born in bred.items()}
    rows = rows_of(found, visits)
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        end_line(asked.out)
        for row in rows:
            add_row(asked.out, row)
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
