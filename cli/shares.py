"""``shares``: how the traits of genomes do, and how often each would be assigned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import CliError, Code
from .options import JSON, RUN, STORE, store_of
from .output import answer, answer_json, answer_table

if TYPE_CHECKING:
    from ..search.credit import Credit, Gain
    from ..search.priors import Priors
    from ..search.shares import Share, Shares
    from .context import Opened

COLUMNS = ("slot", "trait", "genomes>", "standing>", "share>")
PRIOR = "prior>"
OPERATORS = ("operator", "children>", "gain>")
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
        credit = credit_of(found)
        priors = found.manifest.expected
        few = list(dict.fromkeys((*FEW, *(trait.slot for trait in priors))))
        names = _slots(known, slot or [], known.slots if everything or json else few)
        if json:
            rows = {name: [_json(each, priors) for each in known.of(name)] for name in names}
            operators = {name: _json_credit(credit.of(name)) for name in credit.operators}
            answer_json("shares/2", run=found.name, slots=rows, operators=operators)
            return
        columns = (*COLUMNS, PRIOR) if priors else COLUMNS
        answer_table(columns, [row for name in names for row in _rows(known.of(name), priors)])
        answer(
            "standing: the share of other genomes that are worse than one with the trait, all else "
            "middling; 95 %"
        )
        answer("share: the chance to be drawn for the slot by Thompson sampling with a floor")
        if priors:
            answer("prior: what the run expected the trait to add to a standing, before results")
        if not slot:
            answer_table(OPERATORS, _credit_rows(credit))
            answer("gain: in standing on the better parent, none where the child is worse; 95 %")


def standings_of(run: Opened) -> dict[str, float]:
    """Return the standings of a run's genomes by all results of its search."""
    from ..search.standing import scores_by_rung, standings

    return standings(scores_by_rung((result, 1.0) for result in run.plan.ranked()))


def credit_of(run: Opened) -> Credit:
    """Return the credit of the operators of a run."""
    from ..search.credit import Credit
    from ..search.shares import HORIZON

    places, origins = standings_of(run), run.plan.evolution.population.origins
    return Credit(places, {name: origins[name] for name in _born(run, places)[-HORIZON:]})


def shares_of(run: Opened) -> Shares:
    """Return the shares by all results of a run's search."""
    from ..genome.traits import traits
    from ..search.shares import Shares, Traits

    places = standings_of(run)
    population = run.plan.evolution.population
    here = _born(run, places)
    return Shares(
        places,
        Traits({name: traits(population.genomes[name], run.catalog) for name in here}),
        {name: number for number, name in enumerate(here)},
        run.manifest.expected,
    )


def _born(run: Opened, places: Mapping[str, float]) -> list[str]:
    """Return the genomes with a standing, the oldest first."""
    return [name for name in run.plan.evolution.population.by_birth() if name in places]


def _slots(known: Shares, asked: list[str], usual: list[str]) -> list[str]:
    """Return the slots that are asked for, or else those of the *usual* that there are."""
    slots = known.slots
    for name in asked:
        if name not in slots:
            raise CliError(
                f"nothing is known of a slot {name!r}",
                cure=f"name one of: {', '.join(slots) or 'none yet, the run has no results'}",
                code=Code.NOT_FOUND,
            )
    return asked or [name for name in usual if name in slots]


def _rows(several: list[Share], priors: Priors) -> list[list[str]]:
    return [
        [
            each.trait.slot,
            each.trait.value,
            str(each.genomes),
            f"{each.mean:.2f} ± {each.half_interval:.2f}",
            f"{100 * each.share:.1f} %",
            *([_prior(each, priors)] if priors else []),
        ]
        for each in several
    ]


def _prior(share: Share, priors: Priors) -> str:
    return f"{priors[share.trait]:+g}" if share.trait in priors else ""


def _credit_rows(credit: Credit) -> list[list[str]]:
    gains = {name: credit.of(name) for name in credit.operators}
    return [
        [name, str(gain.children), f"{gain.mean:.3f} ± {gain.half_interval:.3f}"]
        for name, gain in sorted(gains.items(), key=lambda each: (-each[1].mean, each[0]))
    ]


def _json_credit(gain: Gain) -> dict[str, Any]:
    return {
        "children": gain.children,
        "gain": gain.mean,
        "gain_half_interval": gain.half_interval,
    }


def _json(share: Share, priors: Priors) -> dict[str, Any]:
    return {
        "trait": share.trait.value,
        "genomes": share.genomes,
        "standing": share.mean,
        "standing_half_interval": share.half_interval,
        "share": share.share,
        "prior": priors.get(share.trait),
    }
