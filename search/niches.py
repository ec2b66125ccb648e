"""Niches: kinds of genomes that do not compete, each with its best, which does not age.

The population follows what does well now and forgets; the best of each niche (a size, a kind of
mixer, a kind of feed-forward) stays at hand as a parent (MAP-Elites; Mouret & Clune 2015,
arXiv:1504.04909), so that a search that has run into a corner can leave it.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable
from random import Random

import numpy as np

from .breeding import TraitBreeding
from .population import Population
from .tournament import Select

NICHED = 0.1
"""The share of parents that are taken from the niches."""

NOWHERE = -1
"""The niche of a genome that is not at hand."""


def with_niches(select: Select, breeding: TraitBreeding, *, share: float = NICHED) -> Select:
    """Return a selection that now and then takes the best of a niche, all niches alike."""
    niches = _Niches(breeding)
    last: list[tuple[int, list[str]]] = []

    def elites(population: Population) -> list[str]:
        version = population.snapshot.version
        if not last or last[0][0] != version:
            last[:] = [(version, niches.elites(population))]
        return last[0][1]

    def selected(population: Population, rng: Random, without: str = "") -> str | None:
        if rng.random() < share:
            there = population.scores(population.lowest)
            best = [name for name in elites(population) if name != without]
            best = [name for name in best if name in there]
            if best:
                return rng.choice(best)
        return select(population, rng, without)

    return selected


class _Niches:
    """The niche of each genome by its number, as far as that was asked."""

    def __init__(self, breeding: TraitBreeding) -> None:
        self._breeding = breeding
        self._numbers: dict[Hashable, int] = {}
        self._of = array("q")

    def elites(self, population: Population) -> list[str]:
        """Return the best of each niche, from the best to the worst; those within limits first."""
        _, _, broken, standings = population.snapshot
        names, ranked = population.names, standings.ranked
        if broken:
            breaks = np.array([names[number] in broken for number in ranked], dtype=bool)
            ranked = np.concatenate([ranked[~breaks], ranked[breaks]])
        self._know(population)
        niches = np.array(self._of)[ranked]
        ranked, niches = ranked[niches != NOWHERE], niches[niches != NOWHERE]
        first = np.full(len(self._numbers), len(ranked))
        first[niches[::-1]] = np.arange(len(ranked))[::-1]  # what is written last, the best, stays
        best: list[int] = ranked[np.sort(first[first < len(ranked)])].tolist()
        return [names[number] for number in best]

    def _know(self, population: Population) -> None:
        """Find the niches of the genomes that are new or at hand now."""
        genomes, names, of = population.genomes, population.names, self._of
        of.extend([NOWHERE] * (len(names) - len(of)))
        for number in np.flatnonzero(np.array(of) == NOWHERE).tolist():
            genome = genomes.get(names[number])
            if genome is not None:
                niche = self._breeding.niche(genome)
                of[number] = self._numbers.setdefault(niche, len(self._numbers))
