"""Tuning moves training genes alone, begins with the original, and comes nearer to what is best."""

from __future__ import annotations

import math
from random import Random
from statistics import fmean

import pytest

from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.genes import TRAINING
from praxis_evolve.genome.graph import Genome, Visit
from praxis_evolve.genome.identity import architecture_id
from praxis_evolve.genome.space import Limits, Space
from praxis_evolve.genome.starters import llama
from praxis_evolve.search.asynchronous import AsynchronousSearch
from praxis_evolve.search.base import Asked, Assignment, Finished, Search
from praxis_evolve.search.contract import SearchContract
from praxis_evolve.search.simulation import simulate
from praxis_evolve.search.tuning import Trainings, tuning_search

SPACE = Space(installed(), limits=Limits(visits=8))
LLAMA = llama(SPACE, layers=2)
CODING = Trainings(SPACE, LLAMA)


def tuned(births: int = 16) -> AsynchronousSearch:
    return tuning_search(SPACE, LLAMA, seed=3, ladder=Ladder((100, 300)), births=births)


def evaluate(assignment: Assignment) -> Result:
    """Pretend: the best learning rate is 0.004, all else is idle."""
    rate = assignment.genome.training.learning_rate
    bits = 2 + abs(math.log(rate / 0.004)) + 10 / assignment.rung
    name = CODING.identify(assignment.genome)
    return Result(name, name, assignment.rung, assignment.replica, 0, bits_per_byte=bits)


class TestTuning(SearchContract):
    def make(self) -> Search:
        return tuned()

    def evaluate(self, assignment: Assignment) -> Result:
        return evaluate(assignment)


@pytest.mark.parametrize("seed", range(20))
def test_only_training_genes_change_and_all_of_it_is_legal(seed: int) -> None:
    rng = Random(seed)
    one, other = CODING.sample(rng, "a"), CODING.sample(rng, "b")
    for genome in (one, CODING.mutate(one, rng, "c").genome, CODING.cross(one, other, rng, "d")):
        assert SPACE.problems(genome) == []
        assert architecture_id(genome, SPACE.catalog) == architecture_id(LLAMA, SPACE.catalog)
        assert CODING.decode(CODING.encode(genome), "") == genome
        assert set(CODING.encode(genome)) == set(TRAINING)


def test_a_mutant_differs_in_one_gene_and_is_named_by_it() -> None:
    child = CODING.mutate(LLAMA, Random(1), "")
    before, after = CODING.encode(LLAMA), CODING.encode(child.genome)
    assert [f"training.{name}" for name in before if before[name] != after[name]] == [
        child.operator
    ]


def test_what_optuna_proposes_goes_to_the_grid() -> None:
    genome = CODING.decode({**CODING.encode(LLAMA), "learning_rate": 0.0012345678}, "")
    assert genome.training.learning_rate == 0.00123
    least = CODING.decode({**CODING.encode(LLAMA), "learning_rate": 0.00099999}, "")
    assert least.training.learning_rate == 0.001


def test_one_visit_has_no_order_to_shuffle() -> None:
    alone = Trainings(SPACE, Genome(LLAMA.pool[:1], (Visit(0),), LLAMA.stack))
    assert "shuffle" not in alone.choices
    assert alone.sample(Random(1), "").training.shuffle == LLAMA.training.shuffle


def test_the_original_is_tried_first_and_the_rest_comes_nearer() -> None:
    search = tuned(births=40)
    log = simulate(search, evaluate, workers=1, seconds=lambda _: 1.0, rng=Random(0))
    born = [e.assignment for e in log if isinstance(e, Asked) and e.assignment.rung == 100]
    assert (born[0].genome, born[0].origin) == (LLAMA, "starter:original")
    assert {a.origin for a in born[1:]} == {"tpe"}
    bits = [e.result.bits_per_byte or 0.0 for e in log if isinstance(e, Finished)]
    assert fmean(bits[-10:]) < fmean(bits[:10]) - 0.3
    trained = {e.assignment.rung for e in log if isinstance(e, Asked)}
    assert trained == {100, 300}
