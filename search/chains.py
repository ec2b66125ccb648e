"""What genomes say as chains: visits with turns, and what most of their entries have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..blocks.declaration import Declaration
from ..blocks.registry import Catalog
from ..genome.genes import PRECISIONS, TRAINING
from ..genome.graph import Entry, Genome, Part
from ..genome.traits import NONE
from .family_settings import common_of
from .turns import PLAIN, Turn, turn_of

PERIODS = (2, 3, 4)
"""After how many positions a chain may begin again."""

ROLES = ("mixer", "feed-forward")


def role(declared: Declaration) -> str:
    """Return the role of a block."""
    return ROLES[0] if declared.mixes else ROLES[1]


def read(
    form: Genome, catalog: Catalog, *, positions: int, common: Iterable[str]
) -> Iterator[tuple[str, Any]]:
    """Yield what a genome in canonical form says of each name of a ``FlatCoding``.

    *common* are the names of the settings that families share.
    """
    route = form.route[:positions]
    entries = [form.pool[visit.block] for visit in route]
    yield "visits", len(route)
    yield from _steps(form, len(route), positions)
    yield from _preludes(entries, catalog)
    yield "merge", _most(visit.merge for visit in route if len(visit.reads) > 1) or "mean"
    rounding = (entry.precision for entry in entries if catalog[entry.block.name].projects)
    yield "precision", _most(rounding) or PRECISIONS[0]
    parts = [part for e in entries for part in (e.block, e.prelude) if part is not None]
    for name, value in common_of(parts, catalog, common).items():
        yield f"settings.{name}", value
    yield from _genes(form)


def _steps(form: Genome, length: int, positions: int) -> Iterator[tuple[str, Any]]:
    """Yield blocks and turns; behind the end the blocks go on as they did before it."""
    steps = [
        (form.pool[form.route[number].block].block.name, turn_of(form, number))
        for number in range(length)
    ]
    period = next((each for each in PERIODS if _repeats(steps, each)), 0)
    yield "repeat", period
    for number in range(positions):
        block, turn = steps[number if number < length else number % (period or length)]
        yield f"visit{number}.block", block
        yield f"visit{number}.turn", turn if number < length or period else PLAIN


def _repeats(steps: Sequence[tuple[str, Turn]], period: int) -> bool:
    return period < len(steps) and steps[period:] == steps[:-period]


def _preludes(entries: Iterable[Entry], catalog: Catalog) -> Iterator[tuple[str, str]]:
    found = {each: list[str]() for each in ROLES}
    for entry in entries:
        prelude = NONE if entry.prelude is None else entry.prelude.name
        found[role(catalog[entry.block.name])].append(prelude)
    for each, names in found.items():
        yield f"prelude.{each}", _most(names) or NONE


def _genes(form: Genome) -> Iterator[tuple[str, Any]]:
    for name in ("width", "segments", "tied", "feedback"):
        yield f"stack.{name}", getattr(form.stack, name)
    for name in ("residual", "norm", "embedding", "exit"):
        part: Part | None = getattr(form.stack, name)
        yield f"stack.{name}", NONE if part is None else part.name
    for name in TRAINING:
        yield f"training.{name}", getattr(form.training, name)


def _most(names: Iterable[str]) -> str:
    """Return the most frequent name, the first of several; nothing of none."""
    found = Counter(names).most_common(1)
    return found[0][0] if found else ""
