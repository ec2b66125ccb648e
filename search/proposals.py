"""Proposals: small functions that offer the next genome, and ways to combine them.

A proposer looks at the population, draws from the ask's generator, and offers a genome or None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import NamedTuple

from ..genome.graph import Genome
from .breeding import Breeding
from .population import Population
from .reach import BOUNDLESS, Reach
from .tournament import Select


class Proposal(NamedTuple):
    """A genome to try, the operator that made it, and the ids of its parents."""

    genome: Genome
    origin: str
    parents: tuple[str, ...] = ()


Proposer = Callable[[Population, Random, str], Proposal | None]
"""(population, generator, text of the birth) -> the offer."""


def starting(
    starters: Mapping[str, Genome], identify: Callable[[Genome], str], *, reach: Reach = BOUNDLESS
) -> Proposer:
    """Offer, by lot, a named genome that was not tried; peers who start at once seldom collide.

    One that somebody says to have tried is left to audits, and one that another trains now to that:
    all peers have the same starters. What does not fit the machine is left to others.
    """
    named = {identify(genome): (name, genome) for name, genome in starters.items()}

    def propose(population: Population, rng: Random, birth: str) -> Proposal | None:
        left = [
            genome_id
            for genome_id, (_, genome) in named.items()
            if not population.seen(genome_id) and not population.claimed(genome_id)
            and not population.elsewhere(genome_id) and reach.fits(genome, population.lowest)
        ]  # fmt: skip
        if not left:
            return None
        name, genome = named[rng.choice(left)]
        return Proposal(genome, f"starter:{name}")

    return propose


def sampling(breeding: Breeding) -> Proposer:
    """Offer a genome drawn from the space."""

    def propose(population: Population, rng: Random, birth: str) -> Proposal:
        return Proposal(breeding.sample(rng, birth), "sample")

    return propose


def mutating(breeding: Breeding, select: Select) -> Proposer:
    """Offer a mutant of a selected genome."""

    def propose(population: Population, rng: Random, birth: str) -> Proposal | None:
        parent = select(population, rng)
        if parent is None:
            return None
        child = breeding.mutate(population.genomes[parent], rng, birth)
        return Proposal(child.genome, child.operator, (parent,))

    return propose


def crossing(breeding: Breeding, select: Select) -> Proposer:
    """Offer a mixture of two different selected genomes."""

    def propose(population: Population, rng: Random, birth: str) -> Proposal | None:
        mother = select(population, rng)
        father = mother and select(population, rng, mother)
        if mother is None or father is None:
            return None
        genomes = population.genomes
        child = breeding.cross(genomes[mother], genomes[father], rng, birth)
        return Proposal(child, "crossover", (mother, father))

    return propose


def mixed(*parts: tuple[float, Proposer]) -> Proposer:
    """Let one of the proposers offer, each with its weight."""
    weights, proposers = [weight for weight, _ in parts], [proposer for _, proposer in parts]

    def propose(population: Population, rng: Random, birth: str) -> Proposal | None:
        return rng.choices(proposers, weights)[0](population, rng, birth)

    return propose


def first(*proposers: Proposer) -> Proposer:
    """Take the offer of the first proposer that has one."""

    def propose(population: Population, rng: Random, birth: str) -> Proposal | None:
        offers = (proposer(population, rng, birth) for proposer in proposers)
        return next((offer for offer in offers if offer is not None), None)

    return propose


def founding(founders: Proposer, children: Proposer) -> Proposer:
    """Let *founders* offer until the population was born once, then *children*."""

    def propose(population: Population, rng: Random, birth: str) -> Proposal | None:
        young = population.births < population.size
        return (founders if young else children)(population, rng, birth)

    return propose


BEYOND = 4
"""How many offers of one proposer may be beyond the reach of the machine until the next is asked.

Children of parents that others measured may all be.
"""


def fresh(
    proposers: Sequence[Proposer],
    identify: Callable[[Genome], str],
    *,
    tries: int = 32,
    reach: Reach = BOUNDLESS,
) -> Proposer:
    """Offer only what was never tried and is within *reach*: *tries* of each proposer in turn.

    What another trains now is as good as tried.
    """

    def propose(population: Population, rng: Random, birth: str) -> Proposal | None:
        for proposer in proposers:
            beyond = 0
            for _ in range(tries):
                offer = proposer(population, rng, birth)
                if offer is None or _known(population, identify(offer.genome)):
                    continue
                if reach.fits(offer.genome, population.lowest):
                    return offer
                beyond += 1
                if beyond == BEYOND:
                    break
        return None

    return propose


def _known(population: Population, genome_id: str) -> bool:
    return population.seen(genome_id) or population.elsewhere(genome_id)
