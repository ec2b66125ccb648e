"""Results that are kept: each evaluation is done once, whoever asks again and in which call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

from praxis_evolve.benchmarks.kept_results import KeptResults
from praxis_evolve.benchmarks.landscape import CATALOG, manifest
from praxis_evolve.evaluator.job import Job, Setup
from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.genome.identity import identify
from praxis_evolve.search.species import Species

SETUP = Setup(task="", task_digest="ab" * 32, folder="", rungs=(100, 300))
SPECIES = Species(manifest(1).space(CATALOG))
GENOME = SPECIES.sample(Random(0), "b")


class Counting:
    """An evaluator that fails at the top rung, and knows what it was asked for."""

    def __init__(self) -> None:
        self.jobs = list[Job]()

    def __call__(self, job: Job) -> Result:
        self.jobs.append(job)
        name = identify(job.genome, CATALOG)
        found = Result(
            name.genome, name.architecture, job.rung, job.replica, 7, 2.5,
            2.75 if job.test else None, curve=((100, 3.0),), costs=SPECIES.costs(job.genome),
            measured=Measurement(seconds=1.5),
        )  # fmt: skip
        if job.rung == 100:
            return found
        return replace(found, bits_per_byte=None, failure="diverged", reason="loss is nan")


def test_what_was_found_is_read_again_and_nothing_else_is(tmp_path: Path) -> None:
    file, evaluate = tmp_path / "runs" / "kept.jsonl", Counting()
    kept = KeptResults(evaluate, SETUP, CATALOG, file)
    jobs = [Job(GENOME, 100), Job(GENOME, 100, test=True), Job(GENOME, 100, 1), Job(GENOME, 300)]
    found = [kept(job) for job in jobs]
    assert found == [kept(job) for job in jobs] == [Counting()(job) for job in jobs]
    assert evaluate.jobs == jobs

    with file.open("a") as lines:
        lines.write('{"key": "half a li')  # the call was killed
    later = Counting()
    again = KeptResults(later, SETUP, CATALOG, file)
    assert [again(job) for job in jobs] == found
    assert later.jobs == []
    other = Job(SPECIES.sample(Random(1), "b"), 100)
    assert again(other) == KeptResults(Counting(), SETUP, CATALOG, file)(other)
    assert later.jobs == [other]


def test_a_result_of_another_text_or_shape_is_none(tmp_path: Path) -> None:
    file, job = tmp_path / "kept.jsonl", Job(GENOME, 100)
    KeptResults(Counting(), SETUP, CATALOG, file)(job)
    others = [
        replace(SETUP, task_digest="cd" * 32),
        replace(SETUP, rungs=(100, 200)),
        replace(SETUP, context=64),
        replace(SETUP, batch=8),
        replace(SETUP, search_windows=8),
        replace(SETUP, test_windows=8),
    ]
    for other in others:
        evaluate = Counting()
        KeptResults(evaluate, other, CATALOG, file)(job)
        assert evaluate.jobs == [job]
