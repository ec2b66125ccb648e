"""Layerwise feedback: what is heard, how a row is cut for it, and that it is a gene like others."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from praxis_evolve.blocks.frame import Frame, Note, dense_frame
from praxis_evolve.blocks.probe import redraw
from praxis_evolve.blocks.registry import installed
from praxis_evolve.genome.build import Model, build
from praxis_evolve.genome.cost import pieces_of, size_of
from praxis_evolve.genome.feedback import joined_notes, pieces
from praxis_evolve.genome.gene_operators import change_feedback
from praxis_evolve.genome.graph import Entry, Genome, Part, Stack, Training, Visit
from praxis_evolve.genome.identity import canonical, genome_id
from praxis_evolve.genome.space import Space
from praxis_evolve.genome.starters import starters

CATALOG = installed()
CONTEXT = 64
DELAY = 16
TOKENS = torch.randint(0, 256, (3, 48), generator=torch.Generator().manual_seed(0))
SPACE = Space(CATALOG, widths=(32,), context=CONTEXT)


def part(name: str, **changes: Any) -> Part:
    return Part(name, {**CATALOG[name].defaults(), **changes})


def memoryless(route: Sequence[Visit], residual: str = "pre", feedback: int = DELAY) -> Genome:
    """A genome in which nothing but the feedback sees an earlier token."""
    pool = tuple(Entry(part("mlp"), lineage=str(number)) for number in range(len(route)))
    stack = Stack(width=32, residual=part(residual), norm=part("rmsnorm"), embedding=part("token"),
                  feedback=feedback)  # fmt: skip
    return Genome(pool, tuple(route), stack)


def opened(genome: Genome) -> Model:
    model = build(genome, catalog=CATALOG, context=CONTEXT).double().eval()
    redraw(model, torch.Generator().manual_seed(1))
    return model


def by_hand(model: Model, tokens: Tensor) -> Tensor:
    """Logits of a memoryless model without routers, token by token as the equation has it."""
    said = dict[tuple[int, int], Tensor]()
    logits = list[Tensor]()
    route = model.genome.route
    for t in range(tokens.shape[1]):
        frame = dense_frame(len(tokens), 1, context=CONTEXT, segment=CONTEXT, start=t)
        x = cast(Tensor, model.embedding(tokens[:, t : t + 1], None, frame)[0])
        values = {-1: x if model.streams == 1 else x[:, :, None].repeat(1, 1, model.streams, 1)}
        for number, visit in enumerate(route):
            module = cast(Any, model.visits[number])
            read = module.merged([values[i] for i in visit.reads])
            inner = module.norms["before"](module.residual.read(read))
            y, _ = cast(Any, model.pool[visit.block]).block(inner, None, frame)
            new = module.residual.write(values[visit.base_read], read, y)
            above = [
                said[(j, t - DELAY)]
                for j, reader in enumerate(route)
                if number in (*reader.reads, reader.base_read) and t >= DELAY
            ]
            values[number] = new + (module.feedback * sum(above) / len(above) if above else 0)
        for number in range(len(route)):
            said[(number, t)] = values[number]
        last = values[len(route) - 1]
        logits.append(model.decode(last if model.streams == 1 else last.sum(2)))
    return torch.cat(logits, 1)


@pytest.mark.parametrize("residual", ["pre", "hyper"])
@pytest.mark.parametrize(
    "route",
    [
        (Visit(0), Visit(1, (0,)), Visit(2, (1,))),
        (Visit(0), Visit(1, (0,)), Visit(2, (0,)), Visit(3, (1, 2), 1)),
        (Visit(0), Visit(1, (-1,), 0), Visit(2, (1, 0), 1, "sum")),
    ],
)
def test_a_visit_hears_what_its_readers_said_a_delay_before(
    route: tuple[Visit, ...], residual: str
) -> None:
    model = opened(memoryless(route, residual))
    with torch.no_grad():
        found, expected = model(TOKENS).logits, by_hand(model, TOKENS)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_only_tokens_whole_delays_before_are_heard() -> None:
    model = opened(memoryless((Visit(0), Visit(1, (0,)), Visit(2, (1,)))))
    changed = TOKENS.clone()
    changed[:, 3] = (changed[:, 3] + 1) % 256
    with torch.no_grad():
        moved = (model(TOKENS).logits - model(changed).logits).abs().amax((0, 2)) > 1e-12
    assert moved.nonzero().flatten().tolist() == [3, 3 + DELAY, 3 + 2 * DELAY]


def test_no_gradient_flows_through_what_was_heard() -> None:
    genome = memoryless((Visit(0), Visit(1, (0,))))
    model = opened(replace(genome, stack=replace(genome.stack, tied=False)))
    tokens = torch.arange(DELAY + 1)[None]  # the last one hears the first one
    table, heard = cast(Any, model.embedding).table, cast(Any, model.visits[0]).feedback
    last = model(tokens).logits[0, DELAY].logsumexp(0)
    rows, factor = torch.autograd.grad(last, (table, heard))
    assert factor.abs() > 0
    assert rows.abs().sum(1).nonzero().flatten().tolist() == [DELAY]


def test_at_first_nothing_is_added() -> None:
    genome = starters(SPACE)["llama"]
    fed = replace(genome, stack=replace(genome.stack, feedback=DELAY))
    plain, model = (build(g, catalog=CATALOG, context=CONTEXT).double() for g in (genome, fed))
    with torch.no_grad():
        torch.testing.assert_close(plain(TOKENS).logits, model(TOKENS).logits)
    model(TOKENS).logits.logsumexp(-1).sum().backward()
    factors = [cast(Any, visit).feedback for visit in model.visits]
    assert factors[-1] is None  # nobody reads it
    assert all(factor.grad.abs() > 0 for factor in factors[:-1])


@pytest.mark.parametrize("name", ["llama", "praxis", "discrete-memory", "mamba", "rxt", "blt"])
def test_chunks_holes_and_gaps_change_nothing(name: str) -> None:
    genome = starters(SPACE)[name]
    stack = replace(genome.stack, feedback=DELAY, exit=None)
    route = tuple(replace(visit, router=None) for visit in genome.route)
    model = opened(replace(genome, stack=stack, route=route))
    rng = Random(3)
    at = torch.stack([torch.tensor(sorted(rng.sample(range(CONTEXT), 30))) for _ in range(3)])
    tokens = TOKENS[:, :30]
    with torch.no_grad():
        whole = model(tokens, at=at).logits
        carry, found = None, list[Tensor]()
        for start, stop in pairwise((0, 1, 1, 5, 19, 20, 30)):
            hole = torch.full((3, 1), -1)
            places = torch.cat((at[:, start:stop], hole), 1)
            fed = torch.cat((tokens[:, start:stop], hole.clamp(min=0)), 1)
            output = model(fed, carry, at=places)
            carry = output.carry
            found.append(output.logits[:, : stop - start])
    torch.testing.assert_close(torch.cat(found, 1), whole, rtol=1e-8, atol=1e-8)


@given(st.data())
def test_pieces_hold_no_two_tokens_of_a_row_a_delay_apart(data: st.DataObject) -> None:
    rows, tokens = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 40))
    at = torch.full((rows, tokens), -1)
    for row in range(rows):
        real = sorted(data.draw(st.sets(st.integers(0, max(0, tokens - 1)), max_size=tokens)))
        places = sorted(data.draw(st.sets(st.integers(0, 99), min_size=len(real), max_size=99)))
        for column, place in zip(real if tokens else [], places, strict=False):
            at[row, column] = place
    cuts = pieces(Frame(at, at, 100), DELAY, counted=False)
    assert [cut[0] for cut in cuts[1:]] == [cut[1] for cut in cuts[:-1]]
    assert (cuts[0][0], cuts[-1][1]) == (0, tokens)
    spans = [spread(at[:, start:stop]) for start, stop in cuts]
    assert all(span < DELAY for span in spans)
    for (start, _), (_, stop) in pairwise(cuts):  # none could be joined with the next
        assert spread(at[:, start:stop]) >= DELAY


def spread(at: Tensor) -> int:
    """The most by which the indices of a row differ."""
    real = [[int(place) for place in row if place >= 0] for row in at]
    return max((max(row) - min(row) for row in real if row), default=0)


def test_rows_that_the_model_counts_are_cut_evenly() -> None:
    frame = dense_frame(2, 40, context=CONTEXT, segment=8)
    assert pieces(frame, DELAY, counted=True) == [(0, 16), (16, 32), (32, 40)]
    assert pieces(dense_frame(2, 0, context=4, segment=2), DELAY, counted=True) == [(0, 0)]
    size = size_of(memoryless((Visit(0),)), CATALOG, context=40)
    calls = [(each.past, each.row) for each in pieces_of(size, DELAY)]
    assert calls == [(0, 16), (16, 16), (32, 8)]


def test_notes_of_pieces_are_those_of_the_whole() -> None:
    def notes(loss: float, margin: list[float]) -> list[Note]:
        return [Note("a", "b", "loss", torch.tensor(loss)),
                Note("a", "b", "loss", torch.tensor(-loss)),
                Note("a", "m", "margin", torch.tensor([margin]))]  # fmt: skip

    first, second, margin = joined_notes([notes(1.0, [1, 2, 3]), notes(5.0, [4])], [3, 1])
    assert (float(first.value), float(second.value)) == (2.0, -2.0)
    assert margin.value.tolist() == [[1, 2, 3, 4]]


def test_each_visit_gives_its_losses_once() -> None:
    genome = starters(SPACE)["rxt"]
    fed = replace(genome, stack=replace(genome.stack, feedback=DELAY))
    found, expected = (
        [(n.visit, n.name) for n in build(g, catalog=CATALOG, context=CONTEXT)(TOKENS).notes]
        for g in (fed, genome)
    )
    assert found == expected


def test_the_gene_is_dead_where_no_visit_reads_another() -> None:
    one = memoryless((Visit(0),))
    assert canonical(one, CATALOG).stack.feedback == 0
    assert genome_id(one, CATALOG) == genome_id(memoryless((Visit(0),), feedback=0), CATALOG)
    two = (Visit(0), Visit(1, (0,)))
    assert genome_id(memoryless(two), CATALOG) != genome_id(memoryless(two, feedback=0), CATALOG)
    assert change_feedback(one, SPACE, Random(0), "") is None


def test_a_delay_is_at_most_half_a_context() -> None:
    genome = starters(SPACE)["llama"]
    far = replace(genome, stack=replace(genome.stack, feedback=64))
    assert SPACE.problems(far) == [
        "stack.feedback must be one of 0, 16, 32, but is 64 at a context of 64 tokens"
    ]
    rng = Random(1)
    drawn = {SPACE.sample(rng, str(number)).stack.feedback for number in range(200)}
    assert drawn == {0, 16, 32}


def test_work_is_shuffled_alike_in_all_pieces() -> None:
    genome = memoryless((Visit(0), Visit(1, (0,)), Visit(2, (1,))))
    model = build(replace(genome, training=Training(shuffle=1.0)), catalog=CATALOG, context=CONTEXT)
    torch.manual_seed(0)
    once = model(TOKENS, keep=False).logits
    alike = torch.cat((TOKENS[:, :DELAY], TOKENS[:, :DELAY]), 1)
    torch.manual_seed(0)
    twice = model(alike, keep=False).logits  # the factors are 0: each piece does the same
    torch.testing.assert_close(twice[:, :DELAY], once[:, :DELAY])
    torch.testing.assert_close(twice[:, DELAY:], once[:, :DELAY])
