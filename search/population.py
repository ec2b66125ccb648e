"""The population: genomes that were born, how old they are, and how good at which rung."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from ..evaluator.result import Result
from ..genome.graph import Genome
from .base import Birth
from .board import Board, Standings
from .measures import NOTHING, Measures
from .noise import Noise
from .ordered import enter, remove

Age = tuple[int, str]
"""Number and author of a birth: smaller is older. Run times play no part, so none is favoured."""


class Origin(NamedTuple):
    """The operators that made a genome, joined by ``+``, and the ids of its parents."""

    operators: str
    parents: tuple[str, ...]


UNKNOWN = Origin("", ())

AGE = 1 / 32
OLDEST = 32
"""How old a snapshot may become: a share of all changes so far, and at most so many of them."""


class Snapshot(NamedTuple):
    """What stood at a moment: the version of the population, scores by rung, and standings.

    ``broken`` are those that were measured to break a limit.
    """

    version: int
    scores: Mapping[int, Mapping[str, float]]
    broken: frozenset[str]
    standings: Standings


class Population:
    """What is known of the genomes of a search, by their ids.

    The *living* are the last ``size`` by birth of those with a score at the lowest rung. Failures
    have none: they neither breed nor take a place from those that can. ``limits`` are of measures;
    ``elsewhere`` says whether another trains a genome to the lowest rung now.
    """

    def __init__(
        self,
        *,
        size: int,
        rungs: Sequence[int],
        limits: Mapping[str, float] = NOTHING,
        elsewhere: Callable[[str], bool] = lambda genome_id: False,
    ) -> None:
        self.size = size
        self.elsewhere = elsewhere
        self.measures = Measures()
        self.noise = Noise()
        self._limits = limits
        self._genomes: dict[str, Genome] = {}
        self._ages: dict[str, Age] = {}
        self._origins: dict[str, Origin] = {}
        self._seen: set[str] = set()
        self._claimed: dict[str, set[str]] = {}
        self._scores: dict[int, dict[str, float]] = {rung: {} for rung in rungs}
        self._board = Board(rungs)
        self._lowest = rungs[0]
        self.version = 0
        """How often a score or a measure was set: what is computed of them is good for one."""
        self._by_birth: list[tuple[Age, str]] = []
        self._breeding: list[tuple[Age, str]] = []  # of those with a score at the lowest rung
        self._changes = 0
        self._taken = 0
        self._snapshot = self._shot()

    @property
    def genomes(self) -> Mapping[str, Genome]:
        """The genomes that are at hand, by id."""
        return MappingProxyType(self._genomes)

    @property
    def lowest(self) -> int:
        """The rung at which every genome begins."""
        return self._lowest

    @property
    def births(self) -> int:
        """How many different genomes were asked for at the lowest rung."""
        return len(self._ages)

    def seen(self, genome_id: str) -> bool:
        """Whether a genome was born or has a result at the lowest rung, even an uninvited one."""
        return genome_id in self._seen

    def claim(self, genome_id: str, author: str, heeded: bool) -> None:
        """Note that somebody who is not trusted says to have measured a genome, if it is heeded."""
        if heeded:
            self._claimed.setdefault(genome_id, set()).add(author)
        else:
            self._claimed.get(genome_id, set()).discard(author)

    def claimed(self, genome_id: str) -> bool:
        """Whether somebody says to have measured a genome who is heeded without being trusted."""
        return bool(self._claimed.get(genome_id))

    def scores(self, rung: int) -> Mapping[str, float]:
        """Return the bits per byte at *rung* by genome id."""
        return MappingProxyType(self._scores[rung])

    @property
    def names(self) -> Sequence[str]:
        """The genomes that ever had a score, by the numbers that they have in standings."""
        return self._board.names

    @property
    def snapshot(self) -> Snapshot:
        """What stood not long ago; see ``standing.standings``.

        What costs more than a glance is computed of a snapshot, so that it serves several asks.
        When one is taken hangs on the changes alone, not on who looks.
        """
        return self._snapshot

    def know(self, genome_id: str, genome: Genome) -> None:
        """Note that the genome of this id is *genome*."""
        if genome_id not in self._genomes:
            self._genomes[genome_id] = genome
            self._changed_of(genome_id)

    @property
    def origins(self) -> Mapping[str, Origin]:
        """The operators and the parents of those that were born, by id."""
        return MappingProxyType(self._origins)

    def bear(self, genome_id: str, birth: Birth, origin: Origin = UNKNOWN) -> None:
        """Note that a genome was asked for at the lowest rung; the first such birth is its age."""
        age = (birth.number, birth.author)
        self._seen.add(genome_id)
        if genome_id in self._ages and self._ages[genome_id] <= age:
            return
        self._leave(genome_id)
        if genome_id in self._ages:
            remove(self._by_birth, (self._ages[genome_id], genome_id))
        enter(self._by_birth, (age, genome_id))
        self._ages[genome_id] = age
        self._origins[genome_id] = origin
        self._enter(genome_id)
        self._changed_of(genome_id)

    def score(self, genome_id: str, rung: int, bits_per_byte: float | None) -> None:
        """Set the score of a genome at a rung, or take it away."""
        if rung == self._lowest:
            self._seen.add(genome_id)
        self._leave(genome_id)
        if bits_per_byte is None:
            self._scores[rung].pop(genome_id, None)
        else:
            self._scores[rung][genome_id] = bits_per_byte
        self._board.score(genome_id, rung, bits_per_byte)
        self._enter(genome_id)
        self._change(min(OLDEST, AGE * self._changes))

    def learn(self, result: Result, weight: float) -> None:
        """Take in what a result says of speed, memory and noise."""
        self.version += self.measures.add(result, weight)
        if self.noise.add(result, weight):
            self._change(0)

    def feasible(self, genome_id: str) -> bool:
        """Whether a genome keeps the limits of measures, as far as it was measured."""
        return self.measures.within(genome_id, self._limits)

    def feasible_of(self, names: Sequence[str]) -> Sequence[str]:
        """Return those of *names* that keep the limits of measures, in their order."""
        return [name for name in names if self.feasible(name)] if self._limits else names

    def by_birth(self) -> list[str]:
        """Return the ids of all that were born, the oldest first."""
        return [genome_id for _, genome_id in self._by_birth]

    def by_age(self) -> Iterator[str]:
        """Yield the ids of all that were born, the youngest first."""
        return (genome_id for _, genome_id in reversed(self._by_birth))

    def living(self) -> list[str]:
        """Return the ids of the living, the oldest first."""
        return [genome_id for _, genome_id in self._breeding[-self.size :]]

    def ground(self, least: int) -> tuple[int, list[str]]:
        """Return the rung at which parents are compared now and the living that stand there.

        It is the highest at which *least* of the living have a score, or else the lowest.
        """
        living = self.living()
        for rung, scores in reversed(self._scores.items()):
            if rung == self._lowest or len(scores) < least:
                continue
            there = [genome_id for genome_id in living if genome_id in scores]
            if len(there) >= least:
                return rung, there
        return self._lowest, living

    def _changed_of(self, genome_id: str) -> None:
        """Note that a genome changed, which matters if it stands already: results came first."""
        if any(genome_id in scores for scores in self._scores.values()):
            self._change(0)

    def _change(self, oldest: float) -> None:
        self.version, self._changes = self.version + 1, self._changes + 1
        if self._changes - self._taken >= oldest:
            self._taken, self._snapshot = self._changes, self._shot()

    def _shot(self) -> Snapshot:
        scores = {rung: dict(there) for rung, there in self._scores.items()}
        known = scores[self._lowest] if self._limits else ()
        broken = frozenset(name for name in known if not self.feasible(name))
        return Snapshot(self.version, scores, broken, self._board.standings(scores))

    def _enter(self, genome_id: str) -> None:
        if genome_id in self._scores[self._lowest] and genome_id in self._ages:
            enter(self._breeding, (self._ages[genome_id], genome_id))

    def _leave(self, genome_id: str) -> None:
        if genome_id in self._scores[self._lowest] and genome_id in self._ages:
            remove(self._breeding, (self._ages[genome_id], genome_id))
