"""What a genome is made of: parameters and operations by family."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..blocks.declaration import Cost
from ..blocks.registry import Catalog
from ..genome.cost import hearing, merge_cost, pieces_of, size_of, streams
from ..genome.exits import exit_places
from ..genome.graph import Genome, Part
from .repeats import living
from .table import Column, Table


@dataclass(frozen=True)
class Portion:
    """What one family has of a genome: parameters, and forward FLOPs per token."""

    family: str
    parameters: int
    flops: float


def portions(
    genome: Genome, catalog: Catalog, *, context: int, vocabulary: int = 256
) -> list[Portion]:
    """Return the portion of each family, the largest first; they add up to the whole genome.

    Shared weights count once, operations at every visit, as if no router left a token out.

    Raises:
        KeyError: a part of the genome is not in the catalog.
    """
    found: defaultdict[str, Cost] = defaultdict(Cost)
    for family, cost in _Items(living(genome), catalog, context, vocabulary).all():
        found[family] += cost
    rows = [Portion(name, cost.parameters, cost.flops / context) for name, cost in found.items()]
    return sorted(
        (row for row in rows if row.parameters or row.flops),
        key=lambda row: (-row.parameters, row.family),
    )


class _Items:
    def __init__(self, genome: Genome, catalog: Catalog, context: int, vocabulary: int) -> None:
        self.genome = genome
        self.catalog = catalog
        self.context = context
        self.size = size_of(genome, catalog, context=context, vocabulary=vocabulary)
        self.calls = pieces_of(self.size, genome.stack.feedback)

    def all(self) -> Iterator[tuple[str, Cost]]:
        yield from self._entries()
        yield from self._visits()
        stack = self.genome.stack
        yield self._of(stack.embedding)
        yield self._of(stack.norm)
        own = 0 if stack.tied else self.size.width * self.size.vocabulary
        yield "head", Cost(parameters=own, flops=self.size.decoding * self.context)
        yield "feedback", Cost(parameters=len(hearing(self.genome)))
        if stack.exit is not None:
            for _ in exit_places(self.genome, self.catalog):
                yield self._of(stack.exit)

    def _entries(self) -> Iterator[tuple[str, Cost]]:
        for number in sorted({visit.block for visit in self.genome.route}):
            entry = self.genome.pool[number]
            for part in (entry.block, entry.prelude):
                if part is not None:
                    family, cost = self._of(part)
                    yield family, Cost(parameters=cost.parameters)

    def _visits(self) -> Iterator[tuple[str, Cost]]:
        for visit in self.genome.route:
            entry = self.genome.pool[visit.block]
            for part in (entry.block, entry.prelude):
                if part is not None:
                    family, cost = self._of(part)
                    yield family, Cost(flops=cost.flops)
            residual = self.genome.stack.residual
            norms = [self.genome.stack.norm] * len(self.catalog[residual.name].norms)
            for part in (*norms, residual, visit.router):
                if part is not None:
                    yield self._of(part)
            yield "merge", merge_cost(visit, self.size, streams=streams(residual))

    def _of(self, part: Part) -> tuple[str, Cost]:
        declaration = self.catalog[part.name]
        settings = {**declaration.defaults(), **part.settings}
        costs = [declaration.cost(size, settings) for size in self.calls]
        return declaration.family, replace(costs[-1], flops=sum(cost.flops for cost in costs))


def portions_table(found: list[Portion]) -> Table:
    """Return the portions as a table."""
    columns = (
        Column("family", "family"),
        Column("parameters", "parameters", ","),
        Column("FLOPs per token", "flops_per_token", ",.0f"),
    )
    rows = tuple((row.family, row.parameters, row.flops) for row in found)
    return Table("parts", "Parameters and forward FLOPs per token by family", columns, rows)
