"""Islands: parts of a large swarm, each of which holds the records of its own authors in whole.

How many there are is part of the run, so nobody can change it later and be alone with a victim. An
author's island follows from its key and the run. Whoever wants a certain one tries about as many
keys as there are islands, and gains nothing by it: whom a peer believes hangs on what it measured
itself, wherever an author lives.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

MOST = 4096
"""The most islands of a run."""


@dataclass(frozen=True)
class Islands:
    """The islands of the run with the digest ``run``, so many."""

    run: str
    count: int = 1

    def of(self, author: str) -> int:
        """Return the island, from 0, of the author with this key."""
        if self.count == 1:
            return 0
        lot = hashlib.sha256(f"{self.run}{author}".encode()).digest()
        return int.from_bytes(lot, "big") % self.count
