"""The algorithms that a run can search by: ours, and those of other distributions by entry point.

An algorithm is a function of a breeding and of terms that returns a search. Another distribution
offers one in the group ``praxis_evolve.searches``, and proves it by ``search/contract.py``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, Protocol, cast

from ..evaluator.ladder import Ladder
from ..genome.graph import Genome
from ..genome.traits import Trait
from .base import Search
from .breeding import TraitBreeding
from .coding import Coding
from .evolution import regularized_evolution
from .halving import hyperband, successive_halving
from .judging import Judge
from .local_search import LocalSearch
from .objectives import QUALITY, Objective
from .population import Population
from .priors import Priors
from .random import random_search
from .reach import BOUNDLESS, Reach

ENTRY_POINTS = "praxis_evolve.searches"
DEFAULT = "evolution"


class Breeder(Search, Protocol):
    """A search that breeds genomes and knows when it is through."""

    @property
    def done(self) -> bool:
        """Whether everything was asked and answered."""
        ...

    @property
    def population(self) -> Population:
        """What was born."""
        ...


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a search is made for.

    Args:
        seed: seed of the run; with a birth it fixes what an ask draws.
        ladder: the rungs of training.
        births: how many genomes are tried.
        population: how many of them are parents, for algorithms with a population.
        objectives: what is minimised, quality first; an algorithm may look at quality alone.
        starters: named genomes to begin with, for algorithms that take them.
        shares: whether ``evolution`` assigns by shares.
        screen: whether ``evolution`` screens its children.
        judge: what ranks in ``evolution``; bits per byte from scratch unless given.
        limits: the most of what is measured, by the names of objectives. Finalists keep them
            whatever the algorithm makes of them.
        priors: what is expected of traits, for the shares of ``evolution`` to begin with.
        reach: what the machine can train. An algorithm that asks for other work is not given it.
    """

    seed: int
    ladder: Ladder
    births: int
    population: int
    objectives: Sequence[Objective] = (QUALITY,)
    starters: Mapping[str, Genome] = field(default_factory=dict[str, Genome])
    shares: bool = True
    screen: bool = True
    judge: Judge | None = None
    limits: Mapping[str, float] = field(default_factory=dict[str, float])
    priors: Priors = field(default_factory=dict[Trait, float])
    reach: Reach = BOUNDLESS


Algorithm = Callable[[TraitBreeding, Terms], Breeder]


class AlgorithmError(ValueError):
    """What is installed does not make a list of algorithms, or a name is in none."""


def algorithm(name: str) -> Algorithm:
    """Return the algorithm of this name.

    Raises:
        AlgorithmError: there is none; the text suggests the nearest.
    """
    known = algorithms()
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=3) or list(known)
        raise AlgorithmError(f"no search is called {name!r}; the nearest are {', '.join(nearest)}")
    return known[name]


@cache
def algorithms() -> Mapping[str, Algorithm]:
    """Return our algorithms and those that other distributions offer, by name.

    Raises:
        AlgorithmError: two have one name, or an entry point names no function.
    """
    found = dict(OWN)
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda e: (e.name, e.value)):
        offered: object = entry.load()
        if not callable(offered):
            raise AlgorithmError(
                f"entry point {entry.name!r} = {entry.value!r} must name a function of a breeding "
                f"and of terms, but names {offered!r}"
            )
        if entry.name in found:
            raise AlgorithmError(
                f"two searches are called {entry.name!r}, the second is {entry.value!r}; uninstall "
                "one of the distributions"
            )
        found[entry.name] = cast(Algorithm, offered)
    return MappingProxyType(found)


def _common(terms: Terms) -> dict[str, Any]:
    """Return what every search is made for."""
    return {
        "seed": terms.seed, "ladder": terms.ladder, "births": terms.births, "reach": terms.reach
    }  # fmt: skip


def _evolution(breeding: TraitBreeding, terms: Terms) -> Breeder:
    return regularized_evolution(
        breeding,
        **_common(terms),
        objectives=terms.objectives,
        starters=terms.starters,
        population=terms.population,
        shares=terms.shares,
        screen=terms.screen,
        judge=terms.judge,
        limits=terms.limits,
        priors=terms.priors,
    )


def _aging(breeding: TraitBreeding, terms: Terms) -> Breeder:
    """Real et al. 2019 (arXiv:1802.01548): mutants of the best of a tournament, quality alone."""
    return regularized_evolution(
        breeding,
        **_common(terms),
        population=terms.population,
        crossover=0.0,
        drawn=0.0,
        niches=0.0,
        shares=False,
        screen=False,
    )


def _random(breeding: TraitBreeding, terms: Terms) -> Breeder:
    return random_search(breeding, **_common(terms))


def _local(breeding: TraitBreeding, terms: Terms) -> Breeder:
    return LocalSearch(breeding, **_common(terms))


def _halving(breeding: TraitBreeding, terms: Terms) -> Breeder:
    return successive_halving(breeding, **_common(terms))


def _hyperband(breeding: TraitBreeding, terms: Terms) -> Breeder:
    return hyperband(breeding, **_common(terms))


def _nsga(breeding: TraitBreeding, terms: Terms, *, third: bool) -> Breeder:
    from .deap_nsga import nsga2, nsga3  # imports deap, which other searches do without

    return (nsga3 if third else nsga2)(
        breeding,
        **_common(terms),
        objectives=terms.objectives,
        population=terms.population,
        limits=terms.limits,
    )


def _tpe(breeding: TraitBreeding, terms: Terms, *, multivariate: bool = False) -> Breeder:
    from .optuna_search import optuna_tpe  # imports optuna, as above

    return optuna_tpe(
        _flat(breeding),
        **_common(terms),
        objectives=terms.objectives,
        starters=terms.starters,
        multivariate=multivariate,
    )


def _optuna_nsga2(breeding: TraitBreeding, terms: Terms) -> Breeder:
    from .optuna_search import optuna_nsga2  # as above

    return optuna_nsga2(
        _flat(breeding),
        **_common(terms),
        objectives=terms.objectives,
        population=terms.population,
    )


def _flat(breeding: TraitBreeding) -> Coding:
    if not isinstance(breeding, Coding):
        raise AlgorithmError(
            f"Optuna searches genomes that can be written as values by name, but those of "
            f"{type(breeding).__name__} cannot: it has no encode and decode; give it those of "
            "search/coding.py, or take another search"
        )
    return breeding


OWN: Mapping[str, Algorithm] = MappingProxyType(
    {
        DEFAULT: _evolution,
        "aging": _aging,
        "local": _local,
        "random": _random,
        "nsga2": partial(_nsga, third=False),
        "nsga3": partial(_nsga, third=True),
        "tpe": _tpe,
        "tpe-multivariate": partial(_tpe, multivariate=True),
        "optuna-nsga2": _optuna_nsga2,
        "halving": _halving,
        "hyperband": _hyperband,
    }
)
"""Our algorithms by name."""
