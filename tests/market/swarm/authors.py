"""Peers with ledgers of their own, who measured something: what swarms are tested with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

from praxis_evolve.evaluator.job import seed_of
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.identity import identify
from praxis_evolve.market.claims import Claims
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.swarm.replica import LedgerReplica
from praxis_evolve.tests.market.loop import CATALOG, MANIFEST

RUN = "run"
SPACE = MANIFEST.space(CATALOG, {})
CLAIMS = Claims(MANIFEST, SPACE)


def genome_of(number: int) -> Genome:
    """The genome with this number."""
    return SPACE.sample(Random(number), f"g{number}")


def measured(genome: Genome, *, rung: int = 100, replica: int = 0) -> Result:
    """What everybody finds of a genome who measures it."""
    name = identify(genome, CATALOG)
    lot = int(hashlib.sha256(f"{name.genome}/{rung}/{replica}".encode()).hexdigest()[:8], 16)
    return Result(
        name.genome, name.architecture, rung, replica, seed_of(MANIFEST.task_digest, replica),
        2 + lot / 16**8, costs=SPACE.costs(genome), curve=((rung // 2, 4.0), (rung, 3.0)),
    )  # fmt: skip


class Author:
    """A peer: an identity and a ledger in a folder, where it can be opened again."""

    def __init__(
        self,
        folder: Path,
        *,
        identity: Identity | None = None,
        now: Callable[[], float] = lambda: 1000.0,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.identity = identity or Identity.new()
        self.ledger = Ledger.open(f"sqlite:///{folder / 'store.db'}", catalog=CATALOG, now=now)
        if not self.ledger.runs():
            self.ledger.create_run(RUN, MANIFEST.to_dict())

    @property
    def key(self) -> str:
        return self.identity.author

    def replica(self) -> LedgerReplica:
        return LedgerReplica(self.ledger, RUN, self.key, CLAIMS)

    def measure(self, *numbers: int, worse: float = 0.0) -> None:
        """Publish what it finds of these genomes; a liar finds it ``worse``."""
        for number in numbers:
            genome = genome_of(number)
            found = measured(genome)
            bits = (found.bits_per_byte or 0.0) + worse
            self.ledger.put_genome(RUN, genome)
            self.ledger.publish(RUN, self.identity, replace(found, bits_per_byte=bits))

    def again(self) -> Author:
        """The same peer after its process died."""
        self.ledger.close()
        return Author(self.folder, identity=self.identity)
