"""Stages of a campaign hear what happened in the order in which it did."""

from collections.abc import Sequence

from praxis_evolve.search.base import Assignment, Birth, Closed, Event, Expired
from praxis_evolve.search.campaign import Campaign


class Listening:
    done = True

    def __init__(self, name: str, heard: list[tuple[str, Event]]) -> None:
        self.name = name
        self.heard = heard

    def ask(self, birth: Birth) -> Assignment | None:
        return None

    def tell(self, events: Sequence[Event]) -> None:
        self.heard += [(self.name, event) for event in events]


def test_every_stage_hears_of_an_event_before_any_hears_of_the_next():
    events = [Expired(Birth("", "me", 0)), Closed()]
    at_once, one_by_one = list[tuple[str, Event]](), list[tuple[str, Event]]()
    Campaign(Listening("a", at_once), Listening("b", at_once)).tell(events)
    apart = Campaign(Listening("a", one_by_one), Listening("b", one_by_one))
    for event in events:
        apart.tell([event])
    assert at_once == one_by_one == [(name, event) for event in events for name in "ab"]
