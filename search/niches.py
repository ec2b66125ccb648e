"""Niches: kinds of genomes that do not compete, each with its best, which does not age.

The population follows what does well now and forgets; the best of each niche (a size, a kind of
mixer, a kind of feed-forward) stays at hand as a parent (MAP-Elites; Mouret & Clune 2015,
arXiv:1504.04909), so that a search that has run into a corner can leave it.
"""

from __future__ import annotations

from collections.abc import Hashable
from random import Random

from .breeding import TraitBreeding
from .population import Population
from .tournament import Select

NICHED = 0.1
"""The share of parents that are taken from the niches."""


def with_niches(select: Select, breeding: TraitBreeding, *, share: float = NICHED) -> Select:
    """Return a selection that now and then takes the best of a niche, all niches alike."""
    known: dict[str, Hashable] = {}
    last: list[tuple[int, dict[Hashable, str]]] = []

    def elites(population: Population) -> dict[Hashable, str]:
        version = population.snapshot.version
        if not last or last[0][0] != version:
            last[:] = [(version, elites_of(population))]
        return last[0][1]

    def elites_of(population: Population) -> dict[Hashable, str]:
        _, _, broken, places = population.snapshot
        ranked = sorted(places, key=places.__getitem__, reverse=True)
        if broken:
            ranked.sort(key=broken.__contains__)
        found: dict[Hashable, str] = {}
        for name in ranked:
            niche = known.get(name)
            if niche is None:
                if name not in population.genomes:
                    continue
                niche = known[name] = breeding.niche(population.genomes[name])
            found.setdefault(niche, name)
        return found

    def selected(population: Population, rng: Random, without: str = "") -> str | None:
        if rng.random() < share:
            there = population.scores(population.lowest)
            best = [name for name in elites(population).values() if name != without]
            best = [name for name in best if name in there]
            if best:
                return rng.choice(best)
        return select(population, rng, without)

    return selected
