"""``market``: what is listed, who measured it and who made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import CliError, Code
from .options import JSON, NAME, RUN, STORE, named, store_of
from .output import answer, answer_json, answer_table
from .places import short

if TYPE_CHECKING:
    from ..market.credit import Account
    from ..market.listings import Listing, Made, Market, Use
    from ..search.intervals import Summary

USE = ("results>", "FLOPs>", "of the best>", "of all>")
BLOCKS = (
    "block", "family", "source", "share>", *USE, "measured by>", "able>", "author", "paper~",
)  # fmt: skip
CONTRIBUTORS = (
    "contributor", "standing", "results>", "right>", "wrong>", "credit>", "trusted>", "agreed>",
    "claimed>", "best line>",
)  # fmt: skip
MAKERS = ("author of blocks", "distribution", "blocks>", *USE)

NOTES = (
    "of the best, of all: the part of the genomes that use it, of the best tenth with its 95 %; as",
    "  genomes are relatives this is too narrow, and a part is no effect (share takes company out)",
    "credit: FLOPs by formula of what this peer did, and of what it measured again after a proven",
    "  author had said it, and found the same; trusted: also of what it believes unchecked;",
    "  agreed: of what most names found the same, as two names of one person do; claimed: of all",
    "best line: the part in the best genome and its ancestors, of those that are known here",
)


def market(
    name: NAME = None,
    run: RUN = None,
    store: STORE = None,
    family: Annotated[
        list[str] | None, typer.Option(help="List blocks of this family; repeatable.")
    ] = None,
    author: Annotated[
        list[str] | None, typer.Option(help="List blocks of this author; repeatable.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="List also what no result has used.")
    ] = False,
    json: JSON = False,
) -> None:
    """Show the blocks of a run with use, share and makers, and the credit of its contributors."""
    from .context import opened
    from .listed import market_of

    with opened(store_of(store), named(name, run)) as found:
        shown = _chosen(market_of(found), family or [], author or [])
        if json:
            answer_json("market/1", **_document(found.name, shown))
            return
        _tables(shown, everything=everything)


def _chosen(found: Market, families: Sequence[str], authors: Sequence[str]) -> Market:
    """Return a market with the blocks of these families and authors, and with their makers.

    Raises:
        CliError: there is no such family or author.
    """
    _refuse_unknown("family", families, {each.family for each in found.listings})
    _refuse_unknown("author of blocks", authors, {each.maker.author for each in found.makers})
    several = tuple(
        each
        for each in found.listings
        if (not families or each.family in families)
        and (not authors or each.maker.author in authors)
    )
    here = {each.maker for each in several}
    return replace(
        found, listings=several, makers=tuple(each for each in found.makers if each.maker in here)
    )


def _refuse_unknown(what: str, asked: Sequence[str], known: set[str]) -> None:
    for name in asked:
        if name not in known:
            raise CliError(
                f"the run has no {what} {name!r}",
                cure=f"name one of: {', '.join(sorted(known))}",
                code=Code.NOT_FOUND,
            )


def _tables(found: Market, *, everything: bool) -> None:
    used = [each for each in found.listings if everything or each.use.results]
    answer_table(BLOCKS, list(map(_listing_row, used)))
    if idle := len(found.listings) - len(used):
        answer(f"{idle} more that no result has used: --all")
    answer("")
    answer_table(CONTRIBUTORS, list(map(_account_row, found.contributors)))
    if found.best is not None:
        part = sum(each.ancestors for each in found.contributors if each.standing == "own")
        answer(
            f"of the best, {short(found.best)}, and its ancestors, {len(found.line)} in all, this "
            f"peer has {part:.3g}"
        )
    answer("")
    answer_table(MAKERS, list(map(_maker_row, found.makers)))
    answer("")
    for note in NOTES:
        answer(note)


def _listing_row(found: Listing) -> list[str]:
    version, _, digest = found.source.partition("/")
    return [
        found.name,
        found.family,
        f"{version}/{digest[:8]}",
        "-" if found.share is None else f"{100 * found.share:.1f} %",
        *_use_cells(found.use),
        str(len(found.measured)),
        str(len(found.able)),
        found.maker.author,
        found.paper or "own",
    ]


def _account_row(found: Account) -> list[str]:
    from ..reports.quantities import amount

    return [
        found.author[:12],
        found.standing,
        str(found.results),
        str(found.right),
        str(found.wrong),
        *map(amount, (found.credit, found.trusted, found.agreed, found.claimed)),
        f"{found.ancestors:.3g}",
    ]


def _maker_row(found: Made) -> list[str]:
    maker = found.maker
    where = f"{maker.distribution} {maker.version}".strip()
    return [maker.author, where, str(found.blocks), *_use_cells(found.use)]


def _use_cells(use: Use) -> list[str]:
    from ..reports.quantities import amount

    return [str(use.results), amount(use.flops), _part(use.of_best, ends=True), _part(use.of_all)]


def _part(found: Summary | None, *, ends: bool = False) -> str:
    if found is None:
        return "-"
    part = f"{100 * found.mean:.0f} %"
    return f"{part} ({100 * found.low:.0f} to {100 * found.high:.0f})" if ends else part


def _document(run: str, found: Market) -> dict[str, Any]:
    return {
        "run": run,
        "best": found.best,
        "best_line": sorted(found.line),
        "blocks": [_listing_json(each) for each in found.listings],
        "contributors": [_account_json(each) for each in found.contributors],
        "block_authors": [
            {**asdict(each.maker), "blocks": each.blocks, **_use_json(each.use)}
            for each in found.makers
        ],
    }


def _listing_json(found: Listing) -> dict[str, Any]:
    version, _, digest = found.source.partition("/")
    return {
        "name": found.name,
        "kind": found.kind,
        "family": found.family,
        "version": int(version),
        "sha256": digest,
        "paper": found.paper,
        "author": found.maker.author,
        "distribution": found.maker.distribution,
        "distribution_version": found.maker.version,
        "slot": found.slot,
        "share": found.share,
        **_use_json(found.use),
        "measured_by": list(found.measured),
        "able": list(found.able),
    }


def _use_json(use: Use) -> dict[str, Any]:
    best, every = use.of_best, use.of_all
    return {
        "results": use.results,
        "training_flops": use.flops,
        "genomes": every and every.count,
        "of_all": every and every.mean,
        "best_genomes": best and best.count,
        "of_best": best and best.mean,
        "of_best_low": best and best.low,
        "of_best_high": best and best.high,
    }


def _account_json(found: Account) -> dict[str, Any]:
    flops = ("credit", "trusted", "agreed", "claimed")
    return {
        "author": found.author,
        "standing": found.standing,
        "results": found.results,
        "failures": found.failures,
        "found_right": found.right,
        "found_wrong": found.wrong,
        **{f"{name}_flops": getattr(found, name) for name in flops},
        "ancestors": found.ancestors,
    }
