"""A landscape that is known, in place of training: traits of genomes add up."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cached_property
from random import Random

from praxis_evolve.benchmarks.small_run import TASK_DIGEST, small_run
from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.job import seed_of
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.identity import genome_id, identify
from praxis_evolve.genome.traits import Trait
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.search.base import Assignment
from praxis_evolve.search.evolution import population_for
from praxis_evolve.search.species import Species

NAMES = (
    "attention", "retention", "glu", "mlp", "kan", "mingru", "short_conv", "token_shift", "pre",
    "post", "rmsnorm", "layernorm", "token", "ngram",
)  # fmt: skip
CATALOG = installed().only(NAMES)
RUNGS = 100, 300


def manifest(births: int) -> Manifest:
    """Return the run that all peers are of; there is nothing but its evolution."""
    return replace(
        small_run(CATALOG, NAMES), task="landscape", visits=6, births=births,
        population=population_for(births), tuned=False, looks=(), replicas=(),
    )  # fmt: skip


class Landscape:
    """What training would find; luck hangs on the genome, the rung and the replica."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._known: dict[str, float] = {}

    @cached_property
    def _species(self) -> Species:
        return Species(manifest(1).space(CATALOG))

    def manifest(self, births: int) -> Manifest:
        """Return a run of so many births."""
        return manifest(births)

    def worth(self, genome: Genome) -> float:
        """Return the bits per byte of a genome without luck."""
        name = genome_id(genome, CATALOG)
        if name not in self._known:
            traits = sorted(self._species.traits(genome))
            self._known[name] = 4.0 + sum(map(self._effect, traits)) / len(traits) ** 0.5
        return self._known[name]

    def measured(self, assignment: Assignment) -> Result:
        """Return what everybody finds who evaluates honestly."""
        genome, rung, replica = assignment.genome, assignment.rung, assignment.replica
        name = identify(genome, CATALOG)
        luck = self._lot("luck", name.genome, rung, replica).gauss(0.0, 0.03)
        return Result(
            name.genome, name.architecture, rung, replica, seed_of(TASK_DIGEST, replica),
            self.worth(genome) + luck + (0.3 if rung == RUNGS[0] else 0.0),
            costs=self._species.costs(genome),
        )  # fmt: skip

    def _effect(self, trait: Trait) -> float:
        return self._lot("effect", trait.slot, trait.value).gauss(0.0, 0.5)

    def _lot(self, *parts: object) -> Random:
        text = repr((self._seed, *parts))
        return Random(hashlib.sha256(text.encode()).hexdigest())
