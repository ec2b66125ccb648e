from dataclasses import replace
from random import Random

import pytest

from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.genome.graph import Genome
from praxis_evolve.search.asynchronous import AsynchronousSearch
from praxis_evolve.search.base import Asked, Birth, Event, Expired, Finished, Search
from praxis_evolve.search.evolution import regularized_evolution
from praxis_evolve.search.population import Population
from praxis_evolve.search.random import random_search
from praxis_evolve.search.replay import reask, replay
from praxis_evolve.search.simulation import simulate
from praxis_evolve.search.toy import Toy

TOY = Toy()


def search(seed: int = 1) -> Search:
    return random_search(TOY, seed=seed, ladder=Ladder((100, 300)), births=20)


def log() -> list[Event]:
    return simulate(
        search(), TOY.evaluate, workers=4, seconds=Random.random, rng=Random(0), author="me"
    )


def place_of_ask(events: list[Event], number: int) -> int:
    asks = [place for place, event in enumerate(events) if isinstance(event, Asked)]
    return asks[number]


def changed(events: list[Event], place: int, genome: Genome) -> list[Event]:
    event = events[place]
    assert isinstance(event, Asked)
    other = Asked(replace(event.assignment, genome=genome))
    return [*events[:place], other, *events[place + 1 :]]


def test_a_log_replays():
    assert replay(search(), log(), author="me") is None


def test_another_seed_differs_at_the_first_ask():
    difference = replay(search(2), log(), author="me")
    assert difference is not None
    assert difference.place == 0
    assert "event 0, ask 0 of me" in str(difference)


def test_the_first_forged_ask_is_found():
    events = log()
    place = place_of_ask(events, 9)
    difference = replay(search(), changed(events, place, TOY.spell([0] * 12, "")), author="me")
    assert difference is not None
    assert difference.place == place
    assert difference.logged != difference.replayed


def test_a_changed_lineage_is_a_difference_though_the_genomes_are_equal():
    events = log()
    first = events[0]
    assert isinstance(first, Asked)
    forged = TOY.spell(TOY.read(first.assignment.genome), "another birth")
    assert forged == first.assignment.genome
    difference = replay(search(), changed(events, 0, forged), author="me")
    assert difference is not None
    assert difference.place == 0


def test_a_result_that_is_missing_changes_a_later_ask():
    events = log()
    results = [place for place, event in enumerate(events) if not isinstance(event, Asked)]
    gap = results[3]
    difference = replay(search(), events[:gap] + events[gap + 1 :], author="me")
    assert difference is not None
    assert difference.place >= gap


def test_asks_of_others_are_told_and_not_asked():
    events = log()
    first = events[0]
    assert isinstance(first, Asked)
    assignment = first.assignment
    stranger = Asked(replace(assignment, birth=Birth("", "you", 0), genome=TOY.spell([0] * 12, "")))
    assert replay(search(), [stranger, *events[:1]], author="me") is None


def test_every_ask_is_compared_from_the_log_before_it():
    events = log()
    place = place_of_ask(events, 9)
    forged = changed(events, place, TOY.spell([0] * 12, ""))
    found = list(reask(search(), forged, author="me"))
    assert [asked.place for asked in found] == [
        place for place, event in enumerate(events) if isinstance(event, Asked)
    ]
    first = next(asked for asked in found if not asked.equal)
    assert (first.place, first.differing) == (place, ("genome",))


@pytest.mark.parametrize("seed", range(4))
def test_a_run_with_deaths_and_late_results_replays_to_the_same_population(seed: int):
    def evolution() -> AsynchronousSearch:
        return regularized_evolution(TOY, seed=seed, ladder=Ladder((100, 300)), births=96)

    worked, again = evolution(), evolution()
    events = simulate(
        worked, TOY.evaluate, workers=8, seconds=lambda rng: rng.lognormvariate(0.0, 1.0),
        rng=Random(seed), deaths=0.1, late=0.2, author="me",
    )  # fmt: skip
    given_up = [event.birth for event in events if isinstance(event, Expired)]
    answers = [event for event in events if isinstance(event, Finished)]
    asks = [event for event in events if isinstance(event, Asked)]
    assert len(given_up) + len(answers) > len(asks)  # late ones are given up and answered
    assert all(asked.equal for asked in reask(again, events))
    assert text_of(again.population) == text_of(worked.population)


def text_of(population: Population) -> bytes:
    known = (dict(population.genomes), population.by_birth(), population.living())
    return repr((known, [dict(population.scores(rung)) for rung in (100, 300)])).encode()
