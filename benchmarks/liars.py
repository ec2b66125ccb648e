"""What a swarm finds, and what it costs, where some of its peers lie.

    python benchmarks/liars.py --out runs/liars.jsonl
    python benchmarks/liars.py --text tinyshakespeare --shares 0.2 --samples 21

Peers are simulated in one process, each with a log, a search and a trust of its own; they
exchange records two by two, at random, several times in the time of an evaluation. Training is a
landscape that is known (traits of genomes add up), or with ``--text`` real training of tiny genomes
on a text (``trained``); every peer that measures a genome finds the same. Dishonest peers never
measure what others claim, and are of four kinds:

- ``colluding``: they claim that what they measured is much better, all by the same amount, so that
  they bear each other out;
- ``copier``: they repeat what others published, as it is or with a little noise, until an honest
  peer believes them, and lie then as the colluding ones do;
- ``traitor``: they are honest until an honest peer believes them, and lie then;
- ``shaver``: so are they, but lie by no more than an honest training may stray.

With ``--astray 0.05`` so many trainings of each honest peer come to something else than those of
the others, by up to ``ASTRAY``, as those do that hang on the last digit of a product.

``fitness`` is the truth of the genome that an honest peer takes for the best at the top rung, from
0 (the median of samples) to 1 (what a swarm finds in which all are honest), the mean over honest
peers; on a text it is what other seeds and the test split say, which no search reads. ``of alone``
compares with what the honest peers find alone, with as many evaluations. ``evaluations`` are those
of honest peers for each result that at least one of them trusts.
``friends`` are honest peers and ``believed`` dishonest ones that honest peers believe, ``banned``
the share of honest ones that were found wrong or, though right often enough, are not believed,
``false`` the share of honest peers whose best is another one than was measured.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, islice
from pathlib import Path
from random import Random
from statistics import fmean, median
from typing import Any, Literal

from praxis_evolve.benchmarks.identities import identity_of
from praxis_evolve.benchmarks.landscape import CATALOG
from praxis_evolve.benchmarks.rows import add_row, end_line
from praxis_evolve.benchmarks.training import Training, add_options, trainings
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.graph import Genome
from praxis_evolve.market.evidence import Work, agree, work_of
from praxis_evolve.market.log import PEER
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.market.plan import Plan
from praxis_evolve.market.reckoning import Reckoning
from praxis_evolve.market.record import FIRST, Record, sign
from praxis_evolve.market.tally import NEW, STANDING, STRAY, TOLERANCE
from praxis_evolve.market.trust import weight
from praxis_evolve.search.audits import AUDIT
from praxis_evolve.search.base import (
    Asked,
    Assignment,
    Birth,
    Committed,
    Finished,
    Key,
    Taken,
    key_of,
)
from praxis_evolve.search.species import Species

RUN = "ef" * 32
LIE = 1.0
"""How many bits per byte better a liar claims to have found a genome."""

SHAVED = 0.9 * STRAY
"""How many a shaver does."""

ASTRAY = STRAY / 2
"""How far an honest training is from that of another machine where it strays, at most."""

Kind = Literal["honest", "colluding", "copier", "traitor", "shaver"]
KINDS: tuple[Kind, ...] = "colluding", "copier", "traitor", "shaver"
HONEST: tuple[Kind, ...] = ("honest",)

COPIES = 8
"""How many records a copier repeats in the time of an evaluation."""

EXCHANGES = 3
"""How often a peer exchanges records with another in the time of an evaluation; a node does so
every ten seconds, and sends what is new at once.
"""

SAMPLES = 101
"""Of how many genomes that nobody chose the median is taken."""

Heard = tuple[Record, Genome]
"""A record and its genome."""


class Peer:
    """A peer with a log, a search and a trust of its own, all in memory."""

    def __init__(
        self, number: int, of: Manifest, kind: Kind = "honest", *, astray: float = 0.0
    ) -> None:
        self.identity = identity_of(number)
        self.kind: Kind = kind
        self.astray = astray
        self.plan = Plan(of, CATALOG)
        self.reckoning = Reckoning(self.identity.author, secret=f"{number}")
        self.records = dict[str, Heard]()
        """What it heard, in order, by id."""
        self.origins = list[str]()
        self.friends = frozenset[str]()
        """Whom it believes whatever it finds of them."""
        self.at: Key | None = None
        """What it works on, or did last."""
        self._done = set[tuple[str, Key]]()
        """What others did as far as it heard, and what it leaves to them."""
        self._read = Counter[object]()
        self._copied = set[str]()
        self._works = defaultdict[Work, list[Record]](list)
        self._fresh = list[Record]()
        """What it heard since it noted last who was bound to what."""
        self._weights = dict[str, float]()
        self._chain = list[Record]()
        self._birth = Birth(RUN, self.identity.author, 0)

    @property
    def honest(self) -> bool:
        """Whether it never lies."""
        return self.kind == "honest"

    def work(self, training: Training, *, is_believed: bool) -> bool:
        """Ask for one work and publish what it comes to; return whether there was any."""
        lies = self.kind == "colluding" or is_believed
        if self.kind == "copier" and not lies:
            return self._copy()
        assignment = self.ask()
        if assignment is None:
            return False
        if lies and assignment.origin == AUDIT:
            return True
        self.begin(assignment)
        result = training.measured(assignment)
        if result.bits_per_byte is not None:
            less = (SHAVED if self.kind == "shaver" else LIE) if lies else self._strays(result)
            result = replace(result, bits_per_byte=max(0.1, result.bits_per_byte - less))
        self.publish(result, assignment.genome)
        return True

    def _strays(self, result: Result) -> float:
        """Return how far its machine is from others with this work; always the same."""
        rng = Random(f"{self.identity.author}/{key_of(result)}")
        return rng.uniform(-ASTRAY, ASTRAY) if rng.random() < self.astray else 0.0

    def ask(self) -> Assignment | None:
        """Ask for a work."""
        assignment = self.plan.search.ask(self._birth)
        if assignment is not None:
            self._birth = replace(self._birth, number=self._birth.number + 1)
        return assignment

    def begin(self, assignment: Assignment) -> None:
        """Hand a work out."""
        name = self.plan.identify(assignment.genome)
        self.at = Key(name, assignment.rung, assignment.replica)
        self.plan.search.tell([Asked(assignment)])
        self.origins.append(assignment.origin)

    def news(self, reader: object) -> list[Heard]:
        """Return what it heard since *reader* asked for the last time."""
        since, self._read[reader] = self._read[reader], len(self.records)
        return list(islice(self.records.values(), since, None))

    def leave_alone(self, others: Iterable[Peer]) -> None:
        """Hear what others work on now, and leave it to those that it believes."""
        works = {other.identity.author: other.at for other in others if other is not self}
        for author in sorted(self.reckoning.trusted & works.keys()):
            work = works[author]
            if work is not None and (author, work) not in self._done:
                self._done.add((author, work))
                self.plan.search.tell([Taken(author, (work,))])

    def hear(self, received: Iterable[Heard]) -> None:
        """Take in what others published, as a journal does."""
        fresh = [pair for pair in received if pair[0].id not in self.records]
        if not fresh:
            return
        fresh.sort(key=lambda pair: (pair[0].author, pair[0].seq))
        for record, genome in fresh:
            self.records[record.id] = record, genome
            is_friend = record.author in self.friends
            self._tell(record, 1.0 if is_friend else weight(record, self.identity.author))
            self._works[work_of(record.result)].append(record)
            self._done.add((record.author, key_of(record.result)))
            self._fresh.append(record)
        self._follow(self.reckoning.hear(record for record, _ in fresh))

    def _follow(self, changed: Mapping[str, float]) -> None:
        for name, counts in changed.items():
            record, _ = self.records[name]
            if self._weights[name] != counts and record.author not in self.friends:
                self._tell(record, counts)

    def bind(self, published: Mapping[str, float], *, since: float, hold: float) -> None:
        """Note who was bound to what was published *since* before others could know it.

        That is whoever says what nobody else is heard to have said before. When each record was
        signed says *published*, and others knew it *hold* later.
        """
        fresh, self._fresh = [r for r in self._fresh if published[r.id] >= since], []
        known = self.reckoning.trusted
        for record in (each for each in fresh if each.author not in known):
            before = (
                other
                for other in self._works[work_of(record.result)]
                if other.author != record.author
                and published[other.id] <= published[record.id] - hold
            )
            if not any(agree(other.result, record.result) for other in before):
                committed = Committed(record.author, key_of(record.result), record.id)
                self.plan.search.tell([committed])
                self._follow(self.reckoning.hear((), committed=[record.id]))

    def _tell(self, record: Record, counts: float) -> None:
        result, asked = record.result, None
        if record.author != self.identity.author:
            birth = Birth(RUN, record.author, record.seq)
            genome = self.records[record.id][1]
            asked = Assignment(genome, result.rung, result.replica, birth, PEER)
        self._weights[record.id] = counts
        self.plan.search.tell([Finished(result, counts, asked)])

    def publish(self, result: Result, genome: Genome) -> Record:
        """Sign what a work came to."""
        record = sign(
            result, self.identity, run=RUN, seq=len(self._chain), catalog=CATALOG.digest,
            prev=self._chain[-1].id if self._chain else FIRST, program="0",
        )  # fmt: skip
        self._chain.append(record)
        self.hear([(record, genome)])
        return record

    def _copy(self) -> bool:
        """Repeat some of what others published last, every other one with a little noise."""
        fresh = [
            pair
            for name, pair in self.records.items()
            if name not in self._copied and pair[0].author != self.identity.author
        ]
        for record, genome in fresh[-COPIES:]:
            self._copied.add(record.id)
            noise = 0.4 * TOLERANCE * (len(self._copied) % 2)
            bits = (record.result.bits_per_byte or 0.0) + noise
            self.publish(replace(record.result, bits_per_byte=bits), genome)
        return True

    def best(self) -> tuple[Genome, Result] | None:
        """Return what it takes for the best at the top rung."""
        top = [each for each in self.plan.results if each.rung == self.plan.top and each.ok]
        best = min(top, key=lambda each: each.bits_per_byte or 9.0, default=None)
        return best and (self.plan.evolution.population.genomes[best.genome], best)


def exchange(one: Peer, other: Peer) -> None:
    """Let both have the records of both."""
    here, there = one.news(other), other.news(one)
    one.hear(there)
    other.hear(here)


@dataclass(frozen=True)
class Found:
    """What a swarm came to; see above."""

    truth: float
    evaluations: float
    friends: float
    believed: float
    banned: float
    false: float
    audits: float


def swarm(
    training: Training,
    peers: int,
    liars: int,
    *,
    births: int,
    evaluations: int,
    seed: int,
    kind: Kind = "colluding",
    astray: float = 0.0,
) -> Found:
    """Let so many peers do so many evaluations in all, the liars' own not counted.

    Of the evaluations of each the share *astray* comes to something else than the others'.
    """
    of, rng = training.manifest(births), Random(seed)
    several = [
        Peer(n, of, kind if n >= peers - liars else "honest", astray=astray) for n in range(peers)
    ]
    honest = [peer for peer in several if peer.honest]
    published = dict[str, float]()
    for now in count():
        if sum(len(peer.origins) for peer in honest) >= evaluations:
            break
        known = {name for peer in honest for name in peer.reckoning.trusted}
        worked = list[bool]()
        for peer in rng.sample(several, len(several)):
            peer.leave_alone(several)
            lies = not peer.honest and peer.identity.author in known
            worked.append(peer.work(training, is_believed=lies))
        for peer in several:
            published |= {name: now for name in peer.records if name not in published}
        for peer in several * EXCHANGES:
            exchange(peer, rng.choice(several))
        for peer in honest:
            peer.bind(published, since=now, hold=1)
        if not any(worked):
            break
    return _found(several, training)


def _found(several: Sequence[Peer], training: Training) -> Found:
    honest = [peer for peer in several if peer.honest]
    names = {peer.identity.author for peer in honest}
    best = [found for peer in honest if (found := peer.best()) is not None]
    results = {(r.genome, r.rung) for peer in honest for r in peer.plan.results}
    done = sum(len(peer.origins) for peer in honest)
    tallies = (peer.reckoning.tallies.get(name, NEW) for peer in honest for name in names)
    wrong = [t.wrong > 0 or (t.confirmed >= STANDING and not t.believed) for t in tallies]
    return Found(
        truth=fmean(training.worth(genome) for genome, _ in best),
        evaluations=done / max(1, len(results)),
        friends=fmean(len(peer.reckoning.trusted & names) - 1 for peer in honest),
        believed=fmean(len(peer.reckoning.trusted - names) for peer in honest),
        banned=sum(wrong) / max(1, len(names) * (len(names) - 1)),
        false=fmean(_is_false(training, *each) for each in best),
        audits=sum(peer.origins.count(AUDIT) for peer in honest) / max(1, done),
    )


def _is_false(training: Training, genome: Genome, claimed: Result) -> bool:
    """Whether a result is another one than whoever evaluates honestly finds."""
    birth = Birth(RUN, "", 0)
    truth = training.measured(Assignment(genome, claimed.rung, claimed.replica, birth))
    return agree(truth, claimed) is False


def middling(training: Training, *, seed: int, samples: int = SAMPLES) -> float:
    """Return the median truth of genomes that nobody chose."""
    species = Species(training.manifest(1).space(CATALOG))
    rng = Random(seed)
    drawn = [species.sample(rng, f"{number}") for number in range(samples)]
    return median(map(training.worth, drawn))


def rows(make: Callable[[int], Training], asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a row for each seed, share and kind of liars, those of no liars first."""
    for seed in range(asked.first, asked.first + asked.seeds):
        training, honest = make(seed), 0.0
        usual = middling(training, seed=seed, samples=asked.samples)
        for share in (0.0, *asked.shares):
            liars = round(share * asked.peers)
            peers = asked.peers - liars
            run = partial(
                swarm, training, births=asked.births, seed=seed, astray=asked.astray,
                evaluations=asked.evaluations * peers // asked.peers,
            )  # fmt: skip
            alone = run(peers, 0)
            honest = usual - alone.truth if not liars else honest
            for kind in asked.kinds if liars else HONEST:
                found = run(asked.peers, liars, kind=kind) if liars else alone
                gained = usual - found.truth
                yield {
                    "seed": seed, "liars": share, "kind": kind, "fitness": gained / honest,
                    "of alone": gained / (usual - alone.truth), **vars(found),
                }  # fmt: skip


def table(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table."""
    names = (
        "fitness", "of alone", "evaluations", "audits", "friends", "believed", "banned", "false"
    )  # fmt: skip
    yield f"{'liars':>6} {'kind':10}" + "".join(f"{name:>12}" for name in names)
    for share, kind in sorted({(row["liars"], row["kind"]) for row in found}):
        some = [row for row in found if (row["liars"], row["kind"]) == (share, kind)]
        figures = "".join(f"{fmean(row[name] for row in some):12.3f}" for name in names)
        yield f"{share:6.0%} {kind:10}" + figures


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--peers", type=int, default=10)
    add("--shares", type=float, nargs="+", default=[0.1, 0.2, 0.3, 0.4], help="of liars")
    add("--births", type=int, default=400)
    add("--evaluations", type=int, default=600, help="of all peers, were they honest")
    add("--kinds", choices=KINDS, nargs="+", default=list(KINDS), help="of liars")
    add("--astray", type=float, default=0.0, help="share of trainings that stray")
    add("--samples", type=int, default=SAMPLES, help="that the scale begins at the median of")
    add("--first", type=int, default=0, help="seed")
    add("--seeds", type=int, default=3)
    add("--out", type=Path, help="a file of JSON lines")
    add_options(parser)
    return parser


def main() -> None:
    """Simulate all and print a table."""
    asked = options().parse_args()
    found = list[dict[str, Any]]()
    with trainings(asked) as make:
        for row in rows(make, asked):
            found.append(row)
            if asked.out:
                asked.out.parent.mkdir(parents=True, exist_ok=True)
                end_line(asked.out)
                add_row(asked.out, row)
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
