"""MLP and GLU compute their formulas; every block without a carry works token by token."""

from __future__ import annotations

from random import Random

import pytest
import torch
from torch.nn import functional as F

from praxis_evolve.blocks.declaration import Declaration
from praxis_evolve.blocks.feedforward.activations import ACTIVATIONS, squared_relu
from praxis_evolve.blocks.feedforward.catalog import DECLARATIONS
from praxis_evolve.blocks.feedforward.glu import GLU
from praxis_evolve.blocks.feedforward.mlp import MLP
from praxis_evolve.blocks.feedforward.sizes import hidden_width
from praxis_evolve.blocks.frame import Frame, dense_frame
from praxis_evolve.blocks.projection import Precision, set_precision

POSITIONWISE = [d for d in DECLARATIONS if not d.mixes]


def frame_of(x: torch.Tensor) -> Frame:
    return dense_frame(x.shape[0], x.shape[1], context=64, segment=16)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_mlp_is_its_formula(activation: str):
    block = MLP(32, multiple=1.3, activation=activation).double()
    torch.nn.init.normal_(block.into.bias)
    x = torch.randn(2, 5, 32, dtype=torch.float64)
    hidden = ACTIVATIONS[activation](x @ block.into.weight.T + block.into.bias)
    y, carry = block(x, None, frame_of(x))
    assert carry is None
    torch.testing.assert_close(y, hidden @ block.out.weight.T + block.out.bias)


def test_glu_whose_values_are_one_is_an_mlp_without_biases():
    glu = GLU(32, multiple=2.0, activation="gelu").double()
    mlp = MLP(32, multiple=2.0, activation="gelu").double()
    x = torch.randn(2, 5, 32, dtype=torch.float64)
    x[..., -1] = 1.0
    with torch.no_grad():
        gate, value = glu.into.weight.chunk(2)
        value.zero_()
        value[:, -1] = 1.0  # reads the feature that is always one
        mlp.into.weight.copy_(gate)
        mlp.out.weight.copy_(glu.out.weight)
    torch.testing.assert_close(glu(x, None, frame_of(x))[0], mlp(x, None, frame_of(x))[0])


def test_swiglu_is_the_glu_of_torch_on_products():
    """``silu(a) * b`` is ``(a * b) * sigmoid(a)``."""
    block = GLU(32, multiple=1.5, activation="silu").double()
    x = torch.randn(2, 5, 32, dtype=torch.float64)
    gate, value = (x @ block.into.weight.T).chunk(2, -1)
    expected = F.glu(torch.cat((gate * value, gate), -1)) @ block.out.weight.T
    torch.testing.assert_close(block(x, None, frame_of(x))[0], expected)


@pytest.mark.parametrize("precision", ["ternary", "binary"])
def test_a_rounded_glu_rounds_both_maps_as_one(precision: Precision):
    block = GLU(32, multiple=1.5, activation="silu").double()
    set_precision(block, precision)
    x = torch.randn(2, 5, 32, dtype=torch.float64)
    gate, value = block.into(x).chunk(2, -1)
    expected = block.out(F.silu(gate) * value)
    torch.testing.assert_close(block(x, None, frame_of(x))[0], expected, rtol=0, atol=0)


def test_squared_relu_is_homogeneous_of_degree_two():
    x = torch.randn(50, dtype=torch.float64, requires_grad=True)
    assert (squared_relu(x) >= 0).all()
    torch.testing.assert_close(squared_relu(3 * x), 9 * squared_relu(x))
    (slope,) = torch.autograd.grad(squared_relu(x).sum(), x)
    torch.testing.assert_close(slope, 2 * x.relu())


def test_hidden_width_is_the_nearest_multiple_of_eight():
    assert [hidden_width(64, m) for m in (4.0, 2.67, 0.01, 1.1)] == [256, 168, 8, 72]


@pytest.mark.parametrize("declaration", POSITIONWISE, ids=lambda d: d.name)
def test_permuting_tokens_commutes(declaration: Declaration):
    block = declaration.load()(32, **declaration.defaults()).double().eval()
    x = torch.randn(2, 9, 32, dtype=torch.float64)
    order = torch.randperm(9)
    y, _ = block(x, None, frame_of(x))
    moved, _ = block(x[:, order], None, frame_of(x))
    torch.testing.assert_close(moved, y[:, order])


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda d: d.name)
def test_nothing_and_holes_are_legal(declaration: Declaration):
    block = declaration.load()(32, **declaration.defaults())
    none = torch.zeros(2, 0, dtype=torch.int64)
    y, carry = block(torch.randn(2, 0, 32), None, Frame(none, none, 64))
    assert y.shape == (2, 0, 32)
    holes = torch.full((2, 3), -1)
    y, _ = block(torch.randn(2, 3, 32), carry, Frame(holes, holes, 64))
    assert y.shape == (2, 3, 32)
    assert torch.isfinite(y).all()


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda d: d.name)
def test_output_has_the_size_of_the_input_for_any_settings(declaration: Declaration):
    rng = Random(3)
    for width in (32, 64, 96, 128):
        settings = {name: s.range.sample(rng) for name, s in declaration.settings.items()}
        x = torch.randn(2, 64, width)
        y, _ = declaration.load()(width, **settings)(x, None, frame_of(x))
        assert 0.1 <= y.square().mean().sqrt() <= 10, (width, settings)


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda d: d.name)
def test_not_a_number_goes_through_without_an_error(declaration: Declaration):
    """A diverged model is a result with a reason, not a crash."""
    block = declaration.load()(32, **declaration.defaults())
    x = torch.full((2, 5, 32), torch.nan)
    y, _ = block(x, None, frame_of(x))
    assert y.shape == x.shape
