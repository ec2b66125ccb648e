"""A landscape to try searches on: strings of letters with a hidden best one, bred as genomes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

from ..blocks.ranges import Value
from ..evaluator.result import Result
from ..genome.cost import Costs
from ..genome.graph import Entry, Genome, Part, Visit
from ..genome.mutation import Child
from ..genome.taste import EVEN, Taste
from ..genome.traits import Trait
from .base import Assignment
from .breeding import Choose, drawn_of
from .draws import lot


@dataclass(frozen=True)
class Toy:
    """Strings of *length* letters out of *letters*; a ``TraitBreeding``.

    Bits per byte fall from about 4 towards 2 as pairs of neighbouring letters come right: pairs,
    so that single letters do not add up, but good parts can be joined. Letters late in the
    alphabet cost more. More tokens lower the bits and their noise.
    """

    length: int = 12
    letters: int = 6
    seed: int = 0
    taste: Taste = field(default=EVEN, repr=False, compare=False)

    def sample(self, rng: Random, birth: str) -> Genome:
        """Draw a string."""
        letters = range(self.letters)
        word = [
            self.taste.choose(rng, letters, lambda n, place=place: Trait(str(place), str(n)))
            for place in range(self.length)
        ]
        return self.spell(word, birth)

    def sample_of(self, rng: Random, birth: str, count: int, choose: Choose) -> Genome:
        """Draw the one of *count* strings that *choose* takes by their costs."""
        return drawn_of(self, rng, birth, count, choose)

    def mutate(self, genome: Genome, rng: Random, birth: str) -> Child:
        """Change one letter."""
        word = self.read(genome)
        place = rng.randrange(self.length)
        others = [(word[place] + step) % self.letters for step in range(1, self.letters)]
        word[place] = self.taste.choose(rng, others, lambda n: Trait(str(place), str(n)))
        return Child(self.spell(word, birth), "letter")

    def cross(self, mother: Genome, father: Genome, rng: Random, birth: str) -> Genome:
        """Take each letter from either parent."""
        pairs = zip(self.read(mother), self.read(father), strict=True)
        return self.spell([rng.choice(pair) for pair in pairs], birth)

    def guided(self, taste: Taste) -> Toy:
        """Return the same strings, bred by *taste*."""
        return replace(self, taste=taste)

    def identify(self, genome: Genome) -> str:
        """Return a digest of the word."""
        return hashlib.sha256(bytes(self.read(genome))).hexdigest()

    def costs(self, genome: Genome) -> Costs:
        """Return the sum of the letters as every cost."""
        total = 1 + sum(self.read(genome))
        return Costs(total, float(total), float(total), float(total))

    def niche(self, genome: Genome) -> int:
        """Return the half of the alphabet that the first letter is of."""
        return self.read(genome)[0] * 2 // self.letters

    def traits(self, genome: Genome) -> frozenset[Trait]:
        """Return the letter of each place."""
        word = self.read(genome)
        return frozenset(Trait(str(place), str(letter)) for place, letter in enumerate(word))

    @property
    def choices(self) -> dict[str, tuple[Value, ...]]:
        """The letters of each place, by its number."""
        return {str(place): tuple(range(self.letters)) for place in range(self.length)}

    def encode(self, genome: Genome) -> dict[str, Value]:
        """Return the letter of each place."""
        return {str(place): letter for place, letter in enumerate(self.read(genome))}

    def decode(self, values: Mapping[str, Value], birth: str) -> Genome:
        """Return the genome of the letters of each place."""
        return self.spell([int(values[str(place)]) for place in range(self.length)], birth)

    def spell(self, word: list[int], birth: str) -> Genome:
        """Return the genome of a word, its lineage after *birth*."""
        pool = tuple(Entry(Part("letter", {"number": n}), lineage=birth) for n in word)
        return Genome(pool, tuple(Visit(place, (place - 1,)) for place in range(len(word))))

    def read(self, genome: Genome) -> list[int]:
        """Return the word of a genome."""
        return [int(entry.block.settings["number"]) for entry in genome.pool]

    def truth(self, genome: Genome) -> float:
        """Return the bits per byte after endless training; the best word has 2."""
        right = [self._is_right(place, n) for place, n in enumerate(self.read(genome))]
        pairs = sum(a and b for a, b in pairwise(right))
        return 4 - (sum(right) / self.length + pairs / (self.length - 1))

    def evaluate(self, assignment: Assignment) -> Result:
        """Return a noisy result; the same assignment gives the same again."""
        genome, rung = assignment.genome, assignment.rung
        name = self.identify(genome)
        noise = Random(lot(self.seed, name, rung, assignment.replica)).gauss(0.0, 1.0)
        bits = self.truth(genome) + (1 + 0.5 * noise) / math.sqrt(rung)
        return Result(
            name, name, rung, assignment.replica, 0, bits_per_byte=bits, costs=self.costs(genome)
        )

    def _is_right(self, place: int, letter: int) -> bool:
        return letter == int(lot(self.seed, "best", place) * self.letters)
