"""``replay``: ask a run again from its log, and compare with what it asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import CliError, Code
from .options import JSON, NAME, RUN, STORE, named, store_of
from .output import answer, answer_json
from .places import short, short_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..market.plan import Plan
    from ..search.base import Assignment, Event
    from ..search.replay import Reasked

FEW = 5
"""Blocks that are named; of the others the number is told."""


@dataclass
class Verdict:
    """How many asks were made again, how many came out the same, and the first that did not."""

    events: Counter[str] = field(default_factory=Counter[str])
    asks: Counter[str] = field(default_factory=Counter[str])
    equal: Counter[str] = field(default_factory=Counter[str])
    first: Reasked | None = None

    @property
    def different(self) -> int:
        """How many asks came out otherwise."""
        return self.asks.total() - self.equal.total()

    def take(self, asked: Reasked) -> None:
        """Count an ask."""
        author = asked.logged.birth.author
        self.asks[author] += 1
        self.equal[author] += asked.equal
        if not asked.equal and self.first is None:
            self.first = asked


def replay(name: NAME = None, run: RUN = None, store: STORE = None, json: JSON = False) -> None:
    """Ask a run again from its log and compare; exit 7 on a difference."""
    from ..blocks.registry import installed
    from ..market.errors import StoreError
    from ..market.ledger import Ledger
    from ..market.manifest import Manifest
    from ..market.plan import Plan
    from .context import newest, run_of

    with Ledger.open(store_of(store), create=False) as ledger:
        name = run_of(ledger, named(name, run) or newest(ledger)).name
        plan = Plan(Manifest.from_dict(ledger.manifest(name)), installed())
        try:
            found = verdict(plan, ledger.events(name))
        except StoreError as error:
            raise _unreadable(error, plan) from error
    others = _others(plan)
    if json:
        answer_json("replay/1", run=name, **_document(plan, found, others))
    else:
        _say(name, plan, found, others)
    if found.different:
        raise CliError(
            f"run {name} does not replay: {found.different} of {found.asks.total()} asks differ",
            why=others or "the code that asks, or the log, is another one than when it was asked",
            cure=f"replay it with praxis-evolve {plan.manifest.program} and the blocks of then",
            code=Code.VERIFICATION,
        )


def verdict(plan: Plan, events: Iterable[Event]) -> Verdict:
    """Ask a *plan*, told of nothing yet, what a log says that it asked.

    All asks of a log came from its own state, for it is that of whoever drove the run in turn.
    """
    from ..search.garbage import collect_seldom
    from ..search.replay import reask

    collect_seldom()
    found = Verdict()

    def counted() -> Iterable[Event]:
        for event in events:
            found.events[type(event).__name__] += 1
            yield event

    for asked in reask(plan.search, counted()):
        found.take(asked)
    return found


def _others(plan: Plan) -> str:
    """Say what is not as it was when the run was started; nothing if all is."""
    from .. import __version__

    manifest, found = plan.manifest, list[str]()
    changed = manifest.changed(plan.catalog, plan.joined)
    if changed:
        more = f" and {len(changed) - FEW} others" if len(changed) > FEW else ""
        found.append(f"the source of {', '.join(changed[:FEW])}{more} changed since")
    if manifest.program != __version__:
        found.append(f"praxis-evolve {manifest.program} began it, and this is {__version__}")
    return "; ".join(found)


def _unreadable(error: Exception, plan: Plan) -> Exception:
    """Say of a log that cannot be read what may be the cause besides damage."""
    others = _others(plan)
    if not others:
        return error
    cure = f"read it with praxis-evolve {plan.manifest.program} and the blocks of then"
    return CliError(str(error), why=f"but {others}", cure=cure, code=Code.STORE)


def _say(name: str, plan: Plan, found: Verdict, others: str) -> None:
    events = found.events
    given_up = f", {events['Expired']} given up" if events["Expired"] else ""
    answer(f"{name}: {events['Asked']} asks, {events['Finished']} results{given_up}")
    for author, asks in found.asks.items():
        answer(f"author    {author[:12]}: {asks} asks, {found.equal[author]} equal")
    if others:
        answer(f"since     {others}")
    if found.first is None:
        answer("Every ask is what the search answers to the log before it.")
        return
    birth = found.first.logged.birth
    answer(f"first     event {found.first.place}, ask {birth.number} of {birth.author[:12]}")
    answer(f"differs   {', '.join(found.first.differing)}")
    answer(f"logged    {_assignment(plan, found.first.logged)}")
    answer(f"replayed  {_assignment(plan, found.first.replayed)}")


def _assignment(plan: Plan, found: Assignment | None) -> str:
    if found is None:
        return "nothing: there was nothing to do but wait"
    parents = " and ".join(map(short, found.parents))
    return (
        f"{short(plan.identify(found.genome))} by {found.origin}"
        f"{' from ' if parents else ''}{parents} to {short_tokens(found.rung)} tokens, replica "
        f"{found.replica}"
    )


def _document(plan: Plan, found: Verdict, others: str) -> dict[str, Any]:
    first = found.first
    return {
        "asks": found.asks.total(),
        "equal": found.equal.total(),
        "replays": not found.different,
        "results": found.events["Finished"],
        "given_up": found.events["Expired"],
        "authors": [
            {"author": author, "asks": asks, "equal": found.equal[author]}
            for author, asks in found.asks.items()
        ],
        "program": plan.manifest.program,
        "changed_blocks": plan.manifest.changed(plan.catalog, plan.joined),
        "changed": others,
        "first_difference": first
        and {
            "event": first.place,
            "author": first.logged.birth.author,
            "number": first.logged.birth.number,
            "differing": list(first.differing),
            "logged": _json(plan, first.logged),
            "replayed": first.replayed and _json(plan, first.replayed),
        },
    }


def _json(plan: Plan, found: Assignment) -> dict[str, Any]:
    import json

    from ..genome.text import to_json

    return {
        "id": plan.identify(found.genome),
        "origin": found.origin,
        "parents": list(found.parents),
        "rung_tokens": found.rung,
        "replica": found.replica,
        "genome": json.loads(to_json(found.genome)),
    }
