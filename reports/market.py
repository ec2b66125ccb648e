"""The market of a run: blocks with their use and makers, and who did the work."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from ..market.credit import Account
from ..market.listings import Listing, Made, Use
from .naming import title_of
from .quantities import amount
from .table import Cell, Column, Table
from .theme import BLUE, INK, figure

MOST = 40
"""How many blocks the figure shows."""

_USE = (
    Column("results", "results", ","),
    Column("training FLOPs", "training_flops", ".3g"),
    Column("of the best genomes (%)", "of_best_percent", ".1f"),
    Column("from", "of_best_low_percent", ".1f"),
    Column("to (95 %)", "of_best_high_percent", ".1f"),
    Column("of all (%)", "of_all_percent", ".1f"),
)


def used(listings: Sequence[Listing]) -> list[Listing]:
    """Return the listings that a genome with a standing uses."""
    return [each for each in listings if each.use.of_all and each.use.of_all.mean > 0]


def parts_of_best(listings: Sequence[Listing]) -> go.Figure:
    """Return each block's part in the best genomes with its interval, beside its part in all."""
    rows = list(enumerate(used(listings)[:MOST]))
    return figure(
        [_of_all(rows), _of_best(rows)],
        height=26 * len(rows) + 110,
        hovermode="closest",
        xaxis={"title": {"text": "part of the genomes (%)"}, "range": [-2, 102]},
        yaxis={
            "tickvals": [row for row, _ in rows],
            "ticktext": [escape(title_of(each.name)) for _, each in rows],
            "range": [len(rows) - 0.4, -0.6],
            "fixedrange": True,
        },
    )


def _of_all(rows: Sequence[tuple[int, Listing]]) -> go.Scatter:
    found = [(row, each.use.of_all) for row, each in rows if each.use.of_all]
    return go.Scatter(
        x=[100 * part.mean for _, part in found],
        y=[row for row, _ in found],
        mode="markers",
        name=f"of all, n = {found[0][1].count}" if found else "of all",
        marker={"color": INK, "symbol": "line-ns-open", "size": 14, "line": {"width": 2}},
        hoverinfo="x",
    )


def _of_best(rows: Sequence[tuple[int, Listing]]) -> go.Scatter:
    found = [(row, each, each.use.of_best) for row, each in rows if each.use.of_best]
    return go.Scatter(
        x=[100 * part.mean for _, _, part in found],
        y=[row for row, _, _ in found],
        mode="markers",
        name=f"of the best tenth, 95 %, n = {found[0][2].count}" if found else "of the best tenth",
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [100 * (part.high - part.mean) for _, _, part in found],
            "arrayminus": [100 * (part.mean - part.low) for _, _, part in found],
            "color": BLUE,
            "thickness": 2.5,
            "width": 5,
        },
        marker={"color": BLUE, "size": 10, "line": {"color": INK, "width": 1}},
        text=[
            f"<b>{escape(each.name)}</b> by {escape(each.maker.author)}<br>"
            f"{100 * part.mean:.0f} % of the best {part.count}<br>"
            f"{each.use.results} results, {amount(each.use.flops)} FLOPs"
            for _, each, part in found
        ],
        hoverinfo="text",
    )


def listings_table(listings: Sequence[Listing]) -> Table:
    """Return what is listed, used or not."""
    columns = (
        Column("block", "block"),
        Column("kind", "kind"),
        Column("family", "family"),
        Column("source", "source"),
        Column("slot", "slot"),
        Column("share (%)", "share_percent", ".1f"),
        *_USE,
        Column("measured by", "measured_by"),
        Column("peers that can", "able"),
        Column("author", "author"),
        Column("distribution", "distribution"),
        Column("paper", "paper"),
    )
    rows = tuple(
        (
            each.name, each.kind, each.family, each.source, each.slot,
            None if each.share is None else 100 * each.share, *_cells(each.use),
            len(each.measured), len(each.able), each.maker.author, each.maker.distribution,
            each.paper,
        )
        for each in listings
    )  # fmt: skip
    return Table("blocks", "Blocks: use, share, who has them and who made them", columns, rows)


def contributors_table(contributors: Sequence[Account]) -> Table:
    """Return who did the work, as the peer whose store this is can know it."""
    columns = (
        Column("contributor", "author"),
        Column("standing", "standing"),
        Column("results", "results", ","),
        Column("failures", "failures", ","),
        Column("found right", "right", ","),
        Column("found wrong", "wrong", ","),
        Column("credit (FLOPs)", "credit_flops", ".3g"),
        Column("trusted (FLOPs)", "trusted_flops", ".3g"),
        Column("agreed (FLOPs)", "agreed_flops", ".3g"),
        Column("claimed (FLOPs)", "claimed_flops", ".3g"),
        Column("part in the best line", "ancestors", ".3g"),
    )
    rows = tuple(
        (
            each.author, each.standing, each.results, each.failures, each.right, each.wrong,
            each.credit, each.trusted, each.agreed, each.claimed, each.ancestors,
        )
        for each in contributors
    )  # fmt: skip
    return Table("contributors", "Contributors, as this peer sees them", columns, rows)


def makers_table(makers: Sequence[Made]) -> Table:
    """Return the authors of blocks."""
    columns = (
        Column("author of blocks", "author"),
        Column("distribution", "distribution"),
        Column("version", "version"),
        Column("blocks", "blocks", ","),
        *_USE,
    )
    rows = tuple(
        (m.maker.author, m.maker.distribution, m.maker.version, m.blocks, *_cells(m.use))
        for m in makers
    )
    return Table("block-authors", "Authors of blocks: what used any of theirs", columns, rows)


def _cells(use: Use) -> tuple[Cell, ...]:
    best, every = use.of_best, use.of_all
    return (
        use.results,
        use.flops,
        None if best is None else 100 * best.mean,
        None if best is None else 100 * best.low,
        None if best is None else 100 * best.high,
        None if every is None else 100 * every.mean,
    )
