"""What every block of the memory family owes beside the contract: agreeing forms, dtypes, costs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from praxis_evolve.blocks.declaration import Declaration, Size
from praxis_evolve.blocks.frame import Frame, dense_frame
from praxis_evolve.blocks.memory.catalog import DECLARATIONS
from praxis_evolve.blocks.probe import carry_tensors, redraw
from praxis_evolve.blocks.ranges import Choice, Value

CONTEXT, SPAN, WIDTH = 24, 6, 32


def _variants() -> Iterator[tuple[Declaration, dict[str, Value]]]:
    """Yield the defaults, then all settings at their first and all at their last option."""
    for declaration in DECLARATIONS:
        defaults = declaration.defaults()
        yield declaration, defaults
        for end in (0, -1):
            yield (
                declaration,
                {
                    name: setting.range.options[end]
                    if isinstance(setting.range, Choice)
                    else setting.default
                    for name, setting in declaration.settings.items()
                },
            )


VARIANTS = [
    pytest.param(
        declaration, values, id=f"{declaration.name}-{','.join(map(str, values.values()))}"
    )
    for declaration, values in _variants()
]
EVERY = pytest.mark.parametrize(("declaration", "values"), VARIANTS)


def build(declaration: Declaration, values: dict[str, Value]) -> nn.Module:
    block: nn.Module = declaration.load()(WIDTH, **values)
    redraw(block.double().eval(), torch.Generator().manual_seed(0))
    return block


def inputs(tokens: int, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(3, tokens, WIDTH, dtype=torch.float64, generator=rng)


def dense(tokens: int, start: int = 0, **more: Any) -> Frame:
    return dense_frame(3, tokens, context=CONTEXT, segment=SPAN, start=start, **more)


def masked(frame: Frame) -> Frame:
    return Frame(frame.at, frame.segment, frame.context)


def close(mine: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(mine, other, rtol=1e-8, atol=1e-8)


@EVERY
def test_the_dense_form_equals_the_masked_one_and_any_pieces(
    declaration: Declaration, values: dict[str, Value]
):
    block, x = build(declaration, values), inputs(3 * CONTEXT)
    with torch.no_grad():
        for tokens in (1, SPAN, CONTEXT - 1, 2 * CONTEXT + 1):
            whole, carry = block(x[:, :tokens], None, dense(tokens))
            other, masks = block(x[:, :tokens], None, masked(dense(tokens)))
            close(whole, other)
            after = dense(7, start=tokens)
            more = x[:, tokens : tokens + 7]
            close(block(more, carry, after)[0], block(more, masks, after)[0])
        out, carry = list[Tensor](), None
        for start, stop in itertools.pairwise((0, SPAN, 3 * SPAN, 3 * SPAN + 1, 4 * SPAN, 50)):
            y, carry = block(x[:, start:stop], carry, dense(stop - start, start))
            out.append(y)
        close(torch.cat(out, 1), block(x[:, :50], None, dense(50))[0])


@EVERY
def test_holes_change_nothing_even_if_they_are_not_numbers(
    declaration: Declaration, values: dict[str, Value]
):
    block, x = build(declaration, values), inputs(30)
    hole = torch.rand(3, 30, generator=torch.Generator().manual_seed(4)) < 0.4
    frame = dense(30)
    frame = Frame(frame.at.masked_fill(hole, -1), frame.segment.masked_fill(hole, 77), CONTEXT)
    y, _ = block(x.masked_fill(hole[:, :, None], float("nan")), None, frame)
    assert torch.isfinite(y).all()
    for row in range(3):
        real = ~hole[row]
        alone = Frame(frame.at[row : row + 1, real], frame.segment[row : row + 1, real], CONTEXT)
        close(y[row : row + 1, real], block(x[row : row + 1, real], None, alone)[0])


@EVERY
def test_the_past_beyond_the_segment_is_read(declaration: Declaration, values: dict[str, Value]):
    block, x = build(declaration, values), inputs(CONTEXT)
    other = torch.cat((inputs(SPAN, seed=1), x[:, SPAN:]), 1)
    y, _ = block(x, None, dense(CONTEXT))
    changed, _ = block(other, None, dense(CONTEXT))
    assert (y - changed)[:, SPAN:].abs().max() > 1e-3


@EVERY
def test_one_parallel_pass_gives_every_parameter_and_the_input_a_gradient(
    declaration: Declaration, values: dict[str, Value]
):
    block, x = build(declaration, values).train(), inputs(CONTEXT).requires_grad_()
    y, carry = block(x, None, dense(CONTEXT, keep=False))
    assert carry is None
    (y * torch.randn_like(y)).sum().backward()
    for name, tensor in (("x", x), *block.named_parameters()):
        assert tensor.grad is not None, name
        assert torch.isfinite(tensor.grad).all(), name
        assert tensor.grad.abs().max() > 1e-7, name


@EVERY
def test_shorter_numbers_give_nearly_the_same(declaration: Declaration, values: dict[str, Value]):
    block, x = build(declaration, values), inputs(CONTEXT)
    exact, _ = block(x, None, dense(CONTEXT))
    y, carry = block.float()(x.float(), None, dense(CONTEXT))
    assert {part.dtype for part in carry_tensors(carry)} <= {torch.float32, torch.int64}
    assert (y.double() - exact).square().mean() < 1e-8 * exact.square().mean()
    y, _ = block.bfloat16()(x.bfloat16(), None, dense(CONTEXT))
    assert y.dtype == torch.bfloat16
    assert torch.isfinite(y).all()


@EVERY
def test_declared_cost_is_the_real_cost(declaration: Declaration, values: dict[str, Value]):
    sizes = (
        (32, 16, 4, 16),
        (64, 40, 20, 40),
        (96, 128, 32, 128),
        (32, 64, 16, 9),
        (32, 50, 12, 50),
    )
    for width, context, segment, tokens in sizes:
        with torch.device("meta"):
            block = declaration.load()(width, **values).eval()
            x = torch.empty(1, tokens, width)
            frame = dense_frame(1, tokens, context=context, segment=segment)
        gaps = tokens < context and declaration.routed  # a row behind a router
        frame = masked(frame) if gaps else frame
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            _, carry = block(x, None, frame)
        size = Size(width, context, segment, tokens=tokens, gaps=gaps)
        cost = declaration.cost(size, values)
        assert cost.parameters == sum(parameter.numel() for parameter in block.parameters())
        assert cost.flops == counter.get_total_flops()
        assert cost.carry == sum(
            part.numel() * part.element_size() for part in carry_tensors(carry)
        )


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda each: each.name)
def test_the_meta_device_takes_any_frame(declaration: Declaration):
    with torch.device("meta"):
        block = declaration.load()(WIDTH, **declaration.defaults())
        x = torch.empty(2, 5, WIDTH)
        frame = dense_frame(2, 5, context=CONTEXT, segment=SPAN, start=2)
    _, carry = block(x, None, frame)
    assert block(x, carry, frame)[0].shape == x.shape
