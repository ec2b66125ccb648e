"""The shifted multiply-adds against torch's own convolution."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from praxis_evolve.blocks.convolution.causal import causal_convolution


def by_torch(x: Tensor, kernel: Tensor) -> Tensor:
    """conv1d with one group a channel; its taps run from the oldest token to the newest."""
    padded = F.pad(x.mT, (len(kernel) - 1, 0))
    return F.conv1d(padded, kernel.flip(0).mT.unsqueeze(1), groups=x.shape[2]).mT


@given(tokens=st.integers(1, 12), taps=st.integers(1, 8), seed=st.integers(0, 99))
@settings(max_examples=50)
def test_values_and_gradients_equal_those_of_conv1d(tokens: int, taps: int, seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(2, tokens, 5, dtype=torch.float64, requires_grad=True)
    kernel = torch.randn(taps, 5, dtype=torch.float64, requires_grad=True)
    weights = torch.randn_like(x)
    ours, theirs = causal_convolution(x, kernel), by_torch(x, kernel)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        torch.autograd.grad((ours * weights).sum(), (x, kernel)),
        torch.autograd.grad((theirs * weights).sum(), (x, kernel)),
        rtol=0,
        atol=1e-12,
    )
