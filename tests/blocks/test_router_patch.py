"""Patches against a loop over the tokens of each row, and the identities."""

import copy
import itertools
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from praxis_evolve.blocks.contract import violations
from praxis_evolve.blocks.declaration import Size
from praxis_evolve.blocks.frame import Frame, dense_frame
from praxis_evolve.blocks.kinds import Carry
from praxis_evolve.blocks.probe import carry_tensors
from praxis_evolve.blocks.recurrent.mingru import MinGRU
from praxis_evolve.blocks.router.catalog import DECLARATIONS
from praxis_evolve.blocks.router.gate import RATIO_WEIGHT, BoundaryGate
from praxis_evolve.blocks.router.patch import PatchRouter

WIDTH, CONTEXT = 32, 64
PATCH = {each.name: each for each in DECLARATIONS}["patch"]
Call = Callable[[Tensor, Carry, Frame], tuple[Tensor, Carry]]
KINDS = pytest.mark.parametrize("patching", ["static", "learned"])


def redrawn(module: nn.Module, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5 if parameter.dim() else 0.5)
    return module.double().eval()


def routed(seed: int, patching: str, size: int = 4) -> tuple[PatchRouter, MinGRU]:
    """A router and a block with a past, redrawn, in eval."""
    router = PatchRouter(WIDTH, patching=patching, size=size)
    block = MinGRU(WIDTH, expansion=1.0)
    redrawn(router, seed)
    redrawn(block, seed)
    return router, block


def stream(rows: int, tokens: int) -> Tensor:
    return torch.randn(rows, tokens, WIDTH, dtype=torch.float64)


def whole(rows: int, tokens: int) -> Frame:
    return dense_frame(rows, tokens, context=CONTEXT, segment=8)


def holed(rng: Random, rows: int, tokens: int) -> Frame:
    """Holes anywhere, gaps in the index, and a last row of holes only."""
    at = torch.full((rows, tokens), -1)
    for row in range(rows - 1):
        real = sorted(rng.sample(range(tokens), rng.randint(0, tokens)))
        at[row, real] = torch.tensor(sorted(rng.sample(range(CONTEXT), len(real))), dtype=at.dtype)
    return Frame(at, at.clamp(min=0) // 8, CONTEXT)


def unchanged(x: Tensor, carry: Carry, frame: Frame) -> tuple[Tensor, Carry]:
    return x, None


def margin_of(gate: BoundaryGate, x: Tensor, before: Tensor) -> Tensor:
    q, k = gate.query.weight @ x, gate.key.weight @ before
    alike = q @ k / (q @ q * (k @ k)).sqrt()
    return gate.bias - alike * (WIDTH // 4) ** 0.5 + gate.decision_bias


def by_hand(
    router: PatchRouter, block: Call, x: Tensor, frame: Frame
) -> tuple[Tensor, list[list[int]]]:
    """Feed token after token; return y and the columns that begin patches, row by row."""
    y, begun = torch.zeros_like(x), list[list[int]]()
    for row in range(len(x)):
        carry: Carry = None
        output, last = torch.zeros(WIDTH), -1
        unseen, begins, previous = list[Tensor](), list[int](), None
        for t in range(x.shape[1]):
            at = int(frame.at[row, t])
            if at < 0:
                continue
            token, weight = x[row, t], torch.tensor(1.0, dtype=torch.float64)
            unseen.append(token)
            if router.gate is None:
                new = last < 0 or at // router.size > last // router.size
            elif previous is None:
                new = True
            else:
                margin = margin_of(router.gate, token, previous)
                new = bool(margin > 0)
                weight = torch.sigmoid(margin.abs())
            if new:
                place = frame.at[row : row + 1, t : t + 1]
                mean = torch.stack(unseen).mean(0)[None, None]
                out, carry = block(mean, carry, Frame(place, place // 8, CONTEXT))
                output, unseen = out[0, 0], []
                begins.append(t)
            y[row, t] = weight * output
            previous, last = token, at
        begun.append(begins)
    return y, begun


@KINDS
@given(
    seed=st.integers(0, 10**6),
    tokens=st.integers(0, 21),
    size=st.sampled_from([2, 4, 8]),
    dense=st.booleans(),
    training=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_a_row_is_worked_on_patch_by_patch(
    patching: str, seed: int, tokens: int, size: int, dense: bool, training: bool
) -> None:
    router, block = routed(seed, patching, size)
    x = stream(3, tokens)
    frame = whole(3, tokens) if dense else holed(Random(seed), 3, tokens)
    seen = list[Tensor]()

    def watched(x: Tensor, carry: Carry, inside: Frame) -> tuple[Tensor, Carry]:
        seen.append(inside.at)
        return block(x, carry, inside)

    with torch.no_grad():
        y, worked, _ = router.train(training)(x, watched, None, frame)
        want, begun = by_hand(router, block, x, frame)
    torch.testing.assert_close(y, want, rtol=0, atol=1e-9)
    assert torch.equal(worked, frame.real)
    for row, columns in enumerate(begun):
        places = [at for at in seen[0][row].tolist() if at >= 0]  # pyright: ignore
        assert places == frame.at[row, columns].tolist()  # pyright: ignore
        real = frame.real[row].nonzero().flatten().tolist()  # pyright: ignore
        assert columns[:1] == real[:1]  # the first token begins the first patch
    kept = next(note.value for note in frame.notes if note.name == "kept")
    share = sum(map(len, begun)) / max(1, int(frame.real.sum()))
    assert kept.item() == pytest.approx(share)


@KINDS
@given(seed=st.integers(0, 10**6), tokens=st.integers(0, 30), dense=st.booleans())
@settings(max_examples=25, deadline=None)
def test_any_chunking_equals_the_whole(patching: str, seed: int, tokens: int, dense: bool) -> None:
    rng = Random(seed)
    router, block = routed(seed, patching, rng.choice([2, 4, 8]))
    x = stream(3, tokens)
    frame = whole(3, tokens) if dense else holed(rng, 3, tokens)
    with torch.no_grad():
        y, _, end = router(x, block, None, frame)
        carry: Any = None
        parts = list[Tensor]()
        edges = sorted(rng.randint(0, tokens) for _ in range(4))
        for start, stop in itertools.pairwise([0, *edges, tokens]):
            piece = Frame(frame.at[:, start:stop], frame.segment[:, start:stop], CONTEXT)
            part, _, carry = router(x[:, start:stop], block, carry, piece)
            parts.append(part)
    torch.testing.assert_close(torch.cat(parts, 1), y, rtol=0, atol=1e-9)
    for ours, theirs in zip(carry_tensors(carry), carry_tensors(end), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("size", [2, 4, 8])
def test_static_patches_are_every_size_tokens(size: int) -> None:
    router, block = routed(0, "static", size)
    seen = list[Frame]()

    def watched(x: Tensor, carry: Carry, inside: Frame) -> tuple[Tensor, Carry]:
        seen.append(inside)
        return block(x, carry, inside)

    y, _, _ = router(stream(2, 21), watched, None, whole(2, 21))
    assert seen[0].at.tolist() == [list(range(0, 21, size))] * 2
    lengths = torch.tensor([*range(0, 21, size), 21]).diff()
    assert lengths.sum() == 21
    for row in range(2):
        for part in y[row].split(lengths.tolist()):  # pyright: ignore
            assert torch.equal(part, part[:1].expand_as(part))


def test_patches_of_one_token_are_the_block_itself() -> None:
    for patching in ("static", "learned"):
        router, block = routed(1, patching)
        router.size = 1
        if router.gate is not None:
            router.gate.decision_bias.fill_(1000.0)
        x = stream(2, 15)
        y, worked, carry = router(x, block, None, whole(2, 15))
        want, end = block(x, None, whole(2, 15))
        assert worked.all()
        torch.testing.assert_close(y, want, rtol=0, atol=1e-12)
        torch.testing.assert_close(carry.inner, end)


@KINDS
@pytest.mark.parametrize("training", [True, False])
def test_a_token_sees_nothing_later_of_its_patch(patching: str, training: bool) -> None:
    router, block = routed(3, patching, 8)
    router.train(training)
    x, other = stream(2, 20), stream(2, 20)
    for t in (1, 9, 13):
        changed = torch.cat((x[:, :t], other[:, t:]), 1)
        pair = [router(each, block, None, whole(2, 20))[0] for each in (x, changed)]
        assert (pair[0][:, :t] - pair[1][:, :t]).abs().max() < 1e-12
        assert (pair[0][:, t:] - pair[1][:, t:]).abs().max() > 1e-3


@KINDS
def test_holes_that_are_no_numbers_reach_nothing(patching: str) -> None:
    router, block = routed(4, patching)
    frame = holed(Random(4), 3, 20)
    x = stream(3, 20)
    x = x.masked_fill(~frame.real.unsqueeze(-1), float("nan")).requires_grad_()
    y, _, carry = router.train()(x, block, None, frame)
    assert torch.isfinite(y).all()
    assert all(torch.isfinite(part).all() for part in carry_tensors(carry))
    y.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in router.parameters() if p.grad is not None)


def test_the_gate_learns_from_the_output_and_from_the_ratio() -> None:
    router, block = routed(5, "learned")
    frame = whole(2, 30)
    y, _, _ = router.train()(stream(2, 30), block, None, frame)
    ratio = next(note.value for note in frame.notes if note.name == "ratio")
    for loss in (y.square().sum(), ratio):
        grads = torch.autograd.grad(loss, list(router.parameters()), retain_graph=True)
        assert all(grad.abs().max() > 0 for grad in grads)
    frame = whole(2, 30)
    router.eval()(stream(2, 30), block, None, frame)
    assert [note.kind for note in frame.notes] == ["count", "margin"]
    margin = frame.notes[1].value
    assert margin.shape == (2, 30)
    assert (margin[:, 0] == torch.inf).all()
    assert margin[:, 1:].isfinite().all()


@pytest.mark.parametrize("size", [2, 4, 8])
def test_the_ratio_loss_is_that_of_the_paper_and_leads_to_the_size(size: int) -> None:
    gate = BoundaryGate(WIDTH, size=size)
    margin = torch.tensor([[torch.inf, 0.5, -1.0, -2.0], [torch.inf, 3.0, -0.1, torch.inf]])
    decides = margin[margin.isfinite()]
    hard, soft = (decides > 0).float().mean(), decides.sigmoid().mean()
    want = (size - 1) * hard * soft + (1 - hard) * (1 - soft)
    want = RATIO_WEIGHT * (size / (size - 1) * want - 1)
    torch.testing.assert_close(gate.ratio_loss(margin), want)

    torch.manual_seed(0)
    router = PatchRouter(WIDTH, patching="learned", size=size).train()
    assert router.gate is not None
    nn.init.zeros_(router.gate.bias)  # half of the tokens begin a patch
    optimizer = torch.optim.Adam(router.parameters(), lr=0.02)
    kept = torch.zeros(())
    for _ in range(150):
        frame = whole(4, 64)
        router(torch.randn(4, 64, WIDTH), unchanged, None, frame)
        optimizer.zero_grad()
        sum(note.value for note in frame.notes if note.kind == "loss").backward()  # pyright: ignore
        optimizer.step()
        kept = next(note.value for note in frame.notes if note.name == "kept")
    assert kept.item() == pytest.approx(1 / size, abs=0.12)


@pytest.mark.parametrize("size", [2, 4, 8])
def test_unrelated_tokens_begin_patches_at_the_declared_share(size: int) -> None:
    torch.manual_seed(0)
    router = PatchRouter(64, patching="learned", size=size).eval()
    frame = dense_frame(8, 200, context=256, segment=64)
    router(torch.randn(8, 200, 64), unchanged, None, frame)
    kept = next(note.value for note in frame.notes if note.name == "kept")
    assert PATCH.share is not None
    assert kept.item() == pytest.approx(PATCH.share({"size": size}), abs=0.06)


@KINDS
@pytest.mark.parametrize("size", [2, 8])
@pytest.mark.parametrize("tokens", [1, 24, 29])
def test_the_declared_costs_are_the_real_ones(patching: str, size: int, tokens: int) -> None:
    with torch.device("meta"):
        router = PatchRouter(WIDTH, patching=patching, size=size).eval()
        block = MinGRU(WIDTH, expansion=1.0).eval()
        frame = dense_frame(1, tokens, context=tokens, segment=8, device="meta")
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            _, _, carry = router(torch.randn(1, tokens, WIDTH), block, None, frame)
    chosen = {"patching": patching, "size": size}
    cost = PATCH.cost(Size(WIDTH, tokens, 8), chosen)
    worked = -(-tokens // size)
    inner = 2 * 3 * WIDTH * WIDTH * worked  # the three matrices of minGRU
    own = [part for part in carry_tensors(carry) if part is not carry.inner[0]]
    assert cost.parameters == sum(p.numel() for p in router.parameters())
    assert cost.flops + inner == counter.get_total_flops()
    assert cost.carry == sum(part.numel() * part.element_size() for part in own)


@KINDS
@pytest.mark.parametrize("size", [2, 4, 8])
def test_it_keeps_the_contract(patching: str, size: int) -> None:
    chosen = {"patching": patching, "size": size}
    for width, seed in ((32, 0), (64, 1)):
        assert violations(PATCH, chosen, width=width, seed=seed) == []


def test_the_means_of_long_rows_are_as_exact_as_those_of_short_ones() -> None:
    router, tokens = PatchRouter(WIDTH, patching="static", size=4).eval(), 4096
    x = torch.randn(1, tokens, WIDTH) + 3 * (torch.arange(WIDTH) % 2)  # sums that grow
    seen = list[Tensor]()

    def noting(x: Tensor, carry: Carry, frame: Frame) -> tuple[Tensor, Carry]:
        seen.append(x)
        return x, None

    for module, rows in ((router, x), (copy.deepcopy(router).double(), x.double())):
        frame = dense_frame(1, tokens, context=tokens, segment=64, keep=False)
        module(rows, noting, None, frame)
    short, exact = seen
    assert short.dtype == torch.float32
    torch.testing.assert_close(short.double(), exact, atol=1e-6, rtol=1e-6)
