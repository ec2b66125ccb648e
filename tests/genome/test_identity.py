import random
import weakref
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, product
from random import Random
from typing import Any, cast

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.genome.draw import fresh_genome
from praxis_evolve.genome.graph import (
    EMBEDDING,
    Entry,
    Genome,
    Merge,
    Part,
    Stack,
    Training,
    Visit,
)
from praxis_evolve.genome.identity import (
    Form,
    architecture_id,
    canonical,
    genome_id,
    identify,
)
from praxis_evolve.genome.labelling import MOST_LEAVES

Shuffle = Callable[[Genome, Random], Genome]

THINK = Entry(Part("think", {"size": 4.0}))
DREAM = Entry(Part("dream"))
LOOK = Entry(Part("look", {"heads": 2, "turn": True, "pace": 10.0, "late": 1}))
SEEDS = st.integers(0, 2**32)


def small_genome(rng: Random, most: int = 5) -> Genome:
    """A wild genome of few labels, so that symmetry, sharing and dead parts are common."""
    pool = tuple(rng.choice((THINK, DREAM)) for _ in range(rng.randint(1, 3)))
    route: list[Visit] = []
    for number in range(rng.randint(1, most)):
        earlier = range(EMBEDDING, number)
        reads = tuple(rng.sample(earlier, rng.randint(1, min(2, len(earlier)))))
        base = rng.choice((None, rng.choice(earlier)))
        merge: Merge = rng.choice(("mean", "gate"))
        route.append(Visit(rng.randrange(len(pool)), reads, base, merge))
    return Genome(pool, tuple(route))


def encoded(genome: Genome) -> "nx.DiGraph[Any]":
    """The living genome as a labelled graph: what stands between two nodes says how they meet."""
    wires: nx.DiGraph[Any] = nx.DiGraph()
    for number, visit in enumerate(genome.route):
        merge = visit.merge if len(visit.reads) > 1 else ""
        wires.add_node(number, label=f"visit {merge}")
        entry = genome.pool[visit.block]
        wires.add_node(("entry", visit.block), label=f"{entry.block.name}{entry.block.settings}")
        links = [("reads", read) for read in visit.reads] + [("base", visit.base_read)]
        for kind, source in [*links, ("uses", ("entry", visit.block))]:
            wires.add_node((kind, number, source), label=kind)
            wires.add_edge(source, (kind, number, source))
            wires.add_edge((kind, number, source), number)
    wires.add_node(EMBEDDING, label="embedding")
    output = len(genome.route) - 1
    wires.nodes[output]["label"] += " output"
    return wires.subgraph(nx.ancestors(wires, output) | {output})


def isomorphic(one: Genome, other: Genome) -> bool:
    return cast(bool, nx.vf2pp_is_isomorphic(encoded(one), encoded(other), node_label="label"))


def invariant(genome: Genome) -> tuple[object, ...]:
    graph = encoded(genome)
    labels = [str(node["label"]) for node in cast("dict[Any, Any]", graph.nodes).values()]
    return graph.number_of_edges(), tuple(sorted(labels))


def test_ids_agree_with_isomorphism(toys: Catalog) -> None:
    rng = random.Random(1)
    buckets: dict[object, list[Genome]] = defaultdict(list)
    for _ in range(400):
        genome = small_genome(rng)
        buckets[invariant(genome)].append(genome)
    same = different = 0
    for bucket in buckets.values():
        for one, other in list(combinations(bucket, 2))[:40]:
            equal = isomorphic(one, other)
            assert (genome_id(one, toys) == genome_id(other, toys)) == equal
            same, different = same + equal, different + (not equal)
    assert same > 100
    assert different > 100


def test_different_invariants_have_different_ids(toys: Catalog) -> None:
    rng = random.Random(2)
    found: dict[str, object] = {}
    for _ in range(400):
        genome = small_genome(rng)
        assert found.setdefault(genome_id(genome, toys), invariant(genome)) == invariant(genome)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=SEEDS)
def test_another_writing_is_the_same_genome(toys: Catalog, shuffle: Shuffle, seed: int) -> None:
    rng = random.Random(seed)
    genome = small_genome(rng, most=9)
    other = shuffle(genome, rng)
    assert canonical(other, toys) == canonical(genome, toys)
    assert genome_id(other, toys) == genome_id(genome, toys)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=SEEDS)
def test_canonical_genomes_are_fixed_points(toys: Catalog, seed: int) -> None:
    rng = random.Random(seed)
    genome = fresh_genome(toys, (32, 64), rng, "b", visits=rng.randint(1, 16), context=128)
    form = canonical(genome, toys)
    assert canonical(form, toys) == form
    assert genome_id(form, toys) == genome_id(genome, toys)
    assert not list(form.problems())
    assert len(form.live_visits()) == len(form.route)
    assert {visit.block for visit in form.route} == set(range(len(form.pool)))
    for part in form.parts():
        assert set(part.settings) == set(toys[part.name].settings)
    for visit in form.route:
        assert visit.base is not None
        assert list(visit.reads) == sorted(visit.reads)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=SEEDS)
def test_another_sharing_is_another_genome(toys: Catalog, seed: int) -> None:
    rng = random.Random(seed)
    genome = canonical(small_genome(rng, most=7), toys)
    users = [visit.block for visit in genome.route]
    for number, block in enumerate(users):
        if users.count(block) > 1:
            route = list(genome.route)
            route[number] = replace(route[number], block=len(genome.pool))
            apart = replace(genome, pool=(*genome.pool, genome.pool[block]), route=tuple(route))
            assert genome_id(apart, toys) != genome_id(genome, toys)


def chains(lengths: list[int], *, shared: bool = False) -> Genome:
    """Chains side by side from the embedding, merged by the last visit."""
    pool, route, tips = [LOOK], list[Visit](), list[int]()
    for length in lengths:
        last = EMBEDDING
        for _ in range(length):
            block = 1 if shared else len(pool)
            if block == len(pool):
                pool.append(THINK)
            route.append(Visit(block, (last,)))
            last = len(route) - 1
        tips.append(last)
    return Genome(tuple(pool), (*route, Visit(0, tuple(tips), EMBEDDING)))


@pytest.mark.parametrize("shared", [False, True])
def test_interchangeable_twins_are_no_trouble(
    toys: Catalog, shuffle: Shuffle, shared: bool
) -> None:
    genome = chains([1] * 40, shared=shared)
    assert genome_id(shuffle(genome, random.Random(3)), toys) == genome_id(genome, toys)


def test_symmetric_siblings_are_compared(toys: Catalog, shuffle: Shuffle) -> None:
    genome = chains([2, 2, 2, 2, 3])
    assert genome_id(shuffle(genome, random.Random(3)), toys) == genome_id(genome, toys)


def test_which_siblings_share_an_entry_counts(toys: Catalog) -> None:
    """Two chains of two visits over two entries: straight, crossed or one for each place."""
    ids = set[str]()
    for blocks in product((0, 1), repeat=4):
        route = [Visit(b, (s,)) for b, s in zip(blocks, (-1, 0, -1, 2), strict=True)]
        genome = Genome((THINK, THINK, LOOK), (*route, Visit(2, (1, 3), EMBEDDING)))
        ids.add(genome_id(genome, toys))
    # 8 partitions of 4 visits into at most 2 classes, less 2 that swapping the chains makes equal.
    assert len(ids) == 6


def test_a_genome_beyond_the_most_leaves_is_refused(toys: Catalog) -> None:
    assert genome_id(chains([2] * 6), toys)  # 720 leaves
    with pytest.raises(ValueError, match=f"more than {MOST_LEAVES} orders"):
        genome_id(chains([2] * 7), toys)  # 5,040 leaves


def changed_part(**changes: bool | float) -> Genome:
    block = Part("look", {**LOOK.block.settings, **changes})
    return Genome((Entry(block), THINK), (Visit(0), Visit(1, (0,)), Visit(0, (1,))))


def test_dead_settings_do_not_count(toys: Catalog) -> None:
    still = changed_part(turn=False, pace=10.0)
    assert genome_id(still, toys) == genome_id(changed_part(turn=False, pace=99.0), toys)
    assert genome_id(changed_part(pace=10.0), toys) != genome_id(changed_part(pace=99.0), toys)
    assert canonical(changed_part(turn=False, pace=99.0), toys).pool[0].block.settings["pace"] == 10


def test_a_setting_at_its_legacy_value_is_as_if_it_were_not_there(toys: Catalog) -> None:
    late = {k: v for k, v in LOOK.block.settings.items() if k != "late"}
    old = replace(changed_part(), pool=(Entry(Part("look", late)), THINK))
    assert genome_id(old, toys) == genome_id(changed_part(late=0), toys)
    assert genome_id(old, toys) != genome_id(changed_part(late=1), toys)
    assert "late" not in Form(changed_part(late=0), toys).text()
    assert canonical(old, toys).pool[0].block.settings["late"] == 0


def test_true_is_not_one(toys: Catalog) -> None:
    assert genome_id(changed_part(heads=1), toys) != genome_id(changed_part(heads=True), toys)


def test_merge_of_one_read_and_dead_parts_do_not_count(toys: Catalog) -> None:
    genome = Genome((LOOK, THINK), (Visit(0), Visit(1, (0,))))
    dead = Genome(
        (DREAM, LOOK, THINK), (Visit(0), Visit(1), Visit(2, (0,)), Visit(2, (1,), 1, "gate"))
    )
    assert canonical(dead, toys) == canonical(genome, toys)


def test_merge_of_two_reads_counts(toys: Catalog) -> None:
    one = Genome((LOOK, THINK), (Visit(0), Visit(1, (0, -1))))
    gate = Genome((LOOK, THINK), (Visit(0), Visit(1, (0, -1), merge="gate")))
    assert genome_id(one, toys) != genome_id(gate, toys)


def test_reads_are_a_set_and_the_base_is_the_first_unless_said(toys: Catalog) -> None:
    def joined(reads: tuple[int, int], base: int | None) -> str:
        return genome_id(Genome((LOOK, THINK), (Visit(0), Visit(1, reads, base))), toys)

    assert joined((0, -1), None) == joined((-1, 0), 0)
    assert joined((0, -1), None) != joined((-1, 0), None)


def test_segments_count_where_a_block_reads_them(toys: Catalog) -> None:
    def of(block: str, segments: int) -> str:
        entry = Entry(Part(block, toys[block].defaults()))
        return genome_id(Genome((entry,), (Visit(0),), Stack(segments=segments)), toys)

    assert of("look", 2) == of("look", 8)
    assert of("peek", 2) != of("peek", 8)


def test_an_exit_without_a_place_does_not_count(toys: Catalog) -> None:
    leave = Stack(exit=Part("leave", {"at": 0.9}))
    one = Genome((LOOK, THINK), (Visit(0), Visit(1, (0,))))
    assert genome_id(replace(one, stack=leave), toys) == genome_id(one, toys)
    two = Genome((LOOK, THINK), (Visit(1), Visit(0, (0,))))
    assert genome_id(replace(two, stack=leave), toys) != genome_id(two, toys)


def test_the_architecture_is_the_genome_without_training(toys: Catalog) -> None:
    one = identify(changed_part(), toys)
    other = identify(replace(changed_part(), training=Training(learning_rate=0.02)), toys)
    assert one.architecture == other.architecture == architecture_id(changed_part(), toys)
    assert one.genome != other.genome
    assert one.genome == genome_id(changed_part(), toys)
    assert one.canonical == canonical(changed_part(), toys)


def test_every_gene_of_stack_and_training_counts(toys: Catalog) -> None:
    genome = changed_part()
    stacks = [
        Stack(width=96),
        Stack(residual=Part("many", {"streams": 2})),
        Stack(norm=Part("other")),
        Stack(embedding=Part("pairs")),
        Stack(tied=False),
    ]
    trainings = [
        replace(Training(), **{name: 0.5})
        for name in ("learning_rate", "weight_decay", "beta2", "warmup", "clip")
    ]
    variants = [replace(genome, stack=stack) for stack in stacks]
    variants += [replace(genome, training=training) for training in trainings]
    assert len({genome_id(variant, toys) for variant in (genome, *variants)}) == 11


def test_an_order_of_one_visit_does_not_count(toys: Catalog) -> None:
    def drawn(route: tuple[Visit, ...], shuffle: float) -> Genome:
        return Genome((LOOK, THINK), route, training=Training(shuffle=shuffle))

    single, chain = (Visit(0),), (Visit(0), Visit(1, (0,)))
    beside = (Visit(1), Visit(0))  # the first does not reach the output
    for route in (single, beside):
        assert genome_id(drawn(route, 0.3), toys) == genome_id(drawn(single, 0.0), toys)
        assert canonical(drawn(route, 0.3), toys).training.shuffle == 0.0
    assert genome_id(drawn(chain, 0.3), toys) != genome_id(drawn(chain, 0.0), toys)


def test_ids_never_change_between_releases(toys: Catalog) -> None:
    """Records of old runs name genomes by these; a change here breaks every ledger."""
    assert architecture_id(changed_part(), toys) == PINNED_ARCHITECTURE
    assert genome_id(changed_part(), toys) == PINNED_GENOME


PINNED_ARCHITECTURE = "741693f1d4990406cbc7285f2614ed678b28c5d31ac48b303733ccbc6efe260e"
PINNED_GENOME = "3447db9c18391efb0ca3d360d5023d6a659d1144e5dc2b11d1c178028350870a"


def test_a_name_that_is_kept_is_right_and_keeps_no_genome_alive(toys: Catalog) -> None:
    genome = small_genome(Random(3))
    other = toys.extended()
    assert genome_id(genome, toys) == genome_id(genome, other) == Form(genome, toys).genome_id()
    alive = weakref.ref(genome)
    del genome
    assert alive() is None
