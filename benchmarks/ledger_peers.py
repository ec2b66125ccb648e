"""Peers with ledgers, journals and replicas of their own in one process, for simulations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from praxis_evolve.benchmarks.identities import identity_of
from praxis_evolve.benchmarks.landscape import CATALOG, RUNGS, Landscape
from praxis_evolve.benchmarks.liars import LIE
from praxis_evolve.evaluator.result import Result
from praxis_evolve.market.claims import Claims
from praxis_evolve.market.drive import LedgerJournal
from praxis_evolve.market.lease import acquire
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.market.plan import Plan
from praxis_evolve.market.swarm.replica import LedgerReplica
from praxis_evolve.search.base import Assignment, Birth


class Peer:
    """A peer with a ledger of its own, driven by its journal; a liar claims ``LIE`` bits less."""

    def __init__(self, folder: Path, number: int, of: Manifest, *, lies: bool) -> None:
        folder.mkdir()
        self.identity = identity_of(number)
        self.ledger = Ledger.open(f"sqlite:///{folder / 'store.db'}", catalog=CATALOG)
        self.lies = lies
        digest = self.ledger.create_run("run", of.to_dict()).digest
        lease = acquire(self.ledger.store, "run", now=0.0)
        self.plan = Plan(of, CATALOG)
        self.replica = LedgerReplica(
            self.ledger, "run", self.identity.author, Claims(of, self.plan.space)
        )
        self.origins = list[str]()
        self.journal = LedgerJournal(
            self.ledger, "run", self.identity, lease, lambda: 0.0, lines=self.plan.lines_anew()
        )
        self.birth = Birth(digest, self.identity.author, 0)

    def asked(self) -> Assignment | None:
        """Hear what came in, and ask for a work; a liar hands out no audit."""
        search = self.plan.search
        search.tell(self.journal.heard())
        assignment = search.ask(self.birth)
        if assignment is not None:
            self.birth = replace(self.birth, number=self.birth.number + 1)
            if not (self.lies and assignment.origin == "audit"):
                search.tell(self.journal.asked(assignment))
                self.origins.append(assignment.origin)
        return assignment

    def publish(self, result: Result) -> None:
        """Publish what a work came to."""
        self.journal.finished(result)
        self.plan.search.tell(self.journal.heard())

    def work(self, landscape: Landscape) -> bool:
        """Ask for one work and publish what it comes to; return whether there was any."""
        assignment = self.asked()
        if assignment is None or (self.lies and assignment.origin == "audit"):
            return assignment is not None
        result = landscape.measured(assignment)
        if self.lies:
            result = replace(result, bits_per_byte=max(0.1, (result.bits_per_byte or 0.0) - LIE))
        self.publish(result)
        return True

    def best(self) -> Result | None:
        """Return what it takes for the best at the top rung."""
        top = [each for each in self.plan.results if each.rung == RUNGS[-1] and each.ok]
        return min(top, key=lambda each: each.bits_per_byte or 9.0, default=None)


def exchange(one: Peer, other: Peer) -> None:
    """Let both have the records of both."""
    for source, target in ((one, other), (other, one)):
        for batch in source.replica.lacking(target.replica.heads()):
            target.replica.receive(batch)
