"""Emigrants: the best results of an island, which peers of other islands may have."""

from __future__ import annotations

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from ..evidence import Board, Work, figures, work_of
from ..weighed import Weighed

SHARE = 100
"""One in so many results emigrates."""

FEW = 16
"""How many of each board emigrate at least, of all authors of an island together. Each peer offers
its part of them: what it believes at first are its own results, and all of those are not the best.
"""

MOST = 256
"""The most that are offered of a board."""

OFFERED = 1024
"""The most that are offered in all."""

KEPT = 2 * MOST
"""How many are remembered of each board, for some may count less later."""

_Place = tuple[float, str, Work]


class Emigrants:
    """What a peer offers: the best that it believes of the authors for whom *is_here* holds.

    Results of a board (a rung; finals and heirs apart) are compared by their bits per byte, and of
    those who measured the same work the best stands for all. One in ``SHARE`` of all that count
    fully is offered; what was too poor to be remembered counts on.
    """

    def __init__(self, is_here: Callable[[str], bool]) -> None:
        self._is_here = is_here
        self._authors = set[str]()
        self._boards = defaultdict[Board, list[_Place]](list)
        self._counted = Counter[Board]()
        self._places = dict[str, tuple[Board, _Place]]()

    def hear(self, lines: Iterable[Weighed]) -> None:
        """Take in lines of the log, in their order."""
        for _, record, weight in lines:
            if not self._is_here(record.author):
                continue
            self._authors.add(record.author)
            if record.id in self._places:
                board, place = self._places.pop(record.id)
                self._boards[board].remove(place)
                self._counted[board] -= 1
            for board, bits in figures(record.result):
                if weight == 1.0 and not board.test:
                    self._enter(board, (bits, record.id, work_of(record.result)))

    def best(self) -> list[str]:
        """Return the ids of what is offered."""
        least = max(1, FEW // max(1, len(self._authors)))
        most = min(MOST, OFFERED // max(1, len(self._boards)))
        found = list[str]()
        for board, places in sorted(self._boards.items()):
            several = dict[Work, str]()
            for _, name, work in places:
                several.setdefault(work, name)
            found += list(several.values())[: min(most, max(least, self._counted[board] // SHARE))]
        return found

    def _enter(self, board: Board, place: _Place) -> None:
        self._counted[board] += 1
        places = self._boards[board]
        insort(places, place)
        self._places[place[1]] = board, place
        if len(places) > KEPT:
            del self._places[places.pop()[1]]
