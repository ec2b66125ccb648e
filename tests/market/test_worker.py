"""The loop by itself: its order, its wishes, and what waits from before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random

import pytest

from praxis_evolve.evaluator.job import Job
from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.evaluator.pool import Pool, SerialPool
from praxis_evolve.evaluator.result import Result
from praxis_evolve.market.worker import TRIES, Wish, Worker
from praxis_evolve.search.base import Asked, Assignment, Birth, Closed, Event, Finished, Search
from praxis_evolve.search.evolution import regularized_evolution
from praxis_evolve.search.replay import replay
from praxis_evolve.search.toy import Toy
from praxis_evolve.tests.market.loop import Parallel, Seen, after, always

TOY = Toy()
BIRTHS = 20


@dataclass
class Notes:
    """A journal in memory that also hears what the search is told; ``foreign`` came from others."""

    lines: list[str] = field(default_factory=list[str])
    events: list[Event] = field(default_factory=list[Event])
    foreign: list[Event] = field(default_factory=list[Event])
    told: int = 0

    def heard(self) -> Sequence[Event]:
        self.events += self.foreign
        self.foreign.clear()
        new = self.events[self.told :]
        self.told = len(self.events)
        return new

    def asked(self, assignment: Assignment) -> Sequence[Event]:
        if self.foreign or self.told < len(self.events):
            self.lines.append("behind")
            return []
        self.lines.append(f"log ask {assignment.birth.number}")
        self.events.append(Asked(assignment))
        self.told += 1
        return [Asked(assignment)]

    def finished(self, result: Result) -> None:
        self.lines.append("log result")
        self.events.append(Finished(result))

    def closed(self) -> None:
        self.lines.append("log closed")
        self.events.append(Closed())


@dataclass
class Told:
    """A search that notes in the journal what it is told."""

    inner: Search
    notes: Notes

    def ask(self, birth: Birth) -> Assignment | None:
        return self.inner.ask(birth)

    def tell(self, events: Sequence[Event]) -> None:
        self.notes.lines += [f"tell {type(event).__name__}" for event in events]
        self.inner.tell(events)


def evaluate(job: Job) -> Result:
    return TOY.evaluate(Assignment(job.genome, job.rung, job.replica, Birth("", "", 0)))


def toy_job(assignment: Assignment) -> Job:
    return Job(assignment.genome, assignment.rung, assignment.replica)


def evolution() -> Search:
    return regularized_evolution(
        TOY, seed=1, ladder=Ladder((100, 300)), population=8, births=BIRTHS
    )


def worker(
    *,
    pool: Pool[str] | None = None,
    wish: Callable[[], Wish] | None = None,
    search: Search | None = None,
    birth: int = 0,
    waiting: Sequence[Assignment] = (),
    clock: Callable[[], float] | None = None,
    waits: Callable[[], bool] = lambda: False,
    idle: Callable[[float], None] = lambda seconds: None,
) -> tuple[Worker, Notes, Seen]:
    notes, seen, ticks = Notes(), Seen(), count()
    made = Worker(
        search=Told(search or evolution(), notes), pool=pool or SerialPool(evaluate),
        journal=notes, watcher=seen, wish=wish or always(Wish.WORK),
        birth=Birth("run", "me", birth), job=toy_job, waiting=waiting,
        clock=clock or (lambda: float(next(ticks))), waits=waits, rest=idle,
    )  # fmt: skip
    return made, notes, seen


def test_an_ask_is_logged_and_told_before_it_runs_and_a_result_stored_before_it_counts() -> None:
    made, notes, seen = worker()
    worked = made.run()
    rounds = [notes.lines[i : i + 4] for i in range(0, len(notes.lines), 4)]
    assert rounds == [
        [f"log ask {number}", "tell Asked", "log result", "tell Finished"]
        for number in range(len(rounds))
    ]
    assert worked.wish is Wish.WORK
    assert worked.results == len(rounds) == len(seen.finished) > BIRTHS
    assert [a for a, _ in seen.finished] == seen.asked
    assert 0 < worked.engine_seconds < worked.seconds


def test_what_came_from_others_is_told_before_anything_is_asked_for() -> None:
    made, notes, _ = worker()
    other = TOY.evaluate(Assignment(TOY.sample(Random(5), "x"), 100, 0, Birth("", "other", 0)))
    notes.foreign.append(Finished(other, 0.25))
    made.run()
    assert notes.lines[:3] == ["behind", "tell Finished", "log ask 0"]
    assert notes.lines.count("behind") == 1
    assert [notes.events[0], notes.told] == [Finished(other, 0.25), len(notes.events)]
    assert replay(evolution(), notes.events, author="me") is None


@pytest.mark.parametrize("capacity", [2, 5])
def test_all_of_a_pool_is_used_and_each_work_done_once(capacity: int) -> None:
    pool = Parallel(capacity, evaluate, Random(4))
    made, _, seen = worker(pool=pool)
    worked = made.run()
    assert pool.most == capacity
    done = [(TOY.identify(a.genome), a.rung) for a, _ in seen.finished]
    assert worked.results == len(done) == len(set(done))
    assert sum(rung == 100 for _, rung in done) == BIRTHS
    assert all(result.genome == TOY.identify(a.genome) for a, result in seen.finished)


def test_finish_hands_out_nothing_more_and_waits() -> None:
    pool = Parallel(3, evaluate, Random(1))
    made, _, seen = worker(pool=pool, wish=after(2, Wish.FINISH))
    assert made.run().wish is Wish.FINISH
    assert not pool.out
    assert len(seen.asked) == len(seen.finished) >= 3


def test_stop_ends_at_once() -> None:
    pool = Parallel(3, evaluate, Random(1))
    made, _, seen = worker(pool=pool, wish=after(3, Wish.STOP))
    assert made.run().wish is Wish.STOP
    assert pool.out
    assert len(seen.asked) == len(seen.finished) + len(pool.out)


def test_a_pause_holds_the_pool_asks_for_nothing_and_loses_nothing() -> None:
    pool, rests = Parallel(3, evaluate, Random(2)), list[float]()
    wishes = [Wish.WORK] * 3 + [Wish.PAUSE] * 5 + [Wish.WORK] * 2 + [Wish.PAUSE] * 2
    seen_in_pauses, left = set[tuple[int, bool]](), iter(wishes)
    made, notes, seen = worker(pool=pool, wish=lambda: next(left, Wish.WORK))

    def rest(seconds: float) -> None:
        rests.append(seconds)
        seen_in_pauses.add((len(seen.asked), pool.paused))

    made.rest = rest
    worked = made.run()
    assert len(rests) == 7
    assert all(paused for _, paused in seen_in_pauses)
    assert len(seen_in_pauses) <= 2  # nothing was asked for while a pause lasted
    assert not pool.paused
    assert worked.results == len(seen.finished) == len(seen.asked)
    assert sum(r.rung == 100 for _, r in seen.finished) == BIRTHS
    assert replay(evolution(), notes.events, author="me") is None


def test_a_pause_before_anything_runs_waits_and_hears_of_others() -> None:
    wishes = iter([Wish.PAUSE] * 3)
    made, notes, _ = worker(wish=lambda: next(wishes, Wish.FINISH))
    other = TOY.evaluate(Assignment(TOY.sample(Random(5), "x"), 100, 0, Birth("", "other", 0)))
    notes.foreign.append(Finished(other, 0.25))
    made.rest = lambda seconds: None
    assert made.run().wish is Wish.FINISH
    assert notes.lines == ["tell Finished"]


def test_what_was_paused_is_finished_where_that_is_wished() -> None:
    pool = Parallel(3, evaluate, Random(1))
    wishes = iter([Wish.WORK, Wish.PAUSE])
    made, _, seen = worker(pool=pool, wish=lambda: next(wishes, Wish.FINISH))
    made.rest = lambda seconds: None
    assert made.run().wish is Wish.FINISH
    assert len(seen.asked) == len(seen.finished) == 3


def test_close_is_logged_once_and_ends_the_births() -> None:
    made, notes, seen = worker(wish=after(5, Wish.CLOSE))
    worked = made.run()
    assert worked.wish is Wish.CLOSE
    assert notes.lines.count("log closed") == notes.lines.count("tell Closed") == 1
    assert len(seen.finished) == 5


def interrupted() -> Iterator[tuple[list[Event], list[Assignment]]]:
    """The events of runs that were stopped, and what they had in flight."""
    for looks in range(1, 12):
        pool = Parallel(3, evaluate, Random(looks))
        made, notes, seen = worker(pool=pool, wish=after(looks, Wish.STOP))
        made.run()
        done = [a.birth for a, _ in seen.finished]
        yield notes.events, [a for a in seen.asked if a.birth not in done]


def test_what_waits_goes_out_first_as_it_is_and_is_not_logged_again() -> None:
    for events, waiting in interrupted():
        search = evolution()
        search.tell(events)
        asked = sum(isinstance(event, Asked) for event in events)
        pool = Parallel(2, evaluate, Random(0))
        made, notes, seen = worker(pool=pool, search=search, birth=asked, waiting=waiting)
        made.run()
        assert [repr(a) for a in seen.asked[: len(waiting)]] == [repr(a) for a in waiting]
        logged = [e.assignment.birth.number for e in notes.events if isinstance(e, Asked)]
        assert logged == list(range(asked, asked + len(logged)))
        done = [e.result for e in [*events, *notes.events] if isinstance(e, Finished)]
        assert len({(r.genome, r.rung) for r in done}) == len(done)
        assert sum(r.rung == 100 for r in done) == BIRTHS


def test_what_waits_is_kept_where_the_owner_ends_before_it_goes_out() -> None:
    _, waiting = next(interrupted())
    made, notes, seen = worker(waiting=waiting, wish=always(Wish.FINISH))
    assert made.run().results == 0
    assert notes.lines == []
    assert seen.asked == []


def test_a_flood_of_others_keeps_nobody_from_stopping() -> None:
    made, notes, _ = worker(wish=after(3, Wish.STOP))
    other = TOY.evaluate(Assignment(TOY.sample(Random(5), "x"), 100, 0, Birth("", "other", 0)))
    heard = notes.heard

    def flooded() -> Sequence[Event]:
        found = heard()
        notes.foreign.append(Finished(other, 0.25))
        return found

    notes.foreign.append(Finished(other, 0.25))
    made.journal = _Flooded(notes, flooded)
    assert made.run().wish is Wish.STOP
    assert notes.lines.count("behind") == 3 * TRIES


@dataclass
class _Flooded:
    """A journal that others add to whenever it was heard."""

    notes: Notes
    heard: Callable[[], Sequence[Event]]

    def asked(self, assignment: Assignment) -> Sequence[Event]:
        return self.notes.asked(assignment)

    def finished(self, result: Result) -> None:
        self.notes.finished(result)

    def closed(self) -> None:
        self.notes.closed()


def test_who_has_nothing_to_do_waits_for_what_others_work_on() -> None:
    asleep = list[float]()
    made, notes, _ = worker(waits=lambda: len(asleep) < 3, idle=asleep.append)
    worked = made.run()
    assert len(asleep) == 3
    assert worked.results == notes.lines.count("log result") >= BIRTHS
    assert worked.wish is Wish.WORK


@pytest.mark.parametrize("wish", [Wish.FINISH, Wish.STOP])
def test_nobody_waits_for_others_who_is_to_end(wish: Wish) -> None:
    made, _, _ = worker(wish=always(wish), waits=lambda: True)
    assert made.run().wish is wish
