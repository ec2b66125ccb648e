"""Searches on real text: equal tokens, winners that pass the gate, tables that can be checked."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import stdev
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_1samp  # pyright: ignore[reportUnknownVariableType]

from praxis_evolve.benchmarks.comparison import END, detectable, smallest
from praxis_evolve.benchmarks.text import texts_of
from praxis_evolve.benchmarks.text_run import (
    PRESET,
    Plan,
    budgeted,
    curve,
    made,
    opened,
    trained,
)
from praxis_evolve.benchmarks.text_table import at, mean_curve, reached, tokens_to
from praxis_evolve.blocks.registry import installed
from praxis_evolve.cli.bounds import preset_space
from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.genome.starters import starters
from praxis_evolve.search.base import Asked, Assignment, Finished
from praxis_evolve.search.draws import lot
from praxis_evolve.search.simulation import simulate
from praxis_evolve.search.species import Species
from praxis_evolve.tests.test_benchmarks import output_of

LADDER = Ladder((100, 300))
PLAN = Plan(births=12, rungs=(100, 300), starters=False, bench=None)
SPECIES = Species(preset_space(installed(), PRESET))


def result(rung: int, bits: float | None, *, speed: float = 0.0) -> Result:
    failure = "diverged" if bits is None else None
    measured = Measurement(tokens_per_second=speed)
    return Result("g", "g", rung, 0, 0, bits_per_byte=bits, failure=failure, measured=measured)


def test_tokens_are_those_that_were_trained() -> None:
    """A promotion goes on from the stable state; of failures those count that were trained."""
    told = [result(100, 5.0), result(100, None), result(300, 4.0), result(100, None, speed=1.0),
            result(100, 4.5)]  # fmt: skip
    assert [trained(each, LADDER) for each in told] == [100, 0, 210, 100, 100]
    assert curve(told, LADDER) == ([(100, 5.0), (310, 4.0)], 510)


@pytest.mark.parametrize(
    ("searcher", "named"), [("random", False), ("without-shares", True), ("tpe", True)]
)
def test_searches_spend_the_same_and_begin_alike(searcher: str, named: bool) -> None:
    plan = replace(PLAN, births=24, starters=named)

    def evaluate(assignment: Assignment) -> Result:
        name = SPECIES.identify(assignment.genome)
        return replace(result(assignment.rung, 2 + lot(0, name)), genome=name, architecture=name)

    search = budgeted(made(searcher, SPECIES, 1, plan), plan)
    log = simulate(search, evaluate, workers=1, seconds=lambda _: 1.0, rng=Random(0))
    spent = curve([e.result for e in log if isinstance(e, Finished)], plan.ladder)[1]
    assert plan.tokens <= spent < plan.tokens + 300
    asked = [event.assignment for event in log if isinstance(event, Asked)]
    origins = {each.origin for each in asked}
    wanted = {f"starter:{name}" for name in starters(SPECIES.space, layers=PRESET.layers)}
    assert origins & wanted == (wanted if named else set())
    assert all(SPECIES.space.legal(each.genome) for each in asked[:10])


def test_tokens_to_a_level_and_mean_curves() -> None:
    one, other = [(10, 5.0), (30, 3.0)], [(20, 4.0), (40, 2.0)]
    assert [tokens_to(one, level) for level in (6.0, 5.0, 4.9, 2.9)] == [10, 10, 30, math.inf]
    assert [at(one, tokens) for tokens in (10, 29, 30)] == [5.0, 5.0, 3.0]
    assert math.isnan(at(one, 9))
    assert mean_curve([one, other]) == [(20, 4.5), (30, 3.5), (40, 2.5)]


def test_searches_are_as_good_as_the_baseline_after_a_share_of_the_tokens() -> None:
    tokens = PLAN.tokens
    paths = {
        ("random", 0): [(tokens // 4, 4.0), (tokens, 3.0)],
        ("random", 1): [(tokens // 2, 3.0)],
        ("tpe", 0): [(tokens // 4, 3.0)],
        ("tpe", 1): [(tokens // 4, 3.5)],
    }
    rows = [{"searcher": name, "seed": seed, "curve": path} for (name, seed), path in paths.items()]
    lines = [line.split() for line in reached("text", rows, PLAN, "random")][2:]
    assert lines == [
        ["random", "0.750", "2", "of", "2", "1.000"],
        ["tpe", "never", "1", "of", "2", "never"],
    ]


def test_the_smallest_difference_is_found_four_times_of_five() -> None:
    """By the t test of scipy, on pairs whose differences have the same spread."""
    gaps = [-1.0, 1.0] * 6
    drawn = np.random.default_rng(0).normal(smallest(gaps), stdev(gaps), size=(20_000, 12))
    test: Any = ttest_1samp(drawn, 0.0, axis=1)  # pyright: ignore
    assert np.mean(test.pvalue < 0.05) == pytest.approx(0.8, abs=0.02)


def test_the_smallest_difference_is_of_pairs() -> None:
    values = {"tpe": (1.0, 2.0, 6.0, 3.0), "random": (2.0, 4.0, 7.0, 5.0)}
    runs = [
        (name, seed, {"marks": {END: {"test": value}}})
        for name, those in values.items()
        for seed, value in enumerate(those)
    ]
    # gaps of -1, -2, -1, -2: a standard error of .2887 times 3.1824 + .9785
    assert list(detectable(runs, "random")) == ["tpe: 1.2012 by 4 pairs could be shown"]


def test_a_text_that_is_not_there_is_passed_over_with_a_word(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"tinyshakespeare.txt.*PRAXIS_BENCH"):
        opened("tinyshakespeare", tmp_path)
    said = list[str]()
    assert list(texts_of(["tinyshakespeare", "python-library"], tmp_path, said.append)) == [
        "python-library"
    ]
    assert [line.partition(":")[0] for line in said] == ["tinyshakespeare is skipped"]


@pytest.mark.slow
def test_runs_go_on_where_they_were_killed(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    words = "".join(Random(0).choices("abc d", k=20_000))
    (tmp_path / "text" / "tinyshakespeare.txt").write_text(words)
    out = tmp_path / "rows.jsonl"
    options = (
        *("--texts", "tinyshakespeare", "--bench", str(tmp_path), "--out", str(out)),
        *("--searchers", "random", "--seeds", "2", "--births", "4", "--workers", "2"),
        *("--rungs", "512", "1024"),
    )
    text = output_of("text", *options)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {(row["searcher"], row["seed"]) for row in rows} == {("random", 0), ("random", 1)}
    assert all(len(row["test"]) == 3 and row["passed_over"] == 0 for row in rows)
    last = out.read_text().splitlines()[-1]
    out.write_text("\n".join([*out.read_text().splitlines()[:1], last[: len(last) // 2]]))
    again = output_of("text", *options)
    assert again.startswith("1 of 1: ")
    back = json.loads(out.read_text().splitlines()[-1])
    assert {k: back[k] for k in ("key", "test", "curve", "winner")} == {
        k: rows[-1][k] for k in ("key", "test", "curve", "winner")
    }
    printed = output_of("text", *options, "--table")
    assert "test bits per byte, fresh seeds" in printed
    assert [line for line in text.splitlines() if "fresh" in line] == [
        line for line in printed.splitlines() if "fresh" in line
    ]
