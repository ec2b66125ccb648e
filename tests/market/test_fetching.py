"""Fetching: children wait for their parents' states beside others, and never for long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest

from praxis_evolve.evaluator.job import Job, Offer, Setup, state_bytes
from praxis_evolve.evaluator.pool import SerialPool
from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.genome.cost import Costs
from praxis_evolve.genome.graph import Genome
from praxis_evolve.market import fetching
from praxis_evolve.market.fetching import FetchingPool, offers_of
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.plan import Plan
from praxis_evolve.market.record import sign
from praxis_evolve.market.tally import TOLERANCE
from praxis_evolve.market.worker import Wish, Worker
from praxis_evolve.search.base import Asked, Assignment, Birth, Event, Finished
from praxis_evolve.tests.market.loop import CATALOG, MANIFEST, Seen, always, invented
from praxis_evolve.tests.market.receiving import received

LOW, TOP = MANIFEST.rungs
PLAN = Plan(replace(MANIFEST, inherit=True), CATALOG)


def genome_of(number: int) -> Genome:
    return PLAN.space.sample(Random(number), f"g{number}")


PARENT, CHILD, GRANDCHILD = map(genome_of, range(3))


def offer(name: str) -> Offer:
    return Offer(name * 32, 100, 2.0, 0, 1e-3)


@dataclass
class Peers:
    """A source that answers when a test says so."""

    asked: list[str] = field(default_factory=list[str])
    answers: dict[str, bool] = field(default_factory=dict[str, bool])

    def fetch(self, weights: str, size: int) -> None:
        assert size > 0
        self.asked.append(weights[:2])

    def fetched(self, weights: str) -> bool | None:
        return self.answers.get(weights[:2])


@dataclass
class Clock:
    now: float = 0.0
    tick: float = 0.0

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(
        task="t", task_digest="ab" * 32, folder=str(tmp_path), rungs=MANIFEST.rungs, inherit=True
    )


@dataclass
class Bench:
    """A fetching pool over one that runs each job when it is waited for."""

    setup: Setup
    offers: Sequence[Offer] = (offer("aa"), offer("bb"))
    peers: Peers = field(default_factory=Peers)
    clock: Clock = field(default_factory=Clock)
    ran: list[Job] = field(default_factory=list[Job])

    def __post_init__(self) -> None:
        self.pool = FetchingPool(
            SerialPool(self.run), self.setup, PLAN.identify, lambda job: self.offers, self.peers,
            self.clock,
        )  # fmt: skip

    def run(self, job: Job) -> Result:
        self.ran.append(job)
        return invented(job)

    def wait(self) -> list[str]:
        return [key for key, _ in self.pool.wait(0.0)]


def heir(rung: int = LOW) -> Job:
    return Job(CHILD, rung, line=(PARENT,))


@pytest.fixture
def bench(setup: Setup) -> Bench:
    return Bench(setup)


def test_a_job_goes_out_with_its_offers_when_its_state_came(bench: Bench) -> None:
    bench.pool.submit("heir", heir())
    assert bench.wait() == []
    assert bench.ran == []
    bench.peers.answers["aa"] = True
    assert bench.wait() == ["heir"]
    assert bench.ran == [replace(heir(), offers=tuple(bench.offers))]
    assert bench.peers.asked == ["aa"]


def test_others_run_while_a_state_is_on_its_way(bench: Bench) -> None:
    assert bench.pool.capacity == 1
    bench.pool.submit("heir", heir())
    assert bench.pool.capacity == 2  # the worker has nothing to do
    bench.pool.submit("other", Job(PARENT, LOW))
    assert bench.wait() == ["other"]
    bench.pool.submit("second", heir())
    assert bench.pool.capacity == 2  # and no more than that
    bench.peers.answers["aa"] = True
    assert [*bench.wait(), *bench.wait()] == ["heir", "second"]
    assert bench.pool.capacity == 1


def test_the_next_state_is_asked_for_where_nobody_has_the_first(bench: Bench) -> None:
    bench.pool.submit("heir", heir())
    bench.peers.answers["aa"] = False
    assert bench.wait() == []
    assert bench.peers.asked == ["aa", "bb"]
    bench.peers.answers["bb"] = False
    assert bench.wait() == ["heir"]


def test_nobody_waits_longer_than_is_said(bench: Bench) -> None:
    bench.pool.submit("heir", heir())
    bench.clock.now = fetching.PATIENCE - 0.1
    assert bench.wait() == []
    bench.clock.now = fetching.PATIENCE
    assert bench.wait() == ["heir"]


@pytest.mark.parametrize(
    "job",
    [Job(CHILD, LOW), Job(CHILD, TOP, 1, test=True)],
    ids=["from scratch", "a final"],
)
def test_what_inherits_nothing_asks_for_nothing(bench: Bench, job: Job) -> None:
    bench.pool.submit("key", job)
    assert bench.wait() == ["key"]
    assert bench.ran == [job]
    assert bench.peers.asked == []


@pytest.mark.parametrize("rung", [LOW, TOP])
@pytest.mark.parametrize("own", ["parent", "child"])
def test_what_was_trained_here_is_asked_of_nobody(bench: Bench, own: str, rung: int) -> None:
    job, name = (Job(PARENT, LOW), PARENT) if own == "parent" else (heir(), CHILD)
    path = bench.setup.checkpoint_path(PLAN.identify(name), LOW, 0, job.heritage)
    path.write_bytes(b"a state")
    bench.pool.submit("heir", heir(rung))
    assert bench.wait() == ["heir"]
    assert bench.peers.asked == []
    path.unlink()
    bench.pool.submit("heir", heir(rung))
    assert bench.peers.asked == ["aa"]


def test_what_a_killed_process_left_is_removed(setup: Setup) -> None:
    left = setup.received_path("ab" * 32)
    part = left.with_name(f".{left.name}.0123.part")
    kept = setup.checkpoint_path("cd" * 32, LOW, 0)
    for path in (left, part, kept):
        path.write_bytes(b"x")
    Bench(setup)
    assert [path.exists() for path in (left, part, kept)] == [False, False, True]


def test_closing_drops_what_waits_and_what_came_too_late(bench: Bench) -> None:
    bench.pool.submit("heir", heir())
    late = bench.setup.received_path("aa" * 32)
    late.write_bytes(b"x")
    bench.pool.close()
    assert not late.exists()
    bench.peers.answers["aa"] = True
    assert bench.wait() == []
    assert bench.ran == []


# ------------------------------------------------------------------------------ which states


def named(genome: Genome, weights: str, **more: object) -> Result:
    """A result that names weights."""
    found = replace(
        invented(Job(genome, LOW)), bits_per_byte=2.5, failure=None, reason="",
        costs=Costs(1000, 1.0, 1.0, 1.0), measured=Measurement(weights=weights * 32),
    )  # fmt: skip
    return replace(found, **more)  # pyright: ignore[reportArgumentType]


def planned(*results: Result | Finished) -> Plan:
    plan = Plan(PLAN.manifest, CATALOG)
    events: list[Event] = [r if isinstance(r, Finished) else Finished(r) for r in results]
    plan.search.tell(events)
    return plan


def offered(plan: Plan, job: Job) -> list[str]:
    return [each.weights[:2] for each in offers_of(plan, job)]


def test_states_of_just_that_training_are_offered() -> None:
    name = PLAN.identify(PARENT)
    ours, other = Job(CHILD, LOW, line=(PARENT,)), Job(CHILD, LOW, line=(GRANDCHILD, PARENT))
    plan = planned(
        named(PARENT, "aa"), named(CHILD, "c0"), named(PARENT, ""), named(PARENT, "c1", rung=TOP),
        named(PARENT, "c2", replica=1), named(PARENT, "c3", parent=name, heritage="ab" * 32),
        named(PARENT, "c4", bits_per_byte=None, failure="diverged"), named(PARENT, "bb"),
        named(CHILD, "c5", parent=name, heritage=other.heritage, inherited_tokens=180),
        named(CHILD, "dd", parent=name, heritage=ours.heritage, inherited_tokens=90),
        named(PARENT, "aa", curve=((1, 2.0),)),
    )  # fmt: skip
    first, *_ = offers_of(plan, heir())
    assert first == Offer("aa" * 32, state_bytes(1000), 2.5, 0, TOLERANCE)
    assert offered(plan, heir()) == ["aa", "bb"]
    assert offered(plan, Job(GRANDCHILD, TOP, line=(PARENT, CHILD))) == ["dd"]
    assert offered(plan, Job(CHILD, LOW)) == []


def test_what_is_not_trusted_is_not_fetched_and_a_few_are_enough() -> None:
    asked = Assignment(PARENT, LOW, 0, Birth("r", "they", 0), "peer")
    doubtful = Finished(named(PARENT, "aa"), 0.25, asked)
    assert offered(planned(doubtful), heir()) == []
    assert offered(planned(doubtful, replace(doubtful, weight=1.0)), heir()) == ["aa"]
    assert offered(planned(replace(doubtful, weight=1.0), doubtful), heir()) == []
    many = [named(PARENT, f"{number:02x}") for number in range(9)]
    assert offered(planned(*many), heir()) == ["00", "01", "02"]


def test_a_search_goes_on_while_states_are_fetched(setup: Setup) -> None:
    """The only loop over the pool: every heir of a stranger waits, and all is answered."""
    plan, peers, clock = Plan(PLAN.manifest, CATALOG), Peers(), Clock(tick=1.0)
    asked = 0

    class Told:
        def heard(self) -> Sequence[Event]:
            return heard.pop() if heard else []

        def asked(self, assignment: Assignment) -> Sequence[Event]:
            nonlocal asked
            asked += 1
            return [Asked(assignment)]

        def finished(self, result: Result) -> None:
            heard.append([Finished(result)])

        def closed(self) -> None: ...

    heard = list[list[Event]]()
    pool = FetchingPool(
        SerialPool(invented), setup, plan.identify, lambda job: [offer("aa")], peers, clock
    )
    seen = Seen()
    worked = Worker(
        search=plan.search, pool=pool, journal=Told(), watcher=seen, wish=always(Wish.WORK),
        birth=Birth("r", "me", 0), job=plan.job,
    ).run()  # fmt: skip
    assert plan.search.done
    assert worked.results == asked == len(seen.finished)
    assert peers.asked


def test_a_record_of_a_state_is_stored_and_comes_back(tmp_path: Path) -> None:
    """From the record to the offer: what an evaluator says is what another peer's plan reads."""
    own = Identity.new()
    with Ledger.open(f"sqlite:///{tmp_path / 'store.db'}", catalog=CATALOG) as ledger:
        digest = ledger.create_run("r", PLAN.manifest.to_dict()).digest
        ledger.put_genome("r", PARENT)
        record = sign(
            named(PARENT, "ab"), Identity.new(), run=digest, seq=0, prev="0" * 64, catalog="0" * 64,
            program="0",
        )  # fmt: skip
        assert received(ledger, "r", [record], own=own.author).added == (record.id,)
        ledger.append_weights("r", {record: 1.0})
        plan = Plan(PLAN.manifest, CATALOG)
        plan.search.tell(list(ledger.events("r")))
    assert offered(plan, heir()) == ["ab"]
    assert plan.lines.line(PARENT) == ()
