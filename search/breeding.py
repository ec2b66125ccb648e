"""What a search needs to know of a space of genomes: a few functions, and nothing else of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from random import Random
from typing import Protocol, TypeVar

from ..genome.cost import Costs
from ..genome.graph import Genome
from ..genome.memory import Recent
from ..genome.mutation import Child
from ..genome.taste import Taste
from ..genome.traits import Trait

Thing = TypeVar("Thing")

REMEMBERED = 16
"""More than an ask has candidates."""


Choose = Callable[[Sequence[Costs]], int]
"""Returns the place of one of several genomes by their costs."""


class Breeding(Protocol):
    """A space as the search sees it. Whatever it returns is legal there, limits of size included.

    ``birth`` is the text of the birth for the lineage ids of new entries; all chance comes from
    ``rng``. Our genomes are bred by ``praxis_evolve.search.species``, a landscape of strings to
    try algorithms on by ``praxis_evolve.search.toy``.
    """

    def sample(self, rng: Random, birth: str) -> Genome:
        """Draw a genome."""
        ...

    def mutate(self, genome: Genome, rng: Random, birth: str) -> Child:
        """Change something of *genome*, mostly one thing."""
        ...

    def cross(self, mother: Genome, father: Genome, rng: Random, birth: str) -> Genome:
        """Mix two genomes."""
        ...

    def identify(self, genome: Genome) -> str:
        """Return the id that equal genomes share."""
        ...

    def costs(self, genome: Genome) -> Costs:
        """Return what the genome costs, by formula."""
        ...


class TraitBreeding(Breeding, Protocol):
    """A ``Breeding`` that also says what its genomes are made of, and can be given a taste."""

    def sample_of(self, rng: Random, birth: str, count: int, choose: Choose) -> Genome:
        """Draw *count* genomes and return the one that *choose* takes by what they about cost."""
        ...

    def guided(self, taste: Taste) -> TraitBreeding:
        """Return the same, with operators that choose by *taste*."""
        ...

    def niche(self, genome: Genome) -> Hashable:
        """Return the kind that the genome is of; the best of each kind is kept."""
        ...

    def traits(self, genome: Genome) -> frozenset[Trait]:
        """Return what the genome is made of; genomes are alike as far as they share traits."""
        ...


def drawn_of(breeding: Breeding, rng: Random, birth: str, count: int, choose: Choose) -> Genome:
    """Return what ``sample_of`` does, of whole samples and their exact costs."""
    several = [breeding.sample(rng, birth) for _ in range(count)]
    return several[choose([breeding.costs(genome) for genome in several])]


def remembering(what: Callable[[Genome], Thing]) -> Callable[[Genome], Thing]:
    """Return *what* with a memory of the last genomes.

    Ids and the like are costly, and asked for several times: by the ask that finds the genome new
    and promising, and again by the telling of that ask.
    """
    last = Recent[Thing](REMEMBERED)
    return lambda genome: last.of(genome, None, lambda: what(genome))
