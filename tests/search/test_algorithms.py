"""Algorithms by name, and those of other distributions by entry point."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from random import Random
from typing import cast

import pytest

from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.evaluator.result import Result
from praxis_evolve.search import algorithms as module
from praxis_evolve.search.algorithms import (
    DEFAULT,
    OWN,
    AlgorithmError,
    Breeder,
    Terms,
    algorithm,
    algorithms,
)
from praxis_evolve.search.base import Asked, Assignment, Search
from praxis_evolve.search.breeding import TraitBreeding
from praxis_evolve.search.contract import SearchContract
from praxis_evolve.search.objectives import objectives
from praxis_evolve.search.random import random_search
from praxis_evolve.search.simulation import simulate
from praxis_evolve.search.toy import Toy

TOY = Toy()
TERMS = Terms(
    seed=3,
    ladder=Ladder((100, 300)),
    births=60,
    population=16,
    objectives=objectives(["bits_per_byte", "flops"]),
    starters={"aaa": TOY.spell([0] * 12, "aaa")},
)


@pytest.mark.parametrize("name", OWN)
def test_every_algorithm_runs_to_its_end(name: str):
    search = algorithm(name)(TOY, TERMS)
    assert not search.done
    log = simulate(
        search,
        TOY.evaluate,
        workers=3,
        seconds=lambda rng: rng.random(),
        rng=Random(0),
        deaths=0.1,
    )
    asked = [event.assignment for event in log if isinstance(event, Asked)]
    lowest = {TOY.identify(a.genome) for a in asked}
    assert search.done
    assert search.population.births == len(lowest) == TERMS.births
    assert any(a.rung == 300 for a in asked)


def test_genomes_that_cannot_be_written_flat_are_not_for_optuna():
    class Words:
        """A breeding without a coding."""

        def __getattr__(self, name: str) -> object:
            if name in ("choices", "encode", "decode"):
                raise AttributeError(name)
            return getattr(TOY, name)

    with pytest.raises(AlgorithmError, match=r"those of Words cannot.*search/coding.py"):
        algorithm("tpe")(cast(TraitBreeding, Words()), TERMS)


def only_random(breeding: TraitBreeding, terms: Terms) -> Breeder:
    """An algorithm of another distribution."""
    return random_search(breeding, seed=terms.seed, ladder=terms.ladder, births=terms.births)


not_a_function = 7


def loaded(entry: EntryPoint) -> object:
    return globals()[entry.attr]


def offered(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    points = [EntryPoint(n, f"{__name__}:{v}", module.ENTRY_POINTS) for n, v in values.items()]

    def found(group: str) -> list[EntryPoint]:
        return points if group == module.ENTRY_POINTS else []

    monkeypatch.setattr(module, "entry_points", found)
    monkeypatch.setattr(EntryPoint, "load", loaded)
    algorithms.cache_clear()


@pytest.fixture(autouse=True)
def afresh():
    yield
    algorithms.cache_clear()


def test_another_distribution_offers_one(monkeypatch: pytest.MonkeyPatch):
    offered(monkeypatch, theirs="only_random")
    assert algorithm("theirs") is only_random
    assert algorithm(DEFAULT) is OWN[DEFAULT]


class TestTheirs(SearchContract):
    """What another distribution writes to prove its algorithm."""

    def make(self) -> Search:
        return only_random(TOY, TERMS)

    def evaluate(self, assignment: Assignment) -> Result:
        return TOY.evaluate(assignment)


def test_two_owners_of_a_name_are_an_error(monkeypatch: pytest.MonkeyPatch):
    offered(monkeypatch, evolution="only_random")
    with pytest.raises(AlgorithmError, match=r"two searches are called 'evolution'.*uninstall"):
        algorithm("random")


def test_what_is_no_function_is_an_error(monkeypatch: pytest.MonkeyPatch):
    offered(monkeypatch, theirs="not_a_function")
    with pytest.raises(AlgorithmError, match=r"'theirs'.*must name a function"):
        algorithms()


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(AlgorithmError, match=r"no search is called 'evolutoin'.*evolution"):
        algorithm("evolutoin")
