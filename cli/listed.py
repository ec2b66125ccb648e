"""The market of a run, from its records, its log and what is installed."""

from __future__ import annotations

from ..blocks.makers import makers
from ..blocks.registry import installed
from ..evaluator.ladder import Ladder
from ..market.credit import accounts, price_of
from ..market.listings import Market, Uses, listings, made, owners, parts_of
from ..market.witness import witness
from .context import Opened
from .shares import shares_of, standings_of
from .view import winner_of


def market_of(run: Opened) -> Market:
    """Return what the market has: listings, contributors, makers."""
    space, records = run.plan.space, run.ledger.records(run.name)
    genomes = dict(run.ledger.genomes(run.name))
    costs = {name: space.costs(genome) for name, genome in genomes.items()}
    price = price_of(costs, Ladder(run.manifest.rungs))
    parts = parts_of(genomes, run.catalog)
    places = standings_of(run)
    uses = Uses(parts, run.plan.results, price, places)
    found = listings(
        run.catalog, uses, shares_of(run), makers(), owners(records, parts, _here(run))
    )
    seen = witness(run.ledger.told(run.name), run.plan.identify)
    best = winner_of(run) or min(places, key=lambda name: (-places[name], name), default=None)
    line = frozenset[str]() if best is None else seen.line(best)
    return Market(
        tuple(found),
        tuple(accounts(records, seen, price, line=line)),
        tuple(made(found, uses)),
        best,
        line,
    )


def _here(run: Opened) -> dict[str, str]:
    """Return the digest of what is installed for each block that is here as the run has it."""
    changed = set(run.manifest.changed(installed(), run.plan.joined))
    return {each.name: installed().digest for each in run.catalog if each.name not in changed}
