"""The guide: a taste that assigns what does well more often, by shares and operator credit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from random import Random
from typing import TypeVar

from ..genome.traits import Trait
from .breeding import TraitBreeding
from .credit import Credit
from .population import Population
from .priors import NONE, Priors
from .proposals import Proposal, Proposer
from .shares import HORIZON, Shares, Traits, floor_of

TRIES = 4
"""How many values of a range are drawn for one to be chosen by the share of its stretch."""

Thing = TypeVar("Thing")


class Guide:
    """A ``Taste`` by shares: Thompson sampling with a floor.

    Of options, a draw from the posterior of the standing of each decides; of a range, the same
    among a few of its values. Operators are drawn by their weights times a draw of their credit.
    """

    def __init__(self, shares: Shares, credit: Credit) -> None:
        self._shares = shares
        self._credit = credit

    def choose(
        self, rng: Random, options: Sequence[Thing], trait: Callable[[Thing], Trait]
    ) -> Thing:
        """Return one of *options* by its share among them."""
        count = len(options)
        if rng.random() < floor_of(count) * count:
            return rng.choice(options)
        return self._best(rng, options, trait)

    def draw(
        self, rng: Random, draw: Callable[[], Thing], trait: Callable[[Thing], Trait]
    ) -> Thing:
        """Return one of a few values by the share of its trait."""
        return self._best(rng, [draw() for _ in range(TRIES)], trait)

    def operator(self, rng: Random, weights: Sequence[tuple[str, float]]) -> str:
        """Return an operator by its weight and its credit."""
        names = [name for name, _ in weights]
        return rng.choices(names, [weight * self._credit.draw(n, rng) for n, weight in weights])[0]

    def _best(
        self, rng: Random, options: Sequence[Thing], trait: Callable[[Thing], Trait]
    ) -> Thing:
        """Return an option whose trait has the greatest draw; equals draw once."""
        traits = [trait(option) for option in options]
        draws = {each: self._shares.posterior(each).draw(rng) for each in dict.fromkeys(traits)}
        best = max(draws, key=draws.__getitem__)
        alike = [option for option, each in zip(options, traits, strict=True) if each == best]
        return alike[0] if len(alike) == 1 else rng.choice(alike)


def guided(
    make: Callable[[TraitBreeding], Proposer], breeding: TraitBreeding, priors: Priors = NONE
) -> Proposer:
    """Return the proposer that *make* makes of the breeding guided by what is known at each ask.

    What is known begins with *priors*.
    """
    known = Traits()
    last: list[tuple[int, Proposer]] = []

    def guide(population: Population) -> Guide:
        standings, origins = population.snapshot.standings, population.origins
        youngest = (name for name in population.by_age() if name in standings)
        names = list(islice(youngest, HORIZON))[::-1]
        for name in names:
            if name not in known:
                known.add(name, breeding.traits(population.genomes[name]))
        births = {name: number for number, name in enumerate(names)}
        recent = {name: standings[name] for name in names}
        credit = Credit(standings, {name: origins[name] for name in names})
        return Guide(Shares(recent, known, births, priors), credit)

    def propose(population: Population, rng: Random, birth: str) -> Proposal | None:
        version = population.snapshot.version
        if not last or last[0][0] != version:
            last[:] = [(version, make(breeding.guided(guide(population))))]
        return last[0][1](population, rng, birth)

    return propose
