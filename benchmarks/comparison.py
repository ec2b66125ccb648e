"""Runs of several searches side by side: means, standard errors and paired differences as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from scipy.stats import t as student  # pyright: ignore[reportUnknownVariableType]

from praxis_evolve.search.intervals import paired, t_quantile

END = "end"
"""The mark of all results of a run; other marks are numbers of results."""

VOLUME = "hypervolume"
"""The one figure of which more is better."""

Row = dict[str, Any]
Run = tuple[str, int, Row]
"""Search, seed, and a row with figures by mark and name under ``marks``."""

Seeded = Mapping[int, float]
"""Values by seed."""


def collected(
    found: Sequence[Run],
) -> dict[tuple[str, str, str], dict[int, float]]:
    """Return the values by figure, mark and searcher, then seed."""
    values: dict[tuple[str, str, str], dict[int, float]] = {}
    for searcher, seed, row in found:
        for mark, those in row["marks"].items():
            for figure, value in those.items():
                values.setdefault((figure, mark, searcher), {})[seed] = value
    return values


def report(name: str, found: Sequence[Run], baseline: str) -> Iterator[str]:
    """Yield the lines of a table: a block for each figure, a line for each search."""
    values = collected(found)
    searchers = list(dict.fromkeys(searcher for searcher, _, _ in found))
    marks = columns(values)
    for figure in dict.fromkeys(figure for figure, _, _ in values):
        less = f"; less that of {baseline} (half of 95 %)" if baseline in searchers else ""
        yield f"\n{name}: {figure}, mean +- standard error{less}"
        yield f"{'':16s}" + "".join(f"{mark:>20s}" for mark in marks) + f"{'worst':>10s}"
        for searcher in searchers:
            cells = [values.get((figure, mark, searcher), {}) for mark in marks]
            worst = extreme(figure, cells[-1])
            yield f"{searcher:16s}" + "".join(map(mean_text, cells)) + f"{worst:10.4f}"
            others = [values.get((figure, mark, baseline), {}) for mark in marks]
            if searcher != baseline and any(others):
                yield f"{'':16s}" + "".join(map(difference_text, cells, others))


def detectable(found: Sequence[Run], baseline: str) -> Iterator[str]:
    """Yield for each search the smallest difference from the baseline that its pairs could show."""
    for (_, mark, searcher), ours in (values := collected(found)).items():
        for (_, other, name), theirs in values.items():
            shared = sorted(ours.keys() & theirs.keys())
            if name == baseline != searcher and mark == other and len(shared) > 1:
                gaps = [ours[seed] - theirs[seed] for seed in shared]
                yield f"{searcher}: {smallest(gaps):.4f} by {len(shared)} pairs could be shown"


def smallest(gaps: Sequence[float], *, power: float = 0.8) -> float:
    """Return the mean that as many values of such a spread would show to differ from 0.

    By a t test at 5 %, two-sided, with this power: (t(97.5 %) + t(power)) standard errors. That is
    exact in the limit of many values and a little small for few.
    """
    freedom = len(gaps) - 1
    quantile = float(student.ppf(power, freedom))
    return (t_quantile(freedom) + quantile) * stdev(gaps) / len(gaps) ** 0.5


def columns(values: Mapping[tuple[str, str, str], Seeded]) -> list[str]:
    """Return the marks in order; without the end, where it is the last mark everywhere."""
    marks = {mark for _, mark, _ in values}
    numbers = sorted(marks - {END}, key=int)
    last = numbers[-1] if numbers else ""
    places = [(figure, searcher) for figure, mark, searcher in values if mark == END]
    same = all(values.get((f, last, s)) == values[f, END, s] for f, s in places)
    return numbers if same else [*numbers, END]


def extreme(figure: str, values: Seeded) -> float:
    """Return the value of the unluckiest seed."""
    return (min if figure == VOLUME else max)(values.values())


def mean_text(values: Seeded) -> str:
    """Return mean and standard error."""
    if len(values) < 2:
        return f"{next(iter(values.values()), float('nan')):>20.4f}"
    error = stdev(values.values()) / len(values) ** 0.5
    return f"{f'{fmean(values.values()):.4f} +- {error:.4f}':>20s}"


def difference_text(ours: Seeded, theirs: Seeded) -> str:
    """Return the mean of the paired differences and half of its interval."""
    if not ours.keys() & theirs.keys():
        return f"{'':20s}"
    gap = paired(ours, theirs)
    return f"{f'{gap.mean:+.4f} ({gap.half:.4f})':>20s}"
