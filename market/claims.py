"""Claims: what of a stranger's record is looked at before it is stored, without evaluating it.

All of it is a function of the record, its genome and the run, so that every peer stores the same
records. What only a training shows is not looked at here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..evaluator.job import seed_of
from ..genome.graph import Genome
from ..genome.identity import identify
from ..genome.rules import gene_problems
from ..genome.space import Space
from .manifest import Manifest
from .record import Record

SAME = 1e-9
"""How far claimed costs may be from the formulas', relative: another machine's rounding."""

MOST_BITS = 1000.0
"""The most bits per byte that anybody may claim. A training that goes astray ends far above the 8
of a guess, and an honest record that is refused leaves a gap in its chain; lies are too good.
"""

REPLICAS = range(-64, 65)
"""The replicas that a record may be of: search, looks and finals have a few each."""

Check = Callable[[Record, Genome], str | None]
"""Says what is wrong with a record and its genome; None where nothing is."""


@dataclass(frozen=True)
class Claims:
    """The check of the records of one run, in its largest space."""

    manifest: Manifest
    space: Space

    def __call__(self, record: Record, genome: Genome) -> str | None:
        """Return the first thing that is wrong, None where nothing is."""
        return next(self._problems(record, genome), None)

    def _problems(self, record: Record, genome: Genome) -> Iterator[str]:
        """Yield what is wrong; what comes later is not looked at where something is."""
        yield from self._identity(record, genome)
        yield from self._work(record)
        if record.result.ok:
            yield from self._fitness(record, genome)

    def _identity(self, record: Record, genome: Genome) -> Iterator[str]:
        result = record.result
        genes = gene_problems(genome.stack, genome.training, self.space.widths, self.space.context)
        if problem := next(genes, None):
            yield f"is of a genome whose {problem}"
            return
        try:
            found = identify(genome, self.space.catalog)
        except (ValueError, KeyError) as error:
            yield f"is of a genome that has no name here: {error}"
            return
        if (found.genome, found.architecture) != (result.genome, result.architecture):
            yield (
                f"is of genome {result.genome[:12]}, architecture {result.architecture[:12]}, but "
                f"its genome has the names {found.genome[:12]} and {found.architecture[:12]}"
            )

    def _work(self, record: Record) -> Iterator[str]:
        result, manifest = record.result, self.manifest
        if result.rung not in manifest.rungs:
            yield f"is of rung {result.rung}, but the run has {list(manifest.rungs)}"
        if result.replica not in REPLICAS:
            yield f"is of replica {result.replica}, but replicas are from {REPLICAS}"
        elif result.seed != (seed := seed_of(manifest.task_digest, result.replica)):
            yield f"has the seed {result.seed}, but replica {result.replica} has {seed}"
        if (result.inherited_tokens or result.parent) and not manifest.inherit:
            yield "inherited weights, which nobody does in this run"

    def _fitness(self, record: Record, genome: Genome) -> Iterator[str]:
        result, found = record.result, self.space.costs(genome)
        claimed = result.costs
        if claimed is None:
            yield "has no costs beside its fitness"
        elif any(
            abs(getattr(claimed, name) - getattr(found, name)) > SAME * getattr(found, name)
            for name in ("parameters", "flops", "carry_bytes")
        ):
            yield f"claims the costs {claimed}, but the formulas say {found}"
        for name in ("bits_per_byte", "test_bits_per_byte"):
            bits = getattr(result, name)
            if bits is not None and not 0.0 < bits <= MOST_BITS:
                yield f"claims {bits} {name}, but that is from 0 to {MOST_BITS}"
        tokens = [at for at, _ in result.curve]
        if tokens != sorted(set(tokens)) or (tokens and not 0 <= tokens[0] <= tokens[-1]):
            yield f"has a curve that does not go on: {tokens[:4]}"
        if any(not 0.0 <= bits <= 2 * MOST_BITS for _, bits in result.curve):
            yield "has a curve of bits that nothing has"
