"""The tables of ``text.py``: winners, how soon searches were good, and what pairs could show."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean, median
from types import MappingProxyType

from praxis_evolve.benchmarks.comparison import END, Row, Run, detectable, report
from praxis_evolve.benchmarks.text_run import Curve, Plan

QUARTERS = (0.25, 0.5, 1.0)
"""The shares of the tokens after which the best so far is printed."""


def fresh(row: Row) -> float:
    """Return the winner's bits on the test split, the mean of the trainings on fresh seeds."""
    return fmean(row["test"][1:])


FIGURES: Mapping[str, Callable[[Row], float]] = MappingProxyType(
    {
        "test bits per byte, fresh seeds": fresh,
        "test bits per byte, first training": lambda row: row["test"][0],
        "trained tokens": lambda row: float(row["tokens"]),
        "wall seconds of the search": lambda row: row["wall"],
        "processor seconds of the search": lambda row: row["processor"],
        "wall seconds of the engine in it": lambda row: row["engine"],
    }
)
"""The figures of a whole run by name."""


def table(text: str, rows: Sequence[Row], plan: Plan, baseline: str) -> Iterator[str]:
    """Yield the lines of the report on one text."""
    digests = {row["key"].rpartition(" ")[2] for row in rows}
    if len(digests) > 1:
        yield f"\n{text}: these runs are of {len(digests)} states of the sources"
    for figure, value in FIGURES.items():
        runs = [as_run(row, figure, {END: value(row)}) for row in rows]
        yield from report(text, runs, baseline)
        yield from (f"  {line}" for line in detectable(runs, baseline) if "test" in figure)
    yield from report(text, [as_run(row, "search bits", best(row, plan)) for row in rows], baseline)
    yield from reached(text, rows, plan, baseline)


def best(row: Row, plan: Plan) -> dict[str, float]:
    """Return the lowest bits on the search split after shares of the tokens."""
    marks = (part * plan.tokens for part in QUARTERS)
    return {str(round(mark)): at(row["curve"], mark) for mark in marks}


def as_run(row: Row, figure: str, values: Mapping[str, float]) -> Run:
    """Return a run with one figure at its marks."""
    marks = {mark: {figure: value} for mark, value in values.items() if value == value}
    return row["searcher"], row["seed"], {"marks": marks}


def at(path: Curve, tokens: float) -> float:
    """Return the lowest bits after so many tokens; not a number before the first result."""
    return min((bits for spent, bits in path if spent <= tokens), default=math.nan)


def tokens_to(path: Curve, level: float) -> float:
    """Return the tokens after which the bits are at a level or below; infinity for never."""
    return min((spent for spent, bits in path if bits <= level), default=math.inf)


def mean_curve(paths: Sequence[Curve]) -> Curve:
    """Return the mean of several curves where all have begun."""
    places = sorted({spent for path in paths for spent, _ in path})
    means = ((place, fmean(at(path, place) for path in paths)) for place in places)
    return [(place, mean) for place, mean in means if mean == mean]


def reached(text: str, rows: Sequence[Row], plan: Plan, baseline: str) -> Iterator[str]:
    """Yield how soon each search was as good as the baseline at its end, by seed and on means."""
    curves = dict[str, dict[int, Curve]]()
    for row in rows:
        curves.setdefault(row["searcher"], {})[row["seed"]] = row["curve"]
    yield f"\n{text}: share of {plan.tokens:,} tokens to the search bits of {baseline} at its end"
    yield f"{'':16s}{'median by seed':>20s}{'reached':>12s}{'on means':>12s}"
    for searcher, ours in curves.items():
        shared = sorted(ours.keys() & curves.get(baseline, {}).keys())
        if not shared:
            continue
        ends = {seed: curves[baseline][seed][-1][1] for seed in shared}
        shares = [tokens_to(ours[seed], ends[seed]) / plan.tokens for seed in shared]
        mean = mean_curve([ours[seed] for seed in shared])
        share = tokens_to(mean, fmean(ends.values())) / plan.tokens
        there = sum(each < math.inf for each in shares)
        yield (
            f"{searcher:16s}{share_text(median(shares)):>20s}{f'{there} of {len(shared)}':>12s}"
            f"{share_text(share):>12s}"
        )


def share_text(share: float) -> str:
    """Return a share, or that there is none."""
    return "never" if share == math.inf else f"{share:.3f}"
