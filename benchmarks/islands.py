"""Whether a swarm on several islands finds as well as one in which all hold all.

    python benchmarks/islands.py --peers 12 --islands 2 3 --seeds 2

Honest peers of ``liars`` on a landscape that is known. In the time of an evaluation each exchanges
records with others of its island as there, and asks a peer of another one for what it offers, as a
node does about once in five minutes. All do the same number of evaluations.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from statistics import fmean

from praxis_evolve.benchmarks.identities import identity_of
from praxis_evolve.benchmarks.landscape import Landscape, manifest
from praxis_evolve.benchmarks.liars import EXCHANGES, RUN, Peer, exchange, middling
from praxis_evolve.market.islands import Islands
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.market.record import Record
from praxis_evolve.market.swarm.emigrants import Emigrants
from praxis_evolve.market.weighed import Weighed
from praxis_evolve.search.audits import AUDIT


@dataclass(frozen=True)
class Found:
    """What peers on so many islands came to."""

    islands: int
    gained: float
    """By how many bits what a peer takes for the best is better than genomes nobody chose."""
    best: float
    """The same of the best of all peers."""
    held: float
    """How many records a peer holds, of all there are."""
    audits: float
    """The part of evaluations that are audits."""


class Islander(Peer):
    """A peer that offers the best of its island to others."""

    def __init__(self, number: int, of: Manifest, islands: Islands) -> None:
        super().__init__(number, of, "honest")
        self.island = islands.of(self.identity.author)
        self.emigrants = Emigrants(lambda author: islands.of(author) == self.island)

    def _tell(self, record: Record, counts: float) -> None:
        super()._tell(record, counts)
        self.emigrants.hear([Weighed(0, record, counts)])

    def weight_of(self, name: str) -> float:
        """Return how far a record counts for it."""
        return self._weights[name]

    def visit(self, other: Islander) -> None:
        """Hear what another offers."""
        self.hear(other.records[name] for name in other.emigrants.best())


def settled(peers: int, islands: Islands) -> list[int]:
    """Return the numbers of so many peers, as many on each island as on any other."""
    numbers = [_living(islands, island) for island in range(islands.count)]
    return [next(numbers[n % islands.count]) for n in range(peers)]


def _living(islands: Islands, island: int) -> Iterator[int]:
    """Yield the numbers of peers that live on an island."""
    return (n for n in count() if islands.of(identity_of(n).author) == island)


def swarm(peers: int, islands: int, *, births: int, evaluations: int, seed: int) -> Found:
    """Let so many peers on so many islands do so many evaluations in all."""
    of, rng, isles = manifest(births), Random(seed), Islands(RUN, islands)
    several = [Islander(number, of, isles) for number in settled(peers, isles)]
    homes = [[one for one in several if one.island == island] for island in range(islands)]
    landscape, published = Landscape(seed), dict[str, float]()
    for now in count():
        if sum(len(peer.origins) for peer in several) >= evaluations:
            break
        worked = list[bool]()
        for peer in rng.sample(several, len(several)):
            peer.leave_alone(homes[peer.island])
            worked.append(peer.work(landscape, is_believed=False))
            published |= {name: now for name in peer.records if name not in published}
        for peer in several * EXCHANGES:
            exchange(peer, rng.choice(homes[peer.island]))
        for peer in several:
            if abroad := [one for one in several if one.island != peer.island]:
                peer.visit(rng.choice(abroad))
            peer.bind(published, since=now, hold=1)
        if not any(worked):
            break
    return _found(several, landscape, islands, middling(landscape, seed=seed))


def _found(several: Sequence[Islander], landscape: Landscape, islands: int, usual: float) -> Found:
    best = [found for peer in several if (found := peer.best()) is not None]
    gains = [usual - landscape.worth(genome) for genome, _ in best]
    every = {name for peer in several for name in peer.records}
    done = sum(len(peer.origins) for peer in several)
    return Found(
        islands, fmean(gains), max(gains),
        fmean(len(peer.records) for peer in several) / len(every),
        sum(peer.origins.count(AUDIT) for peer in several) / done,
    )  # fmt: skip


def rows(asked: argparse.Namespace) -> Iterator[tuple[int, Found]]:
    """Yield what was found with each seed and number of islands, one island first."""
    for seed in range(asked.first, asked.first + asked.seeds):
        for islands in (1, *asked.islands):
            found = swarm(
                asked.peers, islands, births=asked.births, evaluations=asked.evaluations, seed=seed
            )
            yield seed, found


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--peers", type=int, default=12)
    add("--islands", type=int, nargs="+", default=[2])
    add("--births", type=int, default=400)
    add("--evaluations", type=int, default=600, help="of all peers")
    add("--first", type=int, default=0, help="seed")
    add("--seeds", type=int, default=2)
    return parser


def main() -> None:
    """Simulate all and print a row for each."""
    print(f"{'seed':>5}" + "".join(f"{name:>10}" for name in vars(Found(0, 0, 0, 0, 0))))
    for seed, found in rows(options().parse_args()):
        print(f"{seed:5}" + "".join(f"{value:10.3g}" for value in vars(found).values()), flush=True)


if __name__ == "__main__":
    main()
