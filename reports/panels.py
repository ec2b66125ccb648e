"""The panels of a run's page: figures with the sentence how to read them and the tables behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import plotly.graph_objects as go

from ..blocks.registry import Catalog
from ..genome.graph import Genome
from ..market.listings import Market
from .composition import portions, portions_table
from .front import front_table, pareto_front
from .genome_picture import genome_picture
from .layers import layers_text
from .lineage import lineage, lineage_of, lineage_table
from .market import contributors_table, listings_table, makers_table, parts_of_best, used
from .model import RunView
from .naming import short_names
from .progress import Axis, evaluations_table, progress, rungs_of
from .quantities import amount
from .table import Table
from .winners import floors_table, intervals, winners_table

_AXES: tuple[Axis, ...] = ("evaluation", "tokens", "time")


@dataclass(frozen=True)
class View:
    """One of the figures that a panel can show, and the label of its button."""

    label: str
    figure: go.Figure


@dataclass(frozen=True)
class Panel:
    """Views of one thing; ``shown`` is the one that is drawn first.

    A ``fixed`` figure keeps its own size in pixels. ``half`` panels stand two in a row.
    """

    id: str
    title: str
    reading: str
    views: tuple[View, ...]
    tables: tuple[Table, ...] = ()
    shown: int = 0
    fixed: bool = False
    half: bool = False


def names_of(run: RunView) -> Mapping[str, str]:
    """Return the short name of every genome of *run*, the same all over the page."""
    ids = [e.genome for e in run.evaluations] + [final.genome for final in run.finals]
    ids += [parent for e in run.evaluations for parent in e.parents]
    return short_names(ids if run.winner is None else [*ids, run.winner])


def panels(
    run: RunView, genomes: Mapping[str, Genome], catalog: Catalog, names: Mapping[str, str]
) -> Iterator[Panel]:
    """Yield the panels for which *run* has something to show, in the order of the page.

    ``names`` are the short names of its genomes, as ``names_of`` gives them.
    """
    if run.winner is not None and run.winner in genomes:
        yield _picture(run, genomes[run.winner], catalog)
    if run.finals:
        yield _finals(run, genomes, catalog, names)
    rungs = rungs_of(run.evaluations)
    if rungs:
        yield _front(run, rungs, names)
        yield _progress(run, names)
    if run.winner is not None:
        line = lineage_of(run.winner, run.evaluations, genomes, catalog)
        if line.steps:
            yield Panel(
                "lineage",
                "Line of the winner",
                "Each row is a child of the row above, with the operator and what it changed; "
                "farther left is better, grey rings are other children of the same parent.",
                (View("", lineage(line, names)),),
                (lineage_table(line, names),),
            )
    if run.market is not None and used(run.market.listings):
        yield _market(run.market)


def _picture(run: RunView, genome: Genome, catalog: Catalog) -> Panel:
    known = all(part.name in catalog for part in genome.parts())
    found = (
        portions(genome, catalog, context=run.context, vocabulary=run.vocabulary) if known else []
    )
    line = layers_text(genome, catalog).replace("->", "→")
    figure = genome_picture(genome, catalog, context=run.context, vocabulary=run.vocabulary)
    return Panel(
        "genome",
        "Winning genome",
        "From the embedding at the top to the head; dotted ways carry the stream past a block. "
        f"Hover over a block for its settings and costs. In one line: {line}",
        (View("", figure),),
        (portions_table(found),) if found else (),
        fixed=True,
    )


def _finals(
    run: RunView, genomes: Mapping[str, Genome], catalog: Catalog, names: Mapping[str, str]
) -> Panel:
    tables = [winners_table(run.finals, genomes, catalog, winner=run.winner, names=names)]
    tables += [floors_table(run.floors)] if run.floors else []
    return Panel(
        "finals",
        "Finals on text that the search never read",
        "Farther left is better. Bars are 95 % intervals over seeds, ticks the single seeds; where "
        "bars overlap, the order may be luck.",
        (View("", intervals(run.finals, run.floors, winner=run.winner, names=names)),),
        tuple(tables),
    )


def _front(run: RunView, rungs: list[int], names: Mapping[str, str]) -> Panel:
    views = tuple(
        View(
            f"{amount(rung)} tokens",
            pareto_front(run.evaluations, run.finals, rung=rung, winner=run.winner, names=names),
        )
        for rung in rungs
    )
    return Panel(
        "front",
        "Pareto front",
        "Lower is better, farther left is cheaper; on the line stand the genomes that nothing "
        "beats in both, and stars are the baselines.",
        views,
        (front_table(run.evaluations, rungs[-1], names),),
        shown=len(rungs) - 1,
        half=True,
    )


def _progress(run: RunView, names: Mapping[str, str]) -> Panel:
    views = tuple(
        View(f"by {axis}", progress(run.evaluations, by=axis, names=names)) for axis in _AXES
    )
    return Panel(
        "progress",
        "Progress",
        "Each mark is one evaluation, each line the best so far at one rung; rungs differ in "
        "training tokens and do not compare.",
        views,
        (evaluations_table(run.evaluations, names),),
        half=True,
    )


def _market(market: Market) -> Panel:
    return Panel(
        "market",
        "Market of blocks",
        "Farther right is used by more of the best tenth of the genomes, with the 95 % interval; "
        "ticks are parts of all genomes. Genomes are relatives, so the intervals are too narrow, "
        "and a part is no effect. Credit of contributors is what this peer measured again.",
        (View("", parts_of_best(market.listings)),),
        (
            listings_table(market.listings),
            contributors_table(market.contributors),
            makers_table(market.makers),
        ),
    )
