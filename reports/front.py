"""The Pareto front at a rung: what each operation per token buys in bits per byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, log10

import plotly.graph_objects as go

from .lettering import text_width
from .model import Evaluation, Final
from .naming import short_names
from .progress import MOST_DOTS, hover_text
from .quantities import amount, bits
from .table import Column, Table
from .theme import INK, PAPER, PURPLE, RED, YELLOW, figure

Box = tuple[float, float, float, float]

_SHIFTS: Mapping[str, tuple[int, int]] = {
    "top center": (0, -1),
    "bottom center": (0, 1),
    "middle right": (1, 0),
    "middle left": (-1, 0),
}
_SIDES = tuple(_SHIFTS)
_PLOT = (420.0, 260.0)


@dataclass(frozen=True)
class Point:
    """A genome at a rung: forward FLOPs per token, and bits per byte on the search split."""

    flops: float
    bits_per_byte: float
    evaluation: Evaluation


def points(evaluations: Sequence[Evaluation], rung: int) -> list[Point]:
    """Return what was measured at *rung*, in the order of the ledger.

    Finals stand beside it, so what began with inherited weights is left out.
    """
    return [
        Point(e.flops, e.bits_per_byte, e)
        for e in evaluations
        if e.rung == rung
        and e.bits_per_byte is not None
        and e.flops is not None
        and not e.inherited_tokens
    ]


def non_dominated(found: Sequence[Point]) -> list[Point]:
    """Return the points that no other beats in one measure without losing in the other.

    From the cheapest to the best; of equal points the first.
    """
    front: list[Point] = []
    for point in sorted(found, key=lambda p: (p.flops, p.bits_per_byte)):
        if not front or point.bits_per_byte < front[-1].bits_per_byte:
            front.append(point)
    return front


def pareto_front(
    evaluations: Sequence[Evaluation],
    finals: Sequence[Final] = (),
    *,
    rung: int,
    winner: str | None = None,
    names: Mapping[str, str] | None = None,
) -> go.Figure:
    """Return the figure at *rung*; finals trained to that rung stand in it by their means."""
    found = points(evaluations, rung)
    names = names or short_names(e.genome for e in evaluations)
    here = [final for final in finals if final.rung == rung]
    front = non_dominated(found)
    traces = [_dots(found, names), _steps(front, names)]
    traces += [_stars(baselines, found)] if (baselines := [f for f in here if f.baseline]) else []
    traces += [_winner(final) for final in here if final.genome == winner and not final.baseline]
    return figure(
        traces,
        height=400,
        hovermode="closest",
        xaxis={
            "title": {"text": "FLOPs per token (forward, logarithmic)"},
            "type": "log",
            **_ticks([p.flops for p in found] + [f.flops for f in here]),
        },
        yaxis={"title": {"text": f"bits per byte (search, {amount(rung)} tokens)"}},
    )


def _ticks(flops: Sequence[float]) -> dict[str, object]:
    """Return ticks at 1, 2 and 5 of each decade, so that a narrow range has some, too."""
    if not flops:
        return {}
    decades = range(int(log10(min(flops))) - 1, int(log10(max(flops))) + 2)
    wide = max(flops) / min(flops) > 30
    values = [
        step * 10.0**d for d in decades for step in ((1, 3) if wide else (1, 1.5, 2, 3, 5, 7))
    ]
    return {"tickvals": values, "ticktext": [amount(value) for value in values]}


def _dots(found: Sequence[Point], names: Mapping[str, str]) -> go.Scatter:
    shown = found[:: max(1, ceil(len(found) / MOST_DOTS))]
    return go.Scatter(
        x=[point.flops for point in shown],
        y=[point.bits_per_byte for point in shown],
        mode="markers",
        name=f"evaluated, n = {len(found)}",
        marker={
            "color": [point.evaluation.number for point in shown],
            "colorscale": "Cividis",
            "size": 7,
            "opacity": 0.75,
            "colorbar": {
                "title": {"text": "evaluation", "side": "right", "font": {"size": 12}},
                "thickness": 10,
                "len": 0.8,
                "outlinewidth": 0,
            },
        },
        text=[hover_text(p.evaluation, names[p.evaluation.genome]) for p in shown],
        hoverinfo="text",
    )


def _steps(front: Sequence[Point], names: Mapping[str, str]) -> go.Scatter:
    return go.Scatter(
        x=[point.flops for point in front],
        y=[point.bits_per_byte for point in front],
        mode="lines+markers",
        name=f"not dominated, n = {len(front)}",
        line={"color": RED, "width": 2, "shape": "hv"},
        marker={"color": RED, "symbol": "diamond", "size": 9, "line": {"color": PAPER, "width": 1}},
        text=[hover_text(p.evaluation, names[p.evaluation.genome]) for p in front],
        hoverinfo="text",
    )


def _stars(baselines: Sequence[Final], found: Sequence[Point]) -> go.Scatter:
    sides = label_sides(
        [(log10(final.flops), final.search_mean) for final in baselines],
        [final.label for final in baselines],
        [(log10(point.flops), point.bits_per_byte) for point in found],
    )
    return go.Scatter(
        x=[final.flops for final in baselines],
        y=[final.search_mean for final in baselines],
        mode="markers+text",
        name="baselines, mean of their seeds",
        marker={"color": YELLOW, "symbol": "star", "size": 16, "line": {"color": INK, "width": 1}},
        text=[f"<b>{escape(final.label)}</b>" for final in baselines],
        textposition=sides,
        textfont={"size": 12, "color": INK},
        hovertext=[_final_text(final) for final in baselines],
        hoverinfo="text",
    )


def _winner(final: Final) -> go.Scatter:
    return go.Scatter(
        x=[final.flops],
        y=[final.search_mean],
        mode="markers",
        name="winner, mean of its seeds",
        marker={
            "color": PURPLE, "symbol": "hexagram", "size": 17, "line": {"color": INK, "width": 1},
        },
        hovertext=[_final_text(final)],
        hoverinfo="text",
    )  # fmt: skip


def _final_text(final: Final) -> str:
    return (
        f"<b>{escape(final.label)}</b><br>search {bits(final.search_mean)}, "
        f"test {bits(final.mean)} ± {bits(final.half_interval)} bits per byte "
        f"(95 %, n = {len(final.test)})"
        f"<br>{amount(final.parameters)} parameters, {amount(final.flops)} FLOPs per token"
    )


def label_sides(
    at: Sequence[tuple[float, float]], labels: Sequence[str], around: Sequence[tuple[float, float]]
) -> list[str]:
    """Return for each star the side of its label where it covers least of stars and labels.

    ``around`` are the points that span the axes; places are compared as in a plot of the usual
    size, for the real one is known to the browser only.
    """
    if not at:
        return []
    low = [min(column) for column in zip(*at, *around, strict=True)]
    high = [max(column) for column in zip(*at, *around, strict=True)]
    spans = [top - bottom or 1.0 for top, bottom in zip(high, low, strict=True)]
    places = [
        ((x - low[0]) / spans[0] * _PLOT[0], (high[1] - y) / spans[1] * _PLOT[1]) for x, y in at
    ]
    taken = [(x - 9, y - 9, x + 9, y + 9) for x, y in places]
    dots = [
        ((x - low[0]) / spans[0] * _PLOT[0], (high[1] - y) / spans[1] * _PLOT[1]) for x, y in around
    ]
    sides: list[str] = []
    for (x, y), label in zip(places, labels, strict=True):
        boxes = {side: _label_box(x, y, label, side) for side in _SIDES}
        best = min(_SIDES, key=lambda side: _covered(boxes[side], taken, dots))
        sides.append(best)
        taken.append(boxes[best])
    return sides


def _label_box(x: float, y: float, label: str, side: str) -> Box:
    half = text_width(label, 12, bold=True) / 2
    dx, dy = _SHIFTS[side]
    x, y = x + dx * (half + 12), y + dy * 18
    return x - half, y - 8, x + half, y + 8


def _covered(box: Box, taken: Sequence[Box], dots: Sequence[tuple[float, float]]) -> float:
    """Return the area of *box* that is taken or outside of the plot; a dot counts little."""
    inside = _overlap(box, (0.0, -12.0, _PLOT[0], _PLOT[1] + 12))
    outside = (box[2] - box[0]) * (box[3] - box[1]) - inside
    under = sum(box[0] - 3 < x < box[2] + 3 and box[1] - 3 < y < box[3] + 3 for x, y in dots)
    return outside + sum(_overlap(box, other) for other in taken) + 20.0 * under


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def front_table(
    evaluations: Sequence[Evaluation], rung: int, names: Mapping[str, str] | None = None
) -> Table:
    """Return the genomes of the front at *rung*, from the cheapest to the best."""
    names = names or short_names(e.genome for e in evaluations)
    columns = (
        Column("genome", "genome"),
        Column("FLOPs per token", "flops_per_token", ",.0f"),
        Column("bits per byte (search)", "search_bits_per_byte", ".4f"),
        Column("parameters", "parameters", ","),
        Column("evaluation", "evaluation"),
    )
    rows = tuple(
        (names[p.evaluation.genome], p.flops, p.bits_per_byte, p.evaluation.parameters,
         p.evaluation.number)
        for p in non_dominated(points(evaluations, rung))
    )  # fmt: skip
    caption = f"Genomes that are not dominated at {amount(rung)} tokens, one training each"
    return Table(f"front-{rung}", caption, columns, rows)
