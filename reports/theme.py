"""Colours, fonts and the Plotly template that every figure of the reports shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import plotly.graph_objects as go

BLUE, RED, GREEN, YELLOW = "#4477AA", "#EE6677", "#228833", "#CCBB44"
CYAN, PURPLE, GREY = "#66CCEE", "#AA3377", "#BBBBBB"
"""Paul Tol's "bright" scheme, told apart by people with any kind of colour vision."""

INK, MUTED, LINE, FAINT, PAPER = "#1e293b", "#64748b", "#a3adbb", "#e6eaf0", "#ffffff"
RESIDUAL = "#e2702b"

FONT = 'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'

FAMILIES: Mapping[str, str] = {
    "attention": BLUE,
    "feedforward": YELLOW,
    "recurrent": GREEN,
    "convolution": RED,
    "router": PURPLE,
    "memory": "#009988",
    "linear": "#332288",
    "moe": "#7fa83a",
    "kan": "#8c5a2b",
    "peer": "#c05a9d",
    "smear": "#7c6bb0",
    "input, output": MUTED,
    "embedding": MUTED,
    "norm": "#94a3b8",
    "merge": CYAN,
    "residual": RESIDUAL,
    "exit": "#475569",
    "unknown": GREY,
}
_OTHERS = ("#5b7f2b", "#3f6f8f", "#b0603a", "#6b5b95", "#4f7d6b")


def family_color(family: str) -> str:
    """Return the colour of a family; those of third parties get one that depends on the name."""
    return FAMILIES.get(family) or _OTHERS[sum(family.encode()) % len(_OTHERS)]


def config(filename: str) -> dict[str, Any]:
    """Return Plotly's configuration: no cloud button, no logo, and a camera that saves SVG."""
    return {
        "showSendToCloud": False,
        "plotlyServerURL": "",
        "displaylogo": False,
        "responsive": True,
        "toImageButtonOptions": {"format": "svg", "filename": filename},
        "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    }


def _template() -> go.layout.Template:
    axis = {
        "gridcolor": FAINT,
        "linecolor": LINE,
        "zeroline": False,
        "ticks": "outside",
        "tickcolor": LINE,
        "title": {"font": {"size": 13, "color": MUTED}, "standoff": 8},
        "automargin": True,
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 13, "color": INK},
            "paper_bgcolor": PAPER,
            "plot_bgcolor": PAPER,
            "colorway": [BLUE, RED, GREEN, YELLOW, CYAN, PURPLE, GREY],
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
            # The font of hover labels does not follow that of the layout.
            "hoverlabel": {
                "font": {"family": FONT, "size": 12.5, "color": INK},
                "bgcolor": PAPER,
                "bordercolor": LINE,
                "align": "left",
            },
            "legend": {
                "orientation": "h",
                "yanchor": "bottom",
                "y": 1.02,
                "x": 0,
                "xanchor": "left",
            },
        }
    )


TEMPLATE = _template()


def figure(traces: Iterable[Any], **layout: Any) -> go.Figure:
    """Return a figure in the look of the reports."""
    return go.Figure(data=list(traces), layout={"template": TEMPLATE, **layout})
