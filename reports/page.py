"""The page of a run: one file that holds its figures, its tables and plotly.js, and loads nothing.

Foreign strings (run names, paths, reasons) reach the HTML through Jinja2's autoescape only, the
data in scripts with every ``<`` coded.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ..blocks.registry import Catalog
from ..genome.graph import Genome, Part, Stack, Training
from .failures import failure_counts, failures_table
from .files import mark, write_page_file
from .model import Final, Outcome, RunView, Volume
from .naming import setting_texts, title_of, value_text
from .panels import Panel, names_of, panels
from .progress import tokens_spent
from .quantities import amount, bits, duration, percent
from .table import Table
from .theme import config
from .winners import best_baseline

MOST_ROWS = 200
"""Rows of a table that stand in the page; its downloads have all of them."""

_OUTCOMES: Mapping[Outcome, tuple[str, str]] = {
    "beat": ("✓", "Beat the baselines"),
    "did not beat": ("✕", "Did not beat the baselines"),
    "cannot tell": ("?", "Cannot tell"),
}
"""A sign and words for each outcome: colour alone says nothing."""


@dataclass(frozen=True)
class Card:
    """A figure that the reader wants first, with its unit and what it stands on."""

    label: str
    value: str
    note: str = ""


def build_page(
    run: RunView, genomes: Mapping[str, Genome], catalog: Catalog, *, version: str = ""
) -> str:
    """Return the HTML of the page: self-contained, works without a network."""
    genome = genomes.get(run.winner) if run.winner is not None else None
    names = names_of(run)
    return _template().render(
        run=run,
        version=version,
        mark=Markup(mark(run.name)),
        sign=_OUTCOMES[run.outcome][0],
        outcome=_OUTCOMES[run.outcome][1],
        cards=list(cards(run)),
        panels=list(panels(run, genomes, catalog, names)),
        genes=list(genes(genome, catalog)) if genome is not None else [],
        failures=failures_table(run.evaluations, names),
        failure_counts=failure_counts(run.evaluations),
        commands=commands(run, names),
        facts=list(_facts(run)),
        plotlyjs=_plotlyjs(),
        most_rows=MOST_ROWS,
    )


def write_page(
    path: Path,
    run: RunView,
    genomes: Mapping[str, Genome],
    catalog: Catalog,
    *,
    version: str = "",
    replace: bool = False,
) -> None:
    """Write the page of *run* to *path*, whole or not at all.

    Raises:
        FileExistsError: *path* holds something else than an earlier page of this run, and not
            *replace*.
    """
    html = build_page(run, genomes, catalog, version=version)
    write_page_file(path, html, run=run.name, replace=replace)


def cards(run: RunView) -> Iterator[Card]:
    """Yield the figures at the top of the page."""
    winner = next((f for f in run.finals if f.genome == run.winner and not f.baseline), None)
    best = best_baseline(run.finals)
    if winner is not None:
        yield Card("winner, test bits per byte", _interval(winner), _seeds(winner))
    if best is not None:
        yield Card(f"best baseline: {best.label}", _interval(best), _seeds(best))
    if winner is not None and best is not None:
        difference = 100 * (winner.mean / best.mean - 1)
        flops = 100 * (winner.flops / best.flops - 1)
        note = f"bits per byte, at {percent(flops, decimals=0)} FLOPs per token"
        yield Card("winner against it", percent(difference), note)
    if run.volume is not None:
        yield Card("hypervolume of the front", f"{run.volume.value:.3f}", _volume(run.volume))
    failed = sum(e.failure is not None for e in run.evaluations)
    tried = len({e.genome for e in run.evaluations})
    yield Card("evaluations", f"{len(run.evaluations)}", f"{tried} genomes, {failed} failed")
    spent = tokens_spent(run.evaluations)
    yield Card("trained", f"{amount(spent[-1] if spent else 0)} tokens", "in the search")
    yield Card("evaluation time", duration(run.seconds), f"of all workers; state: {run.state}")


def _interval(final: Final) -> str:
    return f"{bits(final.mean)} ± {bits(final.half_interval)}"


def _volume(volume: Volume) -> str:
    reference = ", ".join(f"{name} {amount(value)}" for name, value in volume.reference)
    return (
        f"{volume.front} of {volume.genomes} genomes at {amount(volume.rung)} tokens; bits per "
        f"byte times octaves, from {reference}"
    )


def _seeds(final: Final) -> str:
    return f"95 %, n = {len(final.test)} seeds, {amount(final.rung)} tokens"


def genes(genome: Genome, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Yield the genes of the stack and of training as (name, value) pairs."""
    for field in fields(Stack):
        value = getattr(genome.stack, field.name)
        if isinstance(value, Part):
            text = ", ".join([title_of(value.name), *setting_texts(value, catalog)])
        else:
            text = "none" if value is None else value_text(value)
        yield field.name.replace("_", " "), text
    for field in fields(Training):
        yield field.name.replace("_", " "), value_text(getattr(genome.training, field.name))


def commands(run: RunView, names: Mapping[str, str]) -> list[str]:
    """Return the command lines that show, reproduce, sample and export the winner."""
    if run.winner is None:
        return []
    winner = names[run.winner]
    of_run = f"--run {shlex.quote(run.name)}"
    return [
        f"praxis-evolve show {winner} {of_run}",
        f"praxis-evolve reproduce {winner} {of_run}",
        f'praxis-evolve sample {winner} "Once upon a time" {of_run}',
        f"praxis-evolve export {winner} {of_run} --out ./winner",
    ]


def _facts(run: RunView) -> Iterator[tuple[str, str]]:
    yield "run", run.name
    yield "state", run.state
    yield "command", run.command
    yield "started", run.started
    yield "evaluation time", f"{duration(run.seconds)}, of all workers"
    yield "seed", str(run.seed)
    yield "text", run.task
    yield "digest of the text", run.task_digest
    yield "first objective", run.primary
    yield from run.facts


def _figures(panel: Panel) -> Markup:
    """Return the figures and the configuration of *panel* for a script element of JSON."""
    settings: dict[str, Any] = config(f"praxis-evolve-{panel.id}")
    if panel.fixed:
        settings |= {"responsive": False}
    views = ",".join(str(view.figure.to_json()) for view in panel.views)
    return _for_script(f'{{"config":{json.dumps(settings)},"views":[{views}]}}')


def _rows(table: Table) -> Markup:
    return _for_script(json.dumps({"name": table.name, **table.data()}, allow_nan=False))


def _for_script(text: str) -> Markup:
    """Code what could end a script element or a line of it; JSON may hold these in strings only."""
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)


@cache
def _plotlyjs() -> Markup:
    return Markup(get_plotlyjs())


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figures": _figures, "rows": _rows}
    return environment.get_template("page.html")
