"""Promotion: who trains on, to the next rung.

Asynchronous successive halving in its promotion form (Li et al. 2020, arXiv:1810.05934): nobody
waits for a rung to fill. Quality alone promotes, since the winner is reported by it and size gates
feasibility, never quality.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

from ..evaluator.ladder import Ladder
from .draws import lot
from .ordered import remove

LOTS = 1 / 32
"""The share of a rung's genomes that is promoted wherever it stands: a tenth of the promotions."""

Place = tuple[float, str]
"""Bits per byte and id: the order within a rung, smaller first."""


class Promotion(NamedTuple):
    """A genome to train on and the rung to train it to."""

    genome: str
    rung: int


class Promotions:
    """Ranks the scores of each rung and says who is promotable.

    Of *n* scores at a rung at most ``floor(n / eta)`` are promoted: one who has drawn a lot,
    wherever it stands, for a short rung wrongly demotes slow starters; or else the best that is
    left, if it stands in the top ``floor(n / eta)``. Without that quota nearly every child of an
    improving population would be promoted, for each is among the best of its time. A lot hangs on
    the seed, the genome and the rung alone; ``lots`` is the share that draws one.
    """

    def __init__(self, ladder: Ladder, *, seed: int, lots: float = LOTS) -> None:
        if not 0 <= lots <= 1:
            raise ValueError(f"lots must be a share from 0 to 1, but is {lots}")
        self._floors = {
            above: _Floor(rung, seed, ladder.eta, lots) for rung, above in pairwise(ladder.rungs)
        }

    def promotable(self) -> Promotion | None:
        """Return the promotion to make next, from the highest rung that has one."""
        return next(self.promotables(), None)

    def promotables(self) -> Iterator[Promotion]:
        """Yield the promotions that may be made now: those from the highest rung first."""
        for above, floor in reversed(self._floors.items()):
            yield from (Promotion(genome_id, above) for genome_id in floor.promotables())

    def score(self, genome_id: str, rung: int, bits_per_byte: float | None) -> None:
        """Set the score of a genome at a rung, or take it away."""
        for floor in self._floors.values():
            if floor.rung == rung:
                floor.score(genome_id, bits_per_byte)

    def settle(self, genome_id: str, rung: int) -> None:
        """Note that training to *rung* was asked for or done: nobody needs to promote to it."""
        if rung in self._floors:
            self._floors[rung].settle(genome_id)

    def know(self, genome_id: str) -> None:
        """Note that the genome is at hand; of an uninvited result only the id is."""
        for floor in self._floors.values():
            floor.know(genome_id)


class _Floor:
    """The scores of one rung, and which of their genomes were promoted or can be."""

    def __init__(self, rung: int, seed: int, eta: int, lots: float) -> None:
        self.rung = rung
        self._seed, self._eta, self._lots = seed, eta, lots
        self._known: set[str] = set()
        self._settled: set[str] = set()
        self._scores: dict[str, float] = {}
        self._ranked: list[Place] = []  # all, and of those not promoted the others and the drawn:
        self._open: list[Place] = []
        self._drawn: list[Place] = []
        self._spent = 0

    def promotables(self) -> Iterator[str]:
        quota = len(self._ranked) // self._eta
        left = quota - self._spent
        if left <= 0:
            return
        yield from (name for _, name in self._drawn[:left])
        for place in self._open[: max(0, left - len(self._drawn))]:
            if bisect_left(self._ranked, place) >= quota:
                return
            yield place[1]

    def score(self, genome_id: str, bits_per_byte: float | None) -> None:
        with self._changing(genome_id):
            if genome_id in self._scores:
                remove(self._ranked, (self._scores.pop(genome_id), genome_id))
            if bits_per_byte is not None:
                self._scores[genome_id] = bits_per_byte
                insort(self._ranked, (bits_per_byte, genome_id))

    def settle(self, genome_id: str) -> None:
        with self._changing(genome_id):
            self._settled.add(genome_id)

    def know(self, genome_id: str) -> None:
        with self._changing(genome_id):
            self._known.add(genome_id)

    @contextmanager
    def _changing(self, genome_id: str) -> Generator[None]:
        """Keep lists and count true while something about a genome changes."""
        self._enter(genome_id, -1)
        yield
        self._enter(genome_id, +1)

    def _enter(self, genome_id: str, sign: int) -> None:
        if genome_id not in self._scores:
            return
        if genome_id in self._settled:
            self._spent += sign
        elif genome_id in self._known:
            drawn = lot(self._seed, "promote", genome_id, self.rung) < self._lots
            change = insort if sign > 0 else remove
            change(self._drawn if drawn else self._open, (self._scores[genome_id], genome_id))
