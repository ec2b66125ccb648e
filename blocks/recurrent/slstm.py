"""The sLSTM without memory mixing: exponential gates over an average that normalises itself."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..attention.mask import without_holes
from ..frame import Frame
from ..kinds import Carry
from ..projection import Projection
from .scan import fading_scan, gated_scan, last_state

EPSILON = 1e-6  # of the norm

NOTHING = -1e9
"""The logarithm of n before the first token: of finite size, whose exponential is 0."""


class SLSTM(nn.Module):
    """sLSTM whose gates do not see the state (arXiv:2405.04517).

    z, a, b, o = W_in x + bias,  i = exp(a),  f = sigmoid(b) or exp(b),
    c_t = f_t * c_{t-1} + i_t * tanh(z_t),  n_t = f_t * n_{t-1} + i_t,  h_t = c_t / n_t,
    y_t = W_out (sigmoid(o_t) * h_t / rms over each of ``heads`` groups of channels).

    Left out is memory mixing, the maps from h_{t-1} to the gates: with them each token waits for
    the one before, without them both sums are scans. The paper's convolution and feed-forward are
    genes and blocks of their own here. The input's share i_t / n_t is at most 1, and
    h_t = (1 - i_t / n_t) * h_{t-1} + i_t / n_t * tanh(z_t), so that h and log n are all there is to
    keep, and no exponential overflows. Of the channels' forget biases the lowest starts at
    ``forget_bias``, the highest 3 above; f = exp(b) starts as sigmoid(b) does.

    Shapes: x and y (B, T, W), h (B, T, D) with D = expansion * W. The carry is h and log n of the
    last real token, (B, D) each. A hole has i = 0 and f = 1.
    """

    def __init__(
        self, width: int, *, expansion: float, heads: int, forget: str, forget_bias: float
    ) -> None:
        super().__init__()
        self.hidden = round(expansion * width)
        self.heads = heads
        self.exponential = forget == "exp"
        self.inside = Projection(width, 4 * self.hidden, bias=True)
        self.outside = Projection(self.hidden, width)
        bias = torch.linspace(forget_bias, forget_bias + 3, self.hidden)
        with torch.no_grad():
            bias = F.logsigmoid(bias) if self.exponential else bias
            self.inside.bias[2 * self.hidden : 3 * self.hidden].copy_(bias)

    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> tuple[Tensor, Carry]:
        """Map x (B, T, W) to (B, T, W) and the state to the one after the last real token."""
        x = without_holes(x, frame)
        value, log_input, log_forget, gate = self.inside(x).chunk(4, -1)  # 4 x (B, T, D)
        if not self.exponential:
            log_forget = F.logsigmoid(log_forget)
        if not frame.dense:
            holes = ~frame.real.unsqueeze(-1)
            log_input = log_input.masked_fill(holes, float("-inf"))
            log_forget = log_forget.masked_fill(holes, 0.0)
        start, log_sum = carry or (None, x.new_full((x.shape[0], self.hidden), NOTHING))
        share, log_sum = shares(log_input, log_forget, log_sum)
        h = gated_scan(share, value.tanh(), start)
        size = self.hidden // self.heads
        normed = F.rms_norm(h.view(*h.shape[:2], self.heads, size), (size,), eps=EPSILON)
        y = self.outside(normed.flatten(2) * gate.sigmoid())
        return y, (last_state(h, start), log_sum) if frame.keep else None


def shares(log_input: Tensor, log_forget: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Return i_t / n_t of every token, (B, T, D), and log n of the last, (B, D).

    Sums are relative to the exponential of a running peak, which cancels, needs no gradient, and
    keeps them from 1 to T + 1. log i and log f are (B, T, D), ``start`` = log n_{-1} is (B, D).
    """
    total = log_forget.cumsum(1)
    level = log_input - total  # of each token's weight, before all forgetting
    peak = torch.maximum(level.detach().cummax(1).values, start.detach()[:, None])
    before = torch.cat((start[:, None], peak), 1)[:, :-1]
    weight = (level - peak).exp()
    number = fading_scan((before - peak).exp(), weight, torch.ones_like(start))
    log_sum = total[:, -1:] + peak[:, -1:] + number[:, -1:].log()
    return weight / number, last_state(log_sum, start)
