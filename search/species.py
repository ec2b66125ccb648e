"""Our genomes as a ``TraitBreeding`` and a ``Coding``: the operators of ``genome/`` in a space."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import TypeVar

from ..blocks.ranges import Range, Value
from ..genome.cost import Costs, block_parameters
from ..genome.crossover import cross
from ..genome.graph import Genome
from ..genome.identity import canonical, genome_id
from ..genome.mutation import Child, mutate
from ..genome.space import Space
from ..genome.taste import Taste
from ..genome.traits import Trait, form_traits
from .breeding import Choose, remembering
from .flat_coding import FlatCoding

Bred = TypeVar("Bred", Genome, Child)

DRAWN, BRED, CHOSEN = 64, 8, 4
"""How often a genome is drawn, bred of others, or chosen of several until one fits the machine.

Parents may be too large for it, and those that are chosen lie at the ends.
"""


def _most(names: Sequence[str]) -> str:
    """Return the most frequent name, the first of the alphabet of several."""
    return max(sorted(set(names)), key=names.count, default="")


@dataclass
class Species:
    """The genomes of a space, which may be exchanged for a larger one.

    What it breeds *fits* the machine, where that can be had in a few tries.
    """

    space: Space
    fits: Callable[[Genome], bool] = field(default=lambda genome: True)

    def __post_init__(self) -> None:
        self._canonical = remembering(lambda genome: canonical(genome, self.space.catalog))
        self._flat = FlatCoding(self.space)

    def sample(self, rng: Random, birth: str) -> Genome:
        """Draw a genome."""
        return self._fitting(DRAWN, lambda: self.space.sample(rng, birth))

    def sample_of(self, rng: Random, birth: str, count: int, choose: Choose) -> Genome:
        """Draw the one of *count* genomes that *choose* takes; it alone is fitted."""
        found = self._fitting(CHOSEN, lambda: self.space.sample_of(rng, birth, count, choose))
        return found if self.fits(found) else self.sample(rng, birth)

    def mutate(self, genome: Genome, rng: Random, birth: str) -> Child:
        """Change something of *genome*, mostly one thing."""
        return self._fitting(BRED, lambda: mutate(genome, self.space, rng, birth))

    def cross(self, mother: Genome, father: Genome, rng: Random, birth: str) -> Genome:
        """Mix two genomes, aligned by lineage."""
        return self._fitting(BRED, lambda: cross(mother, father, self.space, rng, birth))

    def guided(self, taste: Taste) -> Species:
        """Return the genomes of the space as it is now, bred by *taste*."""
        return Species(replace(self.space, taste=taste), self.fits)

    def identify(self, genome: Genome) -> str:
        """Return the id that isomorphic genomes share, training genes included."""
        return genome_id(genome, self.space.catalog)

    def costs(self, genome: Genome) -> Costs:
        """Return what the genome costs at the space's context."""
        return self.space.form_costs(self._canonical(genome))

    def niche(self, genome: Genome) -> tuple[int, str, str]:
        """Return the octave of the blocks' parameters and the families of mixers and others."""
        catalog, pool, route = self.space.catalog, genome.pool, genome.route
        declared = [catalog[entry.block.name] for entry in pool]
        visited = [declared[route[number].block] for number in genome.live_visits()]
        mixers = [each.family for each in visited if each.mixes]
        others = [each.family for each in visited if not each.mixes]
        size = block_parameters(genome, catalog=catalog, context=self.space.context)
        return size.bit_length(), _most(mixers), _most(others)

    def traits(self, genome: Genome) -> frozenset[Trait]:
        """Return the traits of what of the genome is alive."""
        return form_traits(self._canonical(genome), self.space.catalog)

    @property
    def choices(self) -> Mapping[str, Range]:
        """The values that a genome can be written as, and their ranges."""
        return self._coding().choices

    def encode(self, genome: Genome) -> dict[str, Value]:
        """Return the values of the nearest genome that can be written."""
        return self._coding().encode(genome)

    def decode(self, values: Mapping[str, Value], birth: str) -> Genome:
        """Return the genome of these values."""
        return self._coding().decode(values, birth)

    def _fitting(self, tries: int, breed: Callable[[], Bred]) -> Bred:
        """Return the first that fits of some, or the last: whoever hands it out looks again."""
        bred = breed()
        for _ in range(tries - 1):
            if self.fits(bred.genome if isinstance(bred, Child) else bred):
                break
            bred = breed()
        return bred

    def _coding(self) -> FlatCoding:
        if self._flat.space is not self.space:
            self._flat = FlatCoding(self.space)
        return self._flat
