"""Evaluations that begin with a parent's weights: what they take, and that they can be repeated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator import evaluate as module
from praxis_evolve.evaluator.evaluate import evaluate
from praxis_evolve.evaluator.heritage import begin
from praxis_evolve.evaluator.job import Job, Setup
from praxis_evolve.evaluator.limits import Stop, Watch
from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.evaluator.schedule import Schedule
from praxis_evolve.evaluator.task import Task
from praxis_evolve.evaluator.train import Trained, train
from praxis_evolve.genome.build import build
from praxis_evolve.genome.graph import Entry, Genome, Part, Training, Visit
from praxis_evolve.genome.text import from_json, to_json

CATALOG = installed()
LOW, MIDDLE, TOP = 1280, 2560, 3840
STABLE = 9 * 128  # tokens of the stable phase of the lowest rung, ten steps of 4 x 32


@pytest.fixture
def heirs(small_setup: Setup) -> Setup:
    return replace(small_setup, inherit=True)


@pytest.fixture
def child(small_genome: Genome) -> Genome:
    """The parent with one more feed-forward, which begins silent."""
    block = Part("glu", CATALOG["glu"].defaults())
    last = len(small_genome.route) - 1
    return replace(
        small_genome,
        pool=(*small_genome.pool, Entry(block, lineage="new")),
        route=(*small_genome.route, Visit(len(small_genome.pool), (last,), last)),
    )


def lasting(result: Result) -> Result:
    return replace(result, measured=Measurement())


def run(setup: Setup, job: Job) -> Result:
    result = evaluate(job, setup, CATALOG)
    assert result.ok, result.reason
    return lasting(result)


def elsewhere(setup: Setup, folder: Path) -> Setup:
    folder.mkdir()
    return replace(setup, folder=str(folder))


def states(setup: Setup) -> set[str]:
    return {path.name for path in Path(setup.folder).glob("*.stable.safetensors")}


def bits(result: Result) -> float:
    assert result.bits_per_byte is not None
    return result.bits_per_byte


def test_a_child_goes_on_from_its_parent_and_says_with_how_much(
    heirs: Setup, small_genome: Genome, child: Genome
) -> None:
    parent = run(heirs, Job(small_genome, LOW))
    heir = run(heirs, Job(child, LOW, line=(small_genome,)))
    scratch = run(heirs, Job(child, LOW))
    assert parent.inherited_tokens == scratch.inherited_tokens == 0
    assert parent.costs is not None
    assert heir.costs is not None
    share = parent.costs.parameters / heir.costs.parameters
    assert heir.inherited_tokens == round(share * STABLE)
    assert bits(heir) < min(bits(parent), bits(scratch))
    assert heir.curve[0][1] < scratch.curve[0][1] - 0.5  # it begins where the parent was


def test_a_training_from_scratch_is_the_same_in_a_run_that_inherits(
    heirs: Setup, small_setup: Setup, small_genome: Genome, tmp_path: Path
) -> None:
    plain = run(elsewhere(small_setup, tmp_path / "plain"), Job(small_genome, MIDDLE))
    assert run(heirs, Job(small_genome, MIDDLE)) == plain


def test_without_its_ancestors_states_the_result_is_the_same(
    heirs: Setup, small_genome: Genome, child: Genome, tmp_path: Path
) -> None:
    second = replace(child, training=Training(learning_rate=0.005))
    run(heirs, Job(small_genome, LOW))
    run(heirs, Job(child, LOW, line=(small_genome,)))
    job = Job(second, LOW, line=(small_genome, child))
    first = run(heirs, job)
    alone = elsewhere(heirs, tmp_path / "alone")
    assert run(alone, job) == first
    assert len(states(alone)) == 3  # both ancestors were trained again, and are kept
    generation = first.inherited_tokens
    assert generation > STABLE  # the parent had inherited, too
    assert run(alone, job) == first


def test_the_tokens_of_a_line_add_up_by_shares(
    heirs: Setup, small_genome: Genome, child: Genome
) -> None:
    heir = run(heirs, Job(child, LOW, line=(small_genome,)))
    same = replace(child, training=Training(learning_rate=0.005))
    third = run(heirs, Job(same, LOW, line=(small_genome, child)))
    assert third.inherited_tokens == STABLE + heir.inherited_tokens  # all parameters were taken


def test_a_promoted_heir_equals_one_that_goes_there_at_once(
    heirs: Setup, small_genome: Genome, child: Genome, tmp_path: Path
) -> None:
    line = (small_genome,)
    steps = [run(heirs, Job(child, rung, line=line)) for rung in (LOW, MIDDLE, TOP)]
    direct = run(elsewhere(heirs, tmp_path / "direct"), Job(child, TOP, line=line))
    assert direct == steps[-1]
    assert {result.inherited_tokens for result in steps} == {direct.inherited_tokens}


def test_states_are_kept_for_children_and_apart_by_line(
    heirs: Setup, small_genome: Genome, child: Genome
) -> None:
    run(heirs, Job(small_genome, LOW))
    run(heirs, Job(small_genome, TOP))
    assert len(states(heirs)) == 1
    for line in ((), (small_genome,), (small_genome, small_genome)):
        run(heirs, Job(child, LOW, line=line))
    assert len(states(heirs)) == 5  # with that of the parent that inherited from itself


def test_the_only_rung_keeps_its_states_for_children(
    heirs: Setup, small_genome: Genome, child: Genome
) -> None:
    one = replace(heirs, rungs=(LOW,))
    heir = run(one, Job(child, LOW, line=(small_genome,)))
    assert heir == run(heirs, Job(child, LOW, line=(small_genome,)))
    assert len(states(heirs)) == 2


def test_heritage_is_the_line_with_its_lineage_ids(small_genome: Genome, child: Genome) -> None:
    job = Job(child, LOW, line=(small_genome,))
    assert Job(child, LOW).heritage == ""
    assert Job(child, TOP, 3, line=(small_genome,)).heritage == job.heritage
    read = from_json(to_json(child), CATALOG)
    assert Job(read, LOW, line=(small_genome,)).heritage == job.heritage
    pool = (replace(child.pool[0], lineage="other"), *child.pool[1:])
    others = (
        Job(child, LOW, line=(small_genome, small_genome)),
        Job(replace(child, pool=pool), LOW, line=(small_genome,)),
        Job(small_genome, LOW, line=(child,)),
    )
    assert len({job.heritage, *(other.heritage for other in others)}) == 4


def test_a_damaged_state_is_trained_again(
    heirs: Setup, small_genome: Genome, child: Genome, caplog: pytest.LogCaptureFixture
) -> None:
    job = Job(child, LOW, line=(small_genome,))
    first = run(heirs, job)
    for name in states(heirs):
        path = Path(heirs.folder, name)
        path.write_bytes(path.read_bytes()[:-1])
    assert run(heirs, job) == first
    assert "cannot be read" in caplog.text


def test_a_parent_that_cannot_be_trained_again_fails_the_child(
    heirs: Setup, small_genome: Genome, child: Genome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object, **__: object) -> Trained:
        return Trained([9.0], Stop("diverged", "the loss of step 0 is nan"))

    monkeypatch.setattr(module, "train", lost)
    result = evaluate(Job(child, LOW, line=(small_genome,)), heirs, CATALOG)
    assert (result.failure, result.bits_per_byte, result.inherited_tokens) == ("diverged", None, 0)
    assert result.reason == ("its parent could not be trained again: the loss of step 0 is nan")


def test_heirs_read_text_that_their_ancestors_did_not(
    small_task: Task, small_genome: Genome
) -> None:
    def losses(steps: int, past: int) -> list[float]:
        model = build(small_genome, catalog=CATALOG, context=32, seed=1)
        genes = Training(learning_rate=0.0, weight_decay=0.0)  # nothing is learned
        return train(
            model, small_task.train, genes, schedule=Schedule(1, steps, steps + 1), context=32,
            batch=2, seed=5, watch=Watch(), past=past,
        ).losses  # fmt: skip

    whole = losses(6, 0)
    assert losses(3, 3) == whole[3:]
    assert len(set(whole)) == 7


def test_nothing_in_common_is_a_training_from_scratch(small_genome: Genome, child: Genome) -> None:
    """At another width no tensor has its parent's shape: all begins as if drawn from scratch."""
    wide = replace(child, stack=replace(child.stack, width=64))
    model = build(wide, catalog=CATALOG, context=32)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    parent = build(small_genome, catalog=CATALOG, context=32, seed=3)
    tokens = begin(model, parent.state_dict(), small_genome, trained=1000, catalog=CATALOG)
    assert tokens == 0
    assert all(torch.equal(tensor, before[n]) for n, tensor in model.state_dict().items())
