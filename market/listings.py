"""Listings: what the market has of blocks, how they are used and do, and who measured them.

A block is credited with the trainings that used it and with its part in the best genomes beside its
part in all. That is no effect of it: genomes descend from few, and what a lucky ancestor had is in
all of them, so the intervals, which take genomes for independent, are too narrow. Its share, by a
regression on all traits, takes the company out that it is in.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass

from ..blocks.declaration import Declaration
from ..blocks.makers import Maker
from ..blocks.registry import Catalog
from ..evaluator.result import Result
from ..genome.graph import Genome
from ..genome.identity import canonical
from ..genome.traits import Trait, block_trait, part_trait
from ..search.base import key_of
from ..search.intervals import Summary, proportion
from ..search.shares import Shares
from .credit import Account, Price
from .record import Record

BEST = 10
"""One in so many genomes with a standing counts as the best."""


@dataclass(frozen=True)
class Use:
    """What used one of several things: ``results`` and their FLOPs, and its part in genomes.

    ``of_best`` is its part in the best tenth, ``of_all`` in all that have a standing, both None
    where none has.
    """

    results: int
    flops: float
    of_best: Summary | None
    of_all: Summary | None

    @property
    def lift(self) -> float:
        """By how much its part in the best is above that in all."""
        return self.of_best.mean - self.of_all.mean if self.of_best and self.of_all else 0.0


@dataclass(frozen=True)
class Listing:
    """A thing of the catalog of a run: what it is, who offers it, how it does, who has it.

    ``source`` is its version and the SHA-256 of its source, ``share`` the chance to be drawn for
    its ``slot``, None where it was not tried there. ``measured`` are the authors with a result of a
    genome that uses it, ``able`` those and whoever says to have the same catalog as one of them.
    """

    name: str
    kind: str
    family: str
    paper: str
    source: str
    maker: Maker
    use: Use
    slot: str
    share: float | None
    measured: tuple[str, ...]
    able: tuple[str, ...]


@dataclass(frozen=True)
class Made:
    """What one maker offers, and what used any of it."""

    maker: Maker
    blocks: int
    use: Use


@dataclass(frozen=True)
class Market:
    """What is listed, who did the work, and who offers what is listed, the first of each first.

    ``best`` is the best genome, if there is one, and ``line`` it and its ancestors.
    """

    listings: tuple[Listing, ...]
    contributors: tuple[Account, ...]
    makers: tuple[Made, ...]
    best: str | None
    line: frozenset[str]


class Uses:
    """What uses what.

    Args:
        parts: the names of what each genome is made of, by its id.
        results: those that count, each work once.
        price: the FLOPs of a result.
        standings: from 0 to 1 by genome.
    """

    def __init__(
        self,
        parts: Mapping[str, Collection[str]],
        results: Iterable[Result],
        price: Price,
        standings: Mapping[str, float],
    ) -> None:
        self._users = defaultdict[str, set[str]](set)
        for genome, names in parts.items():
            for name in names:
                self._users[name].add(genome)
        self._paid = defaultdict[str, list[float]](list)
        for key, flops in {key_of(each): price(each) for each in results if each.ok}.items():
            self._paid[key.genome].append(flops)
        ranked = sorted(standings, key=lambda name: (-standings[name], name))
        self._all, self._best = set(ranked), set(ranked[: math.ceil(len(ranked) / BEST)])

    def of(self, names: Collection[str]) -> Use:
        """Return the use of any of several things."""
        users = set[str]().union(*(self._users.get(name, ()) for name in names))
        paid = [flops for genome in users & self._paid.keys() for flops in self._paid[genome]]
        best, every = (_part(users, among) for among in (self._best, self._all))
        return Use(len(paid), math.fsum(paid), best, every)


def _part(users: Set[str], among: Set[str]) -> Summary | None:
    return proportion(len(users & among), len(among)) if among else None


def parts_of(genomes: Mapping[str, Genome], catalog: Catalog) -> dict[str, frozenset[str]]:
    """Return the names of what reaches the output of each genome."""
    return {
        name: frozenset(part.name for part in canonical(genome, catalog).parts())
        for name, genome in genomes.items()
    }


def owners(
    records: Iterable[Record], parts: Mapping[str, Collection[str]], here: Mapping[str, str]
) -> tuple[Mapping[str, set[str]], Mapping[str, set[str]]]:
    """Return who measured each thing, and who can as far as they say, by its name.

    A record names the digest of its author's whole catalog, so whoever names the same has the same
    sources. *here* is the digest of this installation's catalog for each thing in it that has the
    source of the run.
    """
    several = [record for record in records if record.result.ok]
    measured, known = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    authors = defaultdict[str, set[str]](set)
    for name, catalog in here.items():
        known[catalog].add(name)
    for record in several:
        authors[record.catalog].add(record.author)
        for name in parts.get(record.result.genome, ()):
            measured[name].add(record.author)
            known[record.catalog].add(name)
    able = defaultdict[str, set[str]](set)
    for catalog, names in known.items():
        for name in names:
            able[name] |= authors[catalog]
    return measured, able


def listings(
    catalog: Catalog,
    uses: Uses,
    shares: Shares,
    makers: Mapping[str, Maker],
    owned: tuple[Mapping[str, set[str]], Mapping[str, set[str]]],
) -> list[Listing]:
    """Return what is listed of a *catalog*, what is used most by the best genomes first."""
    measured, able = owned
    drawn = dict[Trait, float]()
    for slot in {trait.slot for declared in catalog for trait in places_of(declared)}:
        drawn |= {share.trait: share.share for share in shares.of(slot)}

    def listing(declared: Declaration) -> Listing:
        name, places = declared.name, places_of(declared)
        place = next((trait for trait in places if trait in drawn), places[0])
        return Listing(
            name, declared.kind, declared.family, declared.paper, catalog.sources[name],
            makers[name], uses.of({name}), place.slot, drawn.get(place),
            tuple(sorted(measured.get(name, ()))), tuple(sorted(able.get(name, ()))),
        )  # fmt: skip

    found = map(listing, catalog)
    return sorted(found, key=lambda each: (*_rank(each.use), each.family, each.name))


def made(found: Iterable[Listing], uses: Uses) -> list[Made]:
    """Return the makers of what is listed, those of what the best genomes use first."""
    several = defaultdict[Maker, set[str]](set)
    for listing in found:
        several[listing.maker].add(listing.name)
    boards = [Made(maker, len(names), uses.of(names)) for maker, names in several.items()]
    return sorted(boards, key=lambda each: (*_rank(each.use), each.maker))


def places_of(declared: Declaration) -> list[Trait]:
    """Return the traits of genomes with a thing in one of its places, the usual place first."""
    if declared.kind != "block":
        return [part_trait(declared.kind, declared)]
    return [block_trait(declared), *([part_trait("prelude", declared)] if declared.prelude else [])]


def _rank(use: Use) -> tuple[float, float, float]:
    return -(use.of_best.mean if use.of_best else 0.0), -use.lift, -use.flops
