"""What every block of the attention family owes: carry, holes, causality, dtypes and costs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from praxis_evolve.blocks.attention.catalog import DECLARATIONS
from praxis_evolve.blocks.attention.costs import CHUNK
from praxis_evolve.blocks.declaration import Declaration, Size
from praxis_evolve.blocks.frame import Frame, dense_frame
from praxis_evolve.blocks.probe import carry_tensors
from praxis_evolve.blocks.ranges import Choice, Value

CONTEXT = 16
WIDTH = 32


def _variants() -> Iterator[tuple[Declaration, dict[str, Value]]]:
    """Yield the ends of every choice with the other settings at their default, and some pairs.

    Of the blocks without ``position`` but with a window, corners of the settings are enough.
    """
    for declaration in DECLARATIONS:
        defaults = declaration.defaults()
        yield declaration, defaults
        if "position" not in defaults and "window" in defaults:
            yield from _corners(declaration)
            continue
        for name, setting in declaration.settings.items():
            if isinstance(setting.range, Choice):
                for option in (setting.range.options[0], setting.range.options[-1]):
                    yield declaration, defaults | {name: option}
        if "position" in defaults:
            for position, window in itertools.product(("alibi", "none"), (0.125, 0.5)):
                yield declaration, defaults | {"position": position, "window": window}
        if "head_scale" in defaults:
            yield declaration, defaults | {"position": "none", "head_scale": True}
            more: dict[str, Value] = {"queries": 0.5, "qk_norm": True, "gate": "head"}
            yield declaration, defaults | more | {"position": "xpos", "window": 0.5}
            beside: dict[str, Value] = {"normaliser": "softmax1", "persistent": 4}
            yield declaration, defaults | beside | {"position": "alibi", "queries": 0.5}
            yield declaration, defaults | beside | {"qk_norm": True, "window": 0.5}


def _corners(declaration: Declaration) -> Iterator[tuple[Declaration, dict[str, Value]]]:
    """Yield the first options of all choices, the last ones, and first and last in turn."""
    choices = {
        name: setting.range.options
        for name, setting in declaration.settings.items()
        if isinstance(setting.range, Choice)
    }
    for ends in ((0, 0), (-1, -1), (0, -1), (-1, 0)):
        picked = {
            name: options[end]
            for (name, options), end in zip(choices.items(), itertools.cycle(ends), strict=False)
        }
        yield declaration, declaration.defaults() | picked


VARIANTS = [
    pytest.param(declaration, values, id=name)
    for name, (declaration, values) in {
        f"{declaration.name}-{','.join(map(str, values.values()))}": (declaration, values)
        for declaration, values in _variants()
    }.items()
]
EVERY = pytest.mark.parametrize(("declaration", "values"), VARIANTS)


def build(declaration: Declaration, values: dict[str, Value], width: int = WIDTH) -> nn.Module:
    """Return the block in float64 and eval with every parameter drawn anew."""
    torch.manual_seed(0)
    block: nn.Module = declaration.load()(width, **values)
    block.double().eval()
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
    return block


class Stream(NamedTuple):
    x: Tensor
    at: Tensor


def stream(seed: int, tokens: int, *, rows: int = 3, holes: float = 0.3, gaps: int = 1) -> Stream:
    """Return rows with holes anywhere; the last row is nothing but holes where there are any."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, tokens, WIDTH, generator=rng, dtype=torch.float64)
    real = torch.rand(rows, tokens, generator=rng) >= holes
    if holes:
        real[-1] = False
    steps = torch.randint(1, gaps + 1, (rows, tokens), generator=rng)
    return Stream(x, torch.where(real, steps.cumsum(1) - 1, -1))


def frame_of(at: Tensor, **more: Any) -> Frame:
    return Frame(at, at.clamp(min=0) // 4, CONTEXT, **more)


def pieces(block: nn.Module, given: Stream, cuts: list[int]) -> tuple[Tensor, Any]:
    """Feed the stream piece by piece; *cuts* are where a piece ends."""
    out: list[Tensor] = []
    carry = None
    for start, end in itertools.pairwise([0, *sorted(cuts), given.at.shape[1]]):
        y, carry = block(given.x[:, start:end], carry, frame_of(given.at[:, start:end]))
        out.append(y)
    return torch.cat(out, 1), carry


def close(mine: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(mine, other, rtol=1e-8, atol=1e-8)


@EVERY
@settings(max_examples=4)
@given(
    seed=st.integers(0, 1000),
    tokens=st.integers(0, 3 * CONTEXT),
    cuts=st.lists(st.integers(0, 3 * CONTEXT), max_size=6),
    gaps=st.sampled_from([1, 3]),
)
def test_any_chunking_equals_the_whole(
    declaration: Declaration,
    values: dict[str, Value],
    seed: int,
    tokens: int,
    cuts: list[int],
    gaps: int,
):
    block = build(declaration, values)
    given = stream(seed, tokens, gaps=gaps)
    with torch.no_grad():
        whole, carry = block(given.x, None, frame_of(given.at))
        parts, carried = pieces(block, given, [min(cut, tokens) for cut in cuts])
        assert torch.isfinite(whole).all()
        assert (whole[given.at < 0] == 0).all()
        close(parts, whole)
        # What follows must be equal, too.
        more = stream(seed + 1, 5, holes=0.0)
        after = frame_of(more.at + 3 * tokens)
        close(block(more.x, carried, after)[0], block(more.x, carry, after)[0])


@EVERY
def test_token_by_token_equals_the_dense_form(declaration: Declaration, values: dict[str, Value]):
    block = build(declaration, values)
    with torch.no_grad():
        # Attention takes its causal form up to the window; retention's rows span chunks.
        for length in (1, 2, CONTEXT, CONTEXT + CHUNK + 3):
            given = stream(length, length, holes=0.0)
            frame = dense_frame(3, length, context=CONTEXT, segment=4)
            close(block(given.x, None, frame)[0], pieces(block, given, list(range(length)))[0])


@EVERY
def test_dense_pieces_with_a_carry_equal_the_whole(
    declaration: Declaration, values: dict[str, Value]
):
    block = build(declaration, values)
    given = stream(2, 3 * CONTEXT, holes=0.0)
    whole, _ = block(given.x, None, frame_of(given.at))
    out: list[Tensor] = []
    carry = None
    start = 0
    for length in (5, CONTEXT, 1, 26):
        frame = dense_frame(3, length, context=CONTEXT, segment=4, start=start)
        y, carry = block(given.x[:, start : start + length], carry, frame)
        out.append(y)
        start += length
    close(torch.cat(out, 1), whole)


@EVERY
def test_holes_change_nothing_even_if_they_are_not_numbers(
    declaration: Declaration, values: dict[str, Value]
):
    block = build(declaration, values)
    given = stream(3, 40, gaps=2)
    holes = given.at < 0
    dirty = given.x.masked_fill(holes[:, :, None], float("nan"))
    y, carry = block(dirty, None, frame_of(given.at))
    assert torch.isfinite(y).all()
    for row in range(2):
        x, at = given.x[row : row + 1, ~holes[row]], given.at[row : row + 1, ~holes[row]]
        close(y[row : row + 1, ~holes[row]], block(x, None, frame_of(at))[0])
    # A call of holes alone leaves what follows as it was, whatever the carry.
    for before in (None, carry):
        none = torch.full((3, 4), -1)
        _, after = block(dirty[:, :4], before, frame_of(none))
        more = stream(4, 3, holes=0.0)
        frame = frame_of(more.at + 100)
        close(block(more.x, after, frame)[0], block(more.x, before, frame)[0])


@EVERY
def test_the_future_and_other_rows_are_unread(declaration: Declaration, values: dict[str, Value]):
    block = build(declaration, values)
    given = stream(5, 2 * CONTEXT + 1)
    y, _ = block(given.x, None, frame_of(given.at))
    changed = given.x.clone()
    changed[:, 20:] += 3.0
    close(block(changed, None, frame_of(given.at))[0][:, :20], y[:, :20])
    close(block(given.x[:, :20], None, frame_of(given.at[:, :20]))[0], y[:, :20])
    other = given.x.clone()
    other[1:] += 3.0
    close(block(other, None, frame_of(given.at))[0][:1], y[:1])


@EVERY
def test_inputs_and_carry_are_not_written(declaration: Declaration, values: dict[str, Value]):
    block = build(declaration, values)
    given = stream(6, 30)
    _, carry = block(given.x, None, frame_of(given.at))
    copies = [given.x.clone(), given.at.clone(), *(part.clone() for part in carry_tensors(carry))]
    y, _ = block(given.x, carry, frame_of(given.at + 30 * (given.at >= 0)))
    assert y.shape == given.x.shape
    assert y.dtype == given.x.dtype
    for part, copy in zip((given.x, given.at, *carry_tensors(carry)), copies, strict=True):
        assert torch.equal(part, copy)


@EVERY
def test_no_carry_is_made_unless_kept_and_the_output_is_the_same(
    declaration: Declaration, values: dict[str, Value]
):
    block = build(declaration, values)
    given = stream(7, 20)
    for at, dense in ((given.at, False), (torch.arange(20).expand(3, -1), True)):
        kept, _ = block(given.x, None, frame_of(at, dense=dense))
        y, carry = block(given.x, None, frame_of(at, dense=dense, keep=False))
        assert carry is None
        assert torch.equal(y, kept)
    for dense in (False, True):
        nobody, _ = block(given.x[:0], None, frame_of(given.at[:0], dense=dense))
        assert nobody.shape == (0, 20, WIDTH)
    empty = frame_of(given.at[:, :0], keep=False)
    y, carry = block(given.x[:, :0], None, empty)
    assert y.shape == (3, 0, WIDTH)
    assert carry is None


@EVERY
def test_every_parameter_and_the_input_get_a_gradient(
    declaration: Declaration, values: dict[str, Value]
):
    block = build(declaration, values).train()
    given = stream(8, 2 * CONTEXT, holes=0.0)
    x = given.x.requires_grad_()
    frame = dense_frame(3, 2 * CONTEXT, context=CONTEXT, segment=4, keep=False)
    y, _ = block(x, None, frame)
    (y * torch.randn_like(y)).sum().backward()
    for name, tensor in (("x", x), *block.named_parameters()):
        assert tensor.grad is not None, name
        assert tensor.grad.abs().max() > 1e-6, name


@EVERY
def test_output_is_of_the_size_of_the_input_at_the_start(
    declaration: Declaration, values: dict[str, Value]
):
    torch.manual_seed(0)
    block = declaration.load()(64, **values)
    x = torch.randn(4, 128, 64)
    frame = dense_frame(4, 128, context=128, segment=32, keep=False)
    y, _ = block(x, None, frame)
    assert 0.1 < y.square().mean().sqrt() < 10
    assert torch.isfinite(block(100 * x, None, frame)[0]).all()


@EVERY
def test_shorter_numbers_give_nearly_the_same(declaration: Declaration, values: dict[str, Value]):
    block = build(declaration, values)
    given = stream(9, 40, holes=0.0)
    exact, _ = block(given.x, None, frame_of(given.at))
    for dtype, bound in ((torch.float32, 1e-5), (torch.bfloat16, 0.1)):
        y, carry = block.to(dtype)(given.x.to(dtype), None, frame_of(given.at))
        assert y.dtype == carry[0].dtype == dtype
        error = (y.double() - exact).square().mean() / exact.square().mean()
        assert error.sqrt() < bound


@EVERY
def test_declared_cost_is_the_real_cost(declaration: Declaration, values: dict[str, Value]):
    assert not list(declaration.problems(values))
    whole = [Size(32, 16, 4), Size(64, 40, 10), Size(96, 128, 32)]
    picked = [Size(32, 64, 16, tokens=9, gaps=True), Size(64, 64, 16, tokens=16, gaps=True)]
    for size in (*whole, *picked):
        with torch.device("meta"):
            block = declaration.load()(size.width, **values).eval()
            x = torch.empty(1, size.row, size.width)
            frame = dense_frame(1, size.row, context=size.context, segment=size.segment)
        if size.gaps:  # what a router picked is never known to be dense
            frame = Frame(frame.at, frame.segment, frame.context)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            _, carry = block(x, None, frame)
        cost = declaration.cost(size, values)
        assert cost.parameters == sum(parameter.numel() for parameter in block.parameters())
        assert cost.flops == counter.get_total_flops()
        assert cost.carry == sum(
            part.numel() * part.element_size() for part in carry_tensors(carry)
        )
