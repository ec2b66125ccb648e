"""Facts of pool entries, so that whoever asks the same entries of a pool finds them with one look.

Children share most entries with their parents, and are asked for what is wrong with each, how each
is written, and how large each is.
"""

from __future__ import annotations

from ..blocks.declaration import Cost
from ..blocks.registry import Catalog
from .graph import Entry
from .memory import PerObject, Recent


class Facts:
    """What is known of an entry so far; each part of ``genome/`` fills in what it finds.

    ``sound`` says whether nothing is wrong with the entry; ``text`` is how it is written, with
    ``segmented`` for whether it reads segments; ``costs`` are those of its parts by the number of a
    size.
    """

    __slots__ = ("costs", "segmented", "sound", "text")

    def __init__(self) -> None:
        self.sound: bool | None = None
        self.text: str | None = None
        self.segmented = False
        self.costs: dict[int, Cost] = {}


_facts = PerObject[Facts]()
_pools = Recent[list[Facts]]()


def facts_of(pool: tuple[Entry, ...], catalog: Catalog) -> list[Facts]:
    """Return the facts of each entry of a pool."""
    return _pools.of(pool, catalog, lambda: _facts.each(pool, catalog, lambda _: Facts()))
