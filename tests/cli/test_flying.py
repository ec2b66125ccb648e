"""What is worked on here is told to the node, for a while also what was done."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from praxis_evolve.cli.flying import FRESH, LINGER, Flying
from praxis_evolve.cli.node import Node
from praxis_evolve.market.swarm.flights import MOST_WORKS
from praxis_evolve.search.base import Assignment, Birth
from praxis_evolve.search.toy import Toy
from praxis_evolve.tests.market.loop import Seen

TOY = Toy()


@dataclass
class Told:
    """A node in whose place is a list."""

    works: list[list[Any]] = field(default_factory=list[list[Any]])
    latest: dict[str, Any] = field(default_factory=dict[str, Any])

    def tell(self, event: str, *, again: bool, works: list[Any]) -> bool:
        assert (event, again) == ("flights", True)
        self.works.append(works)
        return True


class Case:
    """A watcher of a node in memory, at a time that is set."""

    def __init__(self) -> None:
        self.told, self.now, self.seen = Told(), 100.0, Seen()
        self.node = SimpleNamespace(process=self.told, heard=100.0)
        self.flying = Flying(self.seen, cast("Node", self.node), TOY.identify, lambda: self.now)

    def ask(self, number: int) -> Assignment:
        asked = Assignment(
            TOY.sample(Random(number), f"{number}"), 100, 0, Birth("r", "me", number)
        )
        self.flying.on_asked(asked)
        return asked


def work(asked: Assignment) -> tuple[str, int, int]:
    return TOY.identify(asked.genome), asked.rung, asked.replica


def test_a_work_is_told_of_until_its_record_is_everywhere() -> None:
    case = Case()
    one, two = case.ask(1), case.ask(2)
    assert case.told.works == [[work(one)], [work(one), work(two)]]
    case.flying.on_finished(one, TOY.evaluate(one))
    case.now += LINGER / 2
    case.flying.on_wait(1)
    assert len(case.told.works) == 2
    case.now += LINGER / 2
    case.flying.on_wait(1)
    assert case.told.works[2:] == [[work(two)]]


def test_of_many_those_that_run_and_those_done_last_are_told_of() -> None:
    case = Case()
    newest = case.ask(0)
    for number in range(MOST_WORKS + 1):
        asked = case.ask(number)
        case.now += 1
        case.flying.on_finished(asked, TOY.evaluate(asked))
        newest = asked
    last = case.ask(MOST_WORKS + 1)
    assert len(case.told.works[-1]) == MOST_WORKS
    assert case.told.works[-1][:2] == [work(last), work(newest)], "held back the longest"


def test_what_others_work_on_is_believed_while_the_node_speaks() -> None:
    case = Case()
    assert case.flying.others() == {}
    case.told.latest["flights"] = {"others": {"you": [["ab", 100, 0]]}}
    assert case.flying.others() == {"you": [("ab", 100, 0)]}
    case.told.latest["committed"] = {"records": ["ab"]}
    assert list(case.flying.committed()) == ["ab"]
    case.now += FRESH + 1
    assert list(case.flying.committed()) == []
    assert case.flying.others() == {}
