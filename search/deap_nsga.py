"""NSGA-II and NSGA-III by DEAP's selections: generations of fronts of several objectives.

Deb et al. 2002 (10.1109/4235.996017); Deb & Jain 2014 (10.1109/TEVC.2013.2281535).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any, NamedTuple

import numpy as np
from deap import base
from deap import tools as untyped

from ..evaluator.ladder import Ladder
from .asynchronous import AsynchronousSearch
from .breeding import Breeding, remembering
from .draws import lot
from .measures import NOTHING
from .objectives import Objective, Shown, resolved
from .population import Population
from .proposals import Proposal, Proposer, crossing, first, fresh, mutating, sampling
from .reach import BOUNDLESS, Reach
from .tournament import Select

CROSSOVER = 0.9
"""The chance that a child has two parents."""

MUTATION = 0.63
"""The chance that such a child is mutated, too: one edit on average is none for one in e."""

DIVISIONS = 12
"""The divisions of each axis that make the reference points of NSGA-III."""

tools: Any = untyped


class Survivor(NamedTuple):
    """A genome of the last generation, its objectives, and how much room it has about it."""

    genome_id: str
    point: tuple[float, ...]
    room: float


_Told = tuple[Sequence[Objective], list[tuple[str, float, Mapping[str, float]]]]
"""What the survivors of a generation hang on."""

Selection = Callable[[Sequence[Survivor], int, int], list[Survivor]]
"""(parents and children, how many survive, number of the generation) -> the survivors."""


def nsga2(
    breeding: Breeding,
    *,
    seed: int,
    ladder: Ladder,
    objectives: Sequence[Objective],
    births: int,
    population: int = 20,
    limits: Mapping[str, float] = NOTHING,
    reach: Reach = BOUNDLESS,
) -> AsynchronousSearch:
    """Return NSGA-II: non-dominated first, then those with the most room about them.

    Args:
        breeding: the space, as functions.
        seed: seed of the run.
        ladder: the rungs of training; the fronts are those of the lowest.
        objectives: what is minimised.
        births: how many genomes are tried.
        population: how many survive a generation, and are born in the next.
        limits: the most of what is measured, by name; who keeps them goes first.
        reach: what the machine can train; all else is left to others.
    """
    generations = _Generations(breeding, objectives, ladder.lowest, population, _by_room)
    return _search(
        breeding, generations, seed=seed, ladder=ladder, births=births, limits=limits, reach=reach
    )


def nsga3(
    breeding: Breeding,
    *,
    seed: int,
    ladder: Ladder,
    objectives: Sequence[Objective],
    births: int,
    population: int = 20,
    limits: Mapping[str, float] = NOTHING,
    reach: Reach = BOUNDLESS,
) -> AsynchronousSearch:
    """Return NSGA-III: non-dominated first, then those of neglected reference points.

    The arguments are those of ``nsga2``.

    Raises:
        ValueError: there is one objective only.
    """
    if len(objectives) < 2:
        raise ValueError(
            f"NSGA-III needs two objectives or more, but has "
            f"{[objective.name for objective in objectives]}; add one, or take NSGA-II"
        )
    select = _by_reference(len(objectives), seed)
    generations = _Generations(breeding, objectives, ladder.lowest, population, select)
    return _search(
        breeding, generations, seed=seed, ladder=ladder, births=births, limits=limits, reach=reach
    )


def _search(
    breeding: Breeding,
    generations: _Generations,
    *,
    seed: int,
    ladder: Ladder,
    births: int,
    limits: Mapping[str, float],
    reach: Reach,
) -> AsynchronousSearch:
    identify, sample = remembering(breeding.identify), sampling(breeding)
    select = _duel(generations)
    two = _mutated_at_times(crossing(breeding, select), breeding)
    one = mutating(breeding, select)

    def children(population: Population, rng: Random, birth: str) -> Proposal | None:
        return (two if rng.random() < CROSSOVER else one)(population, rng, birth)

    propose = fresh((first(children, sample), sample), identify, reach=reach)
    return AsynchronousSearch(
        propose,
        identify,
        seed=seed,
        ladder=ladder,
        population=births,
        births=births,
        limits=limits,
        reach=reach,
    )


def _mutated_at_times(propose: Proposer, breeding: Breeding) -> Proposer:
    def mutated(population: Population, rng: Random, birth: str) -> Proposal | None:
        offer = propose(population, rng, birth)
        if offer is None or rng.random() >= MUTATION:
            return offer
        child = breeding.mutate(offer.genome, rng, birth)
        return offer._replace(genome=child.genome, origin=f"{offer.origin}+{child.operator}")

    return mutated


def _duel(generations: _Generations) -> Select:
    """Select one of two survivors: the one that dominates, or else that has more room."""

    def select(population: Population, rng: Random, without: str = "") -> str | None:
        there = [one for one in generations.survivors(population) if one.genome_id != without]
        if len(there) < 2:
            return there[0].genome_id if there else None
        one, other = rng.sample(there, 2)
        if _dominates(other.point, one.point):
            return other.genome_id
        if not _dominates(one.point, other.point) and other.room > one.room:
            return other.genome_id
        return one.genome_id

    return select


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


class _Generations:
    """The survivors, a function of the scores at the lowest rung in the order of age.

    So many as survive make a generation. Nobody waits for the last of it: until it is there,
    children are of the survivors before.
    """

    def __init__(
        self,
        breeding: Breeding,
        objectives: Sequence[Objective],
        rung: int,
        size: int,
        select: Selection,
    ) -> None:
        self._breeding = breeding
        self._objectives = objectives
        self._rung = rung
        self._size = size
        self._select = select
        self._passed: list[tuple[_Told, list[Survivor]]] = []

    def survivors(self, population: Population) -> list[Survivor]:
        """Return those who survived the last whole generation; none before the first."""
        ids, scores = population.living(), population.scores(self._rung)
        objectives = resolved(self._objectives, population.noise, self._rung)
        for number in range(len(ids) // self._size):
            born = ids[number * self._size : (number + 1) * self._size]
            told = (
                objectives,
                [
                    (genome_id, scores[genome_id], population.measures.of(genome_id))
                    for genome_id in born
                ],
            )
            if number < len(self._passed) and self._passed[number][0] == told:
                continue
            del self._passed[number:]  # a late result, or another score: all since is otherwise
            before = self._passed[-1][1] if self._passed else []
            children = [self._newborn(population, objectives, *each) for each in told[1]]
            chosen = self._chosen(population, [*before, *children], number)
            self._passed.append((told, chosen))
        return self._passed[-1][1] if self._passed else []

    def _chosen(
        self, population: Population, those: Sequence[Survivor], generation: int
    ) -> list[Survivor]:
        """Return who survives; where enough keep the limits and are known, they alone do."""
        sound = [
            each for each in those
            if population.feasible(each.genome_id) and not any(map(math.isnan, each.point))
        ]  # fmt: skip
        if len(sound) >= self._size:
            return self._select(sound, self._size, generation)
        others = [each for each in those if each not in sound]
        others.sort(key=lambda each: (each.point[0], each.genome_id))
        return [*sound, *others][: self._size]

    def _newborn(
        self,
        population: Population,
        objectives: Sequence[Objective],
        genome_id: str,
        score: float,
        measured: Mapping[str, float],
    ) -> Survivor:
        costs = self._breeding.costs(population.genomes[genome_id])
        shown = Shown(score, costs, measured)
        point = tuple(objective.coordinate(shown) for objective in objectives)
        return Survivor(genome_id, point, 0.0)


class _Member:
    """A genome as DEAP wants it: something with a ``fitness``, which it writes the room to."""

    def __init__(self, survivor: Survivor) -> None:
        weights = {"weights": (-1.0,) * len(survivor.point)}
        self.survivor = survivor
        self.fitness: Any = type("Fitness", (base.Fitness,), weights)(survivor.point)


def _by_room(those: Sequence[Survivor], count: int, generation: int) -> list[Survivor]:
    chosen: list[_Member] = tools.selNSGA2([_Member(each) for each in those], count)
    return [each.survivor._replace(room=float(each.fitness.crowding_dist)) for each in chosen]


def _by_reference(objectives: int, seed: int) -> Selection:
    points = tools.uniform_reference_points(objectives, DIVISIONS)

    def select(those: Sequence[Survivor], count: int, generation: int) -> list[Survivor]:
        with _numpy_seeded(int(2**32 * lot(seed, "niching", generation))):
            chosen: list[_Member] = tools.selNSGA3(
                [_Member(each) for each in those], count, points, nd="standard"
            )
        return [each.survivor for each in chosen]

    return select


@contextmanager
def _numpy_seeded(seed: int) -> Generator[None]:
    """Seed the generator that all of numpy shares, for DEAP draws from it, and restore it after."""
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)
