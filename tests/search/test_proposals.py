from collections import Counter
from random import Random

from praxis_evolve.genome.graph import Genome
from praxis_evolve.search.base import Birth
from praxis_evolve.search.population import Population
from praxis_evolve.search.proposals import (
    Proposal,
    Proposer,
    crossing,
    first,
    founding,
    fresh,
    mixed,
    mutating,
    sampling,
    starting,
)
from praxis_evolve.search.toy import Toy

TOY = Toy(length=3, letters=3)
ZEROS, ONES, TWOS = (TOY.spell([letter] * 3, "named") for letter in range(3))


def empty(size: int = 4) -> Population:
    return Population(size=size, rungs=(100,))


def with_born(*genomes: Genome, size: int = 4) -> Population:
    population = empty(size)
    for number, genome in enumerate(genomes):
        population.know(TOY.identify(genome), genome)
        population.bear(TOY.identify(genome), Birth("run", "author", number))
    return population


def always(name: str) -> Proposer:
    return lambda population, rng, birth: Proposal(ZEROS, name)


def never(population: Population, rng: Random, birth: str) -> None:
    return None


def pick(*genomes: Genome):
    """Select these in turn."""
    names = [TOY.identify(genome) for genome in genomes]

    def select(population: Population, rng: Random, without: str = "") -> str | None:
        return next((name for name in names if name != without), None)

    return select


def test_starters_are_offered_until_all_were_tried():
    propose = starting({"zeros": ZEROS, "ones": ONES}, TOY.identify)
    offered = {propose(empty(), Random(seed), "b") for seed in range(20)}
    assert offered == {Proposal(ZEROS, "starter:zeros"), Proposal(ONES, "starter:ones")}
    assert propose(with_born(ZEROS), Random(0), "b") == Proposal(ONES, "starter:ones")
    assert propose(with_born(ZEROS, ONES), Random(0), "b") is None


def test_what_another_trains_now_is_neither_offered_as_a_starter_nor_else():
    taken = {TOY.identify(ZEROS)}
    population = Population(size=4, rungs=(100,), elsewhere=taken.__contains__)
    propose = starting({"zeros": ZEROS, "ones": ONES}, TOY.identify)
    offered = {propose(population, Random(seed), "b") for seed in range(20)}
    assert offered == {Proposal(ONES, "starter:ones")}
    assert fresh((always("x"),), TOY.identify)(population, Random(0), "b") is None
    taken.clear()
    assert fresh((always("x"),), TOY.identify)(population, Random(0), "b") == Proposal(ZEROS, "x")


def test_mutants_name_their_operator_and_parent():
    offer = mutating(TOY, pick(ZEROS))(with_born(ZEROS), Random(0), "run/author/7")
    assert offer is not None
    assert (offer.origin, offer.parents) == ("letter", (TOY.identify(ZEROS),))
    assert sum(TOY.read(offer.genome)) in (1, 2)
    assert {entry.lineage for entry in offer.genome.pool} == {"run/author/7"}


def test_crossing_takes_two_different_parents():
    offer = crossing(TOY, pick(ONES, TWOS))(with_born(ONES, TWOS), Random(0), "b")
    assert offer is not None
    assert offer.parents == (TOY.identify(ONES), TOY.identify(TWOS))
    assert set(TOY.read(offer.genome)) <= {1, 2}


def test_without_parents_there_are_no_children():
    assert mutating(TOY, pick())(empty(), Random(0), "b") is None
    assert crossing(TOY, pick(ONES))(with_born(ONES), Random(0), "b") is None


def test_a_mixture_keeps_its_shares():
    propose, rng = mixed((0.75, always("a")), (0.25, always("b"))), Random(0)
    offers = [propose(empty(), rng, "b") for _ in range(1000)]
    counts = Counter(offer.origin for offer in offers if offer)
    assert 700 < counts["a"] < 800
    assert counts["a"] + counts["b"] == 1000


def test_the_first_offer_is_taken():
    offer = first(never, always("b"), always("c"))(empty(), Random(0), "b")
    assert offer is not None
    assert offer.origin == "b"
    assert first(never)(empty(), Random(0), "b") is None


def test_founders_offer_until_the_population_was_born():
    propose = founding(always("founder"), always("child"))
    for born, origin in (([ZEROS], "founder"), ([ZEROS, ONES], "child")):
        offer = propose(with_born(*born, size=2), Random(0), "b")
        assert offer is not None
        assert offer.origin == origin


def test_what_was_tried_is_not_offered_again():
    propose = fresh((sampling(TOY),), TOY.identify)
    words = [TOY.spell([n // 9, n // 3 % 3, n % 3], "") for n in range(27)]
    tried = with_born(*words[:20])
    for seed in range(50):
        offer = propose(tried, Random(seed), "b")
        assert offer is not None
        assert not tried.seen(TOY.identify(offer.genome))


def test_the_next_proposer_helps_where_one_has_nothing_new():
    propose = fresh((always("old"), sampling(TOY)), TOY.identify)
    offer = propose(with_born(ZEROS), Random(0), "b")
    assert offer is not None
    assert offer.origin == "sample"


def test_a_space_that_was_tried_out_gives_nothing():
    words = [TOY.spell([n // 9, n // 3 % 3, n % 3], "") for n in range(27)]
    assert fresh((sampling(TOY),), TOY.identify)(with_born(*words), Random(0), "b") is None
