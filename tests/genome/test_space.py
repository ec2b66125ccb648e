import random
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from praxis_evolve.blocks.ranges import Choice, Integer, Real, on_grid
from praxis_evolve.blocks.registry import Catalog, installed
from praxis_evolve.genome.draw import fresh_genome
from praxis_evolve.genome.graph import EMBEDDING, Entry, Genome, Part, Stack, Training, Visit
from praxis_evolve.genome.identity import genome_id
from praxis_evolve.genome.repair import nearest, repair
from praxis_evolve.genome.space import Limits, Space
from praxis_evolve.genome.starters import starters

LOOK = Entry(Part("look", {"heads": 2, "turn": True, "pace": 10.0, "late": 1}))
THINK = Entry(Part("think", {"size": 4.0}))
SKIP = Part("skip", {"share": 0.5})
GENOME = Genome((LOOK, THINK), (Visit(0), Visit(1, (0,)), Visit(0, (1,)), Visit(1, (2,))))
QUICK = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_a_sound_genome_is_legal(toy_space: Space) -> None:
    assert toy_space.problems(GENOME) == []
    assert toy_space.legal(GENOME)


def entry(block: Part, prelude: Part | None = None) -> Genome:
    return replace(GENOME, pool=(LOOK, Entry(block, prelude)))


def routed(*routers: Part | None) -> Genome:
    pairs = zip(GENOME.route, routers, strict=True)
    return replace(GENOME, route=tuple(replace(v, router=r) for v, r in pairs))


ILLEGAL: list[tuple[Genome, str]] = [
    (Genome((), ()), "the route has no visit"),
    (replace(GENOME, route=(Visit(7),)), "visit 0 names pool entry 7, but the pool has 2"),
    (replace(GENOME, route=GENOME.route * 5), "has 20 visits, but the limit is 16"),
    (entry(Part("thimk")), "pool entry 1: no block is called 'thimk'; the nearest are.*'think'"),
    (entry(Part("pre")), "pool entry 1 must be of the kind 'block', but 'pre' is a 'residual'"),
    (entry(Part("think")), "pool entry 1: 'think' lacks the setting 'size'"),
    (entry(Part("think", {"size": 9.0})), "think.size must be a float from 1 to 8, but is 9.0"),
    (entry(Part("dream"), Part("dream")), "prelude of pool entry 1 must be a block that is decl"),
    (entry(Part("dream"), Part("slide")), "prelude of pool entry 1: 'slide' lacks the setting"),
    (routed(None, None, None, Part("pre")), "router of visit 3 must be of the kind 'router'"),
    (replace(GENOME, stack=Stack(norm=Part("pre"))), "norm must be of the kind 'norm'"),
    (replace(GENOME, stack=Stack(exit=Part("pre"))), "exit must be of the kind 'exit'"),
    (replace(GENOME, stack=Stack(width=48)), r"width must be one of \[32, 64, 96\].*, but is 48"),
    (replace(GENOME, stack=Stack(segments=1)), "stack.segments must be one of 2, 4, 8, but is 1"),
    (replace(GENOME, training=Training(learning_rate=1.0)), "training.learning_rate must be a fl"),
    (replace(GENOME, training=Training(beta2=0.5)), "training.beta2 must be one of"),
    (routed(SKIP, SKIP, None, None), "visit 1 and visit 0, which it reads, both leave tokens out"),
    (Genome((THINK,), (Visit(0),)), "no block that reaches the output mixes tokens"),
    (Genome((LOOK, THINK), (Visit(0), Visit(1))), "no block that reaches the output mixes"),
]


@pytest.mark.parametrize(("genome", "message"), ILLEGAL, ids=range(len(ILLEGAL)))
def test_what_is_illegal_is_said(toy_space: Space, genome: Genome, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        assert not (problems := toy_space.problems(genome)), "; ".join(problems)


def test_routers_may_stand_apart_or_work_on_all_tokens(toy_space: Space) -> None:
    assert toy_space.legal(routed(SKIP, None, SKIP, None))
    assert toy_space.legal(routed(SKIP, Part("weigh"), SKIP, None))


def test_a_block_that_needs_all_tokens_stands_behind_no_router() -> None:
    space = Space(installed())
    needs = [d.name for d in installed().of("block") if not d.routed]
    assert needs
    mod = Part("mod", installed()["mod"].defaults())
    for name in needs:
        start = starters(space)["llama"]
        entry = replace(start.pool[0], block=Part(name, installed()[name].defaults()))
        free = replace(start, pool=(entry, *start.pool[1:]))
        route = (replace(free.route[0], router=mod), *free.route[1:])
        assert space.legal(free)
        wrong = replace(free, route=route)
        assert any(f"{name!r} must see all" in problem for problem in space.problems(wrong))
        mended = repair(wrong, space, Random(0))
        assert genome_id(mended, space.catalog) == genome_id(free, space.catalog)


def test_a_mixing_prelude_is_enough(toy_space: Space) -> None:
    slide = Part("slide", {"reach": 4})
    assert toy_space.legal(Genome((replace(THINK, prelude=slide),), (Visit(0),)))


def test_a_genome_that_cannot_be_identified_is_illegal(toys: Catalog) -> None:
    route: list[Visit] = []
    for chain in range(7):
        route += [Visit(2 * chain), Visit(2 * chain + 1, (2 * chain,))]
    route.append(Visit(14, tuple(range(1, 14, 2)), EMBEDDING))
    genome = Genome((*(THINK,) * 14, LOOK), tuple(route))
    assert "too symmetric to be identified" in Space(toys).problems(genome)[0]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(parameters=100), r"parameters are [\d,]+, but the limit is 100"),
        (Limits(flops=10), r"flops are [\d,]+, but the limit is 10"),
        (Limits(carry_bytes=1), r"carry_bytes are [\d,]+, but the limit is 1"),
        (Limits(pool=1), "has 2 pool entries, but the limit is 1"),
    ],
)
def test_limits(toys: Catalog, limits: Limits, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        assert not (problems := Space(toys, limits=limits).problems(GENOME)), problems[0]


def test_costs_are_those_of_the_canonical_genome(toy_space: Space) -> None:
    dead = replace(GENOME, pool=(*GENOME.pool, THINK), route=(*GENOME.route[:3], Visit(2), Visit(
        1, (2,))))  # fmt: skip
    assert toy_space.costs(dead) == toy_space.costs(GENOME)


IMPOSSIBLE: list[tuple[Callable[[Catalog], Space], str]] = [
    (lambda c: Space(c, widths=()), "multiples of 32, at least one, but are"),
    (lambda c: Space(c, widths=(48,)), r"multiples of 32, at least one, but are \[48\]"),
    (lambda c: Space(c, context=8), "context of a space must be at least 16 tokens, but is 8"),
    (lambda c: Space(c.only(["look"])), "catalog has no residual"),
    (lambda c: Space(c.only(["pre", "rmsnorm", "token", "think"])), "no block that mixes"),
    (lambda c: Space(c, limits=Limits(visits=0)), "limits.visits must be at least 1, but is 0"),
]


@pytest.mark.parametrize(("make", "message"), IMPOSSIBLE)
def test_impossible_spaces(toys: Catalog, make: Callable[[Catalog], Space], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(toys)


@QUICK
@given(seed=st.integers(0, 2**32))
def test_samples_are_legal(toy_space: Space, seed: int) -> None:
    genome = toy_space.sample(random.Random(seed), "birth")
    assert toy_space.problems(genome) == []
    assert all(entry.lineage.startswith("birth/") for entry in genome.pool)
    assert genome == toy_space.sample(random.Random(seed), "birth")


def test_samples_of_the_installed_catalog_keep_narrow_limits() -> None:
    limits = Limits(visits=6, pool=3, parameters=100_000, flops=150_000, carry_bytes=2_000)
    space = Space(installed(), widths=(32, 64), limits=limits)
    rng = random.Random(5)
    for number in range(50):
        found = space.costs(genome := space.sample(rng, str(number)))
        assert len(genome.route) <= 6
        assert len(genome.pool) <= 3
        assert found.parameters <= 100_000
        assert found.flops <= 150_000
        assert found.carry_bytes <= 2_000


def test_samples_show_every_declared_thing(toy_space: Space) -> None:
    rng = random.Random(6)
    names = {part.name for n in range(300) for part in toy_space.sample(rng, str(n)).parts()}
    assert names == {declaration.name for declaration in toy_space.catalog}


def test_a_space_where_nothing_fits_says_so(toys: Catalog) -> None:
    space = Space(toys, limits=Limits(parameters=1000))
    with pytest.raises(ValueError, match=r"none of 300 genomes .* the limit is 1,000; .*raise"):
        space.sample(random.Random(0), "birth")


def damaged(genome: Genome, rng: Random) -> Genome:
    """A genome with some wrong things: reads, blocks, names, settings, genes."""
    route = list(genome.route)
    for number in rng.sample(range(len(route)), min(2, len(route))):
        reads = tuple(rng.randrange(-3, len(route) + 2) for _ in range(rng.randint(0, 3)))
        base = rng.choice((None, 99, number))
        route[number] = replace(
            route[number], block=rng.randrange(-2, 9), reads=reads, base=base, router=SKIP
        )
    pool = list(genome.pool)
    wrong = [Part("gone"), Part("think", {"size": 99.0}), Part("look", {"heads": True, "x": 1})]
    pool[rng.randrange(len(pool))] = Entry(rng.choice(wrong), rng.choice((None, *wrong)))
    stack = rng.choice((Stack(width=70, segments=3), Stack(norm=Part("gone")), genome.stack))
    training = rng.choice((Training(learning_rate=9.0), Training(clip=float("nan"))))
    return replace(genome, pool=tuple(pool), route=tuple(route), stack=stack, training=training)


@QUICK
@given(seed=st.integers(0, 2**32))
def test_repair_makes_legal(toys: Catalog, seed: int) -> None:
    rng = random.Random(seed)
    wide = fresh_genome(toys, (64, 128), rng, "birth", visits=rng.randint(1, 24), context=128)
    space = Space(toys, widths=(32, 64), limits=Limits(visits=12, parameters=70_000))
    repaired = repair(damaged(wide, rng), space, rng)
    assert space.problems(repaired) == []


def test_repair_leaves_the_legal_alone(toy_space: Space) -> None:
    assert repair(GENOME, toy_space, random.Random(0)) is GENOME


def test_repair_of_nothing_draws(toy_space: Space) -> None:
    repaired = repair(Genome((), ()), toy_space, random.Random(0), birth="b7")
    assert toy_space.legal(repaired)
    assert all(entry.lineage.startswith("b7/") for entry in repaired.pool)


def test_repair_keeps_what_is_legal(toy_space: Space) -> None:
    wrong = replace(
        GENOME, stack=Stack(width=70), training=Training(learning_rate=9.0, clip=2.0),
        pool=(LOOK, Entry(Part("think", {"size": 9.5})))
    )  # fmt: skip
    right = repair(wrong, toy_space, random.Random(0))
    assert right.stack.width == 64
    assert right.training == Training(learning_rate=0.03, clip=2.0)
    assert right.pool == (LOOK, Entry(Part("think", {"size": 8.0})))
    assert [visit.reads for visit in right.route] == [visit.reads for visit in GENOME.route]


@given(value=st.floats() | st.integers() | st.booleans() | st.text() | st.none())
def test_nearest_is_legal_and_near(value: object) -> None:
    for range_, default in (
        (Real(0.5, 300.0), 1.0),
        (Integer(-3, 9), 2),
        (Choice((1, 2, 8)), 2),
        (Choice((True, "a")), "a"),
    ):
        near = nearest(range_, value, default)
        assert range_.problem(near) is None
        if range_.problem(value) is None:
            assert near == value
    if isinstance(value, float) and 0.5 <= value <= 300.0:
        assert nearest(Real(0.5, 300.0), value, 1.0) == on_grid(value)
