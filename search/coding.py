"""Flat genomes: spaces of a fixed list of values, which is all that many other tools know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from ..blocks.ranges import Range, Value
from ..genome.graph import Genome
from .breeding import Breeding


@runtime_checkable
class Coding(Breeding, Protocol):
    """A ``Breeding`` whose genomes can be written as values by name, and read again.

    What is written may be the nearest genome that can be; what was read is written as it is.
    """

    @property
    def choices(self) -> Mapping[str, Sequence[Value] | Range]:
        """The values that each name can have, for all genomes of the space: some, or a range."""
        ...

    def encode(self, genome: Genome) -> Mapping[str, Value]:
        """Return the value of each name."""
        ...

    def decode(self, values: Mapping[str, Value], birth: str) -> Genome:
        """Return the genome of these values, its lineage after *birth*."""
        ...
