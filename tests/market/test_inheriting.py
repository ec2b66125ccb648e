"""Runs whose children inherit weights: jobs hang on the log alone, and finals never inherit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from praxis_evolve.evaluator.job import Job
from praxis_evolve.evaluator.result import Result
from praxis_evolve.market.drive import drive
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.plan import Plan
from praxis_evolve.market.worker import Wish
from praxis_evolve.search.base import Asked, Assignment, Birth, Finished
from praxis_evolve.search.finals import finalists
from praxis_evolve.search.looks import CONTENDERS, settled
from praxis_evolve.search.replay import replay
from praxis_evolve.tests.market.loop import CATALOG, MANIFEST, Parallel, Seen, after, invented

RUN = "run"
INHERITING = replace(MANIFEST, inherit=True, population=8, births=32)
TOP = INHERITING.rungs[-1]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger.open(f"sqlite:///{tmp_path / 'store.db'}", catalog=CATALOG, now=lambda: 1000.0)
    made.create_run(RUN, INHERITING.to_dict())
    return made


def alone(plan: Plan) -> list[tuple[Assignment, Job]]:
    """Run a plan to its end with one worker; all work in its order."""
    done = list[tuple[Assignment, Job]]()
    while (asked := plan.search.ask(Birth("r", "me", len(done)))) is not None:
        plan.search.tell([Asked(asked)])
        done.append((asked, plan.job(asked)))
        plan.search.tell([Finished(invented(done[-1][1]))])
    assert plan.search.done
    return done


def test_children_get_the_line_of_their_parents_and_finals_get_none() -> None:
    plan = Plan(replace(INHERITING, births=64), CATALOG)
    done = alone(plan)
    lines = {plan.identify(job.genome): job.line for asked, job in done if asked.parents}
    deepest = 0
    for asked, job in done:
        assert (job.genome, job.rung, job.replica) == (asked.genome, asked.rung, asked.replica)
        if job.replica or not asked.parents:
            assert job.line == ()
        elif asked.origin == "promote":
            assert job.line == lines[asked.parents[0]]
        elif job.line:
            parent = plan.identify(job.line[-1])
            assert parent in asked.parents
            assert job.line[:-1] == lines.get(parent, ())
            deepest = max(deepest, len(job.line))
    assert deepest > 2
    assert {job.replica for _, job in done} == {*INHERITING.looks, 0, 1, 2}


def test_finalists_are_the_best_of_both_kinds() -> None:
    plan = Plan(INHERITING, CATALOG)
    alone(plan)
    genomes = plan.evolution.population.genomes
    rivals = {plan.identify(genome) for genome in plan.rivals().values()}
    known = {name: genome for name, genome in genomes.items() if name not in rivals}
    found = finalists(plan.ranked(), known, top_rung=TOP, count=100)
    assert plan.chosen() == settled(plan.results, found[: 2 * CONTENDERS], rung=TOP)[:2]
    scores = {r.genome: r.bits_per_byte for r in plan.ranked() if r.rung == TOP}
    top = [name for name in found if name in scores]
    kinds = {r.genome: r.inherited_tokens > 0 for r in plan.results if r.rung == TOP}
    assert {kinds[name] for name in top} == {False, True}
    ranked = [score for name in top if (score := scores[name]) is not None]
    assert ranked == sorted(ranked)


@pytest.mark.parametrize("seed", range(2))
def test_a_run_that_was_stopped_gives_out_the_same_lines_and_replays(
    ledger: Ledger, identity: Identity, seed: int
) -> None:
    rng, given = Random(seed), dict[str, set[tuple[str, ...]]]()

    def evaluate(job: Job) -> Result:
        name = f"{plan.identify(job.genome)}/{job.rung}/{job.replica}"
        given.setdefault(name, set()).add(tuple(map(plan.identify, job.line)))
        return invented(job)

    plan = Plan(INHERITING, CATALOG)
    for _ in range(200):
        drive(
            ledger, RUN, Plan(INHERITING, CATALOG), identity=identity,
            pool=Parallel(3, evaluate, rng), watcher=Seen(),
            wish=after(rng.randint(1, 9), Wish.STOP), now=lambda: 1000.0,
        )  # fmt: skip
        if ledger.run(RUN).state == "finished":
            break
    assert ledger.run(RUN).state == "finished"
    assert all(len(lines) == 1 for lines in given.values())
    fresh = Plan(INHERITING, CATALOG).search
    assert replay(fresh, ledger.events(RUN), author=identity.author) is None
    ledger.close()


def test_without_the_mode_nobody_inherits() -> None:
    plan = Plan(MANIFEST, CATALOG)
    assert not MANIFEST.inherit
    assert plan.ranked() is plan.results
