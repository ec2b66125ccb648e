"""Aging evolution on a ladder of promotions, asynchronous: the search of ``praxis-evolve run``.

Real et al. 2019 (arXiv:1802.01548): a tournament selects a parent, its child joins, the oldest
leaves. Here nobody waits for anybody, and rungs of training decide who is compared with whom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..evaluator.ladder import Ladder
from ..genome.graph import Genome
from .asynchronous import AsynchronousSearch
from .breeding import TraitBreeding, remembering
from .guide import guided
from .judging import Judge
from .measures import NOTHING
from .niches import NICHED, with_niches
from .objectives import QUALITY, Objective
from .proposals import (
    Proposer,
    crossing,
    first,
    founding,
    fresh,
    mixed,
    mutating,
    sampling,
    starting,
)
from .screen import choosing, screened
from .tournament import tournament as tournament_of

CROSSOVER = 0.22
IMMIGRANTS = 0.05
"""Shares of the children unless given; the others are mutants."""


def population_for(births: int) -> int:
    """Return the population for a number of births: an eighth of it, from 16 to 64."""
    return min(64, max(16, births // 8))


def regularized_evolution(
    breeding: TraitBreeding,
    *,
    seed: int,
    ladder: Ladder,
    objectives: Sequence[Objective] = (QUALITY,),
    starters: Mapping[str, Genome] | None = None,
    population: int = 64,
    births: int | None = None,
    tournament: int | None = None,
    crossover: float = CROSSOVER,
    immigrants: float = IMMIGRANTS,
    niches: float = NICHED,
    shares: bool = True,
    screen: bool = True,
    judge: Judge | None = None,
    limits: Mapping[str, float] = NOTHING,
) -> AsynchronousSearch:
    """Return the search: starters, then samples, until *population* were born, then children.

    Args:
        breeding: the space, as functions.
        seed: seed of the run; with a birth it fixes what an ask draws.
        ladder: the rungs of training; one in ``eta`` goes on to the next.
        objectives: what parents are compared by; quality is the first and leads.
        starters: named genomes to begin with.
        population: how many of the last born may be parents.
        births: how many genomes are tried; twice the population unless given.
        tournament: contenders of one selection; a quarter of the population unless given.
        crossover: the share of children with two parents. With 0 here and for immigrants and
            niches, and neither shares nor screen, it is the aging evolution of the paper, but for
            genomes that were tried: none is tried again.
        immigrants: the share of samples among the children.
        niches: the share of parents that are the best of a niche, whatever their age.
        shares: whether operators choose by the shares of traits and are chosen by their credit.
        screen: whether children are the most promising of several by a surrogate.
        judge: what ranks; bits per byte from scratch unless given.
        limits: the most of what is measured, by name.

    Raises:
        ValueError: the shares are not from 0 to 1 together.
    """
    if min(crossover, immigrants) < 0 or crossover + immigrants > 1:
        raise ValueError(
            f"the shares of children must be 0 or more and at most 1 together, but are "
            f"{crossover=} and {immigrants=}; the rest are mutants"
        )
    identify = remembering(breeding.identify)
    size = tournament or max(2, population // 4)
    select = tournament_of(breeding, objectives, size=size, among=population)
    select = with_niches(select, breeding, share=niches)
    choose = choosing(breeding, objectives)

    def kinds(breeding: TraitBreeding) -> Proposer:
        made = (
            (1 - crossover - immigrants, mutating(breeding, select)),
            (crossover, crossing(breeding, select)),
            (immigrants, sampling(breeding, origin="immigrant")),
        )
        if not screen:
            return mixed(*made)
        return mixed(*((w, screened(fresh((each,), identify), choose)) for w, each in made))

    children = guided(kinds, breeding) if shares else kinds(breeding)
    sample = sampling(breeding)
    founders = first(starting(starters or {}, breeding.identify), sample)
    return AsynchronousSearch(
        fresh((founding(founders, first(children, sample)), sample), identify),
        identify,
        seed=seed,
        ladder=ladder,
        population=population,
        births=births or 2 * population,
        judge=judge,
        limits=limits,
    )
