"""``shares``: how the traits of genomes do, and how often each would be assigned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import CliError, Code
from .options import JSON, RUN, STORE, store_of
from .output import answer, answer_json, answer_table

if TYPE_CHECKING:
    from ..search.shares import Share, Shares
    from .context import Opened

COLUMNS = ("slot", "trait", "genomes>", "standing>", "share>")
FEW = ("mixer", "feed-forward", "residual", "norm", "embedding", "exit", "router", "prelude")
"""The slots that are shown unless others are asked for."""


def shares(
    run: RUN = None,
    store: STORE = None,
    slot: Annotated[
        list[str] | None,
        typer.Option(help="Show this slot (e.g. mixer, attention.heads, 'after glu'); repeatable."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every slot.")] = False,
    json: JSON = False,
) -> None:
    """Show how well traits do among the genomes of a run, and their shares by that."""
    from .context import opened

    with opened(store_of(store), run) as found:
        known = shares_of(found)
        names = _slots(known, slot or [], everything=everything or json)
        if json:
            rows = {name: list(map(_json, known.of(name))) for name in names}
            answer_json("shares/1", run=found.name, slots=rows)
            return
        answer_table(COLUMNS, [row for name in names for row in _rows(known.of(name))])
        answer("standing: the share of other genomes that are worse, posterior mean with 95 %")
        answer("share: the chance to be drawn for the slot by Thompson sampling with a floor")


def shares_of(run: Opened) -> Shares:
    """Return the shares by all results of a run's search."""
    from ..search.shares import Shares
    from ..search.standing import scores_by_rung, standings
    from ..search.traits import traits

    places = standings(scores_by_rung((result, 1.0) for result in run.plan.ranked()))
    population = run.plan.evolution.population
    here = [name for name in population.by_birth() if name in places]
    return Shares(
        places,
        {name: traits(population.genomes[name], run.catalog) for name in here},
        {name: number for number, name in enumerate(here)},
    )


def _slots(known: Shares, asked: list[str], *, everything: bool) -> list[str]:
    slots = known.slots
    for name in asked:
        if name not in slots:
            raise CliError(
                f"nothing is known of a slot {name!r}",
                cure=f"name one of: {', '.join(slots) or 'none yet, the run has no results'}",
                code=Code.NOT_FOUND,
            )
    if asked:
        return asked
    return slots if everything else [name for name in FEW if name in slots]


def _rows(several: list[Share]) -> list[list[str]]:
    return [
        [
            each.trait.slot,
            each.trait.value,
            str(each.genomes),
            f"{each.mean:.2f} ± {each.half_interval:.2f}",
            f"{100 * each.share:.1f} %",
        ]
        for each in several
    ]


def _json(share: Share) -> dict[str, Any]:
    return {
        "trait": share.trait.value,
        "genomes": share.genomes,
        "standing": share.mean,
        "standing_half_interval": share.half_interval,
        "share": share.share,
    }
