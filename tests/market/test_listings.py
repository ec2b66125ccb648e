from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

import pytest

from praxis_evolve.blocks.makers import OURS, Maker
from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.graph import Entry, Genome, Part, Stack, Visit
from praxis_evolve.genome.traits import traits
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.listings import (
    BEST,
    Listing,
    Uses,
    listings,
    made,
    owners,
    parts_of,
    places_of,
)
from praxis_evolve.market.record import FIRST, Record, sign
from praxis_evolve.search.intervals import proportion
from praxis_evolve.search.shares import Shares, Traits

RESULT = Result("ab" * 32, "cd" * 32, 1000, 0, 7, 2.5)
OTHERS = Maker("Ada", "good-blocks", "1.2")


def price(result: Result) -> float:
    return float(result.rung)


@pytest.fixture
def pools(catalog: Catalog) -> Mapping[str, Genome]:
    """Fifty genomes of one or both blocks, the first of them the best."""
    rng, found = Random(3), dict[str, Genome]()
    for number in range(50):
        names = rng.choice([("mixer",), ("mixer",), ("other",), ("mixer", "other")])
        pool = tuple(Entry(Part(name, {"heads": rng.choice((1, 2, 4))})) for name in names)
        route = tuple(Visit(n, (n - 1,) if n else (-1,)) for n in range(len(pool)))
        found[f"{number:064x}"] = Genome(pool, route, Stack(width=32))
    return found


def standings(pools: Mapping[str, Genome]) -> dict[str, float]:
    return {name: 1 - number / len(pools) for number, name in enumerate(sorted(pools))}


def test_a_use_counts_works_flops_and_genomes(
    pools: Mapping[str, Genome], catalog: Catalog
) -> None:
    parts = parts_of(pools, catalog)
    results = [replace(RESULT, genome=name, rung=1000 + n) for n, name in enumerate(pools)]
    results += [replace(result, measured=replace(result.measured, seconds=9)) for result in results]
    results += [replace(results[0], rung=7, failure="diverged", bits_per_byte=None, reason="x")]
    uses = Uses(parts, results, price, standings(pools))
    for names in ({"mixer"}, {"other"}, {"mixer", "other"}, {"nothing"}):
        using = [name for name in sorted(pools) if names & parts[name]]
        found = uses.of(names)
        assert found.results == len(using)
        assert found.flops == sum(1000 + n for n, name in enumerate(pools) if name in using)
        assert found.of_all == proportion(len(using), len(pools))
        best = sorted(pools)[: -(-len(pools) // BEST)]
        assert found.of_best == proportion(len(set(using) & set(best)), len(best))
        assert found.of_best
        assert found.of_all
        assert found.lift == found.of_best.mean - found.of_all.mean
    nobody = Uses(parts, [], price, {}).of({"mixer"})
    assert (nobody.results, nobody.of_best, nobody.of_all, nobody.lift) == (0, None, None, 0.0)


def test_what_does_not_reach_the_output_is_not_used(catalog: Catalog) -> None:
    pool = (Entry(Part("mixer", {"heads": 1})), Entry(Part("other", {"heads": 1})))
    genome = Genome(pool, (Visit(0), Visit(1), Visit(0, (0,))), Stack(width=32))
    assert parts_of({"a": genome}, catalog)["a"] == {"mixer", "pre", "rmsnorm", "token"}


def signed(author: Identity, genome: str, catalog: str, *, ok: bool = True) -> Record:
    result = replace(RESULT, genome=genome)
    if not ok:
        result = replace(result, bits_per_byte=None, failure="diverged", reason="x")
    return sign(result, author, run="ef" * 32, seq=0, prev=FIRST, catalog=catalog, program="1")


def test_whoever_names_the_catalog_of_one_who_measured_a_block_can_measure_it() -> None:
    one, two, three, four = (Identity.new() for _ in range(4))
    a, b = "aa" * 32, "bb" * 32
    parts = {"1" * 64: {"mixer"}, "2" * 64: {"other"}}
    records = [
        signed(one, "1" * 64, a), signed(two, "2" * 64, a), signed(three, "2" * 64, b),
        signed(four, "1" * 64, b, ok=False),
    ]  # fmt: skip
    measured, able = owners(records, parts, {})
    assert measured == {"mixer": {one.author}, "other": {two.author, three.author}}
    assert able["mixer"] == {one.author, two.author}
    assert able["other"] == {one.author, two.author, three.author}
    _, able = owners(records, parts, {"mixer": b, "rare": b})
    assert able["mixer"] == {one.author, two.author, three.author}
    assert able["rare"] == {three.author}


def listed(pools: Mapping[str, Genome], catalog: Catalog) -> tuple[list[Listing], Uses]:
    parts, places = parts_of(pools, catalog), standings(pools)
    uses = Uses(parts, [replace(RESULT, genome=name) for name in pools], price, places)
    known = Shares(places, Traits({name: traits(g, catalog) for name, g in pools.items()}))
    makers = {each.name: OTHERS if each.name == "other" else OURS for each in catalog}
    return listings(catalog, uses, known, makers, ({"mixer": {"b", "a"}}, {})), uses


def test_everything_of_the_catalog_is_listed_with_its_share(
    pools: Mapping[str, Genome], catalog: Catalog
) -> None:
    found, uses = listed(pools, catalog)
    known = Shares(
        standings(pools), Traits({name: traits(g, catalog) for name, g in pools.items()})
    )
    assert {each.name for each in found} == {declared.name for declared in catalog}
    for each in found:
        declared = catalog[each.name]
        assert each.source == catalog.sources[each.name]
        assert each.use == uses.of({each.name})
        (place,) = places_of(declared)
        shares = {share.trait: share.share for share in known.of(place.slot)}
        assert (each.slot, each.share) == (place.slot, shares[place])
    parts = [each.use.of_best.mean for each in found if each.use.of_best]
    assert parts == sorted(parts, reverse=True)
    (mixer,) = (each for each in found if each.name == "mixer")
    assert (mixer.measured, mixer.able) == (("a", "b"), ())


def test_makers_are_ranked_by_what_the_best_use_of_them(
    pools: Mapping[str, Genome], catalog: Catalog
) -> None:
    found, uses = listed(pools, catalog)
    first, second = made(found, uses)
    assert (first.maker, first.blocks) == (OURS, len(catalog.declarations) - 1)
    assert (second.maker, second.blocks) == (OTHERS, 1)
    assert second.use == uses.of({"other"})
    assert first.use.of_all == proportion(len(pools), len(pools))  # each genome counts once


def test_a_block_that_only_stands_before_others_has_its_share_there(catalog: Catalog) -> None:
    before = replace(catalog["other"], prelude=True, mixes=False)
    several = catalog.only(["mixer", "pre", "rmsnorm", "token"]).extended(before)
    pools = {
        name: Genome((Entry(Part("mixer", {"heads": 1}), part),), (Visit(0),), Stack(width=32))
        for name, part in (("a", None), ("b", Part("other", {"heads": 1})))
    }
    places = {"a": 0.2, "b": 0.8}
    known = Shares(places, Traits({name: traits(g, several) for name, g in pools.items()}))
    uses = Uses(parts_of(pools, several), [], price, places)
    found = listings(several, uses, known, dict.fromkeys(several.sources, OURS), ({}, {}))
    (other,) = (each for each in found if each.name == "other")
    shares = {share.trait.value: share.share for share in known.of("prelude")}
    assert (other.slot, other.share) == ("prelude", shares["other"])
