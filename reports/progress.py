"""Progress: every evaluation a dot, the best so far at each rung a step line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import accumulate
from math import ceil
from typing import Literal

import plotly.graph_objects as go

from .model import Evaluation
from .naming import short_names
from .quantities import amount, bits, duration
from .table import Column, Table
from .theme import BLUE, GREEN, PURPLE, RED, figure

Axis = Literal["evaluation", "tokens", "time"]

MOST_DOTS = 4000
"""Dots beyond this number are thinned out: a browser draws no more of them in good time."""

_TITLES = {
    "evaluation": "evaluation",
    "tokens": "training tokens (summed over evaluations)",
    "time": "compute time (minutes, summed over workers)",
}
_RUNG_LOOKS = ((BLUE, "circle", "dot"), (GREEN, "square", "dash"), (RED, "diamond", "solid"))


def rungs_of(evaluations: Sequence[Evaluation]) -> list[int]:
    """Return the rungs at which anything was measured, lowest first."""
    return sorted({e.rung for e in evaluations if e.bits_per_byte is not None})


def best_so_far(evaluations: Sequence[Evaluation]) -> list[float | None]:
    """Return for each evaluation the lowest bits per byte up to it; None before the first.

    Rungs are not told apart: give the evaluations of one rung.
    """
    values = (e.bits_per_byte for e in evaluations)
    return list(accumulate(values, _lower))


def _lower(best: float | None, value: float | None) -> float | None:
    if best is None or value is None:
        return value if best is None else best
    return min(best, value)


def tokens_spent(evaluations: Sequence[Evaluation]) -> list[int]:
    """Return the tokens trained up to each evaluation; a promotion continues from the rung below.

    A failed evaluation counts nothing: how far it came is not recorded.
    """
    reached: dict[str, int] = {}
    total = 0
    spent: list[int] = []
    for e in evaluations:
        if e.bits_per_byte is not None:
            start = reached.get(e.genome, 0) if e.origin == "promote" else 0
            total += e.rung - min(start, e.rung)
            reached[e.genome] = max(e.rung, reached.get(e.genome, 0))
        spent.append(total)
    return spent


def along(evaluations: Sequence[Evaluation], by: Axis) -> list[float]:
    """Return the place of each evaluation on the x axis."""
    if by == "evaluation":
        return [e.number for e in evaluations]
    if by == "tokens":
        return [float(tokens) for tokens in tokens_spent(evaluations)]
    return [seconds / 60 for seconds in accumulate(e.seconds for e in evaluations)]


def progress(
    evaluations: Sequence[Evaluation],
    *,
    by: Axis = "evaluation",
    names: Mapping[str, str] | None = None,
) -> go.Figure:
    """Return the figure; each rung has its own mark and its own line, for they do not compare.

    Nor do trainings that began with inherited weights, whose marks are open. ``names`` are what
    genomes are called; by default the shortest names that tell them apart.
    """
    x = along(evaluations, by)
    names = names or short_names(e.genome for e in evaluations)
    traces: list[go.Scatter] = []
    rungs = rungs_of(evaluations)
    every = max(1, ceil(len(evaluations) / MOST_DOTS))
    for rung, look in zip(rungs, _looks(len(rungs)), strict=True):
        for heirs in (False, True):
            at = [i for i, e in enumerate(evaluations) if _is_of(e, rung, heirs=heirs)]
            places, chosen = [x[i] for i in at], [evaluations[i] for i in at]
            if chosen:
                traces += [
                    _dots(places[::every], chosen[::every], names, look, len(chosen)),
                    _steps(places, chosen, look, x[-1]),
                ]
    return figure(
        traces,
        height=400,
        hovermode="closest",
        xaxis={"title": {"text": _TITLES[by]}},
        yaxis={"title": {"text": "bits per byte (search)"}},
    )


def _is_of(e: Evaluation, rung: int, *, heirs: bool) -> bool:
    """Whether an evaluation was measured at a rung, with inherited weights or from scratch."""
    return e.rung == rung and e.bits_per_byte is not None and bool(e.inherited_tokens) == heirs


def _looks(count: int) -> list[tuple[str, str, str]]:
    """Return colour, symbol and dash for each rung; the last is the most striking."""
    looks = [*_RUNG_LOOKS, (PURPLE, "triangle-up", "longdash")]
    if count <= 3:
        return list(_RUNG_LOOKS[3 - count :])
    return [looks[i % 4] for i in range(count)]


def _dots(
    x: Sequence[float],
    chosen: Sequence[Evaluation],
    names: Mapping[str, str],
    look: tuple[str, str, str],
    count: int,
) -> go.Scatter:
    color, symbol, _ = look
    symbol, kind = (f"{symbol}-open", ", inherited") if chosen[0].inherited_tokens else (symbol, "")
    return go.Scatter(
        x=list(x),
        y=[e.bits_per_byte for e in chosen],
        mode="markers",
        name=f"rung {amount(chosen[0].rung)} tokens{kind}, n = {count}",
        marker={"color": color, "symbol": symbol, "size": 6, "opacity": 0.45},
        text=[hover_text(e, names[e.genome]) for e in chosen],
        hoverinfo="text",
    )


def _steps(
    x: Sequence[float], chosen: Sequence[Evaluation], look: tuple[str, str, str], end: float
) -> go.Scatter:
    best = best_so_far(chosen)
    corners = [i for i, value in enumerate(best) if i == 0 or value != best[i - 1]]
    color, _, dash = look
    kind = ", inherited" if chosen[0].inherited_tokens else ""
    return go.Scatter(
        x=[*(x[i] for i in corners), end],
        y=[*(best[i] for i in corners), best[-1]],
        mode="lines",
        name=f"best at {amount(chosen[0].rung)}{kind}",
        line={"color": color, "width": 2.5, "shape": "hv", "dash": dash},
        hoverinfo="skip",
    )


def hover_text(e: Evaluation, name: str) -> str:
    """Return what a dot tells of its evaluation."""
    value = "failed" if e.bits_per_byte is None else f"{bits(e.bits_per_byte)} bits per byte"
    lines = [
        f"<b>{escape(name)}</b>",
        f"{value} (search, {amount(e.rung)} tokens, n = 1)",
        f"evaluation {e.number}, {escape(e.origin) or 'start'}, {duration(e.seconds)}",
    ]
    if e.parameters is not None and e.flops is not None:
        lines.append(f"{amount(e.parameters)} parameters, {amount(e.flops)} FLOPs per token")
    if e.inherited_tokens:
        lines.append(f"weights inherited: {amount(e.inherited_tokens)} tokens")
    return "<br>".join(lines)


def evaluations_table(
    evaluations: Sequence[Evaluation], names: Mapping[str, str] | None = None
) -> Table:
    """Return every evaluation, good or bad, in the order of the ledger."""
    names = names or short_names(e.genome for e in evaluations)
    columns = (
        Column("#", "number"),
        Column("genome", "genome"),
        Column("rung (tokens)", "rung_tokens", ","),
        Column("bits per byte (search)", "search_bits_per_byte", ".4f"),
        Column("parameters", "parameters", ","),
        Column("FLOPs per token", "flops_per_token", ",.0f"),
        Column("tokens inherited", "inherited_tokens", ","),
        Column("born by", "origin"),
        Column("seconds", "seconds", ".2f"),
        Column("failure", "failure"),
    )
    rows = tuple(
        (
            e.number, names[e.genome], e.rung, e.bits_per_byte, e.parameters, e.flops,
            e.inherited_tokens, e.origin, e.seconds, e.failure,
        )
        for e in evaluations
    )  # fmt: skip
    return Table("evaluations", "Every evaluation, in the order of the ledger", columns, rows)
