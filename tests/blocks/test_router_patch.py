"""Patches against a loop over the tokens of each row, and the identities."""

import copy
import itertools
import math
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
from praxis_evolve.blocks.router.entropy import GUESS_WEIGHT, EntropyGate
from praxis_evolve.blocks.router.gate import RATIO_WEIGHT, BoundaryGate
from praxis_evolve.blocks.router.patch import PatchRouter
from praxis_evolve.blocks.router.space import space_like
from praxis_evolve.genome.feedback import piece_of

WIDTH, CONTEXT = 32, 64
PATCH = {each.name: each for each in DECLARATIONS}["patch"]
Call = Callable[[Tensor, Carry, Frame], tuple[Tensor, Carry]]
KINDS = pytest.mark.parametrize("patching", ["static", "learned", "space", "entropy"])
THRESHOLD = 0.4


def redrawn(module: nn.Module, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5 if parameter.dim() else 0.5)
    return module.double().eval()


def routed(seed: int, patching: str, size: int = 4) -> tuple[PatchRouter, MinGRU]:
    """A router and a block with a past, redrawn, in eval."""
    router = PatchRouter(WIDTH, patching=patching, size=size, threshold=THRESHOLD)
    block = MinGRU(WIDTH, expansion=1.0)
    redrawn(router, seed)
    if router.surprise is not None:
        router.surprise.guess.weight.data.mul_(4)  # some guesses are sure, some are not
    redrawn(block, seed)
    return router, block


def stream(rows: int, tokens: int) -> Tensor:
    return torch.randn(rows, tokens, WIDTH, dtype=torch.float64)


def whole(rows: int, tokens: int) -> Frame:
    frame = dense_frame(rows, tokens, context=CONTEXT, segment=8)
    frame.tokens = text(rows, tokens)
    return frame


def text(rows: int, tokens: int) -> Tensor:
    """Bytes of which a fourth part words; any numbers may stand at holes."""
    letters = torch.randint(ord("a"), ord("z") + 1, (rows, tokens))
    return letters.masked_fill(torch.rand(rows, tokens) < 0.25, ord(" "))


def holed(rng: Random, rows: int, tokens: int) -> Frame:
    """Holes anywhere, gaps in the index, and a last row of holes only."""
    at = torch.full((rows, tokens), -1)
    for row in range(rows - 1):
        real = sorted(rng.sample(range(tokens), rng.randint(0, tokens)))
        at[row, real] = torch.tensor(sorted(rng.sample(range(CONTEXT), len(real))), dtype=at.dtype)
    words = torch.where(at < 0, torch.randint(-9, 999, at.shape), text(rows, tokens))
    return Frame(at, at.clamp(min=0) // 8, CONTEXT, tokens=words)


def unchanged(x: Tensor, carry: Carry, frame: Frame) -> tuple[Tensor, Carry]:
    return x, None


def margin_of(gate: BoundaryGate, x: Tensor, before: Tensor) -> Tensor:
    q, k = gate.query.weight @ x, gate.key.weight @ before
    alike = q @ k / (q @ q * (k @ k)).sqrt()
    return gate.bias - alike * (WIDTH // 4) ** 0.5 + gate.decision_bias


def entropy_of(gate: EntropyGate, x: Tensor) -> Tensor:
    logits = gate.guess.weight @ (x / x.square().mean().add(1e-6).sqrt())
    return torch.distributions.Categorical(logits=logits).entropy() / math.log(256)


def starts_patch(router: PatchRouter, previous: Tensor, spaced: bool, now: str) -> bool:
    """Whether a token behind this one begins a patch, of those that are decided by content."""
    if router.surprise is not None:
        return bool(entropy_of(router.surprise, previous) > THRESHOLD)
    return spaced and now != " "


def by_hand(
    router: PatchRouter, block: Call, x: Tensor, frame: Frame
) -> tuple[Tensor, list[list[int]]]:
    """Feed token after token; return y and the columns that begin patches, row by row."""
    y, begun = torch.zeros_like(x), list[list[int]]()
    for row in range(len(x)):
        carry: Carry = None
        output, last = torch.zeros(WIDTH), -1
        unseen, begins, previous, spaced = list[Tensor](), list[int](), None, False
        for t in range(x.shape[1]):
            at = int(frame.at[row, t])
            if at < 0:
                continue
            token, weight = x[row, t], torch.tensor(1.0, dtype=torch.float64)
            unseen.append(token)
            now = chr(int(frame.tokens[row, t]))  # pyright: ignore
            if previous is None:
                new = True
            elif router.patching == "static":
                new = at // router.size > last // router.size
            elif router.gate is None:
                new = starts_patch(router, previous, spaced, now)
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
            previous, last, spaced = token, at, now == " "
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
@settings(max_examples=12)
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
@settings(max_examples=12)
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
            piece = piece_of(frame, start, stop)
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
    for patching in ("static", "learned", "entropy"):
        router, block = routed(1, patching)
        router.size = 1
        for gate in (router.gate, router.surprise):
            if gate is not None:
                gate.decision_bias.fill_(1000.0)
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
        changed, frame, after = torch.cat((x[:, :t], other[:, t:]), 1), whole(2, 20), whole(2, 20)
        assert frame.tokens is not None
        assert after.tokens is not None
        after.tokens[:, :t] = frame.tokens[:, :t]
        pair = [
            router(*each, None, f)[0] for *each, f in ((x, block, frame), (changed, block, after))
        ]
        assert (pair[0][:, :t] - pair[1][:, :t]).abs().max() < 1e-12
        assert (pair[0][:, t:] - pair[1][:, t:]).abs().max() > 1e-3


@KINDS
def test_holes_that_are_no_numbers_reach_nothing(patching: str) -> None:
    router, block = routed(4, patching)
    frame = holed(Random(4), 3, 20)
    x = stream(3, 20)
    x = x.masked_fill(~frame.real.unsqueeze(-1), float("nan")).requires_grad_()
    frame.tokens = frame.at.clamp(min=0) % 97
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
    assert [note.kind for note in frame.notes] == ["margin", "count"]
    margin = frame.notes[0].value
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
    router = PatchRouter(WIDTH, patching="learned", size=size, threshold=THRESHOLD).train()
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
    chosen = {"patching": "learned", "size": size, "threshold": THRESHOLD}
    router = PatchRouter(64, **chosen).eval()  # pyright: ignore
    frame = dense_frame(8, 200, context=256, segment=64)
    router(torch.randn(8, 200, 64), unchanged, None, frame)
    kept = next(note.value for note in frame.notes if note.name == "kept")
    assert PATCH.share is not None
    assert kept.item() == pytest.approx(PATCH.share(chosen), abs=0.06)


@KINDS
@pytest.mark.parametrize("size", [2, 8])
@pytest.mark.parametrize("tokens", [1, 24, 29])
def test_the_declared_costs_are_the_real_ones(patching: str, size: int, tokens: int) -> None:
    with torch.device("meta"):
        router = PatchRouter(WIDTH, patching=patching, size=size, threshold=THRESHOLD).eval()
        block = MinGRU(WIDTH, expansion=1.0).eval()
        frame = dense_frame(1, tokens, context=tokens, segment=8, device="meta")
        frame.tokens = frame.at.clone()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            _, _, carry = router(torch.randn(1, tokens, WIDTH), block, None, frame)
    chosen = {"patching": patching, "size": size, "threshold": THRESHOLD}
    cost = PATCH.cost(Size(WIDTH, tokens, 8), chosen)
    assert PATCH.share is not None
    worked = math.ceil(PATCH.share(chosen) * tokens)
    inner = 2 * 3 * WIDTH * WIDTH * worked  # the three matrices of minGRU
    own = [part for part in carry_tensors(carry) if part is not carry.inner[0]]
    assert cost.parameters == sum(p.numel() for p in router.parameters())
    assert cost.flops + inner == counter.get_total_flops()
    assert cost.carry == sum(part.numel() * part.element_size() for part in own)


def test_space_like_are_all_bytes_but_letters_digits_and_continuations() -> None:
    known = space_like(torch.arange(256))
    for byte in range(256):
        word = (byte < 128 and chr(byte).isalnum()) or 0x80 <= byte <= 0xBF
        assert bool(known[byte]) is not word
    assert torch.equal(space_like(torch.arange(256) + 512), known)  # of more tokens the low byte


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("def f(x): return 1\n", ["def ", "f(", "x): ", "return ", "1\n"]),
        ("  two,  words.", ["  ", "two,  ", "words."]),
        ("caf\u00e9s", ["caf\u00c3", "\u00a9s"]),  # as Latin-1: behind the first byte of two
    ],
)
def test_patches_by_space_are_words(line: str, parts: list[str]) -> None:
    router, _ = routed(6, "space")
    encoded = line.encode()
    frame = dense_frame(1, len(encoded), context=CONTEXT, segment=8)
    frame.tokens = torch.tensor([list(encoded)])
    seen = list[int]()

    def watched(x: Tensor, carry: Carry, inside: Frame) -> tuple[Tensor, Carry]:
        seen.extend(inside.at[0].tolist())  # pyright: ignore
        return x, None

    router(stream(1, len(encoded)), watched, None, frame)
    ends = [*seen, len(encoded)]
    found = [encoded[a:b].decode("latin-1") for a, b in itertools.pairwise(ends)]
    assert found == parts


def test_patches_by_bytes_ask_for_the_tokens() -> None:
    for patching in ("space", "entropy"):
        router, block = routed(7, patching)
        frame = dense_frame(2, 9, context=CONTEXT, segment=8)
        with pytest.raises(ValueError, match="patches by bytes need the tokens"):
            router.train()(stream(2, 9), block, None, frame)


def test_the_guess_learns_by_the_next_tokens_and_leaves_the_stream_alone() -> None:
    router, block = routed(8, "entropy")
    assert router.surprise is not None
    frame = holed(Random(8), 3, 20)
    x = stream(3, 20).requires_grad_()
    router.train()(x, block, None, frame)
    loss = next(note.value for note in frame.notes if note.name == "guess")
    assert frame.tokens is not None
    costs = list[Tensor]()
    for row in range(3):
        real = [t for t in range(20) if frame.at[row, t] >= 0]
        for now, after in itertools.pairwise(real):
            rms = x[row, now].square().mean().add(1e-6).sqrt()
            logits = router.surprise.guess.weight @ (x[row, now] / rms)
            costs.append(nn.functional.cross_entropy(logits, frame.tokens[row, after]))
    want = GUESS_WEIGHT * torch.stack(costs).mean()
    torch.testing.assert_close(loss, want)
    grads = torch.autograd.grad(loss, [router.surprise.guess.weight, x], allow_unused=True)
    assert grads[0].abs().max() > 0
    assert grads[1] is None


def test_what_is_foreseen_stays_in_its_patch() -> None:
    """Of a text in which every third byte is random, those begin patches after some steps."""
    torch.manual_seed(9)
    router = PatchRouter(WIDTH, patching="entropy", size=4, threshold=THRESHOLD).train()
    table = torch.randn(256, WIDTH)
    optimizer = torch.optim.Adam(router.parameters(), lr=0.1)
    for step in range(50):
        frame = dense_frame(4, 60, context=CONTEXT, segment=8)
        chosen = torch.randint(0, 64, (4, 20, 1))
        frame.tokens = torch.cat((chosen, chosen + 64, chosen + 128), 2).flatten(1)
        if step == 0 or step == 49:
            router.eval()
        seen = list[Tensor]()

        def watched(x: Tensor, carry: Carry, inside: Frame) -> tuple[Tensor, Carry]:
            seen.append(inside.at)  # noqa: B023
            return x, None

        router(table[frame.tokens], watched, None, frame)
        if router.training:
            optimizer.zero_grad()
            sum(n.value for n in frame.notes if n.kind == "loss").backward()  # pyright: ignore
            optimizer.step()
        elif step == 0:
            assert seen[0].shape == (4, 60)  # at first nothing is foreseen
            router.train()
        else:
            assert seen[0].tolist() == [list(range(0, 60, 3))] * 4


@pytest.mark.parametrize("patching", ["static", "learned"])
@pytest.mark.parametrize("size", [2, 4, 8])
def test_it_keeps_the_contract(patching: str, size: int) -> None:
    chosen = {"patching": patching, "size": size}
    for width, seed in ((32, 0), (64, 1)):
        assert violations(PATCH, chosen, width=width, seed=seed) == []


def test_the_means_of_long_rows_are_as_exact_as_those_of_short_ones() -> None:
    router, tokens = PatchRouter(WIDTH, patching="static", size=4, threshold=0.5).eval(), 4096
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


@pytest.mark.parametrize("chosen", [{"patching": "space"}, {"patching": "entropy"}])
def test_patches_by_bytes_keep_the_contract(chosen: dict[str, Any]) -> None:
    for width, threshold in ((32, 0.3), (64, 0.6)):
        assert violations(PATCH, {**chosen, "threshold": threshold}, width=width) == []
