"""Scores of runs that inherit weights: each kind ranks by itself, and training wins nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random
from statistics import median

import pytest

from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.space import Space
from praxis_evolve.genome.starters import llama
from praxis_evolve.search.finals import finalists
from praxis_evolve.search.judging import ENOUGH, Apart, FromScratch, Judge, ranked_apart
from praxis_evolve.tests.market.loop import CATALOG  # any genome will do

RUNG = 1000


def result(name: str, bits: float | None, inherited: int = 0, **more: object) -> Result:
    found = Result(name, name, RUNG, 0, 1, bits, inherited_tokens=inherited)
    if bits is None:
        found = replace(found, failure="diverged")
    return replace(found, **more)  # type: ignore[arg-type]


def scores(judge: Judge, *results: Result, weight: float = 1.0) -> dict[str, float]:
    """What a search knows after it was told these."""
    known = dict[str, float | None]()
    for each in results:
        known.update(judge.learn(each, weight))
    return {name: score for name, score in known.items() if score is not None}


def heirs(count: int, *, slope: float, seed: int = 0) -> tuple[list[Result], dict[str, float]]:
    """Heirs with different amounts behind them, and what their genomes are worth by themselves."""
    rng, worth, found = Random(seed), dict[str, float](), list[Result]()
    for number in range(count):
        name, inherited = f"h{number}", rng.randrange(1, 9 * RUNG)
        worth[name] = rng.gauss(0, 0.1)
        gain = slope * math.log2(1 + inherited / RUNG)
        found.append(result(name, 3 + worth[name] + gain, inherited))
    return found, worth


def ranks(values: dict[str, float]) -> dict[str, int]:
    return {name: place for place, name in enumerate(sorted(values, key=lambda n: values[n]))}


def test_from_scratch_only_results_from_scratch_count() -> None:
    judge = FromScratch()
    assert judge.learn(result("a", 3.0), 1.0) == {"a": 3.0}
    assert judge.learn(result("b", 2.0, inherited=1), 1.0) == {}
    assert judge.learn(result("c", 2.0, replica=1), 1.0) == {}
    assert judge.learn(result("d", None), 1.0) == {"d": None}
    assert judge.learn(result("a", 2.0), 0.1) == {"a": 3.0}


def test_results_from_scratch_keep_their_bits_whatever_heirs_do() -> None:
    found, _ = heirs(30, slope=-0.3)
    scratch = [result(f"s{i}", 3 + 0.1 * i) for i in range(20)]
    told = scores(Apart(), *found, *scratch)
    assert {f"s{i}": told[f"s{i}"] for i in range(20)} == {
        r.genome: r.bits_per_byte for r in scratch
    }


def test_a_typical_heir_stands_where_a_typical_newcomer_does() -> None:
    found, _ = heirs(31, slope=-0.3)
    scratch = [result(f"s{i}", 4 + 0.2 * i) for i in range(21)]
    told = scores(Apart(), *scratch, *found)
    ours = [told[r.genome] for r in found]
    assert median(ours) == pytest.approx(6.0)
    spread = median(abs(score - 6) for score in ours)
    assert spread == pytest.approx(median(abs(0.2 * i - 2) for i in range(21)))


@pytest.mark.parametrize("slope", [0.0, -0.1, -0.5])
def test_what_training_alone_gives_wins_nothing(slope: float) -> None:
    """Genomes of equal worth rank by chance however much they inherited; good ones come first."""
    found, worth = heirs(400, slope=slope)
    told = ranks(scores(Apart(), *found))
    wanted = ranks(worth)
    wrong = sum(abs(told[name] - wanted[name]) for name in wanted) / len(wanted)
    assert wrong < 10  # of 400 places; by bits alone and slope -0.5 it is more than 100
    raw = ranks({r.genome: r.bits_per_byte or 0.0 for r in found})
    by_bits = sum(abs(raw[name] - wanted[name]) for name in wanted) / len(wanted)
    assert by_bits > 10 * wrong or slope > -0.5


def test_more_training_is_never_taken_for_harm() -> None:
    found = [result(f"h{i}", 3 + 0.1 * i, 100 * (i + 1)) for i in range(20)]
    told = scores(Apart(), *found)
    assert told == {r.genome: r.bits_per_byte for r in found}


def test_few_of_a_kind_are_only_moved() -> None:
    few = ENOUGH - 1
    found = [result(f"h{i}", 2 + 0.01 * i, 1000 * (i + 1)) for i in range(few)]
    told = scores(Apart(), result("s", 3.5), *found)
    shift = 3.5 - median(r.bits_per_byte or 0.0 for r in found)
    for each in found:
        assert each.bits_per_byte is not None
        assert told[each.genome] == pytest.approx(each.bits_per_byte + shift)


def test_the_order_of_results_does_not_matter() -> None:
    found, _ = heirs(25, slope=-0.2)
    several = [*found, *(result(f"s{i}", 3 + 0.05 * i) for i in range(12)), result("x", None)]
    first = scores(Apart(), *several)
    for seed in range(5):
        mixed = Random(seed).sample(several, len(several))
        assert scores(Apart(), *mixed, *mixed[:7]) == first


def test_a_failure_and_a_lost_score_are_told() -> None:
    judge = Apart()
    assert judge.learn(result("a", None), 1.0) == {"a": None}
    assert judge.learn(result("b", None, inherited=5), 1.0) == {"b": None}
    assert judge.learn(result("c", 2.0, inherited=5), 1.0) == {"c": 2.0}
    assert judge.learn(result("c", 2.0, inherited=5), 0.1) == {"c": None}
    assert judge.learn(result("d", 2.0, replica=2), 1.0) == {}


def test_rungs_are_apart() -> None:
    judge = Apart()
    scores(judge, *(result(f"s{i}", 5.0) for i in range(9)))
    higher = result("h", 2.0, inherited=500, rung=3 * RUNG)
    assert scores(judge, higher) == {"h": 2.0}


def test_one_genome_of_both_kinds_has_its_bits_from_scratch() -> None:
    told = scores(Apart(), result("a", 2.0, inherited=700), result("a", 3.0), result("b", 4.0))
    assert told == {"a": 3.0, "b": 4.0}


def test_what_ranks_apart_is_fit_for_whatever_ranks() -> None:
    genome = llama(Space(CATALOG, widths=(32,), context=32), layers=1)
    scratch = [result(f"s{i}", 3 + 0.1 * i) for i in range(9)]
    found = [result(f"h{i}", 2 + 0.1 * i, 900) for i in range(9)]
    told = ranked_apart([*scratch, *found, result("x", None), result("s0", 1.0, replica=1)])
    assert {r.genome for r in told} == {r.genome for r in (*scratch, *found)}
    assert all(r.inherited_tokens == 0 for r in told)
    known = {r.genome: genome for r in told}
    best = finalists(told, known, top_rung=RUNG, count=4)
    assert sorted(best) == ["h0", "h1", "s0", "s1"]  # by bits the heirs would be all
