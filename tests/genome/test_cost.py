"""Formulas against the built module on the meta device, for whole genomes."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from praxis_evolve.blocks.registry import installed
from praxis_evolve.genome.cost import Costs, costs, size_of
from praxis_evolve.genome.edit import pruned
from praxis_evolve.genome.graph import Genome, Part
from praxis_evolve.genome.identity import canonical
from praxis_evolve.genome.mutation import mutate
from praxis_evolve.genome.space import Space
from praxis_evolve.genome.starters import starters
from praxis_evolve.tests.genome import counting

CATALOG = installed()
CONTEXT = 64


def counted(genome: Genome) -> Costs:
    return counting.counted(genome, catalog=CATALOG, context=CONTEXT)


def declared(genome: Genome, left: Sequence[float] = ()) -> Costs:
    return costs(canonical(genome, CATALOG), catalog=CATALOG, context=CONTEXT, left=left)


def random_genomes(seed: int, count: int) -> list[Genome]:
    space, rng = Space(CATALOG, widths=(32, 64), context=CONTEXT), Random(seed)
    genomes = [space.sample(rng, f"s{i}") for i in range(count // 2)]
    while len(genomes) < count:
        parent = rng.choice([*genomes, *starters(space).values()])
        genomes.append(mutate(parent, space, rng, f"m{len(genomes)}").genome)
    return genomes


@pytest.mark.parametrize("name", starters(Space(CATALOG, context=CONTEXT)))
def test_starters_cost_what_the_formulas_say(name: str) -> None:
    genome = starters(Space(CATALOG, context=CONTEXT))[name]
    ours, real = declared(genome), counted(genome)
    assert ours.parameters == real.parameters
    assert ours.active_flops == pytest.approx(real.active_flops, rel=1e-12)
    assert ours.carry_bytes == pytest.approx(real.carry_bytes, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_random_genomes_cost_what_the_formulas_say(seed: int) -> None:
    for genome in random_genomes(seed, 15):
        ours, real = declared(genome), counted(genome)
        assert ours.parameters == real.parameters
        assert ours.active_flops == pytest.approx(real.active_flops, rel=1e-12), genome
        assert ours.carry_bytes == pytest.approx(real.carry_bytes, rel=1e-12), genome


@pytest.mark.parametrize("seed", range(2))
def test_order_and_dead_settings_cost_nothing(seed: int) -> None:
    for genome in random_genomes(seed, 40):
        ours, usual = costs(pruned(genome), catalog=CATALOG, context=CONTEXT), declared(genome)
        assert ours.parameters == usual.parameters
        if genome.stack.exit is None:  # whose places hang on the order
            assert ours.flops == pytest.approx(usual.flops, rel=1e-12)
            assert ours.carry_bytes == pytest.approx(usual.carry_bytes, rel=1e-12)


def test_flops_without_routing_are_those_of_the_genome_without_routers() -> None:
    space = Space(CATALOG, context=CONTEXT)
    routed = starters(space)["praxis"]
    plain = replace(routed, route=tuple(replace(v, router=None) for v in routed.route))
    routers = sum(v.router is not None for v in routed.route)
    assert routers > 0
    assert declared(routed).active_flops < declared(routed).flops
    gap = declared(routed).flops - counted(plain).flops
    assert 0 <= gap <= routers * 8 * routed.stack.width  # what the routers themselves compute


def test_tokens_that_left_save_only_blocks_that_remember_nothing() -> None:
    space = Space(CATALOG, context=CONTEXT)
    genome = starters(space)["llama"]
    genome = replace(
        genome, stack=replace(genome.stack, exit=Part("calm", CATALOG["calm"].defaults()))
    )
    nobody, half, everybody = (
        declared(genome, left=[share] * 3).active_flops for share in (0.0, 0.5, 1.0)
    )
    glu = CATALOG["glu"]
    settings = next(e.block.settings for e in genome.pool if e.block.name == "glu")
    saved = glu.cost(size_of(genome, CATALOG, context=CONTEXT), settings).flops / CONTEXT
    assert nobody - everybody == pytest.approx(3 * saved)
    assert nobody - half == pytest.approx(1.5 * saved)


@pytest.mark.parametrize("exit_", [None, "calm", "kl"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_head_of_two_factors_is_counted_wherever_it_decodes(
    tied: bool, exit_: str | None
) -> None:
    genome = starters(Space(CATALOG, context=CONTEXT))["llama"]
    leave = exit_ and Part(exit_, CATALOG[exit_].defaults())
    stack = replace(
        genome.stack, tied=tied, exit=leave, embedding=Part("token", {"position": "none"})
    )
    plain = replace(genome, stack=stack)
    short = replace(plain, stack=replace(stack, embedding=Part("factorised", {"ratio": 0.125})))
    assert declared(short).active_flops == pytest.approx(counted(short).active_flops, rel=1e-12)
    assert declared(short).parameters == counted(short).parameters
    assert (declared(short).flops < declared(plain).flops) == tied


@pytest.mark.parametrize("feedback", [0, 16, 32])
@pytest.mark.parametrize("patching", ["static", "space", "entropy", "learned"])
def test_what_a_router_picks_of_a_piece_is_rounded_piece_by_piece(
    patching: str, feedback: int
) -> None:
    space = Space(CATALOG, widths=(32,), context=CONTEXT)
    genome = starters(space)["llama"]
    settings = {**CATALOG["patch"].defaults(), "patching": patching}
    router = Part("patch", settings)
    last = len(genome.route) - 2  # an attention, which keeps what it was given
    route = list(genome.route)
    route[last] = replace(route[last], router=router)
    stack = replace(genome.stack, feedback=feedback)
    routed = replace(genome, route=tuple(route), stack=stack)
    assert not space.problems(routed)
    ours, real = declared(routed), counted(routed)
    assert ours.carry_bytes == pytest.approx(real.carry_bytes, rel=1e-12)
    assert ours.active_flops == pytest.approx(real.active_flops, rel=1e-12)
