"""Balance: a taste for what is rare, so that founders are spread over the space.

Samples of chance have some choices several times and others never. Of two options at random the
rarer is taken (the power of two choices; Azar et al. 1999, SIAM Journal on Computing 29), which
spreads founders as evenly over each slot as a low-discrepancy sequence does, in a space of graphs,
and never insists on what no legal genome can have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeVar

from ..genome.taste import EVEN
from ..genome.traits import Trait
from .breeding import TraitBreeding
from .population import Population
from .proposals import Proposal, Proposer, sampling

CHOICES = 2

Thing = TypeVar("Thing")


class Balance:
    """A ``Taste`` for traits that few genomes have: ``counts`` says how many."""

    def __init__(self, counts: Mapping[Trait, int]) -> None:
        self._counts = counts

    def choose(
        self, rng: Random, options: Sequence[Thing], trait: Callable[[Thing], Trait]
    ) -> Thing:
        """Return the rarer of two options."""
        return self._rarest(rng.sample(options, min(CHOICES, len(options))), trait)

    def draw(
        self, rng: Random, draw: Callable[[], Thing], trait: Callable[[Thing], Trait]
    ) -> Thing:
        """Return the rarer of two values."""
        del rng
        return self._rarest([draw() for _ in range(CHOICES)], trait)

    def operator(self, rng: Random, weights: Sequence[tuple[str, float]]) -> str:
        """Return an operator by its weight."""
        return EVEN.operator(rng, weights)

    def _rarest(self, options: Sequence[Thing], trait: Callable[[Thing], Trait]) -> Thing:
        return min(options, key=lambda option: self._counts.get(trait(option), 0))


def balanced(
    breeding: TraitBreeding, sample: Callable[[TraitBreeding], Proposer] = sampling
) -> Proposer:
    """Offer samples of what those that were born seldom have."""
    counted, counts = set[str](), Counter[Trait]()

    def propose(population: Population, rng: Random, birth: str) -> Proposal | None:
        for name in population.by_birth():
            if name not in counted:
                counted.add(name)
                counts.update(breeding.traits(population.genomes[name]))
        return sample(breeding.guided(Balance(counts)))(population, rng, birth)

    return propose
