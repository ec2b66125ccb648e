"""The guide: operators choose by shares, and a search assigns what does well more often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from statistics import fmean

import pytest

from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.space import Space
from praxis_evolve.genome.starters import starters
from praxis_evolve.genome.taste import Taste
from praxis_evolve.genome.traits import Trait
from praxis_evolve.search.base import Asked, Assignment, Birth, Search
from praxis_evolve.search.breeding import TraitBreeding
from praxis_evolve.search.credit import Credit
from praxis_evolve.search.evolution import regularized_evolution
from praxis_evolve.search.guide import TRIES, Guide, guided
from praxis_evolve.search.population import Origin, Population
from praxis_evolve.search.proposals import Proposer, sampling
from praxis_evolve.search.shares import HORIZON, Shares, Traits
from praxis_evolve.search.simulation import simulate
from praxis_evolve.search.species import Species
from praxis_evolve.search.standing import standings
from praxis_evolve.search.toy import Toy

CATALOG = installed()
SPACE = Space(CATALOG, widths=(32, 64))


def knowing(**places: float) -> Shares:
    """Shares by fifty genomes with each value of one slot."""
    names = {f"{value}{n}": value for value in places for n in range(50)}
    return Shares(
        {name: places[value] for name, value in names.items()},
        Traits({name: {Trait("slot", value)} for name, value in names.items()}),
    )


def in_slot(value: str) -> Trait:
    return Trait("slot", value)


def test_of_a_range_the_better_stretch_is_drawn_more_often():
    guide, rng = Guide(knowing(low=0.9, high=0.1), Credit({}, {})), Random(0)

    def stretch(value: float) -> Trait:
        return in_slot("low" if value < 0.5 else "high")

    drawn = [guide.draw(rng, rng.random, stretch) for _ in range(2000)]
    high = sum(value >= 0.5 for value in drawn) / 2000
    assert high == pytest.approx(0.5**TRIES, abs=0.02)  # where all of the tries are high
    low = sorted(value for value in drawn if value < 0.5)
    assert low[len(low) // 2] == pytest.approx(0.25, abs=0.03), "within a stretch all are alike"


def test_operators_are_drawn_by_weight_and_credit():
    places = {
        f"{kind}{n}": 0.9 if kind == "up" else 0.1 for kind in ("up", "down") for n in range(60)
    }
    origins = {name: Origin(name.rstrip("0123456789"), ("parent",)) for name in places}
    guide, rng = Guide(knowing(), Credit({"parent": 0.5, **places}, origins)), Random(0)
    drawn = Counter(guide.operator(rng, [("up", 1.0), ("down", 1.0)]) for _ in range(2000))
    assert drawn["up"] > 5 * drawn["down"] > 0
    twice = Counter(guide.operator(rng, [("up", 1.0), ("down", 8.0)]) for _ in range(2000))
    assert twice["down"] > 3 * drawn["down"]


PLANTED = {
    Trait("mixer", "retention"): -0.6,
    Trait("retention.heads", "8"): -0.4,
    Trait("after retention", "glu"): -0.6,
    Trait("mixer", "attention"): 0.6,
    Trait("residual", "post"): 0.4,
    Trait("norm", "layernorm"): 0.3,
}
"""What the bits per byte of a genome with a trait differ by: good things lower them."""


def planted(species: Species, assignment: Assignment) -> Result:
    """A result that depends on nothing but planted traits and luck."""
    name = species.identify(assignment.genome)
    traits = species.traits(assignment.genome)
    luck = Random(name).gauss(0, 0.15)
    bits = 4.0 + luck + sum(worth for trait, worth in PLANTED.items() if trait in traits)
    return Result(name, name, assignment.rung, 0, 0, bits_per_byte=bits)


def asked(*, seed: int, births: int) -> list[Assignment]:
    species = Species(SPACE)
    search = regularized_evolution(
        species,
        seed=seed,
        ladder=Ladder((100,)),
        starters=starters(SPACE),
        population=32,
        births=births,
        screen=False,
    )
    return at_work(search, lambda assignment: planted(species, assignment), seed)


def at_work(
    search: Search, evaluate: Callable[[Assignment], Result], seed: int
) -> list[Assignment]:
    log = simulate(
        search,
        evaluate,
        workers=4,
        seconds=lambda rng: rng.random(),
        rng=Random(seed),
        deaths=0.0,
    )
    return [event.assignment for event in log if isinstance(event, Asked)]


class Bred:
    """What a run of 240 births made of planted traits."""

    def __init__(self, seed: int) -> None:
        species, births = Species(SPACE), asked(seed=seed, births=240)
        self.traits = {species.identify(a.genome): species.traits(a.genome) for a in births}
        bits = {species.identify(a.genome): planted(species, a).bits_per_byte for a in births}
        some = {name: each for name, each in bits.items() if each is not None}
        self._shares = Shares(standings({100: some}), Traits(self.traits))

    def risen(self, trait: Trait) -> float:
        """How much more frequent a trait is in the last 64 than in the 32 founders."""
        has = [trait in traits for traits in self.traits.values()]
        return sum(has[-64:]) / 64 - sum(has[:32]) / 32

    def favoured(self, trait: Trait) -> float:
        """The share of a trait above an even one."""
        each = {share.trait: share.share for share in self._shares.of(trait.slot, [trait.value])}
        return each[trait] - 1 / len(each)


@pytest.mark.slow
def test_over_a_run_planted_good_traits_rise_and_bad_ones_fall():
    """Blocks, settings, steps of the route, parts of the stack: in the genomes and the shares.

    The mean of some seeds: a run may find one good mixer and live with another.
    """
    several = [Bred(seed) for seed in (1, 2, 3, 4)]
    for trait, worth in PLANTED.items():
        sign = 1 if worth < 0 else -1
        assert sign * fmean(bred.risen(trait) for bred in several) > 0, trait
        assert sign * fmean(bred.favoured(trait) for bred in several) > 0, trait


def test_a_search_with_shares_finds_what_was_planted_sooner():
    def best(shares: bool, seed: int) -> float:
        toy = Toy(seed=seed)
        search = regularized_evolution(
            toy,
            seed=seed,
            ladder=Ladder((100,)),
            population=24,
            births=120,
            shares=shares,
            screen=False,
        )
        log = at_work(search, toy.evaluate, seed)
        return min(toy.truth(each.genome) for each in log)

    gains = [best(False, seed) - best(True, seed) for seed in range(8)]
    assert sum(gains) > 0, "the best word of a run with shares is no better"


def right_letters(toy: Toy) -> list[Trait]:
    """Return the letter of each place that is right, whatever stands at the others."""
    found = list[Trait]()
    for place in range(toy.length):
        words = [[n if at == place else 0 for at in range(toy.length)] for n in range(toy.letters)]
        best = min(words, key=lambda word: toy.truth(toy.spell(word, "")))
        found.append(Trait(str(place), str(best[place])))
    return found


def frequency(toy: Toy, wanted: list[Trait], strength: float) -> tuple[float, list[str]]:
    """Return how often the first eight children have traits of a prior; and the founders."""
    search = regularized_evolution(
        toy,
        seed=toy.seed,
        ladder=Ladder((100,)),
        population=16,
        births=24,
        screen=False,
        priors=dict.fromkeys(wanted, strength),
    )
    born = [each.genome for each in at_work(search, toy.evaluate, toy.seed)]
    has = [len(toy.traits(genome) & {*wanted}) / len(wanted) for genome in born[16:]]
    return fmean(has), [toy.identify(genome) for genome in born[:16]]


def test_the_first_children_have_what_is_expected_of_good_more_often_and_of_bad_less():
    """Of the right letters, and of wrong ones; founders owe priors nothing."""
    often = {strength: list[float]() for strength in (-0.3, 0.0, 0.3)}
    for seed in range(8):
        toy = Toy(seed=seed)
        right = right_letters(toy)[:6]
        wrong = [Trait(slot, str((int(value) + 1) % toy.letters)) for slot, value in right]
        founders = list[list[str]]()
        for strength, found in often.items():
            for wanted in (right, wrong):
                share, born = frequency(toy, wanted, strength)
                found.append(share)
                founders.append(born)
        assert all(born == founders[0] for born in founders)
    low, even, high = (fmean(found) for found in often.values())
    assert low < even - 0.03
    assert high > even + 0.1


def test_a_prior_on_what_is_right_finds_better_words_and_a_wrong_one_is_overridden():
    def best(seed: int, births: int, strength: float) -> float:
        toy = Toy(seed=seed)
        search = regularized_evolution(
            toy,
            seed=seed,
            ladder=Ladder((100,)),
            population=16,
            births=births,
            screen=False,
            priors=dict.fromkeys(right_letters(toy), strength),
        )
        return min(toy.truth(a.genome) for a in at_work(search, toy.evaluate, seed))

    helped = [best(seed, 24, 0.0) - best(seed, 24, 0.1) for seed in range(8)]
    assert sum(helped) > 0
    misled = [best(seed, 96, -0.1) - best(seed, 16, 0.0) for seed in range(4)]
    assert max(misled) < 0, "with a wrong prior nothing was found that founders were not"


def test_guided_breeding_breeds_legal_genomes_of_the_space_as_it_is():
    species, rng = Species(SPACE), Random(0)
    genomes = starters(SPACE)
    everything = {name: species.traits(genome) for name, genome in genomes.items()}
    places = {name: n / len(genomes) for n, name in enumerate(genomes)}
    bred = species.guided(Guide(Shares(places, Traits(everything)), Credit({}, {})))
    for genome in genomes.values():
        for _ in range(5):
            assert SPACE.legal(bred.mutate(genome, rng, "b").genome)
            assert SPACE.legal(bred.sample(rng, "b"))
    species.space = replace(SPACE, widths=(64,))
    assert bred.sample(rng, "b").stack.width in (32, 64)


def test_operators_live_by_what_their_last_children_gained() -> None:
    """Those of the first did well on parents that were bad, and are long past."""
    toy, population, tastes = Toy(), Population(size=8, rungs=(100,)), list[Taste]()
    word, rng = [0] * toy.length, Random(0)
    for number in range(HORIZON + 64):
        genome = toy.spell(word, f"run/me/{number}")
        origin = Origin("old", ("parent",)) if number < 64 else Origin("new", ("parent",))
        name = "parent" if number == 0 else str(number)
        population.know(name, genome)
        population.bear(name, Birth("run", "me", number), Origin("", ()) if not number else origin)
        bits = 3.0 if not number else 2.0 if number < 64 else 2.9 + rng.random() / 5
        population.score(name, 100, bits)

    def caught(breeding: TraitBreeding) -> Proposer:
        assert isinstance(breeding, Toy)
        tastes.append(breeding.taste)
        return sampling(breeding)

    guided(caught, toy)(population, Random(0), "run/me/999")
    drawn = Counter(tastes[0].operator(rng, [("old", 1.0), ("new", 1.0)]) for _ in range(2000))
    assert 0.3 < drawn["old"] / 2000 < 0.7, "as one of which nothing is known"
