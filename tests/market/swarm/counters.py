"""Replicas in memory, so light that thousands fit: records are names, nothing is signed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from praxis_evolve.market import canonical
from praxis_evolve.market.swarm.heads import Head, Heads, head_of, lacking
from praxis_evolve.market.swarm.replica import Received


@dataclass
class Counters:
    """What each author counted so far; ``author`` counts on by ``count``."""

    author: str
    run: str = "ab" * 32
    upto: dict[str, int] = field(default_factory=dict[str, int])
    _heads: dict[str, Head] = field(default_factory=dict[str, Head])

    def count(self, records: int = 1) -> None:
        """Add records of its own."""
        self._set(self.author, self.upto.get(self.author, 0) + records)

    def heads(self) -> Heads:
        """Return in brief what is here."""
        return dict(self._heads)

    def lacking(self, theirs: Heads) -> Iterator[bytes]:
        """Yield what a peer with these heads lacks, as one batch."""
        lacked = [author for author, _ in lacking(self._heads, theirs)]
        if lacked:
            yield canonical.encode({author: self.upto[author] for author in lacked})

    def receive(self, batch: bytes, sender: str = "") -> Received:
        """Count up to what others counted."""
        added = 0
        for author, upto in cast("dict[str, int]", canonical.decode(batch, limit=1 << 20)).items():
            before = self.upto.get(author, 0)
            if upto > before:
                added += upto - before
                self._set(author, upto)
        return Received(added)

    def _set(self, author: str, upto: int) -> None:
        self.upto[author] = upto
        self._heads[author] = Head(upto, upto, head_of([(upto, f"{author}/{upto}")]).digest)
