"""What came to a run from others, and how much of it counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..market.reading import Told
from ..search.base import Finished
from ..search.scores import TRUSTED


class Others(NamedTuple):
    """How many others published, how many records of theirs are here, how many of these count."""

    authors: int
    records: int
    counting: int

    def __str__(self) -> str:
        """Return a line about them."""
        authors = f"{self.authors} author{'' if self.authors == 1 else 's'}"
        records = f"{self.records} record{'' if self.records == 1 else 's'}"
        return f"{records} of {authors}, {self.counting} count here: --authors says why"


def others(log: Iterable[Told]) -> Others | None:
    """Return what came from others by the log of a run, None if nothing did."""
    weights, authors, drivers = dict[str, float](), dict[str, str](), set[str]()
    for told in log:
        if told.record is None or not isinstance(told.event, Finished):
            continue
        name = told.record.id
        if name not in weights:
            authors[name] = told.record.author
            drivers.update(told.drivers)
        weights[name] = told.event.weight
    foreign = {name: author for name, author in authors.items() if author not in drivers}
    if not foreign:
        return None
    counting = sum(weights[name] >= TRUSTED for name in foreign)
    return Others(len(set(foreign.values())), len(foreign), counting)
