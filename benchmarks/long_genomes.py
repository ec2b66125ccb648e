"""Genomes of many visits over the whole catalog, searches among them, and scores that cost nothing.

What benchmarks of speed have in common: genomes as long as they get, which stay so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.identity import identify
from praxis_evolve.genome.space import Limits, Space
from praxis_evolve.search.asynchronous import AsynchronousSearch
from praxis_evolve.search.draws import lot
from praxis_evolve.search.evolution import regularized_evolution
from praxis_evolve.search.species import Species

VISITS = 24
RUNG = 28_000
POPULATION = 64


def species(visits: int = VISITS) -> Species:
    """Return the genomes of at most so many visits over all that is installed."""
    return Species(Space(installed(), limits=Limits(visits=visits)))


def founders(those: Species, count: int = POPULATION) -> dict[str, Genome]:
    """Return samples that are as long as the limit lets them, all visits alive, by number."""
    rng, found = Random(0), dict[str, Genome]()
    while len(found) < count:
        drawn = those.sample(rng, f"founder/{len(found)}")
        if len(drawn.live_visits()) == those.space.limits.visits:
            found[str(len(found))] = drawn
    return found


def evolution(
    those: Species, starters: Mapping[str, Genome], *, births: int, shares: bool = True
) -> AsynchronousSearch:
    """Return the default search without its screen; its starters are its first population."""
    return regularized_evolution(
        those,
        seed=0,
        ladder=Ladder((RUNG,)),
        starters=starters,
        population=len(starters),
        births=len(starters) + births,
        shares=shares,
        screen=False,
    )


def scored(genome: Genome, those: Species) -> Result:
    """Return a result by lot; a visit less than allowed is worse than the worst lot.

    It is as large as those of a real run: a full curve, costs, measurements.
    """
    name = identify(genome, those.space.catalog)
    missing = those.space.limits.visits - len(genome.live_visits())
    bits = 2 + lot(0, name.genome) + missing
    curve = tuple((RUNG * part // 32, bits + 1 / part) for part in range(1, 33))
    measured = Measurement(3.2, 0.4, 9_000.0, 1 << 27)
    return Result(
        name.genome, name.architecture, RUNG, 0, 7, bits, curve=curve, costs=those.costs(genome),
        measured=measured,
    )  # fmt: skip


def mean_visits(genomes: Sequence[Genome]) -> float:
    """Return how many visits of a genome are alive on average."""
    return sum(len(genome.live_visits()) for genome in genomes) / len(genomes)
