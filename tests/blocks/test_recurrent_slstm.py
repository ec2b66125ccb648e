"""The sLSTM against its equations token by token, with and without the paper's stabiliser."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from praxis_evolve.blocks.contract import violations
from praxis_evolve.blocks.frame import Frame, dense_frame
from praxis_evolve.blocks.recurrent.catalog import DECLARATIONS
from praxis_evolve.blocks.recurrent.slstm import SLSTM

DECLARATION = next(each for each in DECLARATIONS if each.name == "slstm")
PLAIN: dict[str, Any] = {"expansion": 1.0, "heads": 4, "forget": "sigmoid", "forget_bias": 1.0}


def frame(tokens: int, rows: int = 2, **more: Any) -> Frame:
    return dense_frame(rows, tokens, context=64, segment=16, **more)


def by_hand(block: SLSTM, x: Tensor, *, stabilised: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return outputs (B, T, W), the last h and the last log n, one token at a time."""
    c = n = x.new_zeros(x.shape[0], block.hidden)
    m, ys, h = torch.full_like(c, -1e9 if stabilised else 0.0), list[Tensor](), c
    for token in x.unbind(1):
        z, i, f, o = (token @ block.inside.weight.T + block.inside.bias).chunk(4, -1)
        f = f if block.exponential else f.sigmoid().log()
        new = torch.maximum(f + m, i) if stabilised else m
        c = (f + m - new).exp() * c + (i - new).exp() * z.tanh()
        n = (f + m - new).exp() * n + (i - new).exp()
        h, m = c / n, new
        grouped = h.view(len(x), block.heads, -1)
        normed = grouped / (grouped.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        ys.append((o.sigmoid() * normed.flatten(1)) @ block.outside.weight.T)
    return torch.stack(ys, 1), h, m + n.log()


def drawn(seed: int, *, normal: bool = True, **settings: Any) -> SLSTM:
    torch.manual_seed(seed)
    block = SLSTM(32, **(PLAIN | settings)).double()
    if normal:
        nn.init.normal_(block.inside.bias)
    return block


@pytest.mark.parametrize("forget", ["sigmoid", "exp"])
@pytest.mark.parametrize("stabilised", [False, True])
def test_outputs_and_state_are_those_of_the_recurrence(forget: str, stabilised: bool) -> None:
    block = drawn(0, forget=forget, expansion=1.5, heads=2)
    x = torch.randn(2, 37, 32, dtype=torch.float64)
    y, (h, log_sum) = block(x, None, frame(37))
    want, state, log_n = by_hand(block, x, stabilised=stabilised)
    torch.testing.assert_close(y, want, rtol=0, atol=1e-11)
    torch.testing.assert_close(h, state, rtol=0, atol=1e-11)
    torch.testing.assert_close(log_sum, log_n, rtol=0, atol=1e-11)


def test_the_gradients_are_those_of_the_recurrence_across_calls() -> None:
    block = drawn(1)
    x = torch.randn(2, 12, 32, dtype=torch.float64, requires_grad=True)
    inputs = [x, block.inside.weight, block.inside.bias]
    first, carry = block(x[:, :7], None, frame(7))
    second, _ = block(x[:, 7:], carry, frame(5, start=7))
    weights = torch.randn(2, 12, 32, dtype=torch.float64)
    ours = torch.autograd.grad((torch.cat((first, second), 1) * weights).sum(), inputs)
    want, _, _ = by_hand(block, x, stabilised=False)
    for mine, theirs in zip(ours, torch.autograd.grad((want * weights).sum(), inputs), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-10)


def test_without_forgetting_equal_inputs_make_the_running_mean() -> None:
    block = drawn(4, normal=False, forget="exp")
    with torch.no_grad():
        block.inside.weight[32:96].zero_()
        block.inside.bias[32:96].zero_()
    x = torch.randn(2, 20, 32, dtype=torch.float64)
    values = (x @ block.inside.weight[:32].T + block.inside.bias[:32]).tanh()
    _, (h, log_sum) = block(x, None, frame(20))
    torch.testing.assert_close(h, values.mean(1))
    torch.testing.assert_close(log_sum.exp(), torch.full_like(h, 20.0))


@pytest.mark.parametrize("forget", ["sigmoid", "exp"])
def test_gates_far_beyond_the_exponent_of_a_float_stay_finite(forget: str) -> None:
    block = drawn(2, forget=forget).float()
    x = (300 * torch.randn(2, 64, 32)).requires_grad_()
    y, (h, log_sum) = block(x, None, frame(64))
    y.sum().backward()
    assert x.grad is not None
    for each in (y, h, log_sum, x.grad):
        assert torch.isfinite(each).all()
    assert log_sum.abs().max() > 200  # n itself would be none
    assert h.abs().max() <= 1 + 1e-6  # a mean of hyperbolic tangents


@pytest.mark.parametrize("bias", [0.0, 3.0])
def test_both_forget_gates_start_alike(bias: float) -> None:
    hidden = slice(64, 96)
    plain, other = (
        drawn(3, normal=False, forget=kind, forget_bias=bias).inside.bias[hidden]
        for kind in ("sigmoid", "exp")
    )
    torch.testing.assert_close(plain.sigmoid(), other.exp())
    torch.testing.assert_close(plain[[0, -1]], torch.tensor([bias, bias + 3]).double())


@pytest.mark.parametrize(
    "chosen",
    [
        {"expansion": 2.0, "heads": 1, "forget": "exp", "forget_bias": 0.0},
        {"expansion": 1.5, "heads": 8, "forget": "sigmoid", "forget_bias": 3.0},
    ],
)
def test_it_keeps_the_contract(chosen: dict[str, Any]) -> None:
    for width, seed in ((32, 0), (64, 1)):
        assert violations(DECLARATION, chosen, width=width, seed=seed) == []
