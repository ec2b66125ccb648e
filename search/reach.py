"""Reach: which work the machine that asks can do at all, by what a training takes about.

A peer that asks for what does not fit it would find out by failing, after minutes. What is beyond
it is left to others; who knows of no limits, as a run alone, asks as if there were none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..genome.graph import Genome
from .base import UNLIMITED, Able


@dataclass(frozen=True)
class Need:
    """What a training takes, about: bytes at its peak beyond an idle worker's, operations."""

    memory_bytes: float
    operations: float


class Reach:
    """What is within the reach of the machine that asks: as the last ``Able`` that was told says.

    Args:
        need: what training a genome to a rung from scratch takes.
    """

    def __init__(self, need: Callable[[Genome, int], Need]) -> None:
        self.able = UNLIMITED
        self._need = need

    @property
    def limited(self) -> bool:
        """Whether anything may be beyond the machine."""
        return self.able != UNLIMITED

    def hear(self, able: Able) -> None:
        """Note what the machine can do from here on."""
        self.able = able

    def fits(self, genome: Genome, rung: int) -> bool:
        """Return whether the machine can train *genome* to *rung*."""
        return not self.limited or within(self._need(genome, rung), self.able)


BOUNDLESS = Reach(lambda genome, rung: Need(0, 0))
"""The reach of a machine of which nothing is known: everything."""


def within(need: Need, able: Able) -> bool:
    """Return whether a machine can do what a training needs."""
    return _at_most(need.memory_bytes, able.memory_bytes) and _at_most(
        need.operations, able.operations
    )


def _at_most(need: float, most: float | None) -> bool:
    return most is None or need <= most
