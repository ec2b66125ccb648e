import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from praxis_evolve.blocks.registry import Catalog, installed
from praxis_evolve.genome.crossover import cross, mixed, spliced
from praxis_evolve.genome.edit import pruned
from praxis_evolve.genome.graph import EMBEDDING, Entry, Genome, Part, Stack, Training, Visit
from praxis_evolve.genome.identity import genome_id
from praxis_evolve.genome.mutation import mutate
from praxis_evolve.genome.space import Limits, Space
from praxis_evolve.genome.starters import starters

QUICK = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
SEEDS = st.integers(0, 2**32)


def look(heads: int, pace: float, lineage: str) -> Entry:
    part = Part("look", {"heads": heads, "turn": True, "pace": pace, "late": 1})
    return Entry(part, lineage=lineage)


def chain(*pool: Entry) -> Genome:
    return Genome(pool, tuple(Visit(n, (n - 1,)) for n in range(len(pool))))


MOTHER = chain(look(1, 1.0, "a"), look(1, 1.0, "b"), look(1, 1.0, "c"))
FATHER = chain(look(4, 9.0, "c"), look(4, 9.0, "a"), look(4, 9.0, "d"), look(4, 9.0, "e"))


@QUICK
@given(seed=SEEDS)
def test_children_are_legal_and_new(toy_space: Space, seed: int) -> None:
    rng = random.Random(seed)
    mother = toy_space.sample(rng, "m")
    father = mutate(toy_space.sample(rng, "f"), toy_space, rng, "g").genome
    child = cross(mother, father, toy_space, rng, "c")
    assert toy_space.problems(child) == []
    assert pruned(child) == child


def test_the_same_draws_give_the_same_child(toy_space: Space) -> None:
    for seed in range(20):
        one = cross(MOTHER, FATHER, toy_space, random.Random(seed), "c")
        assert cross(MOTHER, FATHER, toy_space, random.Random(seed), "c") == one


def test_children_differ_from_their_parents_where_they_can(toy_space: Space) -> None:
    known = {genome_id(genome, toy_space.catalog) for genome in (MOTHER, FATHER)}
    for seed in range(50):
        child = cross(MOTHER, FATHER, toy_space, random.Random(seed), "c")
        assert genome_id(child, toy_space.catalog) not in known


def test_a_genome_crossed_with_itself_is_itself_or_rearranged(toy_space: Space) -> None:
    assert toy_space.legal(cross(MOTHER, MOTHER, toy_space, random.Random(0), "c"))
    single = chain(look(1, 1.0, "a"))
    for seed in range(10):
        child = cross(single, single, toy_space, random.Random(seed), "c")
        assert genome_id(child, toy_space.catalog) == genome_id(single, toy_space.catalog)


def test_entries_of_one_lineage_take_each_setting_from_either(toy_space: Space) -> None:
    """Lineages a and c are in both parents, the others are in one: those keep their settings."""
    seen = set[tuple[object, object]]()
    for seed in range(300):
        for entry in mixed(MOTHER, FATHER, toy_space, random.Random(seed)).pool:
            values = (entry.block.settings["heads"], entry.block.settings["pace"])
            if entry.lineage in ("b", "d", "e"):
                assert values == ((1, 1.0) if entry.lineage == "b" else (4, 9.0))
            else:
                seen.add(values)
    assert seen == {(1, 1.0), (1, 9.0), (4, 1.0), (4, 9.0)}


def test_no_lineage_stands_twice(toy_space: Space) -> None:
    for seed in range(300):
        pool = mixed(MOTHER, FATHER, toy_space, random.Random(seed)).pool
        assert len({entry.lineage for entry in pool}) == len(pool)


def test_entries_without_lineage_are_not_aligned(toy_space: Space) -> None:
    mother, father = chain(look(1, 1.0, ""), look(1, 1.0, "")), chain(look(4, 9.0, ""))
    for seed in range(50):
        for entry in mixed(mother, father, toy_space, random.Random(seed)).pool:
            settings = entry.block.settings
            assert (settings["heads"], settings["pace"]) in {(1, 1.0), (4, 9.0)}


def test_a_splice_of_chains_is_a_chain() -> None:
    for seed in range(100):
        child = pruned(spliced(MOTHER, FATHER, random.Random(seed), most=16))
        assert [visit.reads for visit in child.route] == [(n - 1,) for n in range(len(child.route))]


@QUICK
@given(seed=SEEDS, most=st.integers(10, 16))
def test_splices_are_sound_and_not_too_long(toy_space: Space, seed: int, most: int) -> None:
    rng = random.Random(seed)
    one, other = (toy_space.sample(rng, name) for name in "ab")
    child = spliced(one, other, rng, most=max(most, len(one.route)))
    assert list(child.problems()) == []
    assert len(child.route) <= max(most, len(one.route))


def test_what_a_piece_read_outside_becomes_the_value_before_the_gap() -> None:
    long = Genome((look(1, 1.0, "x"),), (Visit(0), Visit(0, (0,)), Visit(0, (0, 1, EMBEDDING), 0)))
    for seed in range(50):
        child = spliced(long, long, random.Random(seed), most=16)
        for number, visit in enumerate(child.route):
            assert len(set(visit.reads)) == len(visit.reads)
            assert visit.base_read < number


def test_genes_of_stack_and_training_come_from_either(toy_space: Space) -> None:
    mother = replace(MOTHER, training=Training(0.02, 0.2, 0.9, 0.2, 2.0), stack=Stack(width=32))
    father = replace(FATHER, stack=Stack(width=96, tied=False, residual=Part("many", {"streams":
        2})))  # fmt: skip
    made = [mixed(mother, father, toy_space, random.Random(seed)) for seed in range(200)]
    for gene in ("learning_rate", "weight_decay", "beta2", "warmup", "clip"):
        both = {getattr(mother.training, gene), getattr(father.training, gene)}
        assert {getattr(child.training, gene) for child in made} == both
    assert {(c.stack.width, c.stack.tied, c.stack.residual.name) for c in made} == {
        (width, tied, name) for width in (32, 96) for tied in (False, True)
        for name in ("pre", "many")
    }  # fmt: skip


def test_parents_from_a_wider_space_have_legal_children(toys: Catalog) -> None:
    wide = Space(toys, widths=(32, 64, 96), limits=Limits(visits=24))
    narrow = Space(toys, widths=(32,), limits=Limits(visits=5, pool=3, parameters=20_000))
    rng = random.Random(3)
    for number in range(50):
        mother, father = (wide.sample(rng, f"{number}{name}") for name in "mf")
        assert narrow.problems(cross(mother, father, narrow, rng, "c")) == []


@pytest.mark.parametrize("name", starters(Space(installed())))
def test_starters_cross_with_the_baseline(name: str) -> None:
    space = Space(installed())
    named = starters(space)
    rng = random.Random(name)
    for _ in range(5):
        assert space.legal(cross(named["llama"], named[name], space, rng, "c"))


def test_what_a_crossing_leaves_as_it_was_is_the_same_object(toy_space: Space) -> None:
    other = chain(*(look(1, 1.0, entry.lineage) for entry in MOTHER.pool))
    child = mixed(MOTHER, other, toy_space, random.Random(0))
    own = {entry.lineage: entry for entry in (*MOTHER.pool, *other.pool)}
    assert all(entry == own[entry.lineage] for entry in child.pool)
    assert {id(entry) for entry in child.pool} <= {id(e) for e in (*MOTHER.pool, *other.pool)}
    assert id(child.training) in (id(MOTHER.training), id(other.training))


def test_equal_settings_of_other_types_are_no_equals() -> None:
    whole, real = Part("look", {"heads": 1}), Part("look", {"heads": True})
    space, rng = Space(installed()), random.Random(0)
    parents = (chain(Entry(part, lineage="a")) for part in (whole, real))
    one, other = parents
    kinds = {type(mixed(one, other, space, rng).pool[0].block.settings["heads"]) for _ in range(40)}
    assert kinds == {int, bool}
