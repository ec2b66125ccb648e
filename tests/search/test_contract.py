"""All searches, alone and as a stage, pass the contract of a search."""

from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.space import Limits, Space
from praxis_evolve.search.algorithms import Terms, algorithm
from praxis_evolve.search.base import Assignment, Search
from praxis_evolve.search.campaign import Campaign
from praxis_evolve.search.contract import SearchContract
from praxis_evolve.search.deap_nsga import nsga2, nsga3
from praxis_evolve.search.draws import lot
from praxis_evolve.search.evolution import regularized_evolution
from praxis_evolve.search.halving import hyperband, successive_halving
from praxis_evolve.search.local_search import LocalSearch
from praxis_evolve.search.objectives import objectives
from praxis_evolve.search.optuna_search import optuna_nsga2, optuna_tpe
from praxis_evolve.search.random import random_search
from praxis_evolve.search.species import Species
from praxis_evolve.search.toy import Toy
from praxis_evolve.tests.genome.conftest import CATALOG

TOY = Toy()
LADDER = Ladder((100, 300, 900))
WORDS = {"first": TOY.spell([0] * 12, "starter"), "second": TOY.spell([1] * 12, "starter")}

SPECIES = Species(Space(CATALOG, limits=Limits(visits=3)))
TERMS = Terms(seed=3, ladder=Ladder((100, 300)), births=14, population=4)


class TestEvolution(SearchContract):
    def make(self) -> Search:
        return regularized_evolution(
            TOY,
            seed=3,
            ladder=LADDER,
            objectives=objectives(["bits_per_byte", "flops"]),
            starters=WORDS,
            population=16,
        )

    def evaluate(self, assignment: Assignment) -> Result:
        return TOY.evaluate(assignment)


class TestRandom(SearchContract):
    def make(self) -> Search:
        return random_search(TOY, seed=3, ladder=LADDER, births=32)

    def evaluate(self, assignment: Assignment) -> Result:
        return TOY.evaluate(assignment)


class TestLocalSearch(SearchContract):
    def make(self) -> Search:
        return LocalSearch(TOY, seed=3, ladder=LADDER, births=32)

    def evaluate(self, assignment: Assignment) -> Result:
        return TOY.evaluate(assignment)


class TestTPE(SearchContract):
    def make(self) -> Search:
        return optuna_tpe(TOY, seed=3, ladder=LADDER, births=32)

    def evaluate(self, assignment: Assignment) -> Result:
        return TOY.evaluate(assignment)


class TestMultivariateTPE(SearchContract):
    def make(self) -> Search:
        return optuna_tpe(
            TOY,
            seed=3,
            ladder=LADDER,
            births=32,
            objectives=objectives(["bits_per_byte", "flops"]),
            multivariate=True,
        )

    def evaluate(self, assignment: Assignment) -> Result:
        return TOY.evaluate(assignment)


class TestNSGA2(SearchContract):
    def make(self) -> Search:
        wanted = objectives(["bits_per_byte", "flops"])
        return nsga2(TOY, seed=3, ladder=LADDER, objectives=wanted, births=32, population=8)

    def evaluate(self, assignment: Assignment) -> Result:
        return TOY.evaluate(assignment)


class TestNSGA3(SearchContract):
    def make(self) -> Search:
        wanted = objectives(["bits_per_byte", "flops"])
        return nsga3(TOY, seed=3, ladder=LADDER, objectives=wanted, births=32, population=8)

    def evaluate(self, assignment: Assignment) -> Result:
        return TOY.evaluate(assignment)


class TestSuccessiveHalving(SearchContract):
    def make(self) -> Search:
        return successive_halving(TOY, seed=3, ladder=LADDER, births=32)

    def evaluate(self, assignment: Assignment) -> Result:
        return TOY.evaluate(assignment)


class TestHyperband(SearchContract):
    def make(self) -> Search:
        return hyperband(TOY, seed=3, ladder=LADDER, births=32)

    def evaluate(self, assignment: Assignment) -> Result:
        return TOY.evaluate(assignment)


class TestOptunaNSGA2(SearchContract):
    def make(self) -> Search:
        wanted = objectives(["bits_per_byte", "flops"])
        return optuna_nsga2(TOY, seed=3, ladder=LADDER, births=32, objectives=wanted, population=8)

    def evaluate(self, assignment: Assignment) -> Result:
        return TOY.evaluate(assignment)


def looked_up(assignment: Assignment) -> Result:
    """Return a result that hangs on the name of a genome of ``SPECIES`` alone."""
    name = SPECIES.identify(assignment.genome)
    bits = 2 + lot(0, name) + 10 / assignment.rung
    return Result(name, name, assignment.rung, assignment.replica, 0, bits_per_byte=bits)


class TestTPEOfGenomes(SearchContract):
    def make(self) -> Search:
        return algorithm("tpe")(SPECIES, TERMS)

    def evaluate(self, assignment: Assignment) -> Result:
        return looked_up(assignment)


class TestMultivariateTPEOfGenomes(SearchContract):
    def make(self) -> Search:
        return algorithm("tpe-multivariate")(SPECIES, TERMS)

    def evaluate(self, assignment: Assignment) -> Result:
        return looked_up(assignment)


class TestOptunaNSGA2OfGenomes(SearchContract):
    def make(self) -> Search:
        return algorithm("optuna-nsga2")(SPECIES, TERMS)

    def evaluate(self, assignment: Assignment) -> Result:
        return looked_up(assignment)


class TestCampaign(SearchContract):
    def make(self) -> Search:
        return Campaign(random_search(TOY, seed=3, ladder=LADDER, births=32))

    def evaluate(self, assignment: Assignment) -> Result:
        return TOY.evaluate(assignment)
