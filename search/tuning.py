"""Tuning: one architecture, and the search of its training genes by TPE with pruning at rungs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, cast

from ..blocks.ranges import Range, Real, Value, on_grid
from ..evaluator.ladder import Ladder
from ..genome.cost import Costs
from ..genome.genes import TRAINING
from ..genome.graph import Genome
from ..genome.identity import genome_id
from ..genome.mutation import Child
from ..genome.space import Space
from .asynchronous import AsynchronousSearch
from .optuna_search import optuna_tpe
from .reach import BOUNDLESS, Reach


@dataclass(frozen=True)
class Trainings:
    """The genomes of *space* that differ from *original* in their training genes alone, flat."""

    space: Space
    original: Genome

    @property
    def choices(self) -> Mapping[str, Range]:
        """The ranges of the training genes; with one visit there is no order to shuffle."""
        alone = len(self.original.live_visits()) == 1
        return {name: range_ for name, range_ in TRAINING.items() if name != "shuffle" or not alone}

    def encode(self, genome: Genome) -> dict[str, Value]:
        """Return the training genes."""
        return {name: getattr(genome.training, name) for name in self.choices}

    def decode(self, values: Mapping[str, Value], birth: str) -> Genome:
        """Return the original with other training genes; reals go to their grid."""
        del birth  # the entries are those of the original, and so is their lineage
        genes = {name: _legal(self.choices[name], value) for name, value in values.items()}
        training = replace(self.original.training, **cast("dict[str, Any]", genes))
        return replace(self.original, training=training)

    def sample(self, rng: Random, birth: str) -> Genome:
        """Draw every training gene from its range."""
        return self.decode({name: r.sample(rng) for name, r in self.choices.items()}, birth)

    def mutate(self, genome: Genome, rng: Random, birth: str) -> Child:
        """Move one training gene to a near value."""
        name = rng.choice(list(self.choices))
        near = self.choices[name].near(getattr(genome.training, name), rng)
        return Child(self.decode({**self.encode(genome), name: near}, birth), f"training.{name}")

    def cross(self, mother: Genome, father: Genome, rng: Random, birth: str) -> Genome:
        """Take each training gene from either parent."""
        ours, theirs = self.encode(mother), self.encode(father)
        return self.decode({name: rng.choice((ours[name], theirs[name])) for name in ours}, birth)

    def identify(self, genome: Genome) -> str:
        """Return the id that equal genomes share."""
        return genome_id(genome, self.space.catalog)

    def costs(self, genome: Genome) -> Costs:
        """Return what the genome costs, which training genes do not change."""
        return self.space.costs(genome)


def tuning_search(
    space: Space,
    original: Genome,
    *,
    seed: int,
    ladder: Ladder,
    births: int,
    reach: Reach = BOUNDLESS,
) -> AsynchronousSearch:
    """Return the search of the training genes of *original*, which is the first to be tried.

    All genes are looked at together, for the learning rate that is best hangs on the others.
    """
    return optuna_tpe(
        Trainings(space, original),
        seed=seed,
        ladder=ladder,
        births=births,
        starters={"original": original},
        multivariate=True,
        reach=reach,
    )


def _legal(range_: Range, value: Value) -> Value:
    """Return the value of the grid next to one that Optuna proposes."""
    if isinstance(range_, Real):
        return min(range_.high, max(range_.low, on_grid(float(value))))
    return value
