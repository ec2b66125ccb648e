"""Slots: all that traits of a space's genomes can be of, and which values each may have."""

from __future__ import annotations

from collections.abc import Iterable

from ..blocks.declaration import Declaration
from ..blocks.ranges import Choice, Integer, Range, Real
from .draw import blocks, preludes
from .genes import MERGES, PRECISIONS, SEGMENTS, TIED, TRAINING, feedback_range
from .space import Space
from .traits import NONE, bin_text, bin_texts


def slots(space: Space) -> dict[str, Range]:
    """Return what may stand at each slot of the genomes of *space*, in the order of ``Trait``."""
    catalog, every = space.catalog, blocks(space.catalog)
    mixers, others = blocks(catalog, mixes=True), blocks(catalog, mixes=False)
    found = {
        "mixer": _names(mixers),
        "feed-forward": _names(others),
        "mixer family": _families(mixers),
        "feed-forward family": _families(others),
        **{slot: _names(catalog.of(slot)) for slot in ("residual", "norm", "embedding")},
        **{slot: _optional(catalog.of(slot)) for slot in ("exit", "router")},
        "prelude": _optional(preludes(catalog)),
        "precision": Choice(PRECISIONS),
        "merge": Choice(MERGES),
        "segments": SEGMENTS,
        "width": Choice(space.widths),
        "tied": TIED,
        "feedback": feedback_range(space.context),
        **TRAINING,
        **{f"after {name}": _names(every) for name in ("embedding", *(d.name for d in every))},
        **{
            f"{declared.name}.{name}": setting.range
            for declared in catalog
            for name, setting in declared.settings.items()
        },
    }
    return {slot: range_ for slot, range_ in found.items() if range_ != Choice(())}


def value_text(range_: Range, text: str) -> str | None:
    """Return how traits call the value that *text* says: an option, a stretch, or a number in it.

    None if the range has no such value.
    """
    named = {each.lower(): each for each in bin_texts(range_)}
    number = _number(text)
    if text.strip().lower() in named:
        return named[text.strip().lower()]
    if number is None:
        return None
    if isinstance(range_, Choice):
        numbers = [each for each in range_.options if not isinstance(each, bool | str)]
        return next((str(each) for each in numbers if each == number), None)
    inside = isinstance(range_, Integer | Real) and range_.low <= number <= range_.high
    return bin_text(range_, number) if inside else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _names(declared: Iterable[Declaration]) -> Choice:
    return Choice(tuple(each.name for each in declared))


def _families(declared: Iterable[Declaration]) -> Choice:
    return Choice(tuple(sorted({each.family for each in declared})))


def _optional(declared: Iterable[Declaration]) -> Choice:
    return Choice((NONE, *_names(declared).options))
