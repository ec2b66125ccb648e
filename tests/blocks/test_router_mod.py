"""Mixture of depths: the choice in training, the causal choice in eval, and the identities."""

import math
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from praxis_evolve.blocks.declaration import Size
from praxis_evolve.blocks.frame import Frame, dense_frame
from praxis_evolve.blocks.kinds import Carry
from praxis_evolve.blocks.recurrent.mingru import MinGRU
from praxis_evolve.blocks.router.catalog import DECLARATIONS
from praxis_evolve.blocks.router.mod import MixtureOfDepths

WIDTH, CONTEXT = 32, 40
Call = Callable[[Tensor, Carry, Frame], tuple[Tensor, Carry]]


def redrawn(module: nn.Module, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module.double()


def routed(seed: int, capacity: float = 0.5) -> tuple[MixtureOfDepths, MinGRU]:
    """A router and a block with a past, redrawn, in eval."""
    router = MixtureOfDepths(WIDTH, capacity=capacity)
    block = MinGRU(WIDTH, expansion=1.0)
    redrawn(router, seed).eval()
    redrawn(block, seed).eval()
    return router, block


def stream(rows: int, tokens: int) -> Tensor:
    return torch.randn(rows, tokens, WIDTH, dtype=torch.float64)


def whole(rows: int, tokens: int) -> Frame:
    return dense_frame(rows, tokens, context=CONTEXT, segment=8)


def holed(rng: Random, rows: int, tokens: int) -> Frame:
    at = torch.full((rows, tokens), -1)
    for row in range(rows):
        real = sorted(rng.sample(range(tokens), rng.randint(0, tokens)))
        at[row, real] = torch.tensor(sorted(rng.sample(range(CONTEXT), len(real))), dtype=at.dtype)
    return Frame(at, at.clamp(min=0) // 8, CONTEXT)


def by_hand(router: MixtureOfDepths, block: Call, x: Tensor, frame: Frame, kept: Tensor) -> Tensor:
    """Feed the kept tokens of each row to the block by themselves and gate what comes out."""
    y = torch.zeros_like(x)
    for row in range(len(x)):
        on = kept[row]
        at = frame.at[row : row + 1, on]
        out, _ = block(x[row : row + 1, on], None, Frame(at, at // 8, CONTEXT))
        unit = x[row, on] / (x[row, on].square().mean(-1, keepdim=True) + 1e-6).sqrt()
        gate = (unit @ router.score.weight[0] + router.score.bias).sigmoid()
        y[row, on] = out[0] * gate.unsqueeze(-1)
    return y


def best_by_hand(router: MixtureOfDepths, x: Tensor, frame: Frame) -> Tensor:
    """The k = ceil(capacity * n) highest scores of the n real tokens of each row."""
    score = router.score(F.rms_norm(x, (WIDTH,), eps=1e-6)).squeeze(-1)
    kept = torch.zeros_like(frame.at, dtype=torch.bool)
    for row in range(len(x)):
        real = [t for t in range(x.shape[1]) if frame.at[row, t] >= 0]
        ranked = sorted(real, key=lambda t, row=row: -score[row, t].item())
        kept[row, ranked[: math.ceil(router.capacity * len(real))]] = True
    return kept


@given(
    seed=st.integers(0, 10**6),
    tokens=st.integers(0, 21),
    capacity=st.sampled_from([0.125, 0.25, 0.5, 0.75, 1.0]),
    dense=st.booleans(),
)
@settings(max_examples=25)
def test_training_works_on_exactly_the_best_tokens(
    seed: int, tokens: int, capacity: float, dense: bool
) -> None:
    router, block = routed(seed, capacity)
    router.train()
    x = stream(3, tokens)
    frame = whole(3, tokens) if dense else holed(Random(seed), 3, tokens)
    y, kept, _ = router(x, block, None, frame)
    assert torch.equal(kept, best_by_hand(router, x, frame))
    torch.testing.assert_close(y, by_hand(router, block, x, frame, kept), rtol=0, atol=1e-10)
    assert (y[~kept] == 0).all()


def test_equal_scores_still_keep_exactly_k_tokens() -> None:
    router, block = routed(0, 0.25)
    nn.init.zeros_(router.score.weight)
    _, kept, _ = router.train()(stream(3, 18), block, None, whole(3, 18))
    assert kept.sum(1).tolist() == [5, 5, 5]


@given(seed=st.integers(0, 10**6), tokens=st.integers(0, 21), dense=st.booleans())
@settings(max_examples=25)
def test_evaluation_works_on_what_the_predictor_picks_in_any_chunking(
    seed: int, tokens: int, dense: bool
) -> None:
    rng = Random(seed)
    router, block = routed(seed)
    x = stream(3, tokens)
    frame = whole(3, tokens) if dense else holed(rng, 3, tokens)
    y, kept, end = router(x, block, None, frame)
    margin = router.predictor(F.rms_norm(x, (WIDTH,), eps=1e-6)).squeeze(-1)
    assert torch.equal(kept, (margin > 0) & (frame.at >= 0))
    torch.testing.assert_close(y, by_hand(router, block, x, frame, kept), rtol=0, atol=1e-10)
    carry: Any = None
    parts = list[Tensor]()
    edges = sorted(rng.randint(0, tokens) for _ in range(4))
    for start, stop in zip([0, *edges], [*edges, tokens], strict=True):
        piece = Frame(frame.at[:, start:stop], frame.segment[:, start:stop], CONTEXT)
        part, _, carry = router(x[:, start:stop], block, carry, piece)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, 1), y, rtol=0, atol=1e-8)
    torch.testing.assert_close(carry[0], end[0], rtol=0, atol=1e-8)


def test_training_looks_ahead_and_evaluation_does_not() -> None:
    router, block = routed(3)
    x, other = stream(2, 20), stream(2, 20)
    changed = torch.cat((x[:, :13], other[:, 13:]), 1)
    pairs = [router(each, block, None, whole(2, 20)) for each in (x, changed)]
    assert torch.equal(pairs[0][0][:, :13], pairs[1][0][:, :13])
    assert torch.equal(pairs[0][1][:, :13], pairs[1][1][:, :13])
    router.train()
    pairs = [router(each, block, None, whole(2, 20)) for each in (x, changed)]
    assert not torch.equal(pairs[0][1][:, :13], pairs[1][1][:, :13])
    assert router.train_selects_future


@pytest.mark.parametrize("training", [True, False])
def test_full_capacity_and_open_gate_is_the_block(training: bool) -> None:
    router, block = routed(1, 1.0)
    nn.init.zeros_(router.score.weight)
    nn.init.constant_(router.score.bias, 50.0)
    router.decision_bias.fill_(100.0)
    x, frame = stream(2, 15), whole(2, 15)
    y, kept, carry = router.train(training)(x, block, None, frame)
    want, end = block(x, None, frame)
    assert kept.all()
    torch.testing.assert_close(y, want, rtol=0, atol=1e-12)
    torch.testing.assert_close(carry, end)


def test_a_call_that_keeps_nothing_returns_the_carry_of_the_block() -> None:
    router, block = routed(1)
    router.decision_bias.fill_(-1000.0)
    _, before = block(stream(2, 5), None, whole(2, 5))
    frame = dense_frame(2, 6, context=CONTEXT, segment=8, start=5)
    y, kept, carry = router(stream(2, 6), block, before, frame)
    assert not kept.any()
    assert not y.any()
    assert torch.equal(carry[0], before[0])
    _, _, fresh = router(stream(2, 6), block, None, frame)
    assert torch.equal(fresh[0], torch.zeros_like(before[0]))


def test_notes_tell_the_loss_the_margin_and_the_share() -> None:
    router, block = routed(4)
    x, frame = stream(3, 16), holed(Random(4), 3, 16)
    _, kept, _ = router(x, block, None, frame)
    notes = {note.name: note for note in frame.notes}
    assert notes.keys() == {"kept", "margin"}
    assert notes["margin"].kind == "margin"
    assert torch.equal((notes["margin"].value > 0) & frame.real, kept)
    assert notes["kept"].kind == "count"
    assert notes["kept"].value.item() == pytest.approx(kept.sum().item() / frame.real.sum().item())

    frame = holed(Random(4), 3, 16)
    _, kept, _ = router.train()(x, block, None, frame)
    notes = {note.name: note for note in frame.notes}
    assert notes.keys() == {"kept", "predictor"}
    margin = router.predictor(F.rms_norm(x, (WIDTH,), eps=1e-6)).squeeze(-1)
    want = nn.BCEWithLogitsLoss()(margin[frame.real], kept[frame.real].double())
    torch.testing.assert_close(notes["predictor"].value, 0.01 * want)


def test_each_loss_reaches_its_own_parameters() -> None:
    router, block = routed(5)
    x, frame = stream(2, 16).requires_grad_(), whole(2, 16)
    y, _, _ = router.train()(x, block, None, frame)
    loss = next(note.value for note in frame.notes if note.kind == "loss")
    task = torch.autograd.grad(
        y.square().sum(), list(router.parameters()), retain_graph=True, allow_unused=True
    )
    own = torch.autograd.grad(loss, [x, *router.parameters()], allow_unused=True)
    named = dict(zip([name for name, _ in router.named_parameters()], task, strict=True))
    assert {name for name, grad in named.items() if grad is not None} == {
        "score.weight",
        "score.bias",
    }
    assert [grad is not None for grad in own] == [False, False, False, True, True]


def test_the_predictor_learns_the_choice_of_the_training_pass() -> None:
    router, block = routed(6, 0.25)
    optimizer = torch.optim.Adam(router.predictor.parameters(), lr=0.1)
    x = stream(4, 24)
    for _ in range(60):
        frame = whole(4, 24)
        router.train()(x, block, None, frame)
        optimizer.zero_grad()
        sum(note.value for note in frame.notes if note.kind == "loss").backward()  # pyright: ignore
        optimizer.step()
    _, trained, _ = router.train()(x, block, None, whole(4, 24))
    _, causal, _ = router.eval()(x, block, None, whole(4, 24))
    assert (trained == causal).double().mean() > 0.9


@pytest.mark.parametrize("capacity", [0.125, 0.25, 0.5, 0.75])
@pytest.mark.parametrize("tokens", [1, 24])
def test_the_declared_costs_are_the_real_ones(capacity: float, tokens: int) -> None:
    declaration = next(each for each in DECLARATIONS if each.name == "mod")
    with torch.device("meta"):
        router = MixtureOfDepths(WIDTH, capacity=capacity).eval()
        block = MinGRU(WIDTH, expansion=1.0).eval()
        frame = dense_frame(1, tokens, context=tokens, segment=8, device="meta")
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            router(torch.randn(1, tokens, WIDTH), block, None, frame)
    chosen = {"capacity": capacity}
    cost = declaration.cost(Size(WIDTH, tokens, 8), chosen)
    assert declaration.share is not None
    worked = math.ceil(declaration.share(chosen) * tokens)
    inner = 2 * 3 * WIDTH * WIDTH * worked  # the three matrices of minGRU
    assert cost.parameters == sum(p.numel() for p in router.parameters())
    assert cost.flops + inner == counter.get_total_flops()
