"""Searches that end when a budget is spent, of whatever results take."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from praxis_evolve.evaluator.result import Result
from praxis_evolve.search.base import Assignment, Birth, Event, Finished, Search


class Budgeted:
    """A search that asks for nothing more when its results took all of a budget.

    Args:
        search: what asks.
        left: the budget.
        price: what a result takes of it, in the same unit.
    """

    def __init__(self, search: Search, left: float, price: Callable[[Result], float]) -> None:
        self._search = search
        self._left = left
        self._price = price

    def ask(self, birth: Birth) -> Assignment | None:
        """Return what the search asks for, None when all is spent."""
        return self._search.ask(birth) if self._left > 0 else None

    def tell(self, events: Sequence[Event]) -> None:
        """Tell the search, and take what results took from what is left."""
        self._search.tell(events)
        for event in events:
            if isinstance(event, Finished):
                self._left -= self._price(event.result)
