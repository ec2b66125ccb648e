"""The golden genome: its curve is that of a training in double precision, and faults leave it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.evaluate import Evaluator
from praxis_evolve.evaluator.golden import (
    BATCH,
    CONTEXT,
    EXPECTED,
    TOLERANCE,
    deviation,
    golden_genome,
    golden_job,
    golden_setup,
    golden_task,
)
from praxis_evolve.evaluator.limits import Watch
from praxis_evolve.evaluator.measure import measure
from praxis_evolve.evaluator.result import Result
from praxis_evolve.evaluator.schedule import schedule
from praxis_evolve.evaluator.task import VOCABULARY
from praxis_evolve.evaluator.train import train
from praxis_evolve.genome.build import build
from praxis_evolve.market.tally import TOLERANCE as BELIEVED
from praxis_evolve.tests.evaluator.golden_jobs import FAULTS, rounded

CATALOG = installed()
ROUNDING = 5e-6
"""What float32 may add on any sound machine; 5e-7 was the most that was seen."""


def answered(folder: Path) -> Result:
    return Evaluator(golden_setup(folder, device="cpu"), CATALOG)(golden_job(CATALOG))


def test_the_constants_are_a_training_in_double_precision(tmp_path: Path) -> None:
    setup, job = golden_setup(tmp_path, device="cpu"), golden_job(CATALOG)
    task, seed = golden_task(), setup.seed(0)
    model = build(job.genome, catalog=CATALOG, context=CONTEXT, vocabulary=VOCABULARY, seed=seed)
    genes = job.genome.training
    plan = schedule(
        job.rung, lowest=job.rung, warmup=genes.warmup, tokens_per_step=setup.tokens_per_step
    )
    trained = train(
        model.double(), task.train, genes, schedule=plan, context=CONTEXT, batch=BATCH, seed=seed,
        watch=Watch(),
    )  # fmt: skip
    windows = task.windows("search", context=CONTEXT, count=setup.windows_at(job.rung))
    found = [loss / math.log(2) for loss in trained.losses] + [
        measure(model, windows).bits_per_byte
    ]
    assert found == pytest.approx(EXPECTED, abs=1e-8)


def test_a_sound_machine_is_far_within_the_tolerance(tmp_path: Path) -> None:
    result = answered(tmp_path)
    assert result.ok
    assert deviation(result) < ROUNDING < TOLERANCE / 10
    assert TOLERANCE <= BELIEVED / 10, "who is let in is not found wrong for its rounding"


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_broken_product_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(F, "linear", FAULTS[fault])
    assert deviation(answered(tmp_path)) > 10 * TOLERANCE


def test_what_failed_is_as_far_off_as_can_be(tmp_path: Path) -> None:
    result = answered(tmp_path)
    failed = replace(result, bits_per_byte=None, failure="refused", reason="by the gate")
    assert deviation(failed) == math.inf
    assert deviation(replace(result, curve=result.curve[1:])) == math.inf
    off = ((result.curve[0][0], result.curve[0][1] + 1.0), *result.curve[1:])
    assert deviation(replace(result, curve=off)) == pytest.approx(1.0, abs=1e-4)
    nan = (*result.curve[:-1], (result.curve[-1][0], math.nan))
    assert deviation(replace(result, curve=nan)) == math.inf


def test_it_has_blocks_of_all_kinds_that_compute_otherwise() -> None:
    families = {CATALOG[entry.block.name].family for entry in golden_genome(CATALOG).pool}
    assert families == {"attention", "feedforward", "recurrent"}


def test_rounding_keeps_so_many_bits() -> None:
    x = torch.tensor([1.0 + 2**-10, 1.0 + 2**-12, -3.1415927])
    assert rounded(x, 10).tolist() == [1.0 + 2**-10, 1.0, -3.140625]
