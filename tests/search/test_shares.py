"""Shares against brute force, and what they are for: good traits rise, bad ones fall."""

from __future__ import annotations

import math
from collections import Counter
from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.traits import Trait
from praxis_evolve.search.credit import Credit
from praxis_evolve.search.guide import Guide
from praxis_evolve.search.linear import Floats
from praxis_evolve.search.shares import (
    EVEN,
    EXPLAINED,
    FLOOR,
    HALF_LIFE,
    Posterior,
    Shares,
    Traits,
    best_of,
    floor_of,
    floored,
)
from praxis_evolve.search.standing import scores_by_rung, standings


def result(genome: str, bits: float | None, rung: int = 1, replica: int = 0) -> Result:
    return Result(genome, genome, rung, replica, 0, bits_per_byte=bits)


def colours(names: dict[str, str]) -> dict[str, list[Trait]]:
    return {name: [Trait("colour", colour)] for name, colour in names.items()}


def test_a_standing_is_the_share_that_is_worse() -> None:
    bits = {"a": 1.0, "b": 2.0, "c": 2.0, "d": 3.0}
    assert standings({10: bits}) == {"a": 0.875, "b": 0.5, "c": 0.5, "d": 0.125}
    assert standings({10: {"a": 1.0}}) == {"a": 0.5}
    assert standings({}) == {}


def test_higher_rungs_exchange_the_places_of_those_who_stand_there() -> None:
    low = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    assert standings({10: low, 30: {"a": 0.9, "c": 0.8}}) == {
        "a": 0.375, "b": 0.625, "c": 0.875, "d": 0.125
    }  # fmt: skip
    assert standings({10: low, 30: {"stranger": 0.1}}) == standings({10: low})


@given(st.dictionaries(st.text("ab", max_size=4), st.integers(0, 5), min_size=1), st.data())
def test_standings_are_even_between_0_and_1(bits: dict[str, int], data: st.DataObject) -> None:
    up = data.draw(st.dictionaries(st.sampled_from(sorted(bits)), st.integers(0, 5)))
    low, high = ({name: float(b) for name, b in each.items()} for each in (bits, up))
    found = standings({1: low, 3: high} if high else {1: low})
    assert found.keys() == bits.keys()
    assert math.isclose(sum(found.values()), len(bits) / 2)
    for one in up:
        for other in up:
            assert up[one] >= up[other] or found[one] >= found[other]


@given(st.permutations([result(name, bits, rung) for name, bits, rung in (
    ("a", 2.0, 1), ("a", 2.5, 1), ("b", 2.2, 1), ("b", 1.9, 3), ("c", None, 1), ("c", 2.1, 1),
)]))  # fmt: skip
def test_the_order_of_the_results_makes_no_difference(several: list[Result]) -> None:
    told = [(each, 1.0) for each in several]
    assert scores_by_rung(told) == {1: {"a": 2.25, "b": 2.2, "c": 2.1}, 3: {"b": 1.9}}
    assert scores_by_rung([*told, told[0]]) == scores_by_rung(told)


def test_finals_and_distrusted_results_do_not_count() -> None:
    told = [(result("a", 1.0, replica=1), 1.0), (result("b", 1.0), 0.0), (result("c", 2.0), 1.0)]
    assert scores_by_rung(told) == {1: {"c": 2.0}}


@pytest.mark.parametrize("count", [2, 3, 7])
def test_the_chance_to_be_the_best_is_that_of_many_draws(count: int) -> None:
    rng = Random(count)
    several = [Posterior(1, rng.uniform(0.3, 0.7), rng.uniform(0.03, 0.2)) for _ in range(count)]
    wins = Counter[int]()
    for _ in range(20_000):
        draws = [rng.gauss(each.mean, each.spread) for each in several]
        wins[draws.index(max(draws))] += 1
    chances = best_of(several)
    assert math.isclose(sum(chances), 1.0)
    assert all(abs(wins[i] / 20_000 - chance) < 0.015 for i, chance in enumerate(chances))


def test_a_draw_is_by_the_share() -> None:
    rng = Random(0)
    names = {str(number): "red" if number % 3 else "blue" for number in range(12)}
    standing = {name: 0.8 if colour == "red" else 0.3 for name, colour in names.items()}
    shares = Shares(standing, Traits(colours(names)))
    options = ["blue", "green", "red"]
    expected = {share.trait.value: share.share for share in shares.of("colour", options)}
    guide = Guide(shares, Credit({}, {}))
    drawn = Counter(
        guide.choose(rng, options, lambda option: Trait("colour", option)) for _ in range(20_000)
    )
    assert expected.keys() == set(options)
    for value, share in expected.items():
        assert abs(drawn[value] / 20_000 - share) < 0.015
    assert expected["red"] > expected["green"] > expected["blue"]


def test_a_planted_good_trait_rises_and_a_bad_one_falls_to_the_floor() -> None:
    rng = Random(1)
    names = {str(n): rng.choice(["good", "even", "bad"]) for n in range(300)}
    worth = {"good": -0.5, "even": 0.0, "bad": 0.5}
    bits = {name: worth[colour] + rng.gauss(3, 0.3) for name, colour in names.items()}
    history = list[dict[str, float]]()
    for seen in (3, 30, 300):
        some = dict(list(bits.items())[:seen])
        shares = Shares(standings({1: some}), Traits(colours(names))).of("colour", list(worth))
        history.append({share.trait.value: share.share for share in shares})
    assert history[0]["good"] < history[-1]["good"]
    assert history[-1]["good"] > 0.9
    assert history[-1]["bad"] == pytest.approx(FLOOR, abs=1e-3)


def test_what_all_owners_have_takes_no_credit_of_what_they_own() -> None:
    """Nobody tried another size of the good one: its only size is no better than the others."""
    good = [Trait("embedding", "ngram"), Trait("ngram.orders", "2")]
    plain = [Trait("embedding", "token")]
    names = {str(n): good if n % 2 else plain for n in range(60)}
    standing = {name: 0.75 if traits is good else 0.25 for name, traits in names.items()}
    shares = Shares(standing, Traits(names))
    posterior = {t: shares.posterior(t) for t in (*good, *plain, Trait("ngram.orders", "2+3"))}
    assert posterior[good[0]].mean > 0.6 > 0.4 > posterior[plain[0]].mean
    assert posterior[good[1]].mean == posterior[Trait("ngram.orders", "2+3")].mean == 0.5
    each = {share.trait.value: share.share for share in shares.of("ngram.orders", ["2", "2+3"])}
    assert each["2"] == pytest.approx(0.5, abs=0.01)


@given(st.integers(0, 2**32), st.integers(3, 24), st.booleans())
def test_posteriors_are_those_of_the_regression_solved_outright(
    seed: int, genomes: int, expecting: bool
) -> None:
    """Of the difference to the usual mixture of a slot; weights of traits, not of genomes."""
    rng = Random(seed)
    slots = {"a": "xyz", "b": "uv"}
    names = {
        str(n): [
            Trait(s, rng.choice(v)) for s, v in slots.items() if s == "a" or rng.random() < 0.6
        ]
        for n in range(genomes)
    }
    standing = {name: rng.random() for name in names}
    possible = [Trait(slot, value) for slot, values in slots.items() for value in f"{values}?"]
    priors = {trait: rng.uniform(-0.5, 0.5) for trait in possible if expecting}
    shares = Shares(standing, Traits(names), priors=priors)
    every = sorted({trait for traits in names.values() for trait in traits})
    has = np.array([[trait in names[name] for trait in every] for name in sorted(names)], float)
    y = np.array([standing[name] - 0.5 for name in sorted(names)])
    before = np.array([priors.get(trait, 0.0) for trait in every])
    usual = np.zeros((len(every), len(every)))  # [t, u]: how usual u is where t's slot is filled
    for t, u in product(range(len(every)), repeat=2):
        if every[t].slot == every[u].slot:
            alike = [w for w, other in enumerate(every) if other.slot == every[t].slot]
            usual[t, u] = has[:, u].sum() / has[:, alike].sum()
    change = np.eye(len(every)) - usual  # a row for each trait: it in the place of the usual
    rows = has @ change
    size = has.sum(axis=1).mean()
    fits = list[tuple[float, Floats, Floats]]()
    for explained in EXPLAINED:
        prior, noise = EVEN * explained / size, EVEN * (1 - explained)
        covariance = prior * rows @ rows.T + noise * np.eye(len(y))
        said = float(multivariate_normal(mean=rows @ before, cov=covariance).logpdf(y))
        precision = np.eye(len(every)) / prior + rows.T @ rows / noise
        spread = np.asarray(np.linalg.inv(precision), dtype=float)
        fits.append((said, spread @ (before / prior + rows.T @ y / noise), spread))
    _, mean, spread = max(fits, key=lambda fit: fit[0])
    for t, trait in enumerate(every):
        found = shares.posterior(trait)
        assert found.mean == pytest.approx(0.5 + change[t] @ mean, abs=2e-6)
        assert found.spread**2 == pytest.approx(change[t] @ spread @ change[t], abs=1e-5)
    for slot in slots:  # a value that nobody has, in the place of the usual of its slot
        unseen = Trait(slot, "?")
        rest = next((usual[t] for t, trait in enumerate(every) if trait.slot == slot), 0 * before)
        expected = 0.5 + priors.get(unseen, 0.0) - rest @ mean
        assert shares.posterior(unseen).mean == pytest.approx(expected, abs=2e-6)


def test_before_any_result_a_trait_stands_where_it_is_expected() -> None:
    red, green, blue = (Trait("colour", value) for value in ("red", "green", "blue"))
    shares = Shares({}, Traits(), priors={red: 0.2, blue: -0.1})
    assert [shares.posterior(each).mean for each in (red, green, blue)] == [0.7, 0.5, 0.4]
    found = shares.of("colour", ["green"])
    assert [share.trait for share in found] == [red, green, blue]
    assert shares.slots == ["colour"]
    assert Shares({}, Traits()).slots == []


def test_a_prior_tips_the_scales_and_results_override_it() -> None:
    """Of two colours the worse is expected to be the better one, as firmly as may be."""
    rng, prior = Random(3), {Trait("colour", "bad"): 0.5}
    names = {str(n): rng.choice(["good", "bad"]) for n in range(300)}
    bits = {name: (colour == "bad") + rng.gauss(3, 1.0) for name, colour in names.items()}
    share = list[float]()
    for seen in (0, 4, 300):
        some = dict(list(bits.items())[:seen])
        places = standings({1: some}) if some else {}
        found = Shares(places, Traits(colours(names)), priors=prior).of("colour", ["bad", "good"])
        share += [each.share for each in found if each.trait.value == "bad"]
    assert share[0] > 0.8
    assert share == sorted(share, reverse=True)
    assert share[-1] == pytest.approx(FLOOR, abs=1e-3)


def test_a_prior_of_what_all_have_is_told_of_what_else_there_could_be() -> None:
    """As with results, what all owners of a slot have is what others are set against."""
    names = {str(n): [Trait("colour", "red")] for n in range(9)}
    standing = {name: n / 8 for n, name in enumerate(names)}
    shares = Shares(standing, Traits(names), priors={Trait("colour", "red"): 0.2})
    assert shares.posterior(Trait("colour", "red")).mean == pytest.approx(0.5)
    assert shares.posterior(Trait("colour", "blue")).mean == pytest.approx(0.3)


def test_a_prior_of_a_slot_leaves_all_others_as_they_are() -> None:
    rng = Random(4)
    names = {str(n): rng.choice("xyz") for n in range(40)}
    standing = {name: rng.random() for name in names}
    plain = Shares(standing, Traits(colours(names)))
    other = Shares(standing, Traits(colours(names)), priors={Trait("size", "large"): 0.4})
    assert plain.of("colour") == other.of("colour")
    assert other.slots == ["colour", "size"]


def test_shares_follow_a_population_that_moves_on() -> None:
    names = {str(n): "old" if n % 2 else "new" for n in range(8 * HALF_LIFE)}
    order = {name: int(name) for name in names}
    past = {
        name: (0.9 if (colour == "old") == (int(name) < 4 * HALF_LIFE) else 0.1)
        for name, colour in names.items()
    }
    alike = {s.trait.value: s.mean for s in Shares(past, Traits(colours(names))).of("colour")}
    aged = {s.trait.value: s.mean for s in Shares(past, Traits(colours(names)), order).of("colour")}
    assert alike["new"] == pytest.approx(alike["old"], abs=0.01)
    assert aged["new"] > aged["old"] + 0.5


@given(st.integers(0, 2**32))
def test_peers_with_the_same_records_have_the_same_shares_bit_for_bit(seed: int) -> None:
    """Whatever the order in which records came and genomes were read."""
    rng = Random(seed)
    slots = {f"slot {n}": "uvwxyz"[: rng.randint(2, 6)] for n in range(8)}
    names = {
        str(number): [Trait(s, rng.choice(v)) for s, v in slots.items() if rng.random() < 0.8]
        for number in range(50)
    }
    told = [(result(name, rng.random()), 1.0) for name in names]
    births = {name: number for number, name in enumerate(names)}
    mine = Shares(standings(scores_by_rung(told)), Traits(names), births)
    rng.shuffle(told)
    order = rng.sample(sorted(names), len(names))
    turned = {name: rng.sample(names[name], len(names[name])) for name in order}
    yours = Shares(standings(scores_by_rung(told)), Traits(turned), dict(reversed(births.items())))
    assert mine.slots == yours.slots
    for slot in mine.slots:
        assert mine.of(slot) == yours.of(slot)


@given(st.integers(1, 200))
def test_the_floor_leaves_room(options: int) -> None:
    chances = floored([1.0] + [0.0] * (options - 1))
    assert math.isclose(sum(chances), 1.0)
    assert min(chances) >= floor_of(options)
    assert chances[0] >= 0.5
