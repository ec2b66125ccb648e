"""A study says what was tried, and only what was trained to the top is complete."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from praxis_evolve.blocks.ranges import Choice, Integer, Range, Real
from praxis_evolve.genome.cost import Costs
from praxis_evolve.search.flat import Gene
from praxis_evolve.search.objectives import objectives
from praxis_evolve.search.optuna_study import StudyError, Tried, distribution, write_study

BOTH = objectives(["bits_per_byte", "parameters"])
COSTS = Costs(1000, 10.0, 10.0, 4.0)
RATE = Real(1e-3, 1e-1, log=True)


def tried(rate: float, scores: dict[int, float], failure: str = "") -> Tried:
    genes = {"rate": Gene(rate, RATE), "count": Gene(2, Integer(0, 4))}
    return Tried(genes, COSTS, scores, failure, {"name": f"g-{rate}"})


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'study.db'}"


def test_states_say_how_far_a_genome_came(url: str) -> None:
    several = [
        tried(0.01, {100: 3.0, 300: 2.5}),
        tried(0.02, {100: 3.5}),
        tried(0.03, {}, "diverged: at step 3"),
        tried(0.04, {100: 2.9}, "out of time: took 9 s"),
    ]
    seen = list[int]()
    states = write_study(
        several, BOTH, top=300, storage=url, name="s", attributes={"text": "words"},
        on_written=seen.append,
    )  # fmt: skip
    assert states == {"complete": 1, "pruned": 1, "fail": 2}
    assert seen == [1, 2, 3, 4]
    study = optuna.load_study(study_name="s", storage=url)
    assert study.user_attrs["text"] == "words"
    assert study.metric_names == ["bits_per_byte", "parameters"]
    trials = study.get_trials()
    assert [t.state for t in trials] == [
        TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.FAIL,
    ]  # fmt: skip
    assert trials[0].values == [2.5, 1000]
    assert [t.intermediate_values for t in trials] == [
        {100: 3.0, 300: 2.5}, {100: 3.5}, {}, {100: 2.9},
    ]  # fmt: skip
    assert [t.params["rate"] for t in trials] == [0.01, 0.02, 0.03, 0.04]
    assert trials[1].user_attrs["name"] == "g-0.02"
    assert [t.number for t in study.best_trials] == [0]


def test_the_faster_is_the_better_and_only_what_was_measured_is_complete(url: str) -> None:
    speeds = (("slow", 100.0), ("fast", 900.0), ("never", None))
    several = [
        replace(
            tried(0.01, {300: 2.5}),
            measured={} if speed is None else {"tokens_per_second": speed},
            attributes={"name": name},
        )
        for name, speed in speeds
    ]
    wanted = objectives(["bits_per_byte", "tokens_per_second"])
    states = write_study(several, wanted, top=300, storage=url, name="s", attributes={})
    assert states == {"complete": 2, "pruned": 1}
    study = optuna.load_study(study_name="s", storage=url)
    assert [t.user_attrs["name"] for t in study.best_trials] == ["fast"]


@pytest.mark.parametrize(
    ("range_", "expected"),
    [
        (RATE, FloatDistribution(1e-3, 1e-1, log=True)),
        (Real(0.0, 0.3), FloatDistribution(0.0, 0.3)),
        (Integer(1, 8, log=True), IntDistribution(1, 8, log=True)),
        (Choice((2, 4, 8), ordered=True), CategoricalDistribution((2, 4, 8))),
        (Choice((True, False)), CategoricalDistribution((True, False))),
    ],
)
def test_ranges_are_distributions(range_: Range, expected: BaseDistribution) -> None:
    assert distribution(range_) == expected


def test_a_study_that_is_there_is_kept(url: str) -> None:
    write_study([tried(0.01, {300: 1.0})], BOTH, top=300, storage=url, name="s", attributes={})
    with pytest.raises(StudyError, match="'s' already"):
        write_study([], BOTH, top=300, storage=url, name="s", attributes={})
    assert len(optuna.load_study(study_name="s", storage=url).trials) == 1


def test_half_a_study_is_removed(url: str) -> None:
    def interrupted(number: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_study(
            [tried(0.01, {300: 1.0})], BOTH, top=300, storage=url, name="s", attributes={},
            on_written=interrupted,
        )  # fmt: skip
    assert optuna.get_all_study_names(url) == []


@pytest.mark.parametrize("bad", ["study.db", "sqlite:////nowhere/at/all.db", "redes://x"])
def test_a_database_that_cannot_be_used(bad: str) -> None:
    with pytest.raises(StudyError, match="cannot be used"):
        write_study([], BOTH, top=300, storage=bad, name="s", attributes={})
