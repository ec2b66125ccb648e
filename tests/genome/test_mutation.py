import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from praxis_evolve.blocks.registry import Catalog, installed
from praxis_evolve.genome.crossover import cross
from praxis_evolve.genome.edit import pruned, without_visit
from praxis_evolve.genome.graph import EMBEDDING, Entry, Genome, Part, Visit
from praxis_evolve.genome.identity import Form, canonical, genome_id
from praxis_evolve.genome.mutation import OPERATORS, mutate
from praxis_evolve.genome.space import Limits, Space
from praxis_evolve.genome.starters import starters
from praxis_evolve.genome.text import from_json, to_json
from praxis_evolve.genome.traits import traits

LOOK = Entry(Part("look", {"heads": 2, "turn": True, "pace": 10.0, "late": 1}), lineage="look")
THINK = Entry(Part("think", {"size": 4.0}), lineage="think")
CHAIN = Genome((LOOK, THINK), (Visit(0), Visit(1, (0,)), Visit(0, (1,)), Visit(1, (2,))))
QUICK = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(seed=st.integers(0, 2**32))
def test_a_child_is_legal_and_different(toy_space: Space, seed: int) -> None:
    rng = random.Random(seed)
    parent = toy_space.sample(rng, "p")
    child = mutate(parent, toy_space, rng, "c")
    assert toy_space.problems(child.genome) == []
    assert genome_id(child.genome, toy_space.catalog) != genome_id(parent, toy_space.catalog)
    assert set(child.operator.split("+")) <= set(OPERATORS)


@QUICK
@given(seed=st.integers(0, 2**32))
def test_what_is_remembered_of_parents_is_true_of_their_children(
    toy_space: Space, seed: int
) -> None:
    rng, catalog = random.Random(seed), toy_space.catalog
    family = [toy_space.sample(rng, "p")]
    for number in range(5):
        family.append(mutate(rng.choice(family), toy_space, rng, f"c{number}").genome)
    for genome in family:
        stranger = from_json(to_json(genome), catalog)
        assert genome_id(genome, catalog) == Form(stranger, catalog).genome_id()
        assert to_json(canonical(genome, catalog)) == to_json(canonical(stranger, catalog))
        assert traits(genome, catalog) == traits(stranger, catalog)
        cut = replace(stranger, pool=genome.pool[:-1])
        assert list(cut.problems()) != []
        assert genome.live_visits() == stranger.live_visits()


def test_the_same_draws_give_the_same_child(toy_space: Space) -> None:
    for seed in range(20):
        one = mutate(CHAIN, toy_space, random.Random(seed), "c")
        assert mutate(CHAIN, toy_space, random.Random(seed), "c") == one


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_makes_legal_children(toy_space: Space, name: str) -> None:
    rng = random.Random(1)
    made = 0
    for number in range(80):
        parent = toy_space.sample(rng, str(number))
        child = OPERATORS[name].apply(parent, toy_space, rng, "new/0")
        if child is not None:
            assert list(child.problems()) == []
            made += toy_space.legal(pruned(child)) and pruned(child) != parent
    assert made >= 5


def applied(name: str, genome: Genome, space: Space, seed: int) -> Genome | None:
    return OPERATORS[name].apply(genome, space, random.Random(seed), "new/0")


def children(name: str, genome: Genome, space: Space) -> list[Genome]:
    made = (applied(name, genome, space, seed) for seed in range(60))
    return [child for child in made if child is not None]


def test_insert_keeps_everything_alive(toy_space: Space) -> None:
    for child in children("insert", CHAIN, toy_space):
        assert len(child.live_visits()) == len(child.route) == 5
        assert child.pool[-1].lineage == "new/0"


def test_an_inserted_visit_serves_all_that_read_its_source(toy_space: Space) -> None:
    """On a chain the result is a chain again."""
    for name in ("insert", "revisit"):
        for child in children(name, CHAIN, toy_space):
            assert [visit.reads for visit in child.route] == [(n - 1,) for n in range(5)]
            assert [visit.base_read for visit in child.route] == [n - 1 for n in range(5)]


def test_remove_is_the_inverse_of_insert(toy_space: Space) -> None:
    for child in children("insert", CHAIN, toy_space):
        number = next(n for n, visit in enumerate(child.route) if visit.block == 2)
        back = without_visit(child, number)
        assert back is not None
        assert genome_id(back, toy_space.catalog) == genome_id(CHAIN, toy_space.catalog)


def test_the_last_visit_that_is_left_stays() -> None:
    assert without_visit(Genome((LOOK,), (Visit(0),)), 0) is None


def test_removing_the_output_makes_its_base_the_output() -> None:
    fork = Genome((LOOK, THINK), (Visit(0), Visit(1, (0,)), Visit(1, (0,)), Visit(0, (1, 2), 1)))
    assert without_visit(fork, 3) == Genome((LOOK, THINK), (Visit(0), Visit(1, (0,))))


def test_branch_is_read_together_with_its_neighbour(toy_space: Space) -> None:
    for child in children("branch", CHAIN, toy_space):
        reader = next(visit for visit in child.route if len(visit.reads) == 2)
        one, other = (child.route[read] for read in reader.reads)
        assert one.reads == other.reads
        assert len(child.live_visits()) == len(child.route) == 5


def test_limits_of_visits_and_pool_stop_growth(toys: Catalog) -> None:
    full = Space(toys, limits=Limits(visits=4))
    assert all(applied(n, CHAIN, full, 0) is None for n in ("insert", "branch", "revisit"))
    small_pool = Space(toys, limits=Limits(pool=2))
    assert all(applied(n, CHAIN, small_pool, 0) is None for n in ("insert", "branch"))
    assert applied("revisit", CHAIN, small_pool, 0) is not None


def test_swap_keeps_the_lineage_and_what_fits_of_the_settings(toy_space: Space) -> None:
    for child in children("swap", CHAIN, toy_space):
        assert [entry.lineage for entry in child.pool] == ["look", "think"]
        assert sum(a.block.name != b.block.name for a, b in
                   zip(child.pool, CHAIN.pool, strict=True)) == 1  # fmt: skip


def test_unshare_copies_the_entry_under_a_new_lineage(toy_space: Space) -> None:
    for child in children("unshare", CHAIN, toy_space):
        assert child.pool[2] in CHAIN.pool
        assert child.pool[2].lineage == "new/0"
        assert [visit.block for visit in child.route].count(2) == 1


def test_share_lets_two_visits_use_one_entry(toy_space: Space) -> None:
    apart = replace(CHAIN, pool=(LOOK, THINK, LOOK), route=(*CHAIN.route[:2], Visit(2, (1,))))
    for child in children("share", apart, toy_space):
        assert len(pruned(child).pool) == 2


def test_a_perturbed_setting_is_alive_and_changes(toy_space: Space) -> None:
    still = replace(CHAIN, pool=(Entry(Part("look", {**LOOK.block.settings, "turn": False})),
                                 THINK))  # fmt: skip
    for child in children("setting", still, toy_space):
        changed = [
            name
            for one, other in zip(child.pool, still.pool, strict=True)
            for name in one.block.settings
            if one.block.settings[name] != other.block.settings[name]
        ]
        assert len(changed) == 1
        assert changed != ["pace"]


def test_genes_that_cannot_change_are_left_alone(toys: Catalog) -> None:
    space = Space(toys)
    assert applied("width", CHAIN, space, 0) is None
    assert applied("segments", CHAIN, space, 0) is None
    peek = replace(CHAIN, pool=(Entry(Part("peek")), THINK))
    assert applied("segments", peek, space, 0) is not None


def test_edits_are_at_least_as_many_as_asked_for(toy_space: Space) -> None:
    rng = random.Random(4)
    lengths = Counter(
        mutate(CHAIN, toy_space, rng, "c", edits=2).operator.count("+") + 1 for _ in range(300)
    )
    assert min(lengths) == 2
    assert lengths[2] > lengths[3] > lengths[4] > 0


def test_a_space_without_a_way_out_says_so(toys: Catalog) -> None:
    space = Space(toys, limits=Limits(visits=4))
    only = {"insert": OPERATORS["insert"]}
    with pytest.raises(ValueError, match=r"none of 500 mutations of genome .* widen the space"):
        mutate(CHAIN, space, random.Random(0), "c", operators=only)


def breed(space: Space, rng: random.Random, births: int) -> Counter[str]:
    """A population under mutation, crossover and immigration; every child is checked."""
    population = list(starters(space).values()) or [space.sample(rng, "first")]
    origins = Counter[str]()
    for number in range(births):
        parent, lot = rng.choice(population), rng.random()
        if lot < 0.25:
            child, origin = cross(parent, rng.choice(population), space, rng, str(number)), "cross"
        elif lot < 0.3:
            child, origin = space.sample(rng, str(number)), "sample"
        else:
            child, origin = (made := mutate(parent, space, rng, str(number))).genome, made.operator
        assert space.problems(child) == []
        assert all(EMBEDDING <= read < n for n, v in enumerate(child.route) for read in v.reads)
        assert pruned(child) == child
        assert from_json(to_json(child), space.catalog) == child
        origins.update(origin.split("+"))
        population = [*population, child][-40:]
    return origins


TIGHT = Limits(visits=12, pool=8, parameters=400_000, flops=900_000, carry_bytes=4_000)


def test_all_that_is_bred_is_legal() -> None:
    origins = breed(Space(installed(), widths=(32, 64), limits=TIGHT), random.Random(1), 1_000)
    # Few genomes have a block that reads segments.
    assert {*OPERATORS, "cross", "sample"} - set(origins) <= {"segments"}


@pytest.mark.slow
def test_ten_thousand_births_are_legal() -> None:
    breed(Space(installed(), widths=(32, 64, 96), limits=TIGHT), random.Random(2), 10_000)


def test_all_that_is_bred_of_toys_is_legal(toys: Catalog) -> None:
    limits = Limits(visits=10, parameters=60_000, flops=120_000)
    breed(Space(toys, widths=(32, 64), limits=limits), random.Random(3), 300)


def test_an_order_of_one_visit_is_not_shuffled(toy_space: Space) -> None:
    single = replace(CHAIN, pool=(LOOK,), route=(Visit(0),))
    change = OPERATORS["training"].apply
    for parent, offered in ((single, False), (CHAIN, True)):
        rng = random.Random(0)
        children = [change(parent, toy_space, rng, "c") for _ in range(60)]
        changed = {child is not None and child.training.shuffle != 0.0 for child in children}
        assert (True in changed) == offered
