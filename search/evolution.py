"""Aging evolution on a ladder of promotions, asynchronous: the search of ``praxis-evolve run``.

Real et al. 2019 (arXiv:1802.01548): a tournament selects a parent, its child joins, the oldest
leaves. Here nobody waits for anybody, and rungs of training decide who is compared with whom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..evaluator.ladder import Ladder
from ..genome.graph import Genome
from .asynchronous import AsynchronousSearch
from .balance import balanced
from .breeding import TraitBreeding, remembering
from .guide import guided
from .judging import Judge
from .measures import NOTHING
from .niches import NICHED, with_niches
from .objectives import QUALITY, Objective
from .priors import NONE, Priors
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
from .reach import BOUNDLESS, Reach
from .screen import choosing, screened
from .spread import spreading
from .tournament import tournament as tournament_of

CROSSOVER = 0.23
"""The share of those bred of parents that have two."""

DRAWN = 0.5
IMMIGRANTS = 0.05
"""The shares of children that are drawn afresh: where quality alone counts, and else.

A mutation tries one choice of some dozens, so that what is rare and good may never be tried; a draw
tries one of every slot at once, as a factorial design does, and shares put together what does well
by itself (estimation of distribution; Larranaga & Lozano 2002). Draws without shares seldom are any
good; with several objectives they crowd at one end of the front, for shares know of quality alone.
"""


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
    drawn: float | None = None,
    niches: float = NICHED,
    shares: bool = True,
    screen: bool = True,
    judge: Judge | None = None,
    limits: Mapping[str, float] = NOTHING,
    priors: Priors = NONE,
    reach: Reach = BOUNDLESS,
) -> AsynchronousSearch:
    """Return the search: starters, then samples, until *population* were born, then children.

    Args:
        breeding: the space, as functions.
        seed: seed of the run; with a birth it fixes what an ask draws.
        ladder: the rungs of training; one in ``eta`` goes on to the next.
        objectives: what parents are compared by; quality is the first and leads. Founders lie far
            apart in those that are costs.
        starters: named genomes to begin with.
        population: how many of the last born may be parents.
        births: how many genomes are tried; twice the population unless given.
        tournament: contenders of one selection; a quarter of the population unless given.
        crossover: the share of those bred of parents that have two. With 0 here, for *drawn* and
            for niches, and neither shares nor screen, it is the aging evolution of the paper, but
            for genomes that were tried: none is tried again.
        drawn: the share of children that are drawn afresh; unless given ``DRAWN``, without shares
            or with several objectives ``IMMIGRANTS``.
        niches: the share of parents that are the best of a niche, whatever their age.
        shares: whether operators choose by the shares of traits and are chosen by their credit, and
            founders have traits that few others have.
        screen: whether children are the most promising of several by a surrogate.
        judge: what ranks; bits per byte from scratch unless given.
        limits: the most of what is measured, by name.
        priors: what is expected of traits, for shares to begin with.
        reach: what the machine can train; all else is left to others.

    Raises:
        ValueError: a share of children is not from 0 to 1.
    """
    if drawn is None:
        drawn = DRAWN if shares and len(objectives) == 1 else IMMIGRANTS
    if not (0 <= crossover <= 1 and 0 <= drawn <= 1):
        raise ValueError(
            f"shares of children must be from 0 to 1, but are {crossover=} and {drawn=}"
        )
    identify = remembering(breeding.identify)
    size = tournament or max(2, population // 4)
    select = tournament_of(breeding, objectives, size=size, among=population)
    select = with_niches(select, breeding, share=niches)
    choose = choosing(breeding, objectives)

    def kinds(breeding: TraitBreeding) -> Proposer:
        made = (
            ((1 - drawn) * (1 - crossover), mutating(breeding, select)),
            ((1 - drawn) * crossover, crossing(breeding, select)),
            (drawn, sampling(breeding)),
        )
        if not screen:
            return mixed(*made)
        return mixed(*((w, screened(fresh((each,), identify), choose)) for w, each in made))

    children = guided(kinds, breeding, priors) if shares else kinds(breeding)
    sample = sampling(breeding)
    spread = spreading(breeding, objectives)
    founder = balanced(breeding, spread) if shares else spread(breeding)
    founders = first(starting(starters or {}, breeding.identify, reach=reach), founder)
    return AsynchronousSearch(
        fresh((founding(founders, first(children, sample)), sample), identify, reach=reach),
        identify,
        seed=seed,
        ladder=ladder,
        population=population,
        births=births or 2 * population,
        judge=judge,
        limits=limits,
        reach=reach,
    )
