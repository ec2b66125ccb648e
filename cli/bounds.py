"""What bounds a run: its limits, the reference of its hypervolumes, and whether there is room."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from random import Random

from ..blocks.registry import Catalog
from ..evaluator.floor import entropy
from ..evaluator.preset import Preset
from ..evaluator.task import Task
from ..genome.baselines import baselines
from ..genome.space import Limits, Space
from ..genome.starters import llama, starters
from ..market.manifest import Manifest
from ..reports.quantities import size
from .errors import CliError, Code
from .settings import RunSettings, parse_amount, parse_reference

EQUAL = 1.02
"""Genomes may cost so many times the FLOPs of the Llama block: "equal" to within 2 %."""

ROOM = 8
"""How many genomes are drawn to see whether the limits leave any."""

DRAWN = 64
"""How many small genomes are drawn to say which limit leaves none."""


def limits_of(asked: Mapping[str, int], catalog: Catalog, chosen: Preset) -> Limits:
    """Return the limits asked for; without them FLOPs equal to Llama's, and a cap of the size."""
    wide = _wide(catalog, chosen)
    rival = wide.costs(llama(wide, layers=chosen.layers))
    return Limits(
        visits=asked.get("visits", 4 * chosen.layers),
        parameters=asked.get("params", chosen.parameters),
        flops=float(asked.get("flops", round(EQUAL * rival.flops))),
        carry_bytes=float(asked["carry"]) if "carry" in asked else None,
    )


def preset_space(catalog: Catalog, chosen: Preset) -> Space:
    """Return the space of a preset with its default limits."""
    return replace(_wide(catalog, chosen), limits=limits_of({}, catalog, chosen))


def _wide(catalog: Catalog, chosen: Preset) -> Space:
    """The space of a preset before there are limits."""
    return Space(catalog, widths=(chosen.width,), context=chosen.context)


def reference_of(
    settings: RunSettings,
    catalog: Catalog,
    chosen: Preset,
    task: Task,
    limits: Limits,
    memory: int | None,
) -> tuple[float, ...]:
    """Return what hypervolumes are taken from: as asked for, or what anything should better.

    That is a model that knows the frequencies of bytes alone, at the limits, a tenth as fast as the
    preset takes for usual; where nothing limits the carry, with the largest of the starters.
    """
    if len(settings.objectives) == 1:
        return ()
    carry = limits.carry_bytes
    if carry is None and "carry" in settings.objectives:
        wide = _wide(catalog, chosen)
        several = starters(wide, layers=chosen.layers).values()
        carry = max(wide.costs(genome).carry_bytes for genome in several)
    usual = {
        "bpb": round(entropy(task.train), 3),
        "flops": limits.flops,
        "active": limits.flops,
        "params": limits.parameters,
        "carry": carry,
        "tok_s": chosen.tokens_per_second / 10,
        "memory": memory or parse_amount(settings.memory_limit),
    }
    asked = dict(parse_reference(text) for text in settings.reference)
    return tuple(float((usual | asked)[name] or 0) for name in settings.objectives)


def require_room(
    manifest: Manifest, catalog: Catalog, device: str, asked: Mapping[str, int]
) -> tuple[str, ...]:
    """Check that genomes can be drawn within the limits; return what is outside of them.

    Raises:
        CliError: there is hardly any genome, or a worker without one takes too much memory.
    """
    space = manifest.space(catalog)
    try:
        for seed in range(ROOM):
            space.sample(Random(seed), "")
    except ValueError as error:
        raise CliError(
            "no genome is within the limits, or hardly any", why=_least(space) or str(error),
            cure="give a larger --limit", code=Code.USAGE,
        ) from error  # fmt: skip
    if manifest.memory_bytes is not None:
        _require_memory(manifest.memory_bytes, device)
    return tuple(_outside(space, manifest.layers, asked))


def _least(space: Space) -> str:
    """Say which limit not even the smallest of many genomes keeps; nothing if none is so."""
    small, rng = replace(space, limits=Limits(visits=2)), Random(0)
    drawn = [space.costs(small.sample(rng, "")) for _ in range(DRAWN)]
    return "; ".join(
        f"the limit of {name} is {limit:,.0f}, but the least of {DRAWN} small genomes has "
        f"{least:,.0f}"
        for name, limit in space.limits.of_cost.items()
        if (least := min(getattr(costs, name) for costs in drawn)) > limit
    )


def _require_memory(limit: int, device: str) -> None:
    if device != "cpu":
        return
    # A process of its own: this one holds the command line as well.
    held = int(subprocess.check_output([sys.executable, "-c", _HELD], text=True))
    if held > limit:
        raise CliError(
            "no genome is within the limits",
            why=f"the limit of memory is {size(limit)}, but a worker without a genome holds "
            f"{size(held)}",
            cure="give a larger --limit memory=...",
            code=Code.USAGE,
        )


_HELD = f"""
from {__name__.rpartition(".cli.")[0]}.evaluator.limits import Watch
watch = Watch()
watch.full()
print(watch.peak_bytes)
"""


def _outside(space: Space, layers: int, asked: Mapping[str, int]) -> Iterator[str]:
    """Say which starters and baselines break the limits that were asked for."""
    if not asked:
        return
    if not starters(space, layers=layers):
        yield "no starter is within the limits: the search begins with samples alone"
    for name, genome in baselines(space, llama(space, layers=layers), layers=layers).items():
        problems = list(space.limits.cost_problems(space.costs(genome)))
        if problems:
            yield f"the baseline {name} is outside, and stands beside the winners as it is"
