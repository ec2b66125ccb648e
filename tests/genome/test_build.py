"""Whole genomes as modules: the carry law, what is shared, exits and routers, copies, meta."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice, pairwise
from random import Random
from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from praxis_evolve.blocks.probe import apart, balance, redraw
from praxis_evolve.blocks.projection import Projection, set_precision
from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.genome.build import Model, build
from praxis_evolve.genome.graph import Entry, Genome, Merge, Part, Stack, Visit
from praxis_evolve.genome.identity import genome_id
from praxis_evolve.genome.starters import llama, starters
from praxis_evolve.tests.genome.random_genomes import (
    CATALOG,
    CONTEXT,
    probed,
    random_genomes,
    space_of,
)

Shuffle = Callable[[Genome, Random], Genome]

SPACE = space_of(32, 64)
NARROW = space_of(32)
STARTERS = starters(SPACE, layers=2)
AS_WRITTEN = Catalog(tuple(replace(d, lengthless=False) for d in CATALOG.declarations))
"""A catalog by which a sum of reads is not built as their mean."""

TOKENS = torch.randint(256, (2, CONTEXT - 1), generator=torch.Generator().manual_seed(5))


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        yield


def made(genome: Genome, catalog: Catalog = CATALOG, **more: Any) -> Model:
    return build(genome, catalog=catalog, context=CONTEXT, **more)


def opened(genome: Genome, catalog: Catalog = CATALOG) -> Model:
    """The model in float64 and eval() with redrawn parameters."""
    model = made(genome, catalog).double().eval()
    redraw(model, torch.Generator().manual_seed(1))
    return model


def part(name: str, **changes: Any) -> Part:
    return Part(name, {**CATALOG[name].defaults(), **changes})


def small() -> Genome:
    return llama(NARROW, layers=2)


# ------------------------------------------------------------------------------- carry law


def in_chunks(model: Model, tokens: Tensor, rng: Random) -> Tensor:
    """Feed *tokens* with holes among them in uneven chunks; the logits of the real tokens."""
    rows, length = tokens.shape
    total = length + rng.randint(0, 9)
    at = torch.full((rows, total), -1)
    spread = torch.randint(256, (rows, total))
    for row in range(rows):
        places = torch.tensor(sorted(rng.sample(range(total), length)))
        at[row, places] = torch.arange(length)
        spread[row, places] = tokens[row]
    cuts = sorted(rng.randint(0, total) for _ in range(rng.randint(0, 6)))
    carry, pieces = None, list[Tensor]()
    for start, stop in pairwise([0, *cuts, total]):
        output = model(spread[:, start:stop], carry, at=at[:, start:stop])
        carry, pieces = output.carry, [*pieces, output.logits]
    return torch.cat(pieces, 1)[at >= 0].reshape(rows, length, -1)


@pytest.mark.parametrize("name", STARTERS)
@torch.no_grad()
def test_starters_keep_the_carry_law(name: str) -> None:
    model = probed(STARTERS[name], TOKENS)
    assert model is not None
    whole = model(TOKENS).logits
    for seed in range(4):
        assert apart(whole, in_chunks(model, TOKENS, Random(seed))) < 1e-8


@given(seed=st.integers(0, 2**32))
@settings(max_examples=12)
@torch.no_grad()
def test_random_genomes_keep_the_carry_law(seed: int) -> None:
    rng = Random(seed)
    length = rng.randint(2, CONTEXT)
    tokens = torch.randint(256, (2, length), generator=torch.Generator().manual_seed(seed))
    for genome in islice(random_genomes(SPACE, seed), 2):
        model = probed(genome, tokens, seed)
        if model is not None:
            assert apart(model(tokens).logits, in_chunks(model, tokens, rng)) < 1e-8


@pytest.mark.parametrize("name", STARTERS)
@torch.no_grad()
def test_tokens_one_by_one_equal_the_whole(name: str) -> None:
    model = probed(STARTERS[name], TOKENS)
    assert model is not None
    carry, pieces = None, list[Tensor]()
    for place in range(TOKENS.shape[1]):
        output = model(TOKENS[:, place : place + 1], carry)
        carry, pieces = output.carry, [*pieces, output.logits]
    assert apart(model(TOKENS).logits, torch.cat(pieces, 1)) < 1e-8


# ------------------------------------------------------------------------------- identity


def assert_equal(one: Model, other: Model) -> None:
    ours, theirs = one.state_dict(), other.state_dict()
    assert list(ours) == list(theirs)
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def train_a_little(model: Model, steps: int = 3) -> list[float]:
    losses = list[float]()
    for step in range(steps):
        torch.manual_seed(step)
        output = model(TOKENS[:, :-1], keep=False)
        loss = F.cross_entropy(output.logits.flatten(0, 1), TOKENS[:, 1:].flatten())
        (loss + sum(n.value for n in output.notes if n.kind == "loss")).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter -= 0.1 * parameter.grad
                    parameter.grad = None
        model.after_step()
        losses.append(loss.item())
    return losses


def test_relabelled_genomes_start_equal_and_train_alike(shuffle: Shuffle) -> None:
    genomes = [*STARTERS.values(), *islice(random_genomes(SPACE, 3), 6)]
    for number, genome in enumerate(genomes):
        one, other = made(genome, seed=7), made(shuffle(genome, Random(number)), seed=7)
        assert_equal(one, other)
        assert train_a_little(one) == train_a_little(other)
        assert_equal(one, other)


def test_seeds_and_places_differ() -> None:
    one, other = made(small(), seed=1), made(small(), seed=2)
    assert not torch.equal(next(one.parameters()), next(other.parameters()))
    first, _, third, _ = (next(entry.parameters()) for entry in one.pool)
    assert first.shape == third.shape
    assert not torch.equal(first, third)


def test_a_build_leaves_the_generator_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    made(small())
    assert torch.equal(torch.rand(4), expected)


# ------------------------------------------------------------------------------- sharing


def test_state_dicts_name_each_tensor_once() -> None:
    for genome in [*STARTERS.values(), *islice(random_genomes(SPACE, 4), 15)]:
        tensors = list(made(genome).state_dict(keep_vars=True).values())
        places = [tensor.data_ptr() for tensor in tensors if tensor.numel()]
        assert len(places) == len(set(places))


def pingpong(*blocks: int) -> Genome:
    """A chain of visits to these entries of the pool, all of which are attention."""
    entries = tuple(Entry(part("attention", heads=2, group=1)) for _ in range(max(blocks) + 1))
    route = tuple(Visit(block, (number - 1,)) for number, block in enumerate(blocks))
    return replace(small(), pool=entries, route=route)


@torch.no_grad()
def test_a_shared_entry_equals_two_with_equal_weights() -> None:
    shared, apart_ = opened(pingpong(0, 1, 0)), opened(pingpong(0, 1, 2))
    assert len(shared.pool) == 2
    state = shared.state_dict()
    state |= {
        name.replace("pool.0.", "pool.2."): tensor
        for name, tensor in state.items()
        if name.startswith("pool.0.")
    }
    apart_.load_state_dict(state)
    assert torch.equal(shared(TOKENS).logits, apart_(TOKENS).logits)
    for parameter in apart_.pool[2].parameters():
        parameter.zero_()
    assert not torch.equal(shared(TOKENS).logits, apart_(TOKENS).logits)


@torch.no_grad()
def test_tied_shares_the_table_and_untied_does_not() -> None:
    genome = small()
    tied, untied = opened(genome), opened(replace(genome, stack=replace(genome.stack, tied=False)))
    assert "head.weight" not in tied.state_dict()
    for model, silent in ((tied, True), (untied, False)):
        cast(Tensor, model.embedding.table).zero_()
        assert bool((model.decode(torch.ones(1, 1, 32).double()) == 0).all()) == silent


# --------------------------------------------------------------- modes, notes, copies, meta


def looks_ahead(genome: Genome) -> bool:
    return genome.stack.exit is not None or any(visit.router for visit in genome.route)


@torch.no_grad()
def test_modes_and_keep_do_not_change_logits() -> None:
    for genome in [*STARTERS.values(), *islice(random_genomes(SPACE, 6), 15)]:
        model = probed(genome, TOKENS)
        if model is None:
            continue
        kept, unkept = model(TOKENS), model(TOKENS, keep=False)
        assert apart(kept.logits, unkept.logits) < 1e-9
        assert unkept.carry is None
        names = {f"visits.{number}" for number in range(len(model.genome.route))}
        assert {note.visit for note in kept.notes} <= names | {"", "embedding"}
        if not looks_ahead(genome):
            assert apart(kept.logits, model.train()(TOKENS).logits) < 1e-9


@pytest.mark.parametrize("name", STARTERS)
@torch.no_grad()
def test_a_copy_is_a_model_of_its_own(name: str) -> None:
    model = opened(STARTERS[name])
    before = model(TOKENS).logits
    copied = copy.deepcopy(model)
    for parameter in model.parameters():
        parameter.zero_()
    model.after_step()
    assert torch.equal(copied(TOKENS).logits, before)
    for parameter in copied.parameters():
        parameter.zero_()
    assert not copied(TOKENS).logits.any()


class _Allocations(TorchDispatchMode):
    """Notes the largest tensor with storage that an operation returns."""

    largest = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and not result.is_meta:
            self.largest = max(self.largest, result.numel())
        return result


@pytest.mark.parametrize("name", STARTERS)
def test_a_meta_build_allocates_nothing(name: str) -> None:
    genome = STARTERS[name]
    wide = replace(genome, stack=replace(genome.stack, width=4096))
    with _Allocations() as allocations:
        model = made(wide, device="meta")
    assert all(tensor.is_meta for tensor in [*model.parameters(), *model.buffers()])
    assert allocations.largest <= 4096


# ---------------------------------------------------------------------------- exits, routers


def with_exit(genome: Genome, **changes: Any) -> Genome:
    return replace(genome, stack=replace(genome.stack, exit=part("calm", **changes)))


def first_visits(genome: Genome, count: int) -> Genome:
    route = genome.route[:count]
    return replace(genome, pool=genome.pool[:count], route=route)


def with_weights_of(genome: Genome, other: Model) -> Model:
    """A model of *genome* with those weights of *other* that stand at the same paths."""
    model = made(genome).double().eval()
    state = other.state_dict()
    model.load_state_dict({name: state[name] for name in model.state_dict()})
    return model


@pytest.mark.parametrize("measure", ["softmax", "cosine", "classifier"])
@torch.no_grad()
def test_nothing_leaves_at_a_threshold_of_one(measure: str) -> None:
    leaving = opened(with_exit(small(), measure=measure, threshold=1.0))
    plain = with_weights_of(small(), leaving)
    assert leaving.exits
    assert torch.equal(leaving(TOKENS).logits, plain(TOKENS).logits)


@torch.no_grad()
def test_tokens_that_left_keep_the_state_that_they_left_with() -> None:
    model = opened(with_exit(small(), measure="cosine", threshold=0.9))
    (place,) = (int(name) for name in model.exits)
    exit_ = model.exits[str(place)]
    margins = [n.value for n in model(TOKENS).notes if n.kind == "margin"]
    balance(exit_, torch.cat(margins))
    output = model(TOKENS)
    (margin,) = (note.value for note in output.notes if note.kind == "margin")
    left = margin > 0
    assert 0.15 < left.double().mean() < 0.85
    short = with_weights_of(first_visits(small(), place + 1), model)
    assert torch.equal(output.logits[left], short(TOKENS).logits[left])
    assert not torch.equal(output.logits[~left], short(TOKENS).logits[~left])


def test_exits_are_trained_and_do_not_change_the_training_pass() -> None:
    leaving = opened(with_exit(small(), measure="classifier")).train()
    plain = with_weights_of(small(), leaving).train()
    output = leaving(TOKENS)
    assert torch.equal(output.logits, plain(TOKENS).logits)
    notes = [note for note in output.notes if note.kind == "loss"]
    assert len(notes) == len(leaving.exits) == 1
    notes[0].value.backward()
    for parameter in leaving.exits.parameters():
        assert parameter.grad is not None
        assert parameter.grad.any()


@pytest.mark.parametrize("residual", ["pre", "hyper", "rezero"])
@torch.no_grad()
def test_tokens_that_a_router_leaves_out_keep_their_base_bit_for_bit(residual: str) -> None:
    genome = small()
    genome = replace(genome, stack=replace(genome.stack, residual=part(residual)))
    routed = replace(genome.route[3], router=part("mod", capacity=0.5))
    model = opened(replace(genome, route=(*genome.route[:3], routed)))
    margins = [n.value for n in model(TOKENS).notes if n.kind == "margin"]
    balance(cast(Any, model.visits[3]).router, torch.cat(margins))
    output = model(TOKENS)
    (margin,) = (note.value for note in output.notes if note.kind == "margin")
    short = with_weights_of(first_visits(genome, 3), model)(TOKENS).logits
    out = margin <= 0
    assert 0.15 < out.double().mean() < 0.85
    assert torch.equal(output.logits[out], short[out])
    assert (output.logits != short)[~out].any(-1).all()


# ----------------------------------------------------------------------------- many genomes


def assert_each_builds_and_runs(seed: int, count: int) -> None:
    tokens = TOKENS[:1, :20]
    for genome in islice(random_genomes(space_of(32, 64, 96), seed), count):
        model = made(genome)
        with torch.no_grad():
            assert model(tokens, keep=False).logits.isfinite().all()
            assert model.eval()(tokens).logits.shape == (1, 20, 256)


def test_random_genomes_build_and_run() -> None:
    assert_each_builds_and_runs(seed=1, count=300)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 20))
def test_ten_thousand_genomes_build_and_run(seed: int) -> None:
    assert_each_builds_and_runs(seed=seed, count=1000)


def two_reads(merge: Merge, residual: str) -> Genome:
    first, second = Entry(part("attention")), Entry(part("glu"))
    route = (Visit(0), Visit(1, (0,)), Visit(1, (0, 1), 1, merge))
    stack = Stack(residual=part(residual), norm=part("rmsnorm"), embedding=part("token"))
    return Genome((first, second), route, stack)


@pytest.mark.parametrize("residual", ["pre", "hyper"])
@pytest.mark.parametrize("merge", ["mean", "gate", "sum", "concat"])
def test_a_merge_makes_one_of_several_reads(merge: Merge, residual: str) -> None:
    model = opened(two_reads(merge, residual), AS_WRITTEN)
    visit = cast(Any, model.visits[2])
    wide = [torch.randn(2, 3, model.streams, 64).double() for _ in range(2)]
    streams = wide if model.streams > 1 else [one[:, :, 0] for one in wide]
    weights = {"mean": [0.5, 0.5], "sum": [1.0, 1.0]}.get(merge)
    if merge == "gate":
        weights = (visit.merge.logits.exp() / visit.merge.logits.exp().sum()).tolist()
    if weights is None:
        left, right = visit.merge.projection.weight.T.chunk(2)
        expected = streams[0] @ left + streams[1] @ right
    else:
        expected = weights[0] * streams[0] + weights[1] * streams[1]
    torch.testing.assert_close(visit.merged(streams), expected)


def test_rounded_weights_are_a_gene_of_the_entry() -> None:
    genome = small()
    rounded = replace(genome, pool=tuple(replace(e, precision="ternary") for e in genome.pool))
    full, ternary = made(genome, seed=3), made(rounded, seed=3)
    assert full.state_dict().keys() == ternary.state_dict().keys()
    precisions = {m.precision for m in ternary.modules() if isinstance(m, Projection)}
    assert precisions == {"ternary"}
    assert apart(full(TOKENS).logits, ternary(TOKENS).logits) > 0.01
    set_precision(ternary, "full")
    assert torch.equal(full(TOKENS).logits, ternary(TOKENS).logits)


def test_blocks_say_whether_they_project() -> None:
    for declaration in CATALOG.of("block"):
        block = declaration.load()(32, **declaration.defaults())
        found = any(isinstance(module, Projection) for module in block.modules())
        assert declaration.projects == found, declaration.name


def stirred(genome: Genome) -> Model:
    """The model as written, a little way from its start, where no gate is closed any more."""
    model, rng = made(genome, AS_WRITTEN).double().eval(), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn(parameter.shape, generator=rng, dtype=torch.float64) / 10
    return model


@pytest.mark.parametrize("norm", ["rmsnorm", "layernorm", "scalenorm"])
@pytest.mark.parametrize("residual", [d.name for d in CATALOG.of("residual")])
@pytest.mark.parametrize("router", [None, *(d.name for d in CATALOG.of("router"))])
def test_a_sum_is_a_mean_just_where_no_length_is_seen(
    residual: str, norm: str, router: str | None
) -> None:
    genome = llama(NARROW, layers=1)
    last = replace(genome.route[1], reads=(-1, 0), base=0, router=router and part(router))
    stack = replace(genome.stack, residual=part(residual), norm=part(norm))
    mean, added = (
        replace(genome, stack=stack, route=(genome.route[0], replace(last, merge=merge)))
        for merge in ("mean", "sum")
    )
    alike = genome_id(mean, CATALOG) == genome_id(added, CATALOG)
    assert alike == (residual != "post")
    ours, theirs = stirred(mean), stirred(added)
    assert ours.genome != theirs.genome
    gap = apart(ours(TOKENS).logits, theirs(TOKENS).logits)
    assert gap < 1e-4 if alike else gap > 0.01


def test_work_is_shuffled_in_training_alone() -> None:
    genome = STARTERS["llama"]
    shuffled = replace(genome, training=replace(genome.training, shuffle=1.0))
    plain, mixed = made(genome, seed=1), made(shuffled, seed=1)
    torch.manual_seed(0)
    seen = [mixed(TOKENS, keep=False).logits for _ in range(6)]
    assert len({round(float(one.detach().sum()), 4) for one in seen}) > 3
    torch.stack(seen).sum().backward()
    assert all(parameter.grad is not None for parameter in mixed.parameters())
    assert torch.equal(mixed.eval()(TOKENS).logits, plain.eval()(TOKENS).logits)
    assert torch.equal(plain.train()(TOKENS).logits, plain.eval()(TOKENS).logits)


def test_leaving_behind_visits_that_change_nothing_yet_loses_nothing_and_ends() -> None:
    """With ReZero all tokens leave by divergence at the start, until visits learn to matter."""
    genome = llama(NARROW, layers=2)
    stack = replace(genome.stack, residual=part("rezero"), exit=part("kl"))
    leaving, staying = (
        made(replace(genome, stack=chosen), seed=1) for chosen in (stack, replace(stack, exit=None))
    )
    text = torch.tensor(list(b"the cat sat on the mat and saw the rat. " * 4))[:144].view(4, 36)
    optimizer = torch.optim.AdamW(leaving.parameters(), lr=0.01)
    shares = list[float]()
    for step in range(41):
        if step in (0, 40):
            notes = leaving.eval()(text, keep=False).notes
            shares += [float(note.value) for note in notes if note.name == "left"]
        if step == 0:
            assert torch.equal(leaving(text).logits, staying.eval()(text).logits)
        output = leaving.train()(text[:, :-1], keep=False)
        loss = F.cross_entropy(output.logits.flatten(0, 1), text[:, 1:].flatten())
        optimizer.zero_grad()
        (loss + sum(note.value for note in output.notes if note.kind == "loss")).backward()
        if step:
            assert all(p.grad is not None and p.grad.any() for p in leaving.parameters())
        optimizer.step()
    assert shares[0] == 1.0
    assert shares[-1] < 0.5
