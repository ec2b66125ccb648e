"""A projection is torch's linear map, or a BitLinear whose gradient passes its rounding."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from praxis_evolve.blocks.declaration import Precision
from praxis_evolve.blocks.projection import (
    Projection,
    binary,
    eight_bits,
    set_precision,
    ternary,
)

ROUNDED: tuple[Precision, ...] = ("ternary", "binary")
ROUNDING: dict[Precision, Callable[[Tensor], Tensor]] = {"ternary": ternary, "binary": binary}
rows = st.integers(0, 10_000)


def projection(precision: Precision, *, bias: bool = True, seed: int = 0) -> Projection:
    torch.manual_seed(seed)
    made = Projection(24, 10, bias=bias).double()
    nn.init.normal_(made.weight, mean=0.3)
    if bias:
        nn.init.normal_(made.bias)
    made.precision = precision
    return made


def stream(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, 5, 24, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_full_is_the_linear_map_of_torch_bit_for_bit(bias: bool, dtype: torch.dtype):
    made, x = projection("full", bias=bias).to(dtype), stream().to(dtype)
    assert torch.equal(made(x), F.linear(x, made.weight, made.bias))


@settings(max_examples=40)
@given(seed=rows, shift=st.floats(-2, 2), size=st.floats(1e-3, 1e3))
def test_weights_have_two_or_three_levels(seed: int, shift: float, size: float):
    generator = torch.Generator().manual_seed(seed)
    weight = (torch.randn(10, 24, dtype=torch.float64, generator=generator) + shift) * size
    mean = weight.abs().mean()
    two, three = binary(weight) / mean, ternary(weight) / mean
    assert torch.equal(two.abs(), torch.ones_like(two))
    assert torch.equal(two > 0, weight >= weight.mean())
    assert ((three == -1) | (three == 0) | (three == 1)).all()
    assert torch.equal(three, (weight / mean).round().clamp(-1, 1))


def test_ternary_and_binary_have_all_their_levels():
    weight = projection("full").weight - 0.3
    mean = weight.abs().mean()
    assert all((ternary(weight) == level).any() for level in (-mean, 0, mean))
    assert all((binary(weight) == level).any() for level in (-mean, mean))


@settings(max_examples=40)
@given(seed=rows, size=st.floats(1e-2, 1e4))
def test_activations_are_the_nearest_of_255_levels_of_their_row(seed: int, size: float):
    x = stream(seed)
    step = x.abs().amax(-1, keepdim=True) / 127
    levels = eight_bits(x) / step
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-9)
    assert levels.abs().max() <= 127 + 1e-9
    assert ((levels - x / step).abs() <= 0.5 + 127 * 2.0**-16).all()
    torch.testing.assert_close(eight_bits(size * x), size * eight_bits(x))
    assert torch.equal(eight_bits(4 * x), 4 * eight_bits(x))
    assert torch.equal(eight_bits(-x), -eight_bits(x))


@settings(max_examples=40)
@given(st.integers(1, 64), st.floats(1e-3, 1e3), rows)
def test_rounding_errors_decide_no_half(half: int, size: float, seed: int):
    """A rounded map returns whole multiples of one number: some are half of the largest one."""
    x = torch.tensor([[2 * half, half, -half]] * 20, dtype=torch.float64) * size
    error = torch.randn(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(eight_bits(x * (1 + 1e-14 * error)), eight_bits(x))


def test_halves_go_to_zero():
    row = torch.tensor([127.0, 2.5, -2.5, 3.5, 0.5, 126.5], dtype=torch.float64)
    assert eight_bits(row).tolist() == [127, 2, -2, 3, 0, 126]


@pytest.mark.parametrize("precision", ROUNDED)
def test_output_is_the_product_of_rounded_inputs_and_weights(precision: Precision):
    made, x = projection(precision), stream()
    normed = x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    scale = normed.abs().amax(-1, keepdim=True)
    whole = (127 * normed / scale).round()
    beta = made.weight.abs().mean()
    sign = (ROUNDING[precision](made.weight) / beta).round()
    expected = (whole @ sign.T) * beta * scale / 127 + made.bias
    torch.testing.assert_close(made(x), expected)
    assert not torch.allclose(made(x), F.linear(normed, made.weight, made.bias), atol=0.1)


@pytest.mark.parametrize("precision", ROUNDED)
def test_gradient_is_that_of_the_map_without_rounding(precision: Precision):
    """The map is bilinear: each factor's slope is the other factor, as it was rounded."""
    made, x = projection(precision), stream().requires_grad_()
    weights = torch.randn(3, 5, 10, dtype=torch.float64)
    ours = torch.autograd.grad((made(x) * weights).sum(), [x, made.weight, made.bias])
    normed = F.rms_norm(x, (24,), eps=1e-5)
    rounded = ROUNDING[precision](made.weight).detach()
    into_x = F.linear(normed, rounded)
    into_weight = F.linear(eight_bits(normed).detach(), made.weight, made.bias)
    (slope,) = torch.autograd.grad((into_x * weights).sum(), [x])
    others = torch.autograd.grad((into_weight * weights).sum(), [made.weight, made.bias])
    for mine, other in zip(ours, (slope, *others), strict=True):
        assert other.abs().max() > 0
        torch.testing.assert_close(mine, other)


def test_gradient_is_the_plain_one_where_rounding_changes_nothing():
    """Weights of two levels and inputs of -1 and 1, whose norm is themselves, are not rounded."""
    made = projection("binary")
    with torch.no_grad():
        made.weight.copy_(torch.where(made.weight > 0.3, 0.25, -0.25))
    x = stream().sign().requires_grad_()
    weights = torch.randn(3, 5, 10, dtype=torch.float64)
    inputs = [x, made.weight]
    ours = torch.autograd.grad((made(x) * weights).sum(), inputs)
    plain = F.linear(F.rms_norm(x, (24,), eps=1e-5), made.weight, made.bias)
    theirs = torch.autograd.grad((plain * weights).sum(), inputs)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("precision", ROUNDED)
def test_length_of_the_input_does_not_matter(precision: Precision):
    made, x = projection(precision), 10 * stream()  # so long that the norm's epsilon is nothing
    torch.testing.assert_close(made(1000 * x), made(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("precision", ["full", "ternary", "binary"])
def test_a_row_of_zeros_gives_the_bias_and_finite_gradients(precision: Precision):
    made, x = projection(precision), stream()
    x[1, 2] = 0.0
    x.requires_grad_()
    y = made(x)
    torch.testing.assert_close(y[1, 2], made.bias, rtol=0, atol=0)
    y.square().sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert made.weight.grad is not None
    assert torch.isfinite(made.weight.grad).all()


@pytest.mark.parametrize("precision", ROUNDED)
def test_zero_weights_stay_finite(precision: Precision):
    made = projection(precision)
    with torch.no_grad():
        made.weight.zero_()
    y = made(stream())
    assert (y - made.bias).abs().max() < 0.01


def test_rows_do_not_see_each_other_and_no_rows_are_legal():
    made, x = projection("ternary"), stream()
    other = torch.cat((x[:1], 50 * stream(1)[1:]))
    torch.testing.assert_close(made(other)[0], made(x)[0])
    assert made(x[:, :0]).shape == (3, 0, 10)


@pytest.mark.parametrize(("precision", "rms"), [("full", 1.0), ("ternary", 0.66), ("binary", 0.8)])
def test_rms_at_the_start_is_that_of_normal_weights_after_rounding(
    precision: Precision, rms: float
):
    """The mean magnitude of a normal weight is 0.8 of its spread, and 69 % exceed half of it."""
    torch.manual_seed(0)
    made = Projection(256, 256)
    made.precision = precision
    x = torch.randn(100, 256)
    assert abs(made(x).square().mean().sqrt().item() - rms) < 0.03


def test_precision_is_set_in_projections_only():
    block = nn.Sequential(Projection(4, 4), nn.Sequential(Projection(4, 4)), nn.Linear(4, 4))
    set_precision(block, "binary")
    found = [p.precision for p in block.modules() if isinstance(p, Projection)]
    assert found == ["binary", "binary"]
    assert not hasattr(block[2], "precision")
