"""Evolution as a whole, on the toy landscape: it finds more than chance does for the same work."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest

from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.search.asynchronous import AsynchronousSearch
from praxis_evolve.search.base import Asked, Event, Expired, Finished
from praxis_evolve.search.evolution import population_for, regularized_evolution
from praxis_evolve.search.finals import finalists
from praxis_evolve.search.intervals import summary
from praxis_evolve.search.objectives import objectives
from praxis_evolve.search.random import random_search
from praxis_evolve.search.replay import replay
from praxis_evolve.search.simulation import simulate
from praxis_evolve.search.toy import Toy

LADDER = Ladder((100, 300, 900))


def evolution(
    toy: Toy, *, seed: int, births: int = 128, names: Sequence[str] = ("bits_per_byte", "flops")
) -> AsynchronousSearch:
    return regularized_evolution(
        toy,
        seed=seed,
        ladder=LADDER,
        objectives=objectives(names),
        starters={"zeros": toy.spell([0] * toy.length, "zeros")},
        population=16,
        births=births,
    )


def run(search: AsynchronousSearch, toy: Toy, *, seed: int, deaths: float = 0.1) -> list[Event]:
    log = simulate(
        search,
        toy.evaluate,
        workers=8,
        seconds=lambda rng: rng.lognormvariate(0.0, 1.0),
        rng=Random(seed),
        deaths=deaths,
    )
    assert search.done
    return log


def found(search: AsynchronousSearch, toy: Toy, log: list[Event]) -> float:
    results = [event.result for event in log if isinstance(event, Finished)]
    genomes = search.population.genomes
    return toy.truth(genomes[finalists(results, genomes, top_rung=900, count=1)[0]])


def work(log: list[Event]) -> Counter[int]:
    return Counter(event.result.rung for event in log if isinstance(event, Finished))


def test_evolution_beats_random_search_with_the_same_trainings():
    gaps: list[float] = []
    for seed in range(8):
        toy = Toy(seed=seed)
        ours = evolution(toy, seed=seed, births=192)
        chance = random_search(toy, seed=seed, ladder=LADDER, births=192)
        our_log, chance_log = run(ours, toy, seed=seed), run(chance, toy, seed=seed)
        assert work(our_log) == work(chance_log) == {100: 192, 300: 64, 900: 21}
        gaps.append(found(chance, toy, chance_log) - found(ours, toy, our_log))
    assert min(gaps) > 0
    assert summary(gaps).low > 0.25  # of the 2 bits between the worst words and the best one


@pytest.mark.parametrize(
    ("names", "least", "most"),
    [(["bits_per_byte"], 0.3, 0.7), (["bits_per_byte", "flops"], 0.0, 0.15)],
)
def test_the_population_is_born_of_starters_samples_and_then_children(
    names: list[str], least: float, most: float
):
    toy = Toy()
    log = run(evolution(toy, seed=0, names=names), toy, seed=0, deaths=0.0)
    asked = [event.assignment for event in log if isinstance(event, Asked)]
    born = [assignment for assignment in asked if assignment.rung == 100]
    founders, children = born[:16], born[16:]
    assert founders[0].origin == "starter:zeros"
    assert {assignment.origin for assignment in founders[1:]} == {"sample"}
    shares = Counter(assignment.origin for assignment in children)
    assert set(shares) == {"letter", "crossover", "sample"}
    assert least < shares["sample"] / len(children) < most
    assert 0.1 < shares["crossover"] / (shares["crossover"] + shares["letter"]) < 0.45
    parents = {"letter": 1, "crossover": 2, "sample": 0}
    assert all(len(child.parents) == parents[child.origin] for child in children)


def test_mutants_alone_are_the_aging_evolution_of_the_paper():
    toy, ranks = Toy(), Counter[int]()
    for seed in range(8):
        search = regularized_evolution(
            toy,
            seed=seed,
            ladder=Ladder((100,)),
            population=10,
            tournament=3,
            births=110,
            crossover=0.0,
            drawn=0.0,
            niches=0.0,
            shares=False,
            screen=False,
        )
        log = simulate(
            search, toy.evaluate, workers=1, seconds=lambda _: 1.0, rng=Random(seed), deaths=0.0
        )
        born = [event.assignment for event in log if isinstance(event, Asked)]
        scores = {toy.identify(a.genome): toy.evaluate(a).bits_per_byte or 0.0 for a in born}
        names = list(scores)
        for place, child in enumerate(born[10:], start=10):
            assert child.origin == "letter"
            living = sorted(names[place - 10 : place], key=lambda name: scores[name])
            ranks[living.index(child.parents[0])] += 1
    # The best of three of ten: the two worst never win.
    assert set(ranks) == set(range(8))
    assert ranks[0] / ranks.total() == pytest.approx(3 / 10, abs=0.05)
    assert ranks[1] / ranks.total() == pytest.approx(7 / 10 * 3 / 9, abs=0.05)


@pytest.mark.parametrize("shares", [(-0.1, 0.0), (0.6, 1.5)])
def test_shares_that_are_none_are_refused(shares: tuple[float, float]):
    with pytest.raises(ValueError, match="shares of children"):
        regularized_evolution(Toy(), seed=0, ladder=LADDER, crossover=shares[0], drawn=shares[1])


def test_no_genome_is_born_twice():
    toy = Toy(length=4, letters=4)
    log = run(evolution(toy, seed=0, births=150), toy, seed=0, deaths=0.0)
    born = [
        toy.identify(event.assignment.genome)
        for event in log
        if isinstance(event, Asked) and event.assignment.rung == 100
    ]
    assert len(born) == len(set(born)) == 150


def test_a_run_in_which_workers_die_replays_and_leaves_the_same_population():
    toy = Toy()
    first, second = evolution(toy, seed=4), evolution(toy, seed=4)
    log = run(first, toy, seed=4, deaths=0.2)
    assert sum(isinstance(event, Expired) for event in log) > 10
    assert replay(second, log, author="worker") is None
    assert repr(dict(second.population.genomes)) == repr(dict(first.population.genomes))
    assert second.population.living() == first.population.living()


@pytest.mark.parametrize(("births", "size"), [(10, 16), (128, 16), (256, 32), (9999, 64)])
def test_the_population_suits_the_number_of_births(births: int, size: int):
    assert population_for(births) == size
