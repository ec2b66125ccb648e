"""Real trainings in a simulated swarm."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest

from praxis_evolve.benchmarks.landscape import CATALOG
from praxis_evolve.benchmarks.liars import RUN, middling, options, swarm
from praxis_evolve.benchmarks.trained import BLIND, RUNGS, Trained, manifest, setup
from praxis_evolve.benchmarks.training import trainings
from praxis_evolve.evaluator.job import Job
from praxis_evolve.evaluator.result import Result
from praxis_evolve.evaluator.task import embedded_task
from praxis_evolve.genome.identity import identify
from praxis_evolve.genome.starters import llama
from praxis_evolve.search.base import Assignment, Birth

TASK = embedded_task()
LLAMA = llama(manifest(TASK, 1, seed=0).space(CATALOG), layers=2)


def noted(jobs: list[Job], *, failing: int = -1) -> Trained:
    """Return the trainings of seed 5 by a formula, of which one replica may fail."""

    def evaluate(job: Job) -> Result:
        jobs.append(job)
        name = identify(job.genome, CATALOG)
        bits = None if job.replica == failing else 2.0 + job.replica / 8
        return Result(
            name.genome, name.architecture, job.rung, job.replica, 7, bits,
            None if bits is None or not job.test else bits + 1.0,
            failure="diverged" if bits is None else None,
        )  # fmt: skip

    return Trained(evaluate, TASK, seed=5)


def test_searches_of_one_seed_share_trainings_that_no_final_has() -> None:
    jobs = list[Job]()
    training = noted(jobs)
    found = training.measured(Assignment(LLAMA, RUNGS[0], 0, Birth(RUN, "", 0)))
    assert (found.rung, found.replica, found.bits_per_byte) == (RUNGS[0], 0, 2.0 + 15 / 8)
    assert found.test_bits_per_byte is None
    truth = training.worth(LLAMA)
    assert truth == fmean(3.0 + replica / 8 for replica in (16, 17))
    assert [(job.rung, job.replica, job.test) for job in jobs] == [
        (RUNGS[0], 15, False), (RUNGS[-1], 16, True), (RUNGS[-1], 17, True)
    ]  # fmt: skip
    assert training.manifest(40).seed == 5


def test_what_cannot_be_trained_again_is_worth_what_the_blind_know() -> None:
    assert noted([], failing=16).worth(LLAMA) == fmean((BLIND, 3.0 + 17 / 8))


def test_all_genomes_of_a_run_are_as_small_as_the_usual_one(tmp_path: Path) -> None:
    of = manifest(TASK, 64, seed=3)
    space = of.space(CATALOG)
    assert space.legal(LLAMA)
    assert space.costs(LLAMA).flops <= (of.flops or 0) <= 1.03 * space.costs(LLAMA).flops
    found = setup(TASK, tmp_path)
    assert (found.rungs, found.context, found.batch) == (of.rungs, of.context, of.batch)
    assert (tmp_path / "task").exists()


def test_a_genome_is_trained_on_a_text_once(tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    asked = Assignment(LLAMA, RUNGS[0], 0, Birth(RUN, "", 0))
    found = list[Result]()
    for _ in range(2):
        with trainings(options().parse_args(["--text", TASK.name, "--kept", str(file)])) as make:
            found += [make(0).measured(asked), make(0).measured(asked)]
    assert found == [found[0]] * 4
    assert 1.0 < (found[0].bits_per_byte or 0.0) < 6.0
    assert len(file.read_text().splitlines()) == 1


@pytest.mark.slow
def test_a_swarm_trains_on_a_text_and_finds_what_the_next_call_finds(tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    command = ["--text", TASK.name, "--kept", str(file)]
    found, lengths = list[object](), list[int]()
    for _ in range(2):
        with trainings(options().parse_args(command)) as make:
            training = make(0)
            some = swarm(training, 2, 1, births=16, evaluations=4, seed=0)
            found.append((some, middling(training, seed=0, samples=1)))
        lengths.append(len(file.read_text().splitlines()))
    assert found[0] == found[1]
    assert 4 <= lengths[0] == lengths[1]


def test_a_text_that_is_not_there_is_said(tmp_path: Path) -> None:
    command = ["--text", "tinyshakespeare", "--bench", str(tmp_path)]
    with (
        pytest.raises(SystemExit, match=r"tinyshakespeare is skipped: there is no .*PRAXIS_BENCH"),
        trainings(options().parse_args(command)),
    ):
        pass
