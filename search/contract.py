"""What every search promises, as tests: subclass ``SearchContract``, say what to test, run pytest.

class TestMine(SearchContract):
    def make(self) -> Search: ...
    def evaluate(self, assignment: Assignment) -> Result: ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from random import Random

from ..evaluator.result import Result
from .base import Asked, Assignment, Birth, Event, Expired, Finished, Key, Search, key_of
from .replay import replay
from .simulation import simulate


class SearchContract(ABC):
    """Tests of a search with an end, at any number of workers.

    It bears at least twelve genomes, fewer than ten of them named starters.
    """

    @abstractmethod
    def make(self) -> Search:
        """Return a new search, the same each time."""

    @abstractmethod
    def evaluate(self, assignment: Assignment) -> Result:
        """Return the result of an assignment, the same each time; it must not fail."""

    def test_asking_changes_nothing(self) -> None:
        """An ask, repeated or after other asks, has the same answer."""
        search = self.make()
        first = search.ask(_birth(0))
        assert search.ask(_birth(1)) is not None
        assert repr(search.ask(_birth(0))) == repr(first)
        assert repr(self.make().ask(_birth(0))) == repr(first)

    def test_asking_changes_nothing_in_the_middle_either(self) -> None:
        """An answer hangs on what was told, not on how often it was asked for."""
        search = self.make()
        search.tell(self._half())
        first = [repr(search.ask(_birth(number, "prober"))) for number in range(5)]
        assert first == [repr(search.ask(_birth(number, "prober"))) for number in range(5)]

    def test_an_assignment_carries_the_birth_it_was_asked_under(self) -> None:
        """Also when it was promoted, or is asked again."""
        log = self._run(workers=4, deaths=0.2)
        births = [event.assignment.birth for event in log if isinstance(event, Asked)]
        assert births == [_birth(number) for number in range(len(births))]

    def test_asks_go_on_while_everything_is_pending(self) -> None:
        """Nobody waits for results to be given a new genome."""
        asked = _handed_out(self.make(), 10)
        assert len({self.evaluate(assignment).genome for assignment in asked}) == 10

    def test_no_work_is_asked_for_twice(self) -> None:
        """Neither while it is pending nor when it is finished."""
        log = self._run(workers=8, deaths=0.0)
        works = [self._work(event.assignment) for event in log if isinstance(event, Asked)]
        assert len(works) == len(set(works))

    def test_lapsed_work_is_asked_for_again(self) -> None:
        """Every work that was ever asked for has a result in the end, though workers die."""
        log = self._run(workers=8, deaths=0.3)
        assert any(isinstance(event, Expired) for event in log)
        asked = {self._work(event.assignment) for event in log if isinstance(event, Asked)}
        answered = {
            (event.result.genome, event.result.rung, event.result.replica)
            for event in log
            if isinstance(event, Finished)
        }
        assert asked == answered

    def test_told_twice_counts_once(self) -> None:
        """Each event twice, or the log twice, leads to the same answers as once."""
        log = self._half()
        once, doubled, again = self.make(), self.make(), self.make()
        once.tell(log)
        doubled.tell([event for event in log for _ in range(2)])
        again.tell(log)
        again.tell(log)
        self._assert_same(once, doubled)
        self._assert_same(once, again)

    def test_measured_columns_do_not_matter(self) -> None:
        """A result of the same numbers that took longer is the same result."""
        log = self._half()
        slow = [_slower(event) if isinstance(event, Finished) else event for event in log]
        once, both = self.make(), self.make()
        once.tell(log)
        both.tell([*log, *slow])
        self._assert_same(once, both)

    def test_results_may_come_in_any_order(self) -> None:
        """What was found counts, not when: not even whether the ask was heard of first."""
        log = self._half()
        once, shuffled = self.make(), self.make()
        once.tell(log)
        shuffled.tell(Random(0).sample(log, len(log)))
        self._assert_same(once, shuffled)

    def test_late_results_count(self) -> None:
        """A result after its assignment was given up is as good as one in time."""
        search, late = self.make(), self.make()
        assignment = search.ask(_birth(0))
        assert assignment is not None
        finished = Finished(self.evaluate(assignment))
        search.tell([Asked(assignment), finished])
        late.tell([Asked(assignment), Expired(assignment.birth), finished])
        self._assert_same(search, late)

    def test_uninvited_results_count(self) -> None:
        """What others evaluated is not asked for again."""
        search = self.make()
        assignment = search.ask(_birth(0))
        assert assignment is not None
        search.tell([Finished(self.evaluate(assignment))])
        other = search.ask(_birth(0))
        assert other is not None
        assert self._work(other) != self._work(assignment)

    def test_peers_do_not_collide(self) -> None:
        """Authors who know the same draw differently: of ten pairs at most one is equal.

        Named starters, which all peers share, come before.
        """
        search = self.make()
        _handed_out(search, 10)
        pairs = [(search.ask(_birth(n)), search.ask(_birth(n, "other"))) for n in range(10, 20)]
        works = [(self._work(a), self._work(b)) for a, b in pairs if a and b]
        assert sum(a != b for a, b in works) >= 9

    def test_a_run_replays(self) -> None:
        """The log of a run with eight workers, some of which die, answers its asks again."""
        log = self._run(workers=8, deaths=0.1)
        assert replay(self.make(), log, author="worker") is None

    def test_a_run_ends(self) -> None:
        """When everything is done there is nothing to ask, for anybody."""
        search = self.make()
        log = self._run(workers=3, deaths=0.0)
        search.tell(log)
        assert search.ask(_birth(len(log), "other")) is None

    def _run(self, *, workers: int, deaths: float) -> list[Event]:
        return simulate(
            self.make(),
            self.evaluate,
            workers=workers,
            seconds=lambda rng: rng.lognormvariate(0.0, 1.0),
            rng=Random(7),
            deaths=deaths,
        )

    def _half(self) -> list[Event]:
        log = self._run(workers=8, deaths=0.1)
        return log[: len(log) // 2]

    def _work(self, assignment: Assignment) -> Key:
        return key_of(self.evaluate(assignment))

    def _assert_same(self, one: Search, other: Search) -> None:
        for number in range(5):
            birth = _birth(number, "prober")
            assert repr(one.ask(birth)) == repr(other.ask(birth))


def _birth(number: int, author: str = "worker") -> Birth:
    return Birth("simulation", author, number)


def _handed_out(search: Search, count: int) -> list[Assignment]:
    asked: list[Assignment] = []
    for number in range(count):
        assignment = search.ask(_birth(number))
        assert assignment is not None
        asked.append(assignment)
        search.tell([Asked(assignment)])
    return asked


def _slower(event: Finished) -> Finished:
    measured = replace(event.result.measured, seconds=event.result.measured.seconds + 1)
    return replace(event, result=replace(event.result, measured=measured))
