"""The stages of a run: tuning, evolution, baselines, finals."""

from __future__ import annotations

from dataclasses import replace
from json import dumps, loads
from random import Random

import pytest

from praxis_evolve.evaluator.job import Job
from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.genome.baselines import LEARNING_RATES, ROPE_BASES
from praxis_evolve.genome.identity import architecture_id, genome_id
from praxis_evolve.genome.starters import llama
from praxis_evolve.genome.text import to_json
from praxis_evolve.genome.traits import Trait, training_trait
from praxis_evolve.market.errors import StoreError
from praxis_evolve.market.manifest import FORMAT, Manifest
from praxis_evolve.market.plan import Plan
from praxis_evolve.search.base import (
    Asked,
    Assignment,
    Birth,
    Closed,
    Event,
    Finished,
)
from praxis_evolve.search.looks import CONTENDERS, settled
from praxis_evolve.search.replay import replay
from praxis_evolve.tests.market.loop import CATALOG, MANIFEST, invented

GRID = len(LEARNING_RATES) * len(ROPE_BASES)


def events(
    plan: Plan, *, workers: int = 1, close_after: int | None = None, speeds: Random | None = None
) -> list[Event]:
    """Run a plan to its end with invented results; the ordered log."""
    log, rng, number = list[Event](), Random(1), 0
    running = list[Assignment]()

    def tell(event: Event) -> None:
        log.append(event)
        plan.search.tell([event])

    while True:
        while len(running) < workers and (a := plan.search.ask(Birth("r", "me", number))):
            number += 1
            running.append(a)
            tell(Asked(a))
        if not running:
            return log
        ended = running.pop(rng.randrange(len(running)))
        tell(Finished(measured(invented(plan.job(ended)), speeds)))
        if close_after is not None and len(plan.results) == close_after:
            tell(Closed())


def measured(result: Result, speeds: Random | None) -> Result:
    """Return a result with invented columns of a machine, if there are speeds to draw."""
    if speeds is None:
        return result
    speed, memory = 2 ** speeds.uniform(8, 14), speeds.randrange(1 << 20, 1 << 24)
    columns = Measurement(tokens_per_second=speed, peak_memory_bytes=memory)
    return replace(result, measured=columns)


def asks(log: list[Event]) -> list[Assignment]:
    return [event.assignment for event in log if isinstance(event, Asked)]


def stage(assignment: Assignment) -> str:
    origin = assignment.origin.partition(":")[0]
    return origin if origin in ("tuning", "look", "baseline", "finalist") else "search"


def test_one_worker_goes_through_the_stages_in_order() -> None:
    plan = Plan(MANIFEST, CATALOG)
    stages = [stage(a) for a in asks(events(plan))]
    order = ["tuning", "search", "look", "baseline", "finalist"]
    assert stages == sorted(stages, key=order.index)
    replicas = len(MANIFEST.replicas)
    assert stages.count("tuning") == GRID
    assert stages.count("baseline") == 3 * replicas
    again = set(plan.chosen()) & {plan.identify(genome) for genome in plan.rivals().values()}
    assert stages.count("finalist") == (MANIFEST.finalists - len(again)) * replicas
    assert plan.search.done


@pytest.mark.parametrize("workers", [2, 7])
def test_finals_wait_for_the_end_of_the_evolution(workers: int) -> None:
    log = events(Plan(MANIFEST, CATALOG), workers=workers)
    first = next(
        i for i, e in enumerate(log) if isinstance(e, Asked) and e.assignment.origin == "finalist"
    )
    searched = {a.birth for a in asks(log) if stage(a) == "search"}
    assert searched == {a.birth for a in asks(log[:first]) if stage(a) == "search"}
    results = [e.result for e in log[:first] if isinstance(e, Finished) and e.result.replica == 0]
    assert len(results) == len(searched) + GRID


def test_baselines_take_the_tuned_rate_and_base() -> None:
    plan = Plan(MANIFEST, CATALOG)
    assert plan.tuned() is None
    assert plan.rivals() == {}
    log = events(plan)
    tuning = {plan.identify(a.genome): a.genome for a in asks(log) if a.origin == "tuning"}
    found = [r for r in plan.results if r.genome in tuning and r.replica == 0 and r.rung == 300]
    best = min((r for r in found if r.bits_per_byte is not None), key=_bits)
    tuned, rivals = tuning[best.genome], plan.rivals()
    assert rivals["llama"] == plan.tuned() == tuned
    assert {g.training for g in rivals.values()} == {tuned.training}
    bases = {
        e.block.settings["rope_base"]
        for name in ("llama", "llama-conv")
        for e in rivals[name].pool
        if e.block.name == "attention"
    }
    assert bases == {tuned.pool[0].block.settings["rope_base"]}
    trained = {plan.identify(a.genome) for a in asks(log) if stage(a) == "baseline"}
    assert trained == {plan.identify(genome) for genome in rivals.values()}


def test_the_best_of_the_top_rung_are_looked_at_again_and_the_best_of_these_are_finalists() -> None:
    plan = Plan(MANIFEST, CATALOG)
    log = events(plan)
    rivals = {plan.identify(genome) for genome in plan.rivals().values()}
    top = [r for r in plan.results if r.replica == 0 and r.rung == 300 and r.ok]
    top = [r for r in top if r.genome not in rivals]
    best = dict[str, str]()
    for result in sorted(top, key=_bits):
        best.setdefault(result.architecture, result.genome)
    contenders = list(best.values())[: CONTENDERS * MANIFEST.finalists]
    looked = {plan.identify(a.genome) for a in asks(log) if a.replica < 0}
    assert looked == set(contenders)
    assert plan.chosen() == settled(plan.results, contenders, rung=300)[: MANIFEST.finalists]
    finals = {plan.identify(a.genome) for a in asks(log) if a.replica > 0}
    assert set(plan.chosen()) | rivals == finals


def test_an_untuned_run_begins_with_the_evolution() -> None:
    plan = Plan(replace(MANIFEST, tuned=False), CATALOG)
    log = events(plan)
    assert stage(asks(log)[0]) == "search"
    assert {stage(a) for a in asks(log)} == {"search", "look", "baseline", "finalist"}


def test_a_run_of_before_second_looks_has_none() -> None:
    plan = Plan(replace(MANIFEST, looks=()), CATALOG)
    log = events(plan)
    assert "look" not in {stage(a) for a in asks(log)}
    assert plan.search.done
    assert len(plan.chosen()) == MANIFEST.finalists


@pytest.mark.parametrize("after", [GRID, GRID + 1, GRID + 9])
def test_closing_leads_to_the_finals(after: int) -> None:
    plan = Plan(MANIFEST, CATALOG)
    log = events(plan, workers=2, close_after=after)
    end = next(i for i, event in enumerate(log) if isinstance(event, Closed))
    assert {stage(a) for a in asks(log[end:])} <= {"look", "baseline", "finalist"}
    assert plan.search.done
    if plan.chosen():
        assert any(a.origin == "finalist" for a in asks(log))


def test_the_search_hears_nothing_of_a_baseline_outside_of_its_limits() -> None:
    usual = Plan(MANIFEST, CATALOG)
    most = usual.space.costs(llama(usual.space, layers=1)).parameters - 1
    plan = Plan(replace(MANIFEST, parameters=most, births=24, finalists=9), CATALOG)
    log = events(plan, workers=3)
    tuned = {plan.identify(a.genome) for a in asks(log) if a.origin == "tuning"}
    assert len(tuned) == 6
    assert plan.rivals()
    assert not tuned & set(plan.evolution.population.genomes)
    assert not tuned & set(plan.chosen())
    assert all(
        plan.space.costs(a.genome).parameters <= most
        for a in asks(log)
        if a.replica == 0 and a.origin != "tuning"
    )
    assert replay(Plan(plan.manifest, CATALOG).search, log, author="me") is None


def test_claims_are_no_results_until_they_are_trusted_and_no_longer_when_they_are_not() -> None:
    plan = Plan(MANIFEST, CATALOG)
    claim = invented(Job(plan.space.sample(Random(1), "x"), MANIFEST.rungs[-1], 0))
    for weight, known in ((0.25, []), (1.0, [claim]), (1.0, [claim]), (0.0, []), (0.5, [claim])):
        plan.search.tell([Finished(claim, weight)])
        assert plan.results == known


def test_what_machines_measured_replays_from_the_log() -> None:
    names = ("bits_per_byte", "tokens_per_second", "peak_memory_bytes")
    manifest = replace(MANIFEST, objectives=names, births=60, tuned=False)
    log, other = (
        events(Plan(manifest, CATALOG), workers=3, speeds=Random(seed)) for seed in (1, 2)
    )
    assert replay(Plan(manifest, CATALOG).search, log, author="me") is None
    assert [a.genome for a in asks(log)] != [a.genome for a in asks(other)]


def test_a_failed_tuning_leaves_the_search_without_rivals() -> None:
    plan = Plan(MANIFEST, CATALOG)
    for number in range(GRID):
        asked = plan.search.ask(Birth("r", "me", number))
        assert asked is not None
        assert asked.origin == "tuning"
        result = replace(invented(plan.job(asked)), bits_per_byte=None, failure="diverged")
        plan.search.tell([Asked(asked), Finished(result)])
    assert plan.rivals() == {}
    log = events(plan)
    assert {stage(a) for a in asks(log)} == {"search", "look", "finalist"}


def test_a_manifest_survives_its_text() -> None:
    assert Manifest.from_dict(MANIFEST.to_dict()) == MANIFEST


def _bits(result: Result) -> float:
    assert result.bits_per_byte is not None
    return result.bits_per_byte


def tuning(*, births: int = 14) -> Manifest:
    genome = llama(MANIFEST.space(CATALOG), layers=1)
    return replace(
        MANIFEST, original=to_json(genome), tuned=False, finalists=1, births=births,
        population=births, objectives=("bits_per_byte",),
    )  # fmt: skip


def test_a_tuning_tries_one_architecture_beside_the_original() -> None:
    plan = Plan(tuning(), CATALOG)
    assert plan.original is not None
    log = events(plan, workers=2)
    assert plan.search.done
    assert len({architecture_id(a.genome, CATALOG) for a in asks(log)}) == 1
    assert list(plan.rivals().values()) == [plan.original]
    replicas = len(MANIFEST.replicas)
    finals = [a for a in asks(log) if a.replica > 0]
    assert [stage(a) for a in finals].count("baseline") == replicas
    assert [stage(a) for a in finals].count("finalist") == replicas
    assert len(plan.chosen()) == 1
    assert plan.identify(plan.original) not in plan.chosen()
    assert replay(Plan(tuning(), CATALOG).search, log, author="me") is None


def test_a_manifest_of_the_second_format_has_neither_original_nor_history() -> None:
    new = ("original", "history")
    old = {k: v for k, v in MANIFEST.to_dict().items() if k not in new} | {"format": 2}
    assert Manifest.from_dict(old) == MANIFEST
    with pytest.raises(StoreError, match=f"format {FORMAT + 1}"):
        Manifest.from_dict({**MANIFEST.to_dict(), "format": FORMAT + 1})


def test_a_manifest_of_the_third_format_has_no_limit_of_memory_and_no_reference() -> None:
    new = ("memory_bytes", "reference")
    old = {k: v for k, v in MANIFEST.to_dict().items() if k not in new} | {"format": 3}
    assert Manifest.from_dict(old) == MANIFEST
    assert dict(MANIFEST.measured_limits) == {}


def test_who_was_measured_to_break_a_limit_is_no_finalist() -> None:
    manifest = replace(MANIFEST, finalists=4, births=24, looks=())
    free, limited = (Plan(replace(manifest, memory_bytes=limit), CATALOG) for limit in (None, 1000))
    log, heavy = list[Event](), set[str]()
    for number in range(200):
        if (asked := free.search.ask(Birth("run", "author", number))) is None:
            break
        log += [Asked(asked), Finished(weighed(invented(free.job(asked)), heavy))]
        free.search.tell(log[-2:])
    limited.search.tell(log)
    for number in range(200, 400):  # who keeps the limit is promoted in the place of who does not
        if (asked := limited.search.ask(Birth("run", "author", number))) is None:
            break
        result = weighed(invented(limited.job(asked)), heavy)
        limited.search.tell([Asked(asked), Finished(result)])
    assert set(free.chosen()) & heavy
    assert limited.chosen()
    assert not set(limited.chosen()) & heavy


def weighed(result: Result, heavy: set[str]) -> Result:
    """Every second genome takes more than 1,000 bytes."""
    weighs = int(result.genome[:2], 16) % 2
    if weighs:
        heavy.add(result.genome)
    measured = Measurement(peak_memory_bytes=900 + 200 * weighs)
    return replace(result, measured=measured)


def told(count: int = 4) -> tuple[Manifest, list[str]]:
    """A manifest with a history, and the ids of its genomes."""
    space, rng = MANIFEST.space(CATALOG), Random(8)
    genomes = [space.sample(rng, f"theirs/{number}") for number in range(count)]
    names = [genome_id(genome, CATALOG) for genome in genomes]
    return replace(MANIFEST, history=tuple(map(to_json, genomes))), names


def test_a_history_is_tried_first_and_counts_as_born() -> None:
    manifest, names = told()
    plan = Plan(manifest, CATALOG)
    log = events(plan)
    searched = [a for a in asks(log) if stage(a) == "search"]
    assert [plan.identify(a.genome) for a in searched[:4]] == names
    assert [a.origin for a in searched].count("history") == 4
    assert all(a.rung == MANIFEST.rungs[0] for a in searched[:4])
    assert plan.evolution.population.births == MANIFEST.births
    assert replay(Plan(manifest, CATALOG).search, log, author="me") is None


def test_nothing_of_a_history_is_known_before_it_was_evaluated() -> None:
    manifest, names = told()
    plan = Plan(manifest, CATALOG)
    assert plan.results == []
    assert not any(plan.evolution.population.seen(name) for name in names)


def test_a_closed_run_lets_its_history_be() -> None:
    manifest, _ = told()
    log = events(Plan(manifest, CATALOG), close_after=GRID + 1)
    assert sum(a.origin == "history" for a in asks(log)) < 4
    assert any(stage(a) == "baseline" for a in asks(log))


def test_own_genomes_are_tried_before_the_history_under_their_names() -> None:
    found, names = told(3)
    b, a, _ = found.history
    manifest = replace(found, genomes={"b": b, "a": a})
    assert Manifest.from_dict(loads(dumps(manifest.to_dict()))) == manifest
    plan = Plan(manifest, CATALOG)
    log = events(plan, workers=2)
    searched = [each for each in asks(log) if stage(each) == "search"][:3]
    assert [plan.identify(each.genome) for each in searched] == [names[1], names[0], names[2]]
    assert [each.origin for each in searched] == ["genome:a", "genome:b", "history"]
    assert plan.evolution.population.births == MANIFEST.births
    assert replay(Plan(manifest, CATALOG).search, log, author="me") is None


def test_a_resumed_run_goes_on_with_its_own_genomes() -> None:
    found, _ = told(4)
    manifest = replace(found, history=(), genomes=dict(zip("abcd", found.history, strict=True)))
    log = events(Plan(manifest, CATALOG))
    second = next(n for n, e in enumerate(log) if isinstance(e, Asked) and is_second(e))
    resumed = Plan(Manifest.from_dict(loads(dumps(manifest.to_dict()))), CATALOG)
    resumed.search.tell(log[:second])
    for number, event in enumerate(log[second:], start=second):
        if isinstance(event, Asked):
            assert resumed.search.ask(event.assignment.birth) == event.assignment, number
        resumed.search.tell([event])
    assert resumed.search.done


def is_second(event: Asked) -> bool:
    return event.assignment.origin == "genome:b"


def test_a_manifest_of_the_fourth_format_has_neither_genomes_nor_priors() -> None:
    new = ("genomes", "priors")
    old = {k: v for k, v in MANIFEST.to_dict().items() if k not in new} | {"format": 4}
    assert Manifest.from_dict(old) == MANIFEST


def test_priors_guide_children_and_a_run_that_is_resumed_or_replayed() -> None:
    rate = training_trait("learning_rate", 0.02)
    named = {"norm=layernorm": 0.5, "after glu=mingru": -0.2, f"learning_rate={rate.value}": 0.5}
    manifest = replace(MANIFEST, priors=named, births=4 * MANIFEST.population)
    assert manifest.expected == {
        Trait("norm", "layernorm"): 0.5,
        Trait("after glu", "mingru"): -0.2,
        rate: 0.5,
    }
    kept = Manifest.from_dict(loads(dumps(manifest.to_dict())))
    assert kept == manifest
    log = events(Plan(manifest, CATALOG), workers=2)
    assert replay(Plan(kept, CATALOG).search, log, author="me") is None
    without = replay(Plan(replace(manifest, priors={}), CATALOG).search, log, author="me")
    assert without is not None  # a child: founders are the same
    born = [each for each in asks(log) if stage(each) == "search" and each.origin != "promote"]
    assert without.logged in born[MANIFEST.population :]


def test_genomes_of_others_outside_of_the_limits_are_not_born() -> None:
    wide, rng = Plan(MANIFEST, CATALOG).space, Random(1)
    drawn = [wide.sample(rng, f"{n}") for n in range(9)]
    drawn.sort(key=lambda genome: wide.costs(genome).parameters)
    most = wide.costs(drawn[4]).parameters
    plan = Plan(replace(MANIFEST, parameters=most), CATALOG)
    assert not plan.space.legal(drawn[-1])
    for genome in drawn:
        birth = Birth("r", "other", 0)
        asked = Assignment(genome, MANIFEST.rungs[0], 0, birth, "peer")
        plan.search.tell([Finished(invented(Job(genome, asked.rung, 0)), 1.0, asked)])
        born = plan.identify(genome) in plan.evolution.population.genomes
        assert born is plan.space.legal(genome)


def test_an_answer_that_is_not_trusted_any_more_is_asked_for_again() -> None:
    plan = Plan(MANIFEST, CATALOG)
    asked = plan.search.ask(Birth("r", "me", 0))
    assert asked is not None
    assert asked.origin == "tuning"
    theirs = replace(asked, birth=Birth("r", "other", 0))
    answer = Finished(invented(Job(asked.genome, asked.rung, 0)), 1.0, theirs)
    plan.search.tell([answer])
    other = plan.search.ask(Birth("r", "me", 0))
    assert other is not None
    assert other.genome != asked.genome
    plan.search.tell([replace(answer, weight=0.0)])
    assert plan.search.ask(Birth("r", "me", 0)) == asked
