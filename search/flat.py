"""Genomes of any shape as flat genes, for tools that know nothing but values by name.

What has no fixed place in a genome is counted. So the genes describe a genome and do not give it
back: two with equal genes may be wired otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..blocks.ranges import Choice, Integer, Range, Value
from ..genome.genes import SEGMENTS, TIED, TRAINING, feedback_range
from ..genome.graph import Genome, Part, Stack
from ..genome.identity import canonical
from ..genome.space import Space
from ..genome.traits import NONE

TRAINING_PREFIX = "training."


class Gene(NamedTuple):
    """A value, and the values that it could have."""

    value: Value
    range: Range


Genes = Mapping[str, Gene]


def flat(genome: Genome, space: Space) -> dict[str, Gene]:
    """Return the genes of a genome by name, dead ones and those without a choice left out.

    They are ``training.*``; ``stack.*`` with the settings of its parts, such as
    ``stack.embedding.ngram.table``; and numbers of visits: ``visits``, ``entries`` (of the pool),
    ``visits.merging``, ``visits.rounded``, and by name ``visits.block.*``, ``visits.prelude.*``,
    ``visits.router.*`` where there are any.

    Raises:
        ValueError, KeyError: as ``canonical``.
    """
    form = canonical(genome, space.catalog)
    found = [*_training(form), *_stack(form.stack, form, space), *_counts(form, space)]
    return {name: gene for name, gene in found if not _single(gene.range)}


def flat_alike(genomes: Mapping[str, Genome], space: Space) -> dict[str, dict[str, Gene]]:
    """Return the genes of several genomes; what one has no visits of and another has is 0."""
    several = {name: flat(genome, space) for name, genome in genomes.items()}
    counted = {name for genes in several.values() for name in genes if name.startswith("visits.")}
    for genes in several.values():
        genes.update({name: _number(space, 0) for name in sorted(counted - genes.keys())})
    return several


def _training(form: Genome) -> Iterator[tuple[str, Gene]]:
    for name, range_ in TRAINING.items():
        yield f"{TRAINING_PREFIX}{name}", Gene(getattr(form.training, name), range_)


def _stack(stack: Stack, form: Genome, space: Space) -> Iterator[tuple[str, Gene]]:
    yield "stack.width", Gene(stack.width, Choice(tuple(sorted(space.widths)), ordered=True))
    yield "stack.tied", Gene(stack.tied, TIED)
    yield "stack.feedback", Gene(stack.feedback, feedback_range(space.context))
    if any(space.catalog[part.name].segmented for part in form.parts()):
        yield "stack.segments", Gene(stack.segments, SEGMENTS)
    for kind in ("residual", "norm", "embedding", "exit"):
        part: Part | None = getattr(stack, kind)
        names = [declaration.name for declaration in space.catalog.of(kind)]
        options = (NONE, *names) if kind == "exit" else tuple(names)
        yield f"stack.{kind}", Gene(NONE if part is None else part.name, Choice(options))
        yield from _settings(f"stack.{kind}", part, space)


def _settings(place: str, part: Part | None, space: Space) -> Iterator[tuple[str, Gene]]:
    if part is None:
        return
    declared = space.catalog[part.name]
    for name, value in declared.alive(part.settings).items():
        yield f"{place}.{part.name}.{name}", Gene(value, declared.settings[name].range)


def _counts(form: Genome, space: Space) -> Iterator[tuple[str, Gene]]:
    yield "visits", _number(space, len(form.route), least=1)
    yield "entries", _number(space, len(form.pool), least=1)
    counted = Counter[str]()
    for visit in form.route:
        entry = form.pool[visit.block]
        counted[f"block.{entry.block.name}"] += 1
        counted["merging"] += len(visit.reads) > 1
        counted["rounded"] += entry.precision != "full"
        if entry.prelude is not None:
            counted[f"prelude.{entry.prelude.name}"] += 1
        if visit.router is not None:
            counted[f"router.{visit.router.name}"] += 1
    for name, number in counted.items():
        if number:
            yield f"visits.{name}", _number(space, number)


def _number(space: Space, number: int, *, least: int = 0) -> Gene:
    """Return a number of visits; that of a baseline may be above the limit of the space."""
    return Gene(number, Integer(least, max(number, space.limits.visits)))


def _single(range_: Range) -> bool:
    return isinstance(range_, Choice) and len(range_.options) == 1
