"""Whatever values say is a legal genome, and what a genome is written as reads as itself."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from praxis_evolve.blocks.ranges import Choice, Integer, Range, Real, Value
from praxis_evolve.blocks.registry import installed
from praxis_evolve.genome.graph import Entry, Genome, Part, Stack, Visit
from praxis_evolve.genome.identity import genome_id
from praxis_evolve.genome.mutation import mutate
from praxis_evolve.genome.space import Limits, Space
from praxis_evolve.genome.starters import llama, starters
from praxis_evolve.search.flat_coding import POSITIONS, FlatCoding
from praxis_evolve.tests.genome.conftest import CATALOG

WIDE = Space(installed(), limits=Limits(visits=16))
FLOPS = round(1.02 * WIDE.costs(llama(WIDE)).flops)
CODINGS = {
    "wide": FlatCoding(WIDE),
    "of the baseline": FlatCoding(
        replace(WIDE, limits=Limits(visits=16, parameters=1_000_000, flops=FLOPS))
    ),
    "narrow": FlatCoding(
        replace(WIDE, widths=(32, 64), limits=Limits(visits=5, pool=3, parameters=40_000))
    ),
    "toys": FlatCoding(Space(CATALOG, widths=(32, 64, 96), limits=Limits(visits=6))),
    "of one visit": FlatCoding(Space(CATALOG, limits=Limits(visits=1))),
}
SPACES = pytest.mark.parametrize("name", CODINGS)


@cache
def values(name: str) -> st.SearchStrategy[dict[str, Value]]:
    return st.fixed_dictionaries(
        {key: drawn(range_) for key, range_ in CODINGS[name].choices.items()}
    )


def drawn(range_: Range) -> st.SearchStrategy[Value]:
    match range_:
        case Choice(options):
            return st.sampled_from(options)
        case Integer(low, high):
            return st.integers(low, high)
        case Real(low, high):
            return st.floats(low, high)  # Optuna knows no grid
        case _:
            raise TypeError(range_)


@SPACES
@settings(max_examples=40)
@given(data=st.data())
def test_whatever_is_said_is_legal_and_the_same_again(name: str, data: st.DataObject) -> None:
    coding = CODINGS[name]
    said = data.draw(values(name))
    genome = coding.decode(said, "a")
    assert coding.space.problems(genome) == []
    assert len(genome.route) <= POSITIONS
    again = FlatCoding(coding.space).decode(dict(reversed(said.items())), "b")
    assert again == genome
    assert {e.lineage.partition("/")[0] for e in again.pool} <= {"b"}
    assert reads_as_itself(coding, genome)


@SPACES
@settings(max_examples=40)
@given(seed=st.integers(0, 10**9), edits=st.integers(0, 6))
def test_any_genome_is_written_as_one_that_reads_as_itself(
    name: str, seed: int, edits: int
) -> None:
    coding, rng = CODINGS[name], Random(seed)
    genome = coding.space.sample(rng, "s")
    if edits:
        genome = mutate(genome, coding.space, rng, "m", edits=edits).genome
    assert reads_as_itself(coding, genome)


def reads_as_itself(coding: FlatCoding, genome: Genome) -> bool:
    written = coding.encode(genome)
    assert written.keys() == coding.choices.keys()
    for key, value in written.items():
        assert coding.choices[key].problem(value) is None, key
    return coding.encode(coding.decode(written, "")) == written


LOST = {"gpt2", "primer", "mixkabrn", "discrete-memory", "rxt", "huginn", "blt"}
"""They have settings, reads or preludes that cannot be written."""


@pytest.mark.parametrize("name", starters(WIDE))
def test_most_starters_come_back_as_they_are(name: str) -> None:
    coding, genome = CODINGS["wide"], starters(WIDE)[name]
    back = coding.decode(coding.encode(genome), "")
    same = genome_id(back, WIDE.catalog) == genome_id(genome, WIDE.catalog)
    assert same == (name not in LOST)
    assert len(back.route) == min(POSITIONS, len(genome.route))


def part(name: str, **changes: Value) -> Part:
    return Part(name, {**CATALOG[name].defaults(), **changes})


def test_turns_of_a_chain_are_written_and_one_of_two_is_lost() -> None:
    """Weights again, a router, the parallel form, a second read; then a router and weights."""
    pool = tuple(Entry(part(name)) for name in ("look", "think", "dream", "think"))
    route = (
        Visit(0),
        Visit(1, (0,), router=part("skip")),
        Visit(0, (1,)),
        Visit(2, (1,), 2),
        Visit(3, (1, 3), 3, "gate"),
        Visit(2, (4,), router=part("skip")),
    )
    genome = Genome(pool, route, Stack(width=64, residual=part("many"), exit=part("leave")))
    coding = CODINGS["toys"]
    back = coding.decode(coding.encode(genome), "")
    kept = replace(genome, route=(*route[:-1], replace(route[-1], router=None)))
    assert genome_id(back, CATALOG) == genome_id(kept, CATALOG)


def test_what_most_entries_have_all_get() -> None:
    slide = part("slide", reach=7)
    thinks = [Entry(part("think", size=2.0), prelude, precision="binary")
              for prelude in (None, slide, slide)]  # fmt: skip
    pool = (Entry(part("look", heads=4)), *thinks)
    genome = Genome(pool, tuple(Visit(n, (n - 1,)) for n in range(4)))
    coding = CODINGS["toys"]
    said = coding.encode(genome)
    assert (said["prelude.mixer"], said["prelude.feed-forward"]) == ("none", "slide")
    back = coding.decode(said, "")
    assert [entry.prelude for entry in back.pool] == [None, *[part("slide")] * 3]
    assert [entry.precision for entry in back.pool] == ["full", *["binary"] * 3]
    assert [entry.block for entry in back.pool[:2]] == [part("look"), part("think")]


def test_families_share_what_most_of_their_blocks_have() -> None:
    names = {name for name in CODINGS["wide"].choices if name.startswith("settings.")}
    assert {"settings.attention.heads", "settings.feedforward.multiple"} <= names
    assert "settings.attention.queries" not in names
    coding, genome = CODINGS["wide"], llama(WIDE)
    wide = coding.decode({**coding.encode(genome), "settings.feedforward.multiple": 7.9}, "")
    assert {entry.block.settings["multiple"] for entry in wide.pool[1::2]} == {6.0}  # the most
    few = coding.decode({**coding.encode(genome), "settings.attention.heads": 2}, "")
    assert {entry.block.settings["heads"] for entry in few.pool[::2]} == {2}


def test_first_positions_stand_for_all() -> None:
    coding = CODINGS["wide"]
    said = coding.encode(llama(WIDE))
    assert (said["visits"], said["repeat"]) == (8, 2)
    other = coding.decode({**said, "visit1.block": "mlp", "visit3.block": "kan", "visits": 6}, "")
    assert [e.block.name for e in other.pool] == ["attention", "mlp"] * 3
    alone = coding.decode({**said, "repeat": 0, "visit3.block": "kan", "visits": 4}, "")
    assert [e.block.name for e in alone.pool] == ["attention", "glu", "attention", "kan"]


def test_what_is_too_large_gives_way() -> None:
    coding = CODINGS["of the baseline"]
    said = coding.encode(llama(WIDE))
    longer = coding.decode({**said, "visits": 12}, "")
    assert coding.space.legal(longer)
    assert [e.block.name for e in longer.pool[:2]] == ["attention", "glu"]
    heavy = FlatCoding(replace(coding.space, limits=Limits(visits=16, parameters=100_000)))
    small = heavy.decode({**said, "stack.embedding": "ngram"}, "")
    assert small.stack.embedding.name == "ngram", "tables of the usual size alone have more"
    assert heavy.space.legal(small)


def test_where_nothing_helps_the_stack_is_the_usual_one() -> None:
    tiny = FlatCoding(replace(WIDE, limits=Limits(visits=16, parameters=17_500)))
    small = tiny.decode({**tiny.encode(llama(WIDE)), "stack.embedding": "ngram"}, "")
    assert tiny.space.legal(small)
    assert small.stack.embedding.name == "token"
