"""What a swarm finds, and what it costs, where some of its peers lie.

    python benchmarks/liars.py --out runs/liars.jsonl

Peers are simulated in one process, each with a ledger, a search and a trust of its own; they
exchange records two by two, at random. Training is a landscape that is known: traits of genomes
add up, and every peer that measures a genome finds the same. Liars claim that what they measured is
much better, all of them by the same amount, so that they bear each other out; they never measure
what others claim.

``fitness`` is the truth of the genome that an honest peer takes for the best at the top rung, from
0 (the median of samples) to 1 (what honest peers alone find), the mean over honest peers.
``evaluations`` are those of honest peers for each result that at least one of them trusts.
``friends`` are honest peers and ``believed`` liars that honest peers believe, ``doubted`` honest
ones that were found wrong.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import fmean, median
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from praxis_evolve.benchmarks.rows import add_row, end_line
from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.job import seed_of
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.identity import identify
from praxis_evolve.genome.traits import Trait
from praxis_evolve.market.claims import Claims
from praxis_evolve.market.drive import LedgerJournal
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.lease import acquire
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.market.plan import Plan
from praxis_evolve.market.swarm.replica import LedgerReplica
from praxis_evolve.market.trust import Trust
from praxis_evolve.search.base import Assignment, Birth
from praxis_evolve.search.species import Species

NAMES = (
    "attention", "retention", "glu", "mlp", "kan", "mingru", "short_conv", "token_shift", "pre",
    "post", "rmsnorm", "layernorm", "token", "ngram",
)  # fmt: skip
CATALOG = installed().only(NAMES)
RUNGS = 100, 300
LIE = 1.0
"""How many bits per byte better a liar claims to have found a genome."""


def manifest(births: int) -> Manifest:
    """Return the run that all peers are of; there is nothing but its evolution."""
    return Manifest(
        program="0", preset="none", seed=3, task="landscape", task_digest="ab" * 32,
        task_bytes=1000, widths=(32,), layers=1, context=32, batch=4, rungs=RUNGS,
        search_windows=4, test_windows=4, blocks=NAMES, catalog=CATALOG.digest, visits=6,
        parameters=None, flops=None, carry_bytes=None, population=min(64, max(16, births // 8)),
        births=births, objectives=("bits_per_byte",), tuned=False, looks=(), replicas=(),
    )  # fmt: skip


class Landscape:
    """What training would find: traits add up, and luck hangs on genome and rung."""

    def __init__(self, seed: int, species: Species) -> None:
        self._seed, self._species = seed, species
        self._known: dict[str, float] = {}

    def worth(self, genome: Genome, name: str) -> float:
        """Return the bits per byte of a genome without luck."""
        if name not in self._known:
            traits = sorted(self._species.traits(genome))
            self._known[name] = 4.0 + sum(map(self._effect, traits)) / len(traits) ** 0.5
        return self._known[name]

    def measured(self, assignment: Assignment) -> Result:
        """Return what everybody finds who evaluates honestly."""
        genome, rung, replica = assignment.genome, assignment.rung, assignment.replica
        name = identify(genome, CATALOG)
        luck = self._lot("luck", name.genome, rung, replica).gauss(0.0, 0.03)
        return Result(
            name.genome, name.architecture, rung, replica, seed_of("ab" * 32, replica),
            self.worth(genome, name.genome) + luck + (0.3 if rung == RUNGS[0] else 0.0),
            costs=self._species.costs(genome),
        )  # fmt: skip

    def _effect(self, trait: Trait) -> float:
        return self._lot("effect", trait.slot, trait.value).gauss(0.0, 0.5)

    def _lot(self, *parts: object) -> Random:
        text = repr((self._seed, *parts))
        return Random(hashlib.sha256(text.encode()).hexdigest())


class Peer:
    """A peer with a ledger of its own."""

    def __init__(self, folder: Path, number: int, of: Manifest, *, lies: bool) -> None:
        folder.mkdir()
        key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"{number}".encode()).digest())
        self.identity = Identity(key.public_key().public_bytes_raw().hex(), key)
        self.ledger = Ledger.open(f"sqlite:///{folder / 'store.db'}", catalog=CATALOG)
        self.lies = lies
        digest = self.ledger.create_run("run", of.to_dict()).digest
        lease = acquire(self.ledger.store, "run", now=0.0)
        self.plan = Plan(of, CATALOG)
        self.replica = LedgerReplica(
            self.ledger, "run", self.identity.author, Claims(of, self.plan.space)
        )
        self.origins = list[str]()
        self._journal = LedgerJournal(self.ledger, "run", self.identity, lease, lambda: 0.0)
        self._birth = Birth(digest, self.identity.author, 0)

    def work(self, landscape: Landscape) -> bool:
        """Ask for one work and publish what it comes to; return whether there was any."""
        search = self.plan.search
        search.tell(self._journal.heard())
        assignment = search.ask(self._birth)
        if assignment is None:
            return False
        self._birth = replace(self._birth, number=self._birth.number + 1)
        if self.lies and assignment.origin == "audit":
            return True
        search.tell(self._journal.asked(assignment))
        result = landscape.measured(assignment)
        if self.lies:
            result = replace(result, bits_per_byte=max(0.1, (result.bits_per_byte or 0.0) - LIE))
        self.origins.append(assignment.origin)
        self._journal.finished(result)
        search.tell(self._journal.heard())
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


@dataclass(frozen=True)
class Found:
    """What a swarm came to; see above."""

    truth: float
    evaluations: float
    friends: float
    believed: float
    doubted: float
    audits: float


def swarm(peers: int, liars: int, *, births: int, evaluations: int, seed: int) -> Found:
    """Let so many peers do so many evaluations in all, the liars' own not counted."""
    of, rng = manifest(births), Random(seed)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        several = [
            Peer(Path(folder, str(number)), number, of, lies=number >= peers - liars)
            for number in range(peers)
        ]
        for peer in several:
            stack.enter_context(peer.ledger)
        landscape = Landscape(seed, Species(several[0].plan.space))
        honest = [peer for peer in several if not peer.lies]
        while sum(len(peer.origins) for peer in honest) < evaluations:
            worked = [peer.work(landscape) for peer in rng.sample(several, len(several))]
            for peer in several:
                exchange(peer, rng.choice(several))
            if not any(worked):
                break
        return _found(several, landscape)


def _found(several: Sequence[Peer], landscape: Landscape) -> Found:
    honest = [peer for peer in several if not peer.lies]
    names = {peer.identity.author for peer in honest}
    genomes = {name: genome for peer in honest for name, genome in peer.ledger.genomes("run")}
    best = [found for peer in honest if (found := peer.best()) is not None]
    trusts = [Trust(peer.ledger.records("run"), peer.identity.author) for peer in honest]
    results = {(r.genome, r.rung) for peer in honest for r in peer.plan.results}
    done = sum(len(peer.origins) for peer in honest)
    return Found(
        truth=fmean(landscape.worth(genomes[each.genome], each.genome) for each in best),
        evaluations=done / max(1, len(results)),
        friends=fmean(len(trust.trusted & names) - 1 for trust in trusts),
        believed=fmean(len(trust.trusted - names) for trust in trusts),
        doubted=fmean(
            sum(each.wrong > 0 for name, each in trust.tallies.items() if name in names)
            for trust in trusts
        ),
        audits=sum(peer.origins.count("audit") for peer in honest) / max(1, done),
    )


def middling(seed: int, births: int) -> float:
    """Return the median truth of genomes that nobody chose."""
    species = Species(Plan(manifest(births), CATALOG).space)
    landscape, rng = Landscape(seed, species), Random(seed)
    drawn = [species.sample(rng, f"{number}") for number in range(101)]
    return median(landscape.worth(genome, species.identify(genome)) for genome in drawn)


def rows(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a row for each seed and share of liars, those of no liars first."""
    for seed in range(asked.seeds):
        usual = middling(seed, asked.births)
        honest = usual
        for share in (0.0, *asked.shares):
            liars = round(share * asked.peers)
            evaluations = asked.evaluations * (asked.peers - liars) // asked.peers
            found = swarm(
                asked.peers, liars, births=asked.births, evaluations=evaluations, seed=seed
            )
            honest = found.truth if share == 0.0 else honest
            fitness = (usual - found.truth) / (usual - honest)
            yield {"seed": seed, "liars": share, "fitness": fitness, **vars(found)}


def table(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table."""
    names = ("fitness", "evaluations", "audits", "friends", "believed", "doubted")
    yield f"{'liars':>6}" + "".join(f"{name:>14}" for name in names)
    for share in sorted({row["liars"] for row in found}):
        some = [row for row in found if row["liars"] == share]
        yield f"{share:6.0%}" + "".join(f"{fmean(r[name] for r in some):14.3f}" for name in names)


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--peers", type=int, default=10)
    add("--shares", type=float, nargs="+", default=[0.1, 0.2, 0.3, 0.4], help="of liars")
    add("--births", type=int, default=400)
    add("--evaluations", type=int, default=600, help="of all peers, were they honest")
    add("--seeds", type=int, default=3)
    add("--out", type=Path, help="a file of JSON lines")
    return parser


def main() -> None:
    """Simulate all and print a table."""
    asked = options().parse_args()
    found = list[dict[str, Any]]()
    for row in rows(asked):
        found.append(row)
        if asked.out:
            asked.out.parent.mkdir(parents=True, exist_ok=True)
            end_line(asked.out)
            add_row(asked.out, row)
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
