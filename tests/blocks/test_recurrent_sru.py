"""SRU against its equations written out token by token, and what its gates mean."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from praxis_evolve.blocks.contract import violations
from praxis_evolve.blocks.frame import Frame, dense_frame
from praxis_evolve.blocks.recurrent.catalog import DECLARATIONS
from praxis_evolve.blocks.recurrent.sru import SRU

DECLARATION = next(each for each in DECLARATIONS if each.name == "sru")
PLAIN: dict[str, Any] = {"highway_bias": 0.0, "rescale": False, "activation": "none"}


def frame(tokens: int, rows: int = 2) -> Frame:
    return dense_frame(rows, tokens, context=64, segment=16)


def by_hand(block: SRU, x: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Return the outputs and the last state, one token at a time."""
    c, ys = torch.zeros_like(x[:, 0]), list[Tensor]()
    for token in x.unbind(1):
        u, f, r = (token @ block.inside.weight.T).chunk(3, -1)
        f, r = (f + block.biases[0]).sigmoid(), (r + block.biases[1]).sigmoid()
        c = f * c + (1 - f) * u
        ys.append(r * (c.tanh() if block.tanh else c) + (1 - r) * token * scale)
    return torch.stack(ys, 1), c


@pytest.mark.parametrize("activation", ["none", "tanh"])
@pytest.mark.parametrize(("bias", "rescale", "scale"), [(-2.0, False, 1.0), (0.0, True, 3**0.5)])
def test_outputs_and_state_are_those_of_the_recurrence(
    activation: str, bias: float, rescale: bool, scale: float
) -> None:
    torch.manual_seed(0)
    block = SRU(32, highway_bias=bias, rescale=rescale, activation=activation).double()
    nn.init.normal_(block.biases)
    x = torch.randn(2, 37, 32, dtype=torch.float64, requires_grad=True)
    y, carry = block(x, None, frame(37))
    want, end = by_hand(block, x, scale)
    torch.testing.assert_close(y, want, rtol=0, atol=1e-12)
    torch.testing.assert_close(carry[0], end, rtol=0, atol=1e-12)
    weights = torch.randn_like(y)
    inputs = [x, *block.parameters()]
    theirs = torch.autograd.grad((want * weights).sum(), inputs)
    for mine, other in zip(torch.autograd.grad((y * weights).sum(), inputs), theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-11)


def test_a_shut_highway_gate_lets_the_token_by_and_an_open_one_the_average() -> None:
    block = SRU(32, **PLAIN).double()
    x = torch.randn(2, 9, 32, dtype=torch.float64)
    for bias, activated in ((-1000.0, False), (1000.0, True)):
        with torch.no_grad():
            block.biases[0] = -1000.0  # nothing is kept
            block.biases[1] = bias
        y, _ = block(x, None, frame(9))
        torch.testing.assert_close(y, x @ block.inside.weight[:32].T if activated else x)


@pytest.mark.parametrize("bias", [-3.0, 0.0])
def test_rescaling_keeps_the_size(bias: float) -> None:
    torch.manual_seed(0)
    x = torch.randn(8, 64, 128)
    sizes = [
        SRU(128, highway_bias=bias, rescale=rescale, activation="none")(x, None, frame(64, 8))[0]
        .square()
        .mean()
        .item()
        for rescale in (False, True)
    ]
    assert abs(sizes[1] - 1) < 0.15
    assert sizes[1] > sizes[0]


@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize(("highway_bias", "activation"), [(-3.0, "none"), (0.0, "tanh")])
def test_it_keeps_the_contract(highway_bias: float, rescale: bool, activation: str) -> None:
    chosen = {"highway_bias": highway_bias, "rescale": rescale, "activation": activation}
    for width, seed in ((32, 0), (64, 1)):
        assert violations(DECLARATION, chosen, width=width, seed=seed) == []
