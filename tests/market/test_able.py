"""What a machine can do is a fact of the log: nothing beyond it is drawn, and a replay agrees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from praxis_evolve.evaluator.pool import Pool, SerialPool
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.cost import costs
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.identity import canonical
from praxis_evolve.market.drive import drive
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.plan import Plan
from praxis_evolve.market.worker import Wish
from praxis_evolve.search.algorithms import algorithms
from praxis_evolve.search.base import (
    UNLIMITED,
    Able,
    Asked,
    Assignment,
    Birth,
    Event,
    Expired,
    Finished,
)
from praxis_evolve.search.replay import replay
from praxis_evolve.tests.market.loop import CATALOG, MANIFEST, Seen, after, always, invented

FREE = replace(MANIFEST, tuned=False)
LOW, HIGH = MANIFEST.rungs


def bytes_of(genome: Genome) -> float:
    """What training holds, written out again: four numbers a parameter, and those of each token."""
    form = canonical(genome, CATALOG)
    found = costs(form, catalog=CATALOG, context=MANIFEST.context)
    tokens = MANIFEST.batch * MANIFEST.context
    width = genome.stack.width
    return 16 * found.parameters + 4 * tokens * (
        8 * len(form.route) * width + found.flops / width + 3 * 256
    )


def operations_of(genome: Genome, rung: int) -> float:
    found = costs(canonical(genome, CATALOG), catalog=CATALOG, context=MANIFEST.context)
    return 3 * found.flops * rung


SAMPLES = [Plan(FREE, CATALOG).species.sample(Random(n), "") for n in range(40)]
BYTES = sorted(map(bytes_of, SAMPLES))
OPERATIONS = sorted(operations_of(genome, LOW) for genome in SAMPLES)


def able_of(memory: float | None, operations: float | None) -> Able:
    """What so small a share of samples needs."""

    def at(several: Sequence[float], share: float | None) -> float | None:
        return None if share is None else several[int(share * (len(several) - 1))]

    most = at(BYTES, memory)
    return Able(None if most is None else int(most) + 1, at(OPERATIONS, operations))


def within(able: Able, asked: Assignment) -> bool:
    memory, operations = able.memory_bytes, able.operations
    fits = memory is None or bytes_of(asked.genome) <= memory + 1
    return fits and (
        operations is None or operations_of(asked.genome, asked.rung) <= operations * (1 + 1e-9)
    )


def worked(plan: Plan, ables: Sequence[tuple[int, Able]], author: str = "me") -> list[Event]:
    """Run a plan while the machine changes after so many events; the ordered log."""
    log, left, number, running = list[Event](), list(ables), 0, list[Assignment]()
    rng = Random(len(ables))

    def tell(event: Event) -> None:
        log.append(event)
        plan.search.tell([event])

    while True:
        while left and left[0][0] <= len(log):
            tell(left.pop(0)[1])
        while len(running) < 2 and (asked := plan.search.ask(Birth("r", author, number))):
            number += 1
            running.append(asked)
            tell(Asked(asked))
        if not running:
            return log
        ended = running.pop(rng.randrange(len(running)))
        lost = rng.random() < 0.1
        tell(Expired(ended.birth) if lost else Finished(invented(plan.job(ended))))


def assert_within(log: Sequence[Event]) -> int:
    """All that was asked fits what was told last; return how much was asked."""
    able, asks = UNLIMITED, 0
    for event in log:
        if isinstance(event, Able):
            able = event
        elif isinstance(event, Asked):
            asks += 1
            assert within(able, event.assignment), event.assignment.origin
    return asks


shares = st.one_of(st.none(), st.floats(0.05, 1.0))
ables = st.builds(able_of, shares, shares)


@settings(max_examples=10)
@given(
    changes=st.lists(st.tuples(st.integers(0, 40), ables), min_size=1, max_size=3),
    seed=st.integers(0, 1000),
    tuned=st.booleans(),
)
def test_nothing_beyond_the_machine_is_drawn_and_a_replay_agrees(
    changes: list[tuple[int, Able]], seed: int, tuned: bool
) -> None:
    manifest = replace(FREE, seed=seed, tuned=tuned)
    several = sorted(changes, key=lambda change: change[0])
    log = worked(Plan(manifest, CATALOG), several)
    assert_within(log)
    assert replay(Plan(manifest, CATALOG).search, log, author="me") is None


@pytest.mark.parametrize("name", sorted(algorithms()))
def test_every_algorithm_goes_on_with_what_fits(name: str) -> None:
    manifest = replace(FREE, search=name)
    log = worked(Plan(manifest, CATALOG), [(0, able_of(0.5, 0.5))])
    assert assert_within(log) >= 6
    assert replay(Plan(manifest, CATALOG).search, log, author="me") is None


def test_an_algorithm_of_others_is_not_given_what_it_asks_for_beyond_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    largest = max(SAMPLES, key=bytes_of)

    class Stubborn:
        done = False

        def ask(self, birth: Birth) -> Assignment:
            return Assignment(largest, LOW, 0, birth, "mine")

        def tell(self, events: Sequence[Event]) -> None:
            pass

    def stubborn(breeding: object, terms: object) -> Stubborn:
        return Stubborn()

    def algorithm(name: str) -> object:
        return stubborn

    monkeypatch.setattr("praxis_evolve.market.plan.algorithm", algorithm)
    plan = Plan(FREE, CATALOG)
    first = plan.search.ask(Birth("r", "me", 0))
    assert first is not None
    assert first.origin == "mine"
    plan.search.tell([able_of(0.5, None)])
    other = plan.search.ask(Birth("r", "me", 0))
    assert other is not None
    assert other.origin.startswith("baseline"), "what comes after it goes on"


def test_what_is_left_to_others_is_not_done() -> None:
    plan = Plan(FREE, CATALOG)
    most = max(operations_of(genome, LOW) for genome in SAMPLES)
    log = worked(plan, [(0, Able(operations=most))])
    beyond = operations_of(min(SAMPLES, key=lambda g: operations_of(g, HIGH)), HIGH)
    assert beyond < most, "some could be promoted"
    low = {e.assignment.rung for e in log if isinstance(e, Asked)}
    assert LOW in low
    assert not plan.search.done
    assert plan.search.ask(Birth("r", "me", 1000)) is None
    plan.search.tell([UNLIMITED])
    rest = plan.search.ask(Birth("r", "me", 1000))
    assert rest is not None
    assert operations_of(rest.genome, rest.rung) > most


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'store.db'}", catalog=CATALOG) as opened:
        opened.create_run("run", FREE.to_dict())
        yield opened


class Idle(SerialPool[str]):
    """A pool that never answers."""

    def wait(self, timeout: float | None = None) -> list[tuple[str, Result]]:
        return []


def driven(
    ledger: Ledger,
    me: Identity,
    able: Able = UNLIMITED,
    *,
    looks: int | None = None,
    pool: Pool[str] | None = None,
) -> Seen:
    seen = Seen()
    drive(
        ledger, "run", Plan(FREE, CATALOG), identity=me, pool=pool or SerialPool(invented),
        watcher=seen,
        wish=always(Wish.WORK) if looks is None else after(looks, Wish.STOP), now=lambda: 1000.0,
        able=able,
    )  # fmt: skip
    return seen


def told(ledger: Ledger) -> list[Able]:
    return [event for event in ledger.events("run") if isinstance(event, Able)]


def test_a_machine_is_logged_where_it_is_another_one(ledger: Ledger) -> None:
    me, small = Identity.new(), able_of(0.9, 0.9)
    driven(ledger, me, looks=2)
    assert told(ledger) == [], "who knows of no limits logs as ever"
    driven(ledger, me, small, looks=2)
    driven(ledger, me, small, looks=2)
    assert told(ledger) == [small]
    driven(ledger, me)
    assert told(ledger) == [small, UNLIMITED]
    events = list(ledger.events("run"))
    assert_within(events)
    assert replay(Plan(FREE, CATALOG).search, events, author=me.author) is None
    assert list(ledger.problems("run")) == []


def test_what_waits_and_does_not_fit_any_more_is_given_up_and_asked_again_where_it_fits(
    ledger: Ledger,
) -> None:
    me = Identity.new()
    waiting = driven(ledger, me, looks=1, pool=Idle(invented)).asked
    assert len(waiting) == 1
    tiny = Able(memory_bytes=1)
    assert driven(ledger, me, tiny).asked == []
    lapsed = [event.birth for event in ledger.events("run") if isinstance(event, Expired)]
    assert lapsed == [waiting[0].birth]
    again = driven(ledger, me, looks=1).asked
    assert again[0].genome == waiting[0].genome
    assert again[0].birth != waiting[0].birth
