"""What others claim gives genomes to try, in the order of the claims, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Literal

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from praxis_evolve.blocks.registry import installed
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.space import Limits, Space
from praxis_evolve.genome.starters import llama
from praxis_evolve.genome.text import to_json
from praxis_evolve.search.history import GENOME, Claim, claims, history
from praxis_evolve.search.optuna_study import StudyError

SPACE = Space(installed(), limits=Limits(visits=8))
USUAL = llama(SPACE, layers=2)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'study.db'}"


def numbers(told: list[Claim]) -> list[object]:
    return [claim.genome for claim in told]


def filled(url: str, direction: Literal["minimize", "maximize"] = "minimize") -> None:
    """A study of five trials, each with its number for a genome."""
    study = optuna.create_study(storage=url, study_name="s", direction=direction)
    states: list[tuple[TrialState, float | None, dict[int, float]]] = [
        (TrialState.COMPLETE, 3.0, {100: 9.0}),
        (TrialState.PRUNED, None, {100: 1.0}),
        (TrialState.COMPLETE, 2.0, {}),
        (TrialState.PRUNED, None, {100: 5.0, 300: 4.0}),
        (TrialState.FAIL, None, {100: 0.1}),
        (TrialState.PRUNED, None, {}),
    ]
    for number, (state, value, between) in enumerate(states):
        attributes = {GENOME: number}
        study.add_trial(
            create_trial(
                state=state, value=value, intermediate_values=between, user_attrs=attributes
            )
        )


def test_claims_come_in_their_order(url: str) -> None:
    filled(url)
    assert numbers(claims(url, "s")) == [2, 0, 3, 1]


def test_the_only_study_needs_no_name_and_more_is_better_where_it_says_so(url: str) -> None:
    filled(url, "maximize")
    assert numbers(claims(url)) == [0, 2, 3, 1]


def test_of_several_values_bits_per_byte_decide(url: str) -> None:
    study = optuna.create_study(storage=url, study_name="s", directions=["minimize", "minimize"])
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        study.set_metric_names(["flops", "bits_per_byte"])
    for number, values in enumerate([(1.0, 5.0), (2.0, 4.0), (9.0, 3.0)]):
        study.add_trial(create_trial(values=values, user_attrs={GENOME: number}))
    assert numbers(claims(url)) == [2, 1, 0]


def test_a_study_that_is_not_there_names_the_nearest(url: str, tmp_path: Path) -> None:
    filled(url)
    with pytest.raises(StudyError, match=r"no study 'S1'; the nearest are \['s'\]"):
        claims(url, "S1")
    optuna.create_study(storage=url, study_name="t")
    with pytest.raises(StudyError, match="2 studies"):
        claims(url)
    with pytest.raises(StudyError, match="no file"):
        claims(f"sqlite:///{tmp_path / 'none.db'}")
    assert not (tmp_path / "none.db").exists()


def test_legal_genomes_come_once_and_others_are_counted() -> None:
    rng = Random(1)
    drawn = [SPACE.sample(rng, str(number)) for number in range(3)]
    wide = replace(drawn[0], stack=replace(drawn[0].stack, width=96))
    foreign = to_json(USUAL).replace('"attention"', '"their_own_block"')
    told = [Claim(to_json(genome), {}) for genome in (*drawn, drawn[1], wide)]
    told += [Claim(foreign, {}), Claim("{", {}), Claim(7, {}), Claim(None, {"lr": 1.0})]
    found = history(told, SPACE, USUAL)
    assert list(found.genomes.values()) == drawn
    assert sum(found.left_out.values()) == 5
    assert found.left_out["their genome is outside the space or its limits"] == 1
    assert found.left_out["their genome cannot be read, or has blocks that are not here"] == 3
    assert found.left_out["they name neither a genome nor a training gene"] == 1


def only(found: dict[str, Genome]) -> Genome:
    (genome,) = found.values()
    return genome


def test_training_genes_alone_are_those_of_the_usual_block() -> None:
    params = {"learning_rate": 0.0123456, "training.beta2": 0.98, "batch_size": 32, "clip": 2}
    found = only(dict(history([Claim(None, params)], SPACE, USUAL).genomes))
    assert replace(found, training=USUAL.training) == USUAL
    assert found.training == replace(USUAL.training, learning_rate=0.0123, beta2=0.98, clip=2.0)
    assert SPACE.problems(found) == []


@pytest.mark.parametrize("params", [{"learning_rate": 0.5}, {"beta2": 0.97}, {"clip": "much"}])
def test_training_genes_outside_their_range_are_left_out(params: dict[str, object]) -> None:
    found = history([Claim(None, params)], SPACE, USUAL)
    assert found.genomes == {}
    assert found.left_out == {"a training gene is outside its range": 1}


def test_a_study_by_somebody_else_can_be_read(url: str) -> None:
    study = optuna.create_study(storage=url, study_name="theirs")
    for rate in (0.02, 0.01):
        study.add_trial(
            create_trial(
                value=rate,
                params={"learning_rate": rate},
                distributions={"learning_rate": FloatDistribution(1e-5, 1.0, log=True)},
            )
        )
    found = history(claims(url, "theirs"), SPACE, USUAL)
    assert [g.training.learning_rate for g in found.genomes.values()] == [0.01, 0.02]
