"""Spaces of fixed choices, as the tables have them: a word has one option at each place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from praxis_evolve.blocks.ranges import Value
from praxis_evolve.genome.cost import Costs
from praxis_evolve.genome.graph import Entry, Genome, Part, Visit
from praxis_evolve.genome.mutation import Child
from praxis_evolve.genome.traits import Trait

Word = tuple[int, ...]
"""The number of the option that is chosen at each place."""


@dataclass(frozen=True)
class Place:
    """Something to choose, and what there is to choose from."""

    name: str
    options: tuple[Value, ...]


@dataclass(frozen=True)
class Words:
    """Words bred as genomes; a ``Breeding`` and a ``Coding``.

    A genome has an entry for each place, ``Part("mlp 3", {"is": 4})``, and visits those that are
    ``live``; the others are kept, unused, for children that need them. Words of one ``name`` are
    the same genome, whatever else distinguishes them.
    """

    places: tuple[Place, ...]
    name: Callable[[Word], str]
    price: Callable[[Word], Costs]
    live: Callable[[Word], Sequence[int]]

    def sample(self, rng: Random, birth: str) -> Genome:
        """Draw each place's option, all equally likely."""
        return self.spell([rng.randrange(len(place.options)) for place in self.places], birth)

    def mutate(self, genome: Genome, rng: Random, birth: str) -> Child:
        """Choose otherwise at one place, so that another genome comes of it."""
        word, same = self.read(genome), self.identify(genome)
        while True:
            place = rng.randrange(len(word))
            count = len(self.places[place].options)
            letter = (word[place] + rng.randrange(1, count)) % count
            pool = list(genome.pool)
            pool[place] = self._entry(place, letter, birth)
            child = self._genome(pool)
            if self.identify(child) != same:
                return Child(child, self.places[place].name)

    def cross(self, mother: Genome, father: Genome, rng: Random, birth: str) -> Genome:
        """Take each place from either parent."""
        pairs = zip(mother.pool, father.pool, strict=True)
        return self._genome([rng.choice(pair) for pair in pairs])

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
        places = [(self.places[number], word[number]) for number in self.live(word)]
        return frozenset(Trait(place.name, str(place.options[n])) for place, n in places)

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
