"""Settings that a family of blocks has in common, as one choice for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ..blocks.declaration import Declaration
from ..blocks.ranges import Choice, Integer, Range, Real, Value
from ..blocks.registry import Catalog
from ..genome.draw import blocks
from ..genome.graph import Part
from ..genome.repair import nearest

FEWEST = 3
"""So many blocks of a family have a setting that counts as common, and half of all at least."""


def common(catalog: Catalog) -> dict[str, Range]:
    """Return the common settings, ``family.setting``, each with a range over those of all."""
    declared = blocks(catalog)
    sizes = Counter(each.family for each in declared)
    found = dict[str, list[Range]]()
    for each in declared:
        for name, setting in each.settings.items():
            found.setdefault(f"{each.family}.{name}", []).append(setting.range)
    return {
        name: joined(ranges)
        for name, ranges in found.items()
        if len(ranges) >= max(FEWEST, sizes[name.partition(".")[0]] / 2)
    }


def joined(ranges: Sequence[Range]) -> Range:
    """Return a range over several: all options or from end to end; of mixed kinds the first."""
    if all(isinstance(each, Choice) for each in ranges):
        return _all_options([each for each in ranges if isinstance(each, Choice)])
    for kind in (Real, Integer):
        same = [each for each in ranges if isinstance(each, kind)]
        if len(same) == len(ranges):
            low, high = min(each.low for each in same), max(each.high for each in same)
            return kind(low, high, log=all(each.log for each in same))  # pyright: ignore
    return ranges[0]


def part_with(declared: Declaration, common: Mapping[str, Value]) -> Part:
    """Return a block with common settings, the nearest that it has, and all others at default."""
    settings = declared.defaults()
    for name, setting in declared.settings.items():
        value = common.get(f"{declared.family}.{name}")
        if value is not None:
            settings[name] = nearest(setting.range, value, setting.default)
    return Part(declared.name, settings)


def common_of(parts: Iterable[Part], catalog: Catalog, names: Iterable[str]) -> dict[str, Value]:
    """Return the common settings of a genome: each of the first part in which it is alive.

    Where none has it, it is the default of the first block of the family.
    """
    found = dict[str, Value]()
    for part in parts:
        declared = catalog[part.name]
        for name, value in declared.alive(part.settings).items():
            found.setdefault(f"{declared.family}.{name}", value)
    for declared in blocks(catalog):
        for name, setting in declared.settings.items():
            found.setdefault(f"{declared.family}.{name}", setting.default)
    return {name: found[name] for name in names}


def _all_options(ranges: Sequence[Choice]) -> Choice:
    ordered = all(each.ordered for each in ranges)
    options = list(dict.fromkeys(option for each in ranges for option in each.options))
    if ordered and all(isinstance(option, int | float) for option in options):
        options.sort(key=float)
    return Choice(tuple(options), ordered=ordered)
