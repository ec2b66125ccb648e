"""``importances``: which genes tell the best genomes of a run from the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import CliError, Code
from .options import JSON, NAME, RUN, STORE, named, store_of
from .output import answer, answer_json, answer_table, notice

if TYPE_CHECKING:
    from ..search.importances import Importance
    from .context import Opened

COLUMNS = ("gene", "genomes>", "importance>", "chance>")
FEW = ("training.", "stack.")
"""The genes that are compared unless all are asked for."""


def importances(
    name: NAME = None,
    run: RUN = None,
    store: STORE = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also numbers of visits, by block.")
    ] = False,
    json: JSON = False,
) -> None:
    """Show which training and stack genes matter among the genomes of a run (PED-ANOVA)."""
    from ..search.importances import ENOUGH, SHUFFLES, best_of
    from .context import opened

    with opened(store_of(store), named(name, run)) as found:
        count, ranked = _ranked(found, everything=everything)
        if count < ENOUGH:
            notice(
                f"warning: {count} genomes are few; from {ENOUGH} on the best tenth is compared, "
                f"here it is the best {best_of(count)}"
            )
        if json:
            genes = list(map(_json, ranked))
            answer_json(
                "importances/1", run=found.name, genomes=count, best=best_of(count), genes=genes
            )
            return
        answer_table(COLUMNS, list(map(_row, ranked)))
        answer(
            f"importance: how far the best {best_of(count)} of {count} differ from all (PED-ANOVA)"
        )
        answer(
            f"chance: how often {SHUFFLES} shuffles of the standings give a gene as much or more"
        )
        answer("Trust none whose chance is not small. Genes that were bred together look important")
        answer("together: it is no proof of a cause.")


def _ranked(run: Opened, *, everything: bool) -> tuple[int, list[Importance]]:
    """Return how many genomes have a standing, and their genes by importance.

    Raises:
        CliError: too few have.
    """
    from ..search.importances import importances as ranking
    from ..search.standing import standings
    from .tried import tried

    several = tried(run)
    rungs = {rung for each in several.values() for rung in each.scores}
    places = standings(
        {r: {name: t.scores[r] for name, t in several.items() if r in t.scores} for r in rungs}
    )
    genes = {
        name: {n: gene for n, gene in each.genes.items() if everything or n.startswith(FEW)}
        for name, each in several.items()
    }
    try:
        return len(places), ranking(genes, places, seed=run.manifest.seed)
    except ValueError as error:
        raise CliError(
            str(error), cure=f"praxis-evolve run --resume {run.name}", code=Code.NOT_FOUND
        ) from error


def _row(found: Importance) -> list[str]:
    return [
        found.gene,
        str(found.genomes),
        f"{100 * found.importance:.1f} %",
        f"{found.chance:.2f}",
    ]


def _json(found: Importance) -> dict[str, Any]:
    return {
        "gene": found.gene,
        "genomes": found.genomes,
        "importance": found.importance,
        "chance": found.chance,
    }
