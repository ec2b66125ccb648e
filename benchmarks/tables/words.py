"""Spaces of fixed choices, as the tables have them: a word has one option at each place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from praxis_evolve.blocks.ranges import Value
from praxis_evolve.genome.cost import Costs
from praxis_evolve.genome.graph import Entry, Genome, Part, Visit
from praxis_evolve.genome.mutation import Child
from praxis_evolve.genome.taste import EVEN, Taste
from praxis_evolve.genome.traits import Trait
from praxis_evolve.search.breeding import Choose, drawn_of

Word = tuple[int, ...]
"""The number of the option that is chosen at each place."""


@dataclass(frozen=True)
class Place:
    """Something to choose, and what there is to choose from."""

    name: str
    options: tuple[Value, ...]

    def trait(self, letter: int) -> Trait:
        """Return the trait of having the option of this number."""
        return Trait(self.name, str(self.options[letter]))


@dataclass(frozen=True)
class Words:
    """Words bred as genomes; a ``TraitBreeding`` and a ``Coding``.

    A genome has an entry for each place, ``Part("mlp 3", {"is": 4})``, and visits those that are
    ``live``; the others are kept, unused, for children that need them. Words of one ``name`` are
    the same genome, whatever else distinguishes them.
    """

    places: tuple[Place, ...]
    name: Callable[[Word], str]
    price: Callable[[Word], Costs]
    live: Callable[[Word], Sequence[int]]
    taste: Taste = field(default=EVEN, repr=False, compare=False)

    def sample(self, rng: Random, birth: str) -> Genome:
        """Draw each place's option."""
        word = [
            self.taste.choose(rng, range(len(place.options)), place.trait) for place in self.places
        ]
        return self.spell(word, birth)

    def sample_of(self, rng: Random, birth: str, count: int, choose: Choose) -> Genome:
        """Draw the one of *count* words that *choose* takes by their costs."""
        return drawn_of(self, rng, birth, count, choose)

    def mutate(self, genome: Genome, rng: Random, birth: str) -> Child:
        """Choose otherwise at one place, so that another genome comes of it."""
        word, same = self.read(genome), self.identify(genome)
        while True:
            place = self._somewhere(rng)
            count = len(self.places[place].options)
            others = [(word[place] + step) % count for step in range(1, count)]
            letter = self.taste.choose(rng, others, self.places[place].trait)
            pool = list(genome.pool)
            pool[place] = self._entry(place, letter, birth)
            child = self._genome(pool)
            if self.identify(child) != same:
                return Child(child, self.places[place].name)

    def _somewhere(self, rng: Random) -> int:
        name = self.taste.operator(rng, [(place.name, 1.0) for place in self.places])
        return next(n for n, place in enumerate(self.places) if place.name == name)

    def cross(self, mother: Genome, father: Genome, rng: Random, birth: str) -> Genome:
        """Take each place from either parent."""
        pairs = zip(mother.pool, father.pool, strict=True)
        return self._genome([rng.choice(pair) for pair in pairs])

    def guided(self, taste: Taste) -> Words:
        """Return the same words, bred by *taste*."""
        return replace(self, taste=taste)

    def identify(self, genome: Genome) -> str:
        """Return a digest of the word's name."""
        return hashlib.sha256(self.name(self.read(genome)).encode()).hexdigest()

    def costs(self, genome: Genome) -> Costs:
        """Return the costs that the table knows."""
        return self.price(self.read(genome))

    def niche(self, genome: Genome) -> int:
        """Return the octave of the parameters."""
        return self.costs(genome).parameters.bit_length()

    def traits(self, genome: Genome) -> frozenset[Trait]:
        """Return what is chosen at each place that is live."""
        word = self.read(genome)
        return frozenset(self.places[number].trait(word[number]) for number in self.live(word))

    @property
    def choices(self) -> dict[str, tuple[Value, ...]]:
        """The options of each place."""
        return {place.name: place.options for place in self.places}

    def encode(self, genome: Genome) -> dict[str, Value]:
        """Return the option that is chosen at each place."""
        return {entry.block.name: entry.block.settings["is"] for entry in genome.pool}

    def decode(self, values: Mapping[str, Value], birth: str) -> Genome:
        """Return the genome of an option for each place."""
        letters = [place.options.index(values[place.name]) for place in self.places]
        return self.spell(letters, birth)

    def spell(self, word: Sequence[int], birth: str) -> Genome:
        """Return the genome of a word, its lineage after *birth*."""
        return self._genome([self._entry(n, letter, birth) for n, letter in enumerate(word)])

    def read(self, genome: Genome) -> Word:
        """Return the word of a genome."""
        entries = zip(self.places, genome.pool, strict=True)
        return tuple(place.options.index(entry.block.settings["is"]) for place, entry in entries)

    def _entry(self, number: int, letter: int, birth: str) -> Entry:
        place = self.places[number]
        return Entry(Part(place.name, {"is": place.options[letter]}), lineage=f"{birth}/{number}")

    def _genome(self, pool: Sequence[Entry]) -> Genome:
        genome = Genome(tuple(pool), ())
        live = self.live(self.read(genome))
        route = (Visit(place, (number - 1,)) for number, place in enumerate(live))
        return replace(genome, route=tuple(route))
