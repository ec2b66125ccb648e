"""Turns: the one thing in which a visit of a chain may differ from reading the one before it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from ..blocks.registry import Catalog
from ..genome.draw import BRANCHED, SHARED, WITH_ROUTER
from ..genome.graph import Genome, Merge, Part, Visit
from .cut import Cut

DISTANCES = (1, 2, 3, 4)
"""How many visits back the one may stand whose weights are used again."""

SKIPS = (1, 2, 4)
"""How far before the last value a second read may lie."""


class Turn(NamedTuple):
    """What is special of a visit.

    ``again``: it uses the weights of the visit *what* places back. ``router``: it stands behind the
    router *what*. ``beside``: it reads what lies before the last value and adds to the last (the
    parallel form). ``skip``: it also reads the value *what* places before the last.
    """

    kind: Literal["plain", "again", "router", "beside", "skip"]
    what: int | str = ""


PLAIN = Turn("plain")
BESIDE = Turn("beside")


def turns(catalog: Catalog) -> Cut[Turn]:
    """Return the turns there are; special ones are as frequent as among samples of a space."""
    again = (Turn("again", distance) for distance in DISTANCES)
    routers = (Turn("router", router.name) for router in catalog.of("router"))
    skips = (Turn("skip", distance) for distance in SKIPS)
    return Cut(PLAIN, (*again, *routers, BESIDE, *skips), SHARED + WITH_ROUTER + BRANCHED)


def turn_of(form: Genome, number: int) -> Turn:
    """Return the turn that says most of a visit of a genome in canonical form."""
    visit, last = form.route[number], number - 1
    users = [n for n in range(number) if form.route[n].block == visit.block]
    if users and number - users[-1] in DISTANCES:
        return Turn("again", number - users[-1])
    if visit.router is not None:
        return Turn("router", visit.router.name)
    if last not in visit.reads:
        return BESIDE if visit.base_read == last else PLAIN
    others = [last - read for read in visit.reads if read != last]
    if not others:
        return PLAIN
    fitting = [skip for skip in SKIPS if skip <= number]
    return Turn("skip", min(fitting, key=lambda skip: abs(skip - min(others))))


def turned(turn: Turn, number: int, block: int, merge: Merge, router: Part | None) -> Visit:
    """Return the visit at a place of a chain; a turn that leads before its start is plain."""
    last = number - 1
    match turn:
        case Turn("beside") if number:
            return Visit(block, (last - 1,), last)
        case Turn("skip", int(distance)) if distance <= number:
            return Visit(block, (last - distance, last), last, merge)
        case _:
            return Visit(block, (last,), last, router=router)
