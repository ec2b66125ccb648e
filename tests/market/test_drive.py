"""A run of a ledger: stopped anywhere and resumed it is the run that nobody stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from praxis_evolve.evaluator.job import Job
from praxis_evolve.evaluator.pool import Pool, SerialPool
from praxis_evolve.evaluator.result import Result
from praxis_evolve.evaluator.worker import WorkerError
from praxis_evolve.genome.graph import Genome
from praxis_evolve.market import drive as drive_module
from praxis_evolve.market.drive import HEARTBEAT, LedgerJournal, drive, restore
from praxis_evolve.market.errors import LeaseHeldError
from praxis_evolve.market.evidence import APART
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.lease import Process, acquire
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.plan import Plan
from praxis_evolve.market.record import Record
from praxis_evolve.market.tally import STANDING
from praxis_evolve.market.worker import Wish, Worked
from praxis_evolve.search.base import (
    Asked,
    Assignment,
    Birth,
    Committed,
    Event,
    Expired,
    Finished,
    Key,
    Said,
    Taken,
    key_of,
)
from praxis_evolve.search.replay import replay
from praxis_evolve.tests.market.loop import (
    CATALOG,
    MANIFEST,
    Parallel,
    Seen,
    after,
    always,
    invented,
    works,
)
from praxis_evolve.tests.market.receiving import received

RUN = "run"
BOUND = 200
"""More evaluations than any run here has."""


def ledger_in(folder: Path) -> Ledger:
    folder.mkdir(exist_ok=True)
    return Ledger.open(f"sqlite:///{folder / 'store.db'}", catalog=CATALOG, now=lambda: 1000.0)


def begun(folder: Path) -> Ledger:
    ledger = ledger_in(folder)
    ledger.create_run(RUN, MANIFEST.to_dict())
    return ledger


def driven(
    ledger: Ledger,
    identity: Identity,
    *,
    wish: Callable[[], Wish] | None = None,
    pool: Pool[str] | None = None,
    seen: Seen | None = None,
    now: Callable[[], float] = lambda: 1000.0,
) -> Worked:
    noise = Random()
    return drive(
        ledger, RUN, Plan(MANIFEST, CATALOG), identity=identity,
        pool=pool or SerialPool(lambda job: invented(job, noise=noise)),
        watcher=seen or Seen(), wish=wish or always(Wish.WORK), now=now,
    )  # fmt: skip


def log_of(ledger: Ledger) -> list[str]:
    """The log without what the machine measured."""
    return [repr(_lasting(event)) for event in ledger.events(RUN)]


def _lasting(event: Event) -> Event:
    if isinstance(event, Finished):
        blank = replace(event.result, measured=type(event.result.measured)())
        return replace(event, result=blank)
    return event


def records_of(ledger: Ledger) -> list[object]:
    return [record.comparable() for record in ledger.records(RUN)]


def test_two_runs_of_one_seed_and_one_worker_give_equal_ledgers(
    tmp_path: Path, identity: Identity
) -> None:
    with begun(tmp_path / "a") as one, begun(tmp_path / "b") as other:
        assert driven(one, identity).results == driven(other, identity).results > 20
        assert records_of(one) == records_of(other)
        assert log_of(one) == log_of(other)
        assert one.run(RUN).state == "finished"
        assert list(one.problems(RUN)) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_run_that_was_stopped_again_and_again_equals_one_that_was_not(
    tmp_path: Path, identity: Identity, seed: int
) -> None:
    rng = Random(seed)
    with begun(tmp_path / "whole") as whole, begun(tmp_path / "pieces") as pieces:
        driven(whole, identity)
        for _ in range(BOUND):
            before = [record.id for record in pieces.records(RUN)]
            driven(pieces, identity, wish=after(rng.randint(0, 9), Wish.STOP))
            assert [record.id for record in pieces.records(RUN)][: len(before)] == before
            if pieces.run(RUN).state == "finished":
                break
        assert records_of(pieces) == records_of(whole)
        assert log_of(pieces) == log_of(whole)


@pytest.mark.parametrize("seed", range(3))
def test_several_workers_that_are_stopped_lose_nothing_and_do_nothing_twice(
    tmp_path: Path, identity: Identity, seed: int
) -> None:
    rng = Random(seed)
    with begun(tmp_path) as ledger:
        for _ in range(BOUND):
            pool, seen = Parallel(3, invented, rng), Seen()
            wish = after(rng.randint(0, 9), rng.choice([Wish.STOP, Wish.FINISH]))
            driven(ledger, identity, wish=wish, pool=pool, seen=seen)
            if ledger.run(RUN).state == "finished":
                break
        results = ledger.results(RUN)
        done = [(r.genome, r.rung, r.replica) for r in results]
        asks = [e.assignment for e in ledger.events(RUN) if isinstance(e, Asked)]
        assert len(done) == len(set(done))
        assert sorted(works(asks)) == sorted(done)
        fresh = Plan(MANIFEST, CATALOG).search
        assert replay(fresh, ledger.events(RUN), author=identity.author) is None


def test_a_finished_run_replays_and_a_second_call_does_nothing(
    tmp_path: Path, identity: Identity
) -> None:
    with begun(tmp_path) as ledger:
        driven(ledger, identity)
        log, digest = log_of(ledger), ledger.digest(RUN)
        fresh = Plan(MANIFEST, CATALOG)
        assert replay(fresh.search, ledger.events(RUN), author=identity.author) is None
        assert fresh.search.done
        assert driven(ledger, identity).results == 0
        assert (log_of(ledger), ledger.digest(RUN)) == (log, digest)


def test_a_closed_run_ends_with_its_finals_and_stays_closed(
    tmp_path: Path, identity: Identity
) -> None:
    with begun(tmp_path) as ledger:
        driven(ledger, identity, wish=after(12, Wish.STOP))
        assert ledger.run(RUN).state == "stopped"
        driven(ledger, identity, wish=after(2, Wish.CLOSE))
        assert ledger.run(RUN).state == "finished"
        results = ledger.results(RUN)
        searched = [r for r in results if r.rung == 100 and r.replica == 0]
        finals = [r for r in results if r.replica > 0]
        assert len(searched) < MANIFEST.births
        assert len({r.genome for r in finals}) >= 4
        assert len(finals) == len({r.genome for r in finals}) * len(MANIFEST.replicas)
        assert all(r.test_bits_per_byte is not None for r in finals)
        assert driven(ledger, identity).results == 0


def test_a_run_is_driven_by_one_process_at_a_time(tmp_path: Path, identity: Identity) -> None:
    with begun(tmp_path) as ledger:
        acquire(ledger.store, RUN, now=1000.0, process=Process("elsewhere", 1, 0.0))
        with pytest.raises(LeaseHeldError, match="elsewhere"):
            driven(ledger, identity)
        assert driven(ledger, identity, now=lambda: 1061.0).results > 0


def test_the_lease_is_kept_alive_and_given_back(tmp_path: Path, identity: Identity) -> None:
    class Rival(Seen):
        refused = 0

        def on_wait(self, pending: int) -> None:
            clock[0] += HEARTBEAT
            with pytest.raises(LeaseHeldError):
                acquire(ledger.store, RUN, now=clock[0], process=Process("elsewhere", 1, 0.0))
            self.refused += 1

    clock, rival = [1000.0], Rival()
    with begun(tmp_path) as ledger:
        driven(ledger, identity, seen=rival, now=lambda: clock[0])
        assert rival.refused > 20
        acquire(ledger.store, RUN, now=clock[0])


def test_a_pause_keeps_the_lease_and_changes_nothing(
    tmp_path: Path, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Rival(Seen):
        refused = 0

        def on_wait(self, pending: int) -> None:
            clock[0] += HEARTBEAT
            with pytest.raises(LeaseHeldError):
                acquire(ledger.store, RUN, now=clock[0], process=Process("elsewhere", 1, 0.0))
            self.refused += 1

    monkeypatch.setattr("praxis_evolve.market.worker.LOOK", 0.0)
    clock, rival = [1000.0], Rival()
    wishes = iter([Wish.PAUSE] * 30 + [Wish.WORK] * 9 + [Wish.PAUSE] * 30)
    with begun(tmp_path / "a") as ledger, begun(tmp_path / "b") as other:
        driven(
            ledger, identity, seen=rival, now=lambda: clock[0],
            wish=lambda: next(wishes, Wish.WORK),
        )  # fmt: skip
        driven(other, identity)
        assert rival.refused > 80
        assert records_of(ledger) == records_of(other)
        assert log_of(ledger) == log_of(other)


def test_a_broken_program_leaves_a_run_that_can_be_resumed(
    tmp_path: Path, identity: Identity
) -> None:
    left = [5]

    def breaks(job: Job) -> Result:
        left[0] -= 1
        if left[0] < 0:
            raise WorkerError("shapes do not match")
        return invented(job)

    with begun(tmp_path) as ledger:
        with pytest.raises(WorkerError, match="shapes"):
            driven(ledger, identity, pool=SerialPool(breaks))
        assert ledger.run(RUN).state == "stopped"
        assert len(ledger.results(RUN)) == 5
        driven(ledger, identity)
        assert ledger.run(RUN).state == "finished"


def test_restoring_tells_what_is_open_and_which_birth_is_next() -> None:
    plan = Plan(MANIFEST, CATALOG)
    asks = list[Assignment]()
    for number in range(4):
        asked = plan.search.ask(Birth("r", "me" if number != 3 else "you", number))
        assert asked is not None
        asks.append(asked)
        plan.search.tell([Asked(asked)])
    events = [
        *map(Asked, asks), Finished(invented(plan.job(asks[1]))), Expired(asks[2].birth),
    ]  # fmt: skip
    restored = restore(Plan(MANIFEST, CATALOG), events, run="r", author="me")
    assert restored.waiting == (asks[0], asks[3])
    assert restored.birth == Birth("r", "me", 3)


def test_finals_are_tested_and_kept() -> None:
    plan = Plan(MANIFEST, CATALOG)
    asked = plan.search.ask(Birth("r", "me", 0))
    assert asked is not None
    assert plan.job(asked) == Job(asked.genome, asked.rung)
    final = plan.job(replace(asked, replica=2))
    assert (final.replica, final.test, final.keep_weights) == (2, True, True)


def test_a_stranger_s_claim_does_not_end_what_waits_to_be_measured() -> None:
    plan = Plan(MANIFEST, CATALOG)
    asked = plan.search.ask(Birth("r", "me", 0))
    assert asked is not None
    result = invented(Job(asked.genome, asked.rung, asked.replica))
    for weight, waits in ((0.25, True), (1.0, False)):
        events = [Asked(asked), Finished(result, weight)]
        found = restore(Plan(MANIFEST, CATALOG), events, run="r", author="me")
        assert (found.waiting == (asked,)) is waits


class Neighbour:
    """A watcher into whose ledger another peer's records come while it works."""

    def __init__(
        self, ledger: Ledger, records: Sequence[Record], genomes: Mapping[str, Genome], rng: Random
    ) -> None:
        self._ledger, self._left, self._genomes, self._rng = ledger, list(records), genomes, rng

    def on_asked(self, assignment: Assignment) -> None:
        self._merge()

    def on_finished(self, assignment: Assignment, result: Result) -> None:
        self._merge()

    def on_wait(self, pending: int) -> None:
        self._merge()

    def _merge(self) -> None:
        if self._left and self._rng.random() < 0.5:
            record = self._left.pop(0)
            received(self._ledger, RUN, [record], [self._genomes[record.result.genome]])


def test_a_run_that_others_add_to_replays_from_its_log(tmp_path: Path) -> None:
    there, here = begun(tmp_path / "there"), begun(tmp_path / "here")
    driven(there, Identity.new())
    records = [record for record in there.records(RUN) if record.result.replica == 0]
    me = Identity.new()
    drive(
        here, RUN, Plan(MANIFEST, CATALOG), identity=me,
        pool=Parallel(3, invented, Random(2)),
        watcher=Neighbour(here, records, dict(there.genomes(RUN)), Random(1)),
        wish=always(Wish.WORK), now=lambda: 1000.0,
    )  # fmt: skip
    events = list(here.events(RUN))
    foreign = [event for event in events if isinstance(event, Finished) and event.weight < 1]
    assert len(foreign) == len(records)
    first = next(n for n, event in enumerate(events) if event in foreign)
    assert any(isinstance(event, Asked) for event in events[first:]), "they came in between"
    assert replay(Plan(MANIFEST, CATALOG).search, events, author=me.author) is None
    there.close()
    here.close()


def test_the_word_of_strangers_is_logged_of_what_all_begin_with_and_so_often_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive_module, "SAYINGS", 3)
    ledger, me, stranger = begun(tmp_path), Identity.new(), Identity.new().author
    common, other = Key("ab" * 32, 100, 0), Key("cd" * 32, 100, 0)
    theirs = dict[str, list[Key]]()
    journal = LedgerJournal(
        ledger, RUN, me, acquire(ledger.store, RUN, now=0.0), lambda: 0.0,
        others=lambda: theirs, common={common},
    )  # fmt: skip
    theirs[stranger] = [other]
    assert not journal.heard()
    theirs[stranger] = [common, other]
    assert journal.heard() == [Said(stranger, (common,))]
    assert not journal.heard(), "it says so once"
    assert not journal.has_company, "nobody waits for a stranger"
    theirs.clear()
    assert journal.heard() == [Said(stranger, ())]
    theirs[stranger] = [common]
    assert journal.heard() == [Said(stranger, (common,))]
    theirs.clear()
    assert not journal.heard(), "it said enough"
    assert [each for each in ledger.events(RUN) if isinstance(each, Said)] == [
        Said(stranger, (common,)), Said(stranger, ()), Said(stranger, (common,)),
    ]  # fmt: skip
    ledger.close()


def test_what_others_work_on_is_logged_where_they_are_believed_and_replays(tmp_path: Path) -> None:
    ledger, me, other = begun(tmp_path), Identity.new(), Identity.new()
    lease = acquire(ledger.store, RUN, now=0.0)
    theirs = dict[str, list[Key]]()
    journal = LedgerJournal(ledger, RUN, me, lease, lambda: 0.0, others=lambda: theirs)
    work = Key("ab" * 32, 100, 0)
    theirs[other.author] = [work]
    assert not journal.heard(), "a stranger may say what it wants"
    plan, there = Plan(MANIFEST, CATALOG), begun(tmp_path / "there")
    done = list[tuple[Assignment, Result]]()
    for number in range(STANDING + 2 * APART):  # some fail
        assignment = Assignment(plan.space.sample(Random(number), f"{number}"), 100, 0,
                                Birth("r", me.author, number))  # fmt: skip
        result = invented(Job(assignment.genome, 100, 0))
        there.append_asked(RUN, assignment)
        ledger.put_genome(RUN, assignment.genome)
        received(ledger, RUN, [there.publish(RUN, other, result)])
        done.append((assignment, result))
    for assignment, result in done:  # after that they cannot have been copied
        ledger.append_asked(RUN, assignment)
        ledger.publish(RUN, me, result)
    taken = [event for event in journal.heard() if isinstance(event, Taken)]
    assert taken == [Taken(other.author, (work,))]
    assert journal.has_company
    assert not journal.heard(), "it says so once"
    theirs[other.author] += [Key(done[0][1].genome, 100, 0)]
    assert not journal.heard(), "what its record is here of is no work any more"
    again = LedgerJournal(ledger, RUN, me, lease, lambda: 0.0)
    assert taken[0] in again.heard()
    assert [e for e in again.heard() if isinstance(e, Taken)] == []
    theirs.clear()
    assert journal.heard() == [Taken(other.author, ())]
    assert not journal.has_company
    assert [e for e in ledger.events(RUN) if isinstance(e, Taken)] == [
        Taken(other.author, (work,)), Taken(other.author, ()),
    ]  # fmt: skip
    there.close()
    ledger.close()


def test_who_was_bound_is_logged_until_it_is_believed_and_replays(tmp_path: Path) -> None:
    ledger, me, other = begun(tmp_path), Identity.new(), Identity.new()
    lease = acquire(ledger.store, RUN, now=0.0)
    sure = list[str]()
    journal = LedgerJournal(ledger, RUN, me, lease, lambda: 0.0, committed=lambda: sure)
    plan, there = Plan(MANIFEST, CATALOG), begun(tmp_path / "there")
    records = list[Record]()
    for number in range(2 * STANDING):
        assignment = Assignment(plan.space.sample(Random(number), f"{number}"), 100, 0,
                                Birth("r", me.author, number))  # fmt: skip
        result = invented(Job(assignment.genome, 100, 0))
        there.append_asked(RUN, assignment)
        ledger.append_asked(RUN, assignment)
        ledger.publish(RUN, me, result)  # before the other's came, so it may be copied
        records.append(there.publish(RUN, other, result))
        received(ledger, RUN, records[-1:])
        if number < 2:
            sure.append(records[-1].id)
            logged = [each for each in journal.heard() if isinstance(each, Committed)]
            assert logged == [Committed(other.author, key_of(result), sure[-1])]
    assert not journal.believed
    sure += ["00" * 32, *(record.id for record in records)]
    journal.heard()
    assert journal.believed == {other.author}
    found = [each for each in ledger.events(RUN) if isinstance(each, Committed)]
    assert {each.record for each in found} == {record.id for record in records}
    assert not journal.heard()
    again = LedgerJournal(ledger, RUN, me, lease, lambda: 0.0)
    assert [each for each in again.heard() if isinstance(each, Committed)] == found
    assert again.believed == journal.believed
    later = there.publish(RUN, other, replace(records[0].result, replica=1))
    received(ledger, RUN, [later])
    sure.append(later.id)
    assert not [each for each in journal.heard() if isinstance(each, Committed)]
    there.close()
    ledger.close()


def test_what_comes_in_while_weights_are_logged_is_weighed_at_the_next_look(tmp_path: Path) -> None:
    ledger, me, other = begun(tmp_path), Identity.new(), Identity.new()
    lease = acquire(ledger.store, RUN, now=0.0)
    journal = LedgerJournal(ledger, RUN, me, lease, lambda: 0.0)
    plan, there = Plan(MANIFEST, CATALOG), begun(tmp_path / "there")
    records, own = list[Record](), list[tuple[Assignment, Result]]()
    for number in range(2):
        birth = Birth("r", me.author, number)
        assignment = Assignment(plan.space.sample(Random(number), f"{number}"), 100, 0, birth)
        result = invented(Job(assignment.genome, 100, 0))
        there.append_asked(RUN, assignment)
        ledger.append_asked(RUN, assignment)
        own.append((assignment, result))
        noisy = replace(result, bits_per_byte=(result.bits_per_byte or 0.0) + 1e-5)
        records.append(there.publish(RUN, other, noisy))
    received(ledger, RUN, records[:1])
    for _, result in own:
        ledger.publish(RUN, me, result)
    append = ledger.append_weights

    def meanwhile(*arguments: Any, **named: Any) -> None:
        append(*arguments, **named)
        received(ledger, RUN, records[1:])

    ledger.append_weights = meanwhile  # type: ignore[method-assign]
    journal.heard()
    ledger.append_weights = append  # type: ignore[method-assign]
    weights = [e.weight for e in journal.heard() if isinstance(e, Finished)]
    assert weights == [1.0], "it says what this peer measured, too"
    there.close()
    ledger.close()
