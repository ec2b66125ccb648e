from __future__ import annotations

from collections.abc import Sequence

from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.graph import Entry, Genome, Part, Stack, Visit
from praxis_evolve.genome.identity import genome_id
from praxis_evolve.market.credit import accounts
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.record import FIRST, Record, sign
from praxis_evolve.market.witness import Witness, witness
from praxis_evolve.search.base import Assignment, Birth
from praxis_evolve.tests.market.receiving import received

LOW, HIGH = 1000, 3000


def made(heads: int, name: str = "mixer") -> Genome:
    return Genome((Entry(Part(name, {"heads": heads})),), (Visit(0),), Stack(width=32))


class Peer:
    """One run of a ledger, as its peer fills it."""

    def __init__(self, ledger: Ledger, catalog: Catalog, identity: Identity) -> None:
        self.ledger, self.catalog, self.identity = ledger, catalog, identity
        self.digest = ledger.create_run("r", {"a": 1}).digest
        self.others = dict[str, list[Record]]()
        self.asks = 0

    def name(self, genome: Genome) -> str:
        return genome_id(genome, self.catalog)

    def ask(
        self, genome: Genome, *, rung: int = LOW, replica: int = 0, origin: str = "insert",
        parents: Sequence[Genome] = (),
    ) -> None:  # fmt: skip
        birth = Birth(self.digest, self.identity.author, self.asks)
        names = tuple(map(self.name, parents))
        self.asks += 1
        self.ledger.append_asked("r", Assignment(genome, rung, replica, birth, origin, names))

    def publish(self, genome: Genome, rung: int = LOW) -> Record:
        result = Result(self.name(genome), "cd" * 32, rung, 0, 7, 2.0)
        return self.ledger.publish("r", self.identity, result)

    def hear(self, other: Identity, genome: Genome, rung: int = LOW) -> str:
        """Take in a record of another peer and return its id."""
        self.ledger.put_genome("r", genome)
        chain = self.others.setdefault(other.author, [])
        result = Result(self.name(genome), "cd" * 32, rung, 0, 7, 2.0)
        prev = chain[-1].id if chain else FIRST
        chain.append(
            sign(result, other, run=self.digest, seq=len(chain), prev=prev, catalog="00" * 32,
                 program="1")
        )  # fmt: skip
        merged = received(self.ledger, "r", chain[-1:], own=self.identity.author)
        assert merged.added == (chain[-1].id,)
        return chain[-1].id

    def seen(self) -> Witness:
        return witness(self.ledger.told("r"), self.name)


def test_only_claims_that_came_before_an_own_ask_for_the_same_work_are_early(
    ledger: Ledger, catalog: Catalog, identity: Identity
) -> None:
    peer, other = Peer(ledger, catalog, identity), Identity.new()
    before = peer.hear(other, made(1))
    peer.ask(made(1), origin="audit")
    peer.publish(made(1))
    late = peer.hear(Identity.new(), made(1))
    higher = peer.hear(other, made(1), HIGH)
    never = peer.hear(other, made(2))
    found = peer.seen()
    assert found.own == {identity.author}
    assert found.early == {before, higher, never}
    assert late not in found.early
    assert found.brought == {before, never}
    assert not found.bred


def test_a_record_that_counts_otherwise_later_is_no_later_record(
    ledger: Ledger, catalog: Catalog, identity: Identity
) -> None:
    peer, other = Peer(ledger, catalog, identity), Identity.new()
    before = peer.hear(other, made(1))
    late_ask = peer.seen()
    peer.ask(made(1), origin="audit")
    (record,) = peer.others[other.author]
    ledger.append_weights("r", {record: 1.0})
    assert peer.seen().early == late_ask.early == {before}


def test_a_claim_that_is_audited_is_paid_and_one_that_came_after_the_audit_is_not(
    ledger: Ledger, catalog: Catalog, identity: Identity
) -> None:
    peer, other, late = Peer(ledger, catalog, identity), Identity.new(), Identity.new()
    several = [made(heads, name) for name in ("mixer", "other") for heads in (1, 2, 4)]
    for genome in several:
        peer.hear(other, genome)
    for genome in several[:4]:
        peer.ask(genome, origin="audit")
        peer.publish(genome)
    for genome in several:
        peer.hear(late, genome)
    found = accounts(ledger.records("r"), peer.seen(), lambda result: 1.0)
    credit = {account.author: account.credit for account in found}
    assert credit == {identity.author: 4.0, other.author: 4.0, late.author: 0.0}


def test_births_here_are_known_with_their_parents_and_the_line_goes_on_to_what_others_brought(
    ledger: Ledger, catalog: Catalog, identity: Identity
) -> None:
    peer, other = Peer(ledger, catalog, identity), Identity.new()
    first, foreign, child, grandchild = made(1), made(2), made(4), made(1, "other")
    peer.ask(first, origin="llama")
    brought = peer.hear(other, foreign)
    peer.ask(child, origin="crossover", parents=(first, foreign))
    copied = peer.hear(Identity.new(), foreign)
    peer.ask(foreign, rung=HIGH, origin="promote", parents=(foreign,))
    peer.ask(grandchild, origin="insert", parents=(child,))
    peer.ask(made(2, "other"), replica=1, origin="final")
    found = peer.seen()
    names = {peer.name(each) for each in (first, child, grandchild)}
    assert found.bred == {name: {identity.author} for name in names}
    assert found.line(peer.name(grandchild)) == names | {peer.name(foreign)}
    assert found.line(peer.name(foreign)) == {peer.name(foreign)}
    assert found.brought == {brought}
    assert copied not in found.brought
