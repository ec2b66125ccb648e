"""Inherited weights: a child that claims to begin as its parent gives the same logits, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from random import Random

import pytest
import torch
from torch import Tensor

from praxis_evolve.blocks.beginnings import silence
from praxis_evolve.blocks.probe import apart, close_calls, redraw
from praxis_evolve.genome.build import Model, build
from praxis_evolve.genome.crossover import cross
from praxis_evolve.genome.edit import with_changed_visit
from praxis_evolve.genome.graph import EMBEDDING, Entry, Genome, Merge, Part, Stack, Visit
from praxis_evolve.genome.identity import canonical
from praxis_evolve.genome.inherit import inherit
from praxis_evolve.genome.inheritance import KEEPING, Inheritance, inheritance
from praxis_evolve.genome.mutation import OPERATORS, mutate
from praxis_evolve.genome.starters import llama, starters
from praxis_evolve.tests.genome.random_genomes import CATALOG, CONTEXT, random_genomes, space_of

SPACE = space_of(32, 64)
NARROW = space_of(32)
TOKENS = torch.randint(256, (2, CONTEXT - 1), generator=torch.Generator().manual_seed(5))
EXACT = 1e-12


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        yield


def part(name: str, **changes: object) -> Part:
    return Part(name, {**CATALOG[name].defaults(), **changes})  # type: ignore[arg-type]


def chain(*blocks: str, residual: str = "pre", norm: str = "rmsnorm", width: int = 32) -> Genome:
    pool = tuple(Entry(part(name), lineage=f"e{i}") for i, name in enumerate(blocks))
    return Genome(pool, route_of(*range(len(blocks))), Stack(width, part(residual), part(norm)))


def planned(child: Genome, parent: Genome) -> Inheritance:
    return inheritance(canonical(child, CATALOG), canonical(parent, CATALOG), CATALOG)


def trained(genome: Genome) -> Model:
    """A model in float64 none of whose weights is as it was at the start."""
    model = build(genome, catalog=CATALOG, context=CONTEXT, seed=1).double().eval()
    redraw(model, torch.Generator().manual_seed(1))
    return model


def heir(child: Genome, parent: Model) -> tuple[Model, Inheritance, float]:
    plan = planned(child, parent.genome)
    model = build(child, catalog=CATALOG, context=CONTEXT, seed=2).double().eval()
    share = inherit(model, parent.state_dict(), plan)
    return model, plan, share


@torch.no_grad()
def gap_of(child: Model, parent: Model) -> float:
    wanted = parent(TOKENS, keep=False).logits
    found = child(TOKENS, keep=False).logits
    return apart(wanted, found) / max(1.0, wanted.abs().max().item())


def assert_begins_as(child: Genome, parent: Genome) -> tuple[Model, float]:
    """The child claims to compute what the parent does, and does."""
    before = trained(parent)
    model, plan, share = heir(child, before)
    assert plan.losses == ()
    assert gap_of(model, before) <= EXACT
    return model, share


def assert_lost(child: Genome, parent: Genome, why: str) -> None:
    """The child says why it computes something else, and does."""
    before = trained(parent)
    model, plan, _ = heir(child, before)
    assert any(why in loss for loss in plan.losses), plan.losses
    assert gap_of(model, before) > 1e-3


# ----------------------------------------------------------------------- what claims to be exact


def children(seed: int, parents: int, names: list[str]) -> Iterator[tuple[str, Genome, Model]]:
    """Children of random genomes by each operator, and their parents' models."""
    rng = Random(seed)
    for number, genome in enumerate(islice(random_genomes(SPACE, seed), parents)):
        model = trained(genome)
        with torch.no_grad():
            if close_calls(model(TOKENS, keep=False).notes):
                continue
        for name in names:
            only = {name: OPERATORS[name]}
            try:
                child = mutate(genome, SPACE, rng, f"c{number}", tail=0, operators=only)
            except ValueError:
                continue  # the operator does not apply to this genome
            yield name, child.genome, model


def check(seed: int, parents: int) -> set[str]:
    """Compare logits wherever a child claims to keep them; return the operators that kept them."""
    kept = set[str]()
    for name, child, parent in children(seed, parents, list(OPERATORS)):
        plan = planned(child, parent.genome)
        assert name in KEEPING or not plan.keeps, name
        if plan.keeps:
            kept.add(name)
            model, _, share = heir(child, parent)
            assert gap_of(model, parent) <= EXACT, (name, plan)
            assert 0 < share <= 1
    return kept


def test_random_children_that_claim_it_begin_as_their_parent() -> None:
    assert len(check(seed=1, parents=4)) > 4


@pytest.mark.slow
def test_every_operator_that_may_keep_the_function_does_and_no_other() -> None:
    assert check(seed=0, parents=60) == set(KEEPING)


@pytest.mark.slow
def test_children_of_several_edits_and_of_two_parents_that_claim_it_are_exact() -> None:
    rng, kept = Random(3), 0
    for number, genome in enumerate(islice(random_genomes(SPACE, 3), 40)):
        parent = trained(genome)
        with torch.no_grad():
            if close_calls(parent(TOKENS, keep=False).notes):
                continue
        several = mutate(genome, SPACE, rng, f"c{number}", edits=3).genome
        crossed = cross(several, genome, SPACE, rng, f"x{number}")
        for child in (several, crossed):
            model, plan, _ = heir(child, parent)
            if plan.keeps:
                kept += 1
                assert gap_of(model, parent) <= EXACT, plan
    assert kept > 3


@pytest.mark.parametrize("name", starters(NARROW, layers=2))
def test_a_child_that_is_its_parent_takes_everything(name: str) -> None:
    genome = starters(NARROW, layers=2)[name]
    model, share = assert_begins_as(genome, genome)
    assert share == 1.0
    theirs = trained(genome).state_dict()
    assert all(torch.equal(tensor, theirs[key]) for key, tensor in model.state_dict().items())


# ------------------------------------------------------------------------------- insertions


def route_of(*blocks: int) -> tuple[Visit, ...]:
    """A chain of visits to these entries."""
    return tuple(Visit(block, (i - 1,), i - 1) for i, block in enumerate(blocks))


def inserted(genome: Genome, block: Part, after: int) -> Genome:
    """The chain with one more visit after another one."""
    order = list(range(len(genome.route)))
    order.insert(after + 1, len(order))
    pool = (*genome.pool, Entry(block, lineage="new"))
    return replace(genome, pool=pool, route=route_of(*order))


PARENT = ("attention", "glu", "mingru")
SILENT = [d.name for d in CATALOG.of("block") if silence(d.name, d.defaults()) is not None]
LOUD = [d.name for d in CATALOG.of("block") if silence(d.name, d.defaults()) is None]


@pytest.mark.parametrize("name", SILENT)
def test_any_block_that_can_be_silent_may_be_inserted_under_pre_norm(name: str) -> None:
    parent = chain(*PARENT)
    assert_begins_as(inserted(parent, part(name), 1), parent)


@pytest.mark.parametrize("residual", ["rezero", "sandwich", "hyper", "frac"])
@pytest.mark.parametrize("after", [EMBEDDING, 0, 2])
def test_any_block_may_be_inserted_where_the_residual_can_be_silent(
    residual: str, after: int
) -> None:
    for norm in ("rmsnorm", "layernorm", "scalenorm"):
        parent = chain(*PARENT, residual=residual, norm=norm)
        assert_begins_as(inserted(parent, part("sru"), after), parent)


@pytest.mark.parametrize("residual", ["post", "mhc"])
def test_residuals_that_cannot_be_silent_say_so(residual: str) -> None:
    parent = chain(*PARENT, residual=residual)
    assert_lost(inserted(parent, part("glu"), 1), parent, "new and cannot be silent")


@pytest.mark.parametrize("name", LOUD)
def test_blocks_that_cannot_be_silent_say_so(name: str) -> None:
    parent = chain(*PARENT)
    assert_lost(inserted(parent, part(name), 1), parent, "new and cannot be silent")


def test_weights_of_one_bit_are_never_silent() -> None:
    parent = chain(*PARENT)
    child = inserted(parent, part("glu"), 1)
    pool = (*child.pool[:-1], replace(child.pool[-1], precision="binary"))
    assert_lost(replace(child, pool=pool), parent, "new and cannot be silent")
    three_values = (*child.pool[:-1], replace(child.pool[-1], precision="ternary"))
    assert_begins_as(replace(child, pool=three_values), parent)


@pytest.mark.parametrize("residual", ["pre", "rezero", "hyper", "frac", "sandwich"])
def test_what_is_silent_learns(residual: str) -> None:
    parent = chain(*PARENT, residual=residual)
    model, _ = assert_begins_as(inserted(parent, part("glu"), 1), parent)
    fresh = {name: tensor.clone() for name, tensor in model.named_parameters()}
    model.train()
    for _ in range(2):  # the first step opens the one factor that is zero
        model.zero_grad()
        model(TOKENS, keep=False).logits.square().mean().backward()
        with torch.no_grad():
            for parameter in model.parameters():
                assert parameter.grad is not None
                parameter -= 0.1 * parameter.grad
    number = next(i for i, entry in enumerate(model.genome.pool) if entry.lineage == "new")
    new = [name for name in fresh if name.startswith(f"pool.{number}.")]
    assert new
    moved = dict(model.named_parameters())
    assert all(not torch.equal(fresh[name], moved[name]) for name in new)


@pytest.mark.parametrize("prelude", [part("short_conv", kernel=4), part("token_shift")])
def test_a_prelude_begins_as_the_identity_and_learns(prelude: Part) -> None:
    parent = chain(*PARENT)
    pool = tuple(replace(entry, prelude=prelude) for entry in parent.pool)
    model, _ = assert_begins_as(replace(parent, pool=pool), parent)
    model(TOKENS, keep=False).logits.square().mean().backward()
    grads = [p.grad for name, p in model.named_parameters() if ".prelude." in name]
    assert len(grads) == 3
    assert all(grad is not None and bool(grad.any()) for grad in grads)


def test_a_prelude_with_an_activation_is_no_identity() -> None:
    parent = chain(*PARENT)
    entry = replace(parent.pool[0], prelude=part("short_conv", activation="silu"))
    assert_lost(replace(parent, pool=(entry, *parent.pool[1:])), parent, "another prelude")


# --------------------------------------------------------------------------------- merges


def merging(genome: Genome, merge: Merge, *reads: int) -> Genome:
    """The genome whose last visit reads these."""
    last = len(genome.route) - 1
    return with_changed_visit(genome, last, Visit(last, reads, last - 1, merge))


@pytest.mark.parametrize("before", ["mean", "sum", "gate", "concat"])
@pytest.mark.parametrize("residual", ["pre", "post"])  # a sum is a mean but where it is normed
def test_a_projection_goes_on_from_any_merge_and_one_more_read(
    before: Merge, residual: str
) -> None:
    parent = merging(chain(*PARENT, residual=residual), before, 1, EMBEDDING)
    for reads in ((1, EMBEDDING), (1, EMBEDDING, 0)):
        assert_begins_as(merging(parent, "concat", *reads), parent)


def test_a_gate_goes_on_from_a_mean_and_from_itself_in_another_order() -> None:
    parent = merging(chain(*PARENT), "mean", 1, EMBEDDING, 0)
    assert_begins_as(merging(parent, "gate", EMBEDDING, 0, 1), parent)
    gate = merging(parent, "gate", 1, EMBEDDING, 0)
    assert_begins_as(merging(parent, "gate", EMBEDDING, 0, 1), gate)
    assert_lost(
        merging(parent, "gate", 1, EMBEDDING, 0), merging(parent, "gate", 1, 0), "read more"
    )
    assert_lost(parent, gate, "merges in another way")


def test_what_a_projection_reads_newly_is_learned_at_once() -> None:
    parent = chain(*PARENT)
    model, _ = assert_begins_as(merging(parent, "concat", 1, EMBEDDING), parent)
    model(TOKENS, keep=False).logits.square().mean().backward()
    (grad,) = [p.grad for name, p in model.named_parameters() if "merge" in name]
    assert grad is not None
    assert bool(grad.any(0).all())


# ------------------------------------------------------------------------ sharing and the stack


def test_visits_of_one_entry_are_told_apart_by_what_they_read() -> None:
    """Per-visit norms follow their visit when one is set before, between or after them."""
    pool = (Entry(part("attention"), lineage="a"), Entry(part("glu"), lineage="b"))
    blocks = (0, 1, 0, 1)
    parent = Genome(pool, route_of(*blocks), Stack(32, part("rezero")))
    for place in range(5):
        longer = (*blocks[:place], 2, *blocks[place:])
        new = Entry(part("mega"), lineage="c")
        child = replace(parent, pool=(*pool, new), route=route_of(*longer))
        assert_begins_as(child, parent)


@pytest.mark.parametrize("block", [0, 1])
@pytest.mark.parametrize("place", range(5))
def test_a_revisit_is_silent_by_its_residual(block: int, place: int) -> None:
    pool = (Entry(part("attention"), lineage="a"), Entry(part("glu"), lineage="b"))
    blocks = (0, 1, 0, 1)
    more = (*blocks[:place], block, *blocks[place:])
    parent, child = (Genome(pool, route_of(*r), Stack(32, part("frac"))) for r in (blocks, more))
    assert_begins_as(child, parent)


def test_a_copy_of_a_shared_entry_begins_with_its_weights() -> None:
    pool = (Entry(part("attention"), lineage="a"), Entry(part("glu"), lineage="b"))
    chained = route_of(0, 1, 0, 1)
    parent = Genome(pool, chained, Stack(32))
    for number in range(4):
        own = replace(pool[chained[number].block], lineage="copy")
        route = (*chained[:number], replace(chained[number], block=2), *chained[number + 1 :])
        _, share = assert_begins_as(Genome((*pool, own), route, Stack(32)), parent)
        assert share == 1.0


def test_stacks_that_begin_as_the_plain_one() -> None:
    parent = chain(*PARENT)
    for stack in (
        replace(parent.stack, tied=False),
        replace(parent.stack, embedding=part("ngram")),
        replace(parent.stack, embedding=part("token", position="learned"), tied=False),
        replace(parent.stack, feedback=16),
    ):
        assert_begins_as(replace(parent, stack=stack), parent)


def test_what_is_exchanged_is_said_and_what_is_left_is_taken() -> None:
    parent = chain(*PARENT)
    for child, why in (
        (replace(parent, stack=replace(parent.stack, norm=part("layernorm"))), "another norm"),
        (replace(parent, stack=replace(parent.stack, embedding=part("factorised"))), "embedding"),
        (with_changed_visit(parent, 1, replace(parent.route[1], router=part("mod"))), "router"),
        (replace(parent, pool=(replace(parent.pool[0], block=part("retention")),
                               *parent.pool[1:])), "another block"),
    ):  # fmt: skip
        assert_lost(child, parent, why)
        _, _, share = heir(child, trained(parent))
        assert 0.3 < share < 1


def test_nothing_but_scalars_is_taken_at_another_width() -> None:
    parent = chain(*PARENT, residual="rezero")
    wider = replace(parent, stack=replace(parent.stack, width=64))
    model, plan, share = heir(wider, trained(parent))
    assert not plan.keeps
    count = sum(p.numel() for p in model.parameters())
    assert share == pytest.approx(3 / count)  # the three alphas


def test_a_swapped_block_takes_nothing_of_the_one_before() -> None:
    """Both have an ``output.weight`` of one shape, but it means another thing."""
    parent = chain("attention", "glu")
    entry = replace(parent.pool[0], block=part("stick_breaking"))
    child = replace(parent, pool=(entry, parent.pool[1]))
    model, _, _ = heir(child, trained(parent))
    plain = build(child, catalog=CATALOG, context=CONTEXT, seed=2).double()

    def output(one: Model) -> Tensor:
        return one.state_dict()["pool.0.block.output.weight"]

    assert torch.equal(output(model), output(plain))


def test_a_stranger_of_equal_genes_is_no_kin() -> None:
    """Without a common lineage nothing of the pool is taken, but the stack's parts are."""
    parent = llama(NARROW, layers=1)
    pool = tuple(replace(entry, lineage=f"other{i}") for i, entry in enumerate(parent.pool))
    deeper = llama(NARROW, layers=2)
    stranger = replace(deeper, pool=tuple(
        replace(entry, lineage=f"other{i}", block=part("mlp")) for i, entry in
        enumerate(deeper.pool)))  # fmt: skip
    assert planned(stranger, parent).alignment.entries == {}
    assert planned(replace(parent, pool=pool), parent).alignment.visits == {0: 0, 1: 1}
