import pickle
from dataclasses import replace

import pytest

from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.job import Job, Setup, failed, names
from praxis_evolve.genome.graph import Entry, Genome, Part, Visit
from praxis_evolve.genome.identity import architecture_id, genome_id

SETUP = Setup(task="t", task_digest="d", folder="f", rungs=(5, 9), memory_bytes=7, gate=False)


def test_a_setup_is_json_and_back() -> None:
    assert Setup.from_json(SETUP.to_json()) == SETUP
    with pytest.raises(TypeError, match="wings"):
        Setup.from_json('{"wings": 2, "rungs": [1]}')


def test_seeds_are_of_the_task_and_the_replica() -> None:
    seeds = {
        Setup(task="", task_digest=d, folder="", rungs=(1,)).seed(r) for d in "xy" for r in (0, 1)
    }
    assert len(seeds) == 4
    assert all(0 <= seed < 2**48 for seed in seeds)
    assert SETUP.seed(0) == Setup(task="u", task_digest="d", folder="", rungs=(1,)).seed(0)


def test_longer_trainings_are_measured_on_more_windows() -> None:
    setup = replace(SETUP, rungs=(1_000, 4_000, 10_000), search_windows=500)
    assert [setup.windows_at(rung) for rung in setup.rungs] == [64, 200, 500]
    assert setup.windows_at(99_000) == 500
    few = replace(setup, search_windows=9)
    assert [few.windows_at(rung) for rung in few.rungs] == [9, 9, 9]


def test_jobs_cross_a_pipe(small_genome: Genome) -> None:
    job = Job(small_genome, 5, replica=1, test=True)
    assert pickle.loads(pickle.dumps(job)) == job


def test_a_failure_is_named_by_the_genome(small_genome: Genome) -> None:
    catalog = installed()
    result = failed(Job(small_genome, 5, replica=2), SETUP, catalog, "worker died", "why")
    assert result.genome == genome_id(small_genome, catalog)
    assert result.architecture == architecture_id(small_genome, catalog)
    assert (result.rung, result.replica, result.seed) == (5, 2, SETUP.seed(2))
    assert (result.ok, result.failure, result.reason) == (False, "worker died", "why")


def test_even_a_genome_without_identity_has_a_name() -> None:
    broken = Genome((Entry(Part("no such block")),), (Visit(0),))
    other = Genome((Entry(Part("nor this one")),), (Visit(7),))
    assert names(broken, installed()) == names(broken, installed())
    assert names(broken, installed()) != names(other, installed())
