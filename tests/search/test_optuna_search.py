"""What is proposed is what a study of Optuna proposes, but never again what was tried."""

from dataclasses import replace
from random import Random

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.study import StudyDirection

from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.space import Limits, Space
from praxis_evolve.search.base import Asked, Assignment, Birth, Event, Finished
from praxis_evolve.search.draws import generator
from praxis_evolve.search.objectives import Shown, objectives
from praxis_evolve.search.optuna_search import optuna_nsga2, optuna_tpe
from praxis_evolve.search.simulation import simulate
from praxis_evolve.search.species import Species
from praxis_evolve.search.toy import Toy
from praxis_evolve.tests.genome.conftest import CATALOG

TOY = Toy()
LADDER = Ladder((400,))


def told(toy: Toy, *, births: int) -> list[Event]:
    search = optuna_tpe(toy, seed=1, ladder=LADDER, births=births)
    return simulate(search, toy.evaluate, workers=1, seconds=lambda _: 1.0, rng=Random(0))


@pytest.mark.parametrize("multivariate", [False, True])
@pytest.mark.parametrize("names", [["bits_per_byte"], ["bits_per_byte", "carry_bytes"]])
def test_a_proposal_is_that_of_a_study_with_the_same_trials(names: list[str], multivariate: bool):
    log, wanted = told(TOY, births=25), objectives(names)
    search = optuna_tpe(
        TOY, seed=5, ladder=LADDER, births=40, objectives=wanted, multivariate=multivariate
    )
    search.tell(log)
    study = optuna.create_study(directions=[StudyDirection.MINIMIZE] * len(wanted))
    letters: dict[str, BaseDistribution] = {
        name: CategoricalDistribution(values) for name, values in TOY.choices.items()
    }
    asked = [event.assignment.genome for event in log if isinstance(event, Asked)]
    results = [event.result for event in log if isinstance(event, Finished)]
    for genome, result in zip(asked, results, strict=True):
        bits, costs = result.bits_per_byte or 0.0, TOY.costs(genome)
        trial = optuna.trial.create_trial(
            params=dict(TOY.encode(genome)),
            distributions=letters,
            values=[objective.coordinate(Shown(bits, costs)) for objective in wanted],
        )
        study.add_trial(trial)
    for number in range(100, 104):
        birth = Birth("run", "author", number)
        study.sampler = optuna.samplers.TPESampler(
            seed=generator(5, birth).getrandbits(32), multivariate=multivariate
        )
        theirs = study.ask(letters)
        study.tell(theirs, state=optuna.trial.TrialState.FAIL)
        ours = search.ask(birth)
        assert ours is not None
        assert TOY.encode(ours.genome) == theirs.params
        assert ours.origin == "tpe"


def test_generations_are_those_of_a_study_that_ran_alone():
    """They part when the study proposes what was tried, which is in its third generation."""
    toy, wanted = Toy(length=20), objectives(["bits_per_byte", "carry_bytes"])
    search = optuna_nsga2(toy, seed=7, ladder=LADDER, births=60, objectives=wanted, population=10)
    letters: dict[str, BaseDistribution] = {
        name: CategoricalDistribution(values) for name, values in toy.choices.items()
    }
    study = optuna.create_study(directions=[StudyDirection.MINIMIZE] * 2)
    born: list[str] = []
    for number in range(60):
        birth = Birth("run", "author", number)
        for seed in (0, generator(7, birth).getrandbits(32)):
            study.sampler = optuna.samplers.NSGAIISampler(seed=seed, population_size=10)
            theirs = study.ask(letters)
            if not seed:  # it chooses the parents of a generation, who are then in another order
                study.tell(theirs, state=optuna.trial.TrialState.FAIL)
        ours = search.ask(birth)
        assert ours is not None
        if toy.identify(toy.decode(theirs.params, "")) in born:
            break
        assert toy.encode(ours.genome) == theirs.params
        born.append(toy.identify(ours.genome))
        result = toy.evaluate(ours)
        search.tell([Asked(ours), Finished(result)])
        bits, costs = result.bits_per_byte or 0.0, toy.costs(ours.genome)
        study.tell(theirs, [objective.coordinate(Shown(bits, costs)) for objective in wanted])
    assert len(born) > 20


def test_asks_are_of_the_highest_rung_that_has_more_scores_than_choices():
    """Of twelve choices: twelve scores at the upper rung are too few, thirteen are enough."""
    ladder, rng = Ladder((100, 400)), Random(0)
    words = [TOY.sample(rng, str(number)) for number in range(13)]
    lower = [Assignment(word, 100, 0, Birth("r", "a", n)) for n, word in enumerate(words)]
    upper = [Assignment(word, 400, 0, Birth("r", "a", 20 + n)) for n, word in enumerate(words)]
    birth = Birth("r", "a", 50)

    def asked(*told: Assignment, bits: float) -> str:
        """With the *bits* of the first word at the upper rung, which it is there to be seen."""
        search = optuna_tpe(TOY, seed=1, ladder=ladder, births=40)
        for each in told:
            result = TOY.evaluate(each)
            if each is upper[0]:
                result = replace(result, bits_per_byte=bits)
            search.tell([Asked(each), Finished(result)])
        return repr(TOY.encode((search.ask(birth) or lower[0]).genome))

    assert asked(*lower, *upper[:12], bits=1.0) == asked(*lower, *upper[:12], bits=9.0)
    assert asked(*lower, *upper, bits=1.0) != asked(*lower, *upper, bits=9.0)


def test_blocks_that_join_are_proposed_from_what_was_told_before():
    few = [each.name for each in CATALOG if each.name not in ("dream", "think")]
    space = Space(CATALOG.only(few), limits=Limits(visits=2))
    species = Species(space)
    search = optuna_tpe(species, seed=1, ladder=LADDER, births=80)

    def run(first: int, last: int) -> set[str]:
        names = set[str]()
        for number in range(first, last):
            asked = search.ask(Birth("r", "a", number))
            assert asked is not None
            name = species.identify(asked.genome)
            result = Result(name, name, 400, 0, 0, bits_per_byte=float(number % 7))
            search.tell([Asked(asked), Finished(result)])
            names |= {part.name for part in asked.genome.parts()}
        return names

    assert not run(0, 30) & {"dream", "think"}
    species.space = replace(space, catalog=CATALOG)
    assert run(30, 60) >= {"dream", "think"}


def test_what_was_tried_gives_way_to_what_is_new_until_nothing_is():
    toy = Toy(length=3, letters=3)
    log = told(toy, births=40)
    born = [toy.identify(event.assignment.genome) for event in log if isinstance(event, Asked)]
    assert len(born) == len(set(born)) == 27


def test_it_comes_nearer_than_chance():
    log = told(TOY, births=100)
    bits = [event.result.bits_per_byte or 0.0 for event in log if isinstance(event, Finished)]
    assert sum(bits[-30:]) / 30 < sum(bits[:10]) / 10 - 0.2
