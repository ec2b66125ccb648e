"""Flat genes say what is in a genome, each within its range, and nothing of what is dead."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from praxis_evolve.blocks.ranges import Integer
from praxis_evolve.blocks.registry import installed
from praxis_evolve.genome.graph import Entry, Genome, Part, Stack, Training, Visit
from praxis_evolve.genome.space import Limits, Space
from praxis_evolve.search.flat import Gene, flat, flat_alike

SPACE = Space(installed(), widths=(64,), limits=Limits(visits=6))


def part(name: str, **settings: bool | int | float | str) -> Part:
    return Part(name, {**installed()[name].defaults(), **settings})


def genome() -> Genome:
    """Attention, visited twice; a rounded GLU with a prelude joins both; one visit is dead."""
    pool = (
        Entry(part("attention")),
        Entry(part("glu"), prelude=part("short_conv"), precision="ternary"),
    )
    route = (Visit(0), Visit(0, (0,)), Visit(1, (0,)), Visit(1, (0, 1), router=part("mod")))
    return Genome(pool, route, Stack(embedding=part("ngram")), Training(learning_rate=0.02))


def values(genes: dict[str, Gene]) -> dict[str, object]:
    return {name: gene.value for name, gene in genes.items()}


def test_what_has_no_place_is_counted_and_the_dead_is_not():
    found = values(flat(genome(), SPACE))
    counts = {name: value for name, value in found.items() if name.startswith("visits")}
    assert counts == {
        "visits": 3, "visits.merging": 1, "visits.rounded": 1, "visits.block.attention": 2,
        "visits.block.glu": 1, "visits.prelude.short_conv": 1, "visits.router.mod": 1,
    }  # fmt: skip
    assert found["entries"] == 2


def test_genes_of_stack_and_training_have_their_names():
    found = values(flat(genome(), SPACE))
    assert found["training.learning_rate"] == 0.02
    assert found["stack.embedding"] == "ngram"
    assert found["stack.exit"] == "none"
    settings = [name for name in found if name.startswith("stack.embedding.ngram.")]
    assert {name.rpartition(".")[2] for name in settings} == set(
        installed()["ngram"].alive(installed()["ngram"].defaults())
    )
    assert "stack.width" not in found  # there is one width
    assert "stack.segments" not in found  # no block of it knows segments


def test_every_gene_is_within_its_range():
    rng = Random(1)
    for number in range(60):
        drawn = SPACE.sample(rng, str(number))
        for name, gene in flat(drawn, SPACE).items():
            assert gene.range.problem(gene.value) is None, name


def test_genomes_that_are_the_same_have_the_same_genes():
    other = genome()
    renamed = replace(other, pool=(*other.pool, Entry(part("mlp"))))
    assert flat(renamed, SPACE) == flat(other, SPACE)


def test_of_several_genomes_what_is_missing_is_none():
    plain = Genome((Entry(part("mingru")),), (Visit(0),))
    found = flat_alike({"a": genome(), "b": plain}, SPACE)
    assert found["a"]["visits.block.mingru"] == found["b"]["visits.router.mod"]
    assert found["b"]["visits.router.mod"] == Gene(0, Integer(0, 6))
    counted = [{name for name in genes if name.startswith("visits")} for genes in found.values()]
    assert counted[0] == counted[1]
    assert "stack.embedding.ngram.table" not in found["b"]


def test_a_baseline_may_be_longer_than_the_space_allows():
    long = Genome((Entry(part("mingru")),), tuple(Visit(0, (i - 1,)) for i in range(9)))
    gene = flat(long, SPACE)["visits"]
    assert (gene.value, gene.range) == (9, Integer(1, 9))
