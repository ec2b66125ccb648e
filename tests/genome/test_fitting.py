"""What costs too much gives way elsewhere: limits are no walls."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from praxis_evolve.blocks.registry import installed
from praxis_evolve.genome.crossover import cross
from praxis_evolve.genome.edit import places, with_part, with_setting
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.identity import genome_id
from praxis_evolve.genome.mutation import mutate
from praxis_evolve.genome.offspring import another
from praxis_evolve.genome.space import Limits, Space
from praxis_evolve.genome.starters import starters

CATALOG = installed()
WIDE = Space(CATALOG, widths=(32,), context=64, limits=Limits(visits=8))


def limited(genome: Genome, share: float) -> Space:
    """A space whose limits are a share of what *genome* costs."""
    costs = WIDE.costs(genome)
    limits = Limits(visits=8, parameters=int(share * costs.parameters), flops=share * costs.flops)
    return replace(WIDE, limits=limits)


def at_a_wall() -> tuple[Genome, Space]:
    """A genome that fills its space, whose embedding could do with longer n-grams."""
    llama = starters(WIDE, layers=2)["llama"]
    ngram = next(each for each in CATALOG.of("embedding") if each.name == "ngram")
    part = replace(llama.stack.embedding, name="ngram", settings=ngram.defaults())
    part = with_setting(part, "buckets", 1024)
    genome = with_part(llama, ("embedding", 0), part)
    longer = WIDE.costs(with_part(genome, ("embedding", 0), with_setting(part, "orders", "2+3")))
    return genome, replace(WIDE, limits=Limits(visits=8, parameters=longer.parameters - 5_000))


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), share=st.floats(0.3, 1.2))
def test_what_is_fitted_is_legal_and_otherwise_as_it_was(seed: int, share: float) -> None:
    rng = random.Random(seed)
    genome = WIDE.sample(rng, "p")
    space = limited(genome, share)
    found = space.fitted(genome, rng)
    assert (space.excess(genome) == 0) is space.legal(genome)
    if space.legal(genome):
        assert found is genome
    elif found is not None:
        assert space.problems(found) == []
        before, after = WIDE.costs(genome), WIDE.costs(found)
        assert after.parameters < before.parameters or after.flops < before.flops
        lineages = {entry.lineage for entry in genome.pool}
        assert {entry.lineage for entry in found.pool} <= lineages


def test_what_is_held_does_not_give_way() -> None:
    genome, space = at_a_wall()
    longer = with_setting(genome.stack.embedding, "orders", "2+3")
    child = with_part(genome, ("embedding", 0), longer)
    assert not space.legal(child)
    fits = [another(child, space, random.Random(n), known=(), parent=genome) for n in range(40)]
    found = [fit for fit in fits if fit is not None]
    assert len(found) >= 30
    assert all(fit.stack.embedding == longer and space.legal(fit) for fit in found)
    free = [space.fitted(child, random.Random(n)) for n in range(40)]
    assert any(fit and fit.stack.embedding != longer for fit in free), "it has a way to give"


def test_what_is_new_gives_way_in_its_settings_alone() -> None:
    genome, space = at_a_wall()
    plain = with_part(genome, ("embedding", 0), starters(WIDE, layers=2)["llama"].stack.embedding)
    large = with_setting(genome.stack.embedding, "buckets", 4096)
    child = with_part(plain, ("embedding", 0), large)
    assert not space.legal(child)
    fits = [another(child, space, random.Random(n), known=(), parent=plain) for n in range(40)]
    found = [fit for fit in fits if fit is not None]
    assert len(found) >= 30
    assert all(fit.stack.embedding.name == "ngram" and space.legal(fit) for fit in found)


def test_samples_have_what_fits_in_a_smaller_size_only() -> None:
    _, space = at_a_wall()
    drawn = [space.sample(random.Random(n), "s") for n in range(300)]
    assert all(map(space.legal, drawn))
    wide = [WIDE.sample(random.Random(n), "s") for n in range(300)]
    shares = [sum(g.stack.embedding.name == "ngram" for g in each) for each in (drawn, wide)]
    assert shares[0] > shares[1] / 2, "tables of the default size are too large here"


def test_what_frees_most_does_not_always_give_way() -> None:
    """One length of n-grams instead of two frees more than any other step."""
    genome, space = at_a_wall()
    wide = with_setting(genome.stack.embedding, "orders", "2+3")
    large = with_part(genome, ("embedding", 0), with_setting(wide, "buckets", 4096))
    assert space.excess(large)
    found = [space.fitted(large, random.Random(n)) for n in range(80)]
    orders = [fit.stack.embedding.settings["orders"] for fit in found if fit is not None]
    assert len(orders) >= 70
    assert orders.count("2+3") >= 20


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), share=st.floats(0.3, 0.95))
def test_nothing_gives_way_for_nothing(seed: int, share: float) -> None:
    genome = WIDE.sample(random.Random(seed), "p")
    limits = Limits(visits=8, parameters=int(share * WIDE.costs(genome).parameters))
    space = replace(WIDE, limits=limits)
    found = space.fitted(genome, random.Random(seed))
    if found is None or len(found.route) != len(genome.route):
        return
    old = dict(places(genome))
    for place, part in places(found):
        if part != old[place]:
            assert space.excess(with_part(found, place, old[place])) != 0, place


def test_a_step_over_a_wall_is_bred() -> None:
    genome, space = at_a_wall()
    children = [mutate(genome, space, random.Random(n), f"c{n}").genome for n in range(400)]
    assert all(map(space.legal, children))
    over = [c for c in children if c.stack.embedding.settings.get("orders", "2") != "2"]
    assert over, "one edit alone cannot reach it"
    assert all(WIDE.costs(c).parameters <= (space.limits.parameters or 0) for c in over)


def test_other_rules_are_not_mended() -> None:
    genome, space = at_a_wall()
    broken = with_part(genome, *_beyond(genome))
    assert space.excess(broken) is None
    assert space.fitted(broken, random.Random(0)) is None


def _beyond(genome: Genome):  # a part with a value that its range has not
    place, part = next((p, q) for p, q in places(genome) if "heads" in q.settings)
    return place, with_setting(part, "heads", 7_000)


def test_children_of_two_that_together_cost_too_much_keep_the_limit() -> None:
    mother, space = at_a_wall()
    small = starters(WIDE, layers=1)["llama"]
    longer = with_setting(mother.stack.embedding, "orders", "2+3")
    father = with_part(small, ("embedding", 0), longer)
    assert space.legal(father)
    known = {genome_id(mother, CATALOG), genome_id(father, CATALOG)}
    for n in range(60):
        child = cross(mother, father, space, random.Random(n), f"c{n}")
        assert space.legal(child)
        assert genome_id(child, CATALOG) not in known
