"""The searches that ``engine.py`` runs, by name; each is made for a table by the same few facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from praxis_evolve.benchmarks.tables.words import Words
from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.search.base import Search
from praxis_evolve.search.deap_nsga import nsga2, nsga3
from praxis_evolve.search.evolution import population_for, regularized_evolution
from praxis_evolve.search.halving import hyperband, successive_halving
from praxis_evolve.search.local_search import LocalSearch
from praxis_evolve.search.objectives import Objective
from praxis_evolve.search.optuna_search import optuna_nsga2, optuna_tpe
from praxis_evolve.search.random import random_search


@dataclass(frozen=True)
class Setting:
    """What a run is about.

    ``births`` is the most genomes it may try; ``expected`` is how many the budget is good for,
    which is less where the budget is seconds.
    """

    words: Words
    seed: int
    ladder: Ladder
    objectives: Sequence[Objective]
    births: int
    expected: int


def _random(setting: Setting) -> Search:
    return random_search(
        setting.words, seed=setting.seed, ladder=setting.ladder, births=setting.births
    )


def _evolution(setting: Setting) -> Search:
    """The search of ``praxis-evolve run`` with its defaults."""
    return regularized_evolution(
        setting.words,
        seed=setting.seed,
        ladder=setting.ladder,
        objectives=setting.objectives,
        population=population_for(setting.expected),
        births=setting.births,
    )


def _part(setting: Setting, *, shares: bool = True, screen: bool = True) -> Search:
    return regularized_evolution(
        setting.words,
        seed=setting.seed,
        ladder=setting.ladder,
        objectives=setting.objectives,
        population=population_for(setting.expected),
        births=setting.births,
        shares=shares,
        screen=screen,
    )


def _aging(setting: Setting, *, population: int, tournament: int) -> Search:
    """Real et al. 2019: mutants only."""
    return regularized_evolution(
        setting.words,
        seed=setting.seed,
        ladder=setting.ladder,
        objectives=setting.objectives,
        population=population,
        tournament=tournament,
        births=setting.births,
        crossover=0.0,
        drawn=0.0,
        niches=0.0,
        shares=False,
        screen=False,
    )


def _local(setting: Setting) -> Search:
    return LocalSearch(
        setting.words, seed=setting.seed, ladder=setting.ladder, births=setting.births
    )


def _tpe(setting: Setting, *, multivariate: bool) -> Search:
    return optuna_tpe(
        setting.words,
        seed=setting.seed,
        ladder=setting.ladder,
        births=setting.births,
        objectives=setting.objectives,
        multivariate=multivariate,
    )


def _nsga(setting: Setting, *, make: Callable[..., Search], population: int) -> Search:
    return make(
        setting.words,
        seed=setting.seed,
        ladder=setting.ladder,
        objectives=setting.objectives,
        births=setting.births,
        population=population,
    )


def _brackets(setting: Setting, *, make: Callable[..., Search]) -> Search:
    return make(setting.words, seed=setting.seed, ladder=setting.ladder, births=setting.births)


SEARCHERS: Mapping[str, Callable[[Setting], Search]] = MappingProxyType(
    {
        "random": _random,
        "evolution": _evolution,
        "without-shares": partial(_part, shares=False),
        "without-screen": partial(_part, screen=False),
        "with-neither": partial(_part, shares=False, screen=False),
        "aging-10/3": partial(_aging, population=10, tournament=3),
        "aging-64/16": partial(_aging, population=64, tournament=16),
        "local": _local,
        "tpe": partial(_tpe, multivariate=False),
        "tpe-multivariate": partial(_tpe, multivariate=True),
        "nsga2-20": partial(_nsga, make=nsga2, population=20),
        "nsga2-50": partial(_nsga, make=nsga2, population=50),
        "nsga3-20": partial(_nsga, make=nsga3, population=20),
        "optuna-nsga2-50": partial(_nsga, make=optuna_nsga2, population=50),
        "halving": partial(_brackets, make=successive_halving),
        "hyperband": partial(_brackets, make=hyperband),
    }
)
"""Searches by the name on the command line."""
