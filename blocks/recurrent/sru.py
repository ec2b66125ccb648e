"""The simple recurrent unit."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..attention.mask import without_holes
from ..frame import Frame
from ..kinds import Carry
from ..projection import Projection
from .scan import gated_scan, last_state


class SRU(nn.Module):
    """SRU: a leaky average and a highway around it, by gates of the token alone (1709.02755).

    u, a, b = W x,  f = sigmoid(a + b_f),  r = sigmoid(b + b_r),
    c_t = f_t * c_{t-1} + (1 - f_t) * u_t,  y_t = r_t * g(c_t) + (1 - r_t) * x_t * s.

    This is the paper's first form. Its last one adds v * c_{t-1} to both gates, which makes every
    token wait for the one before, and is left out. b_r starts at ``highway_bias``: the lower it is,
    the more passes by. With ``rescale`` s = sqrt(1 + 2 exp(b_r at the start)), which keeps the
    size of what both ways give, else s = 1. g is tanh or nothing.

    Shapes: x, c and y (B, T, W). The carry is c of the last real token, (B, W). At a hole f = 1.
    """

    def __init__(self, width: int, *, highway_bias: float, rescale: bool, activation: str) -> None:
        super().__init__()
        self.inside = Projection(width, 3 * width)
        biases = torch.stack((torch.zeros(width), torch.full((width,), highway_bias)))
        self.biases = nn.Parameter(biases)  # b_f and b_r
        self.scale = math.sqrt(1 + 2 * math.exp(highway_bias)) if rescale else 1.0
        self.tanh = activation == "tanh"

    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> tuple[Tensor, Carry]:
        """Map x (B, T, W) to (B, T, W) and the state to the one after the last real token."""
        x = without_holes(x, frame)
        u, forget, pick = self.inside(x).chunk(3, -1)  # (B, T, 3W) -> 3 x (B, T, W)
        share = (-forget - self.biases[0]).sigmoid()  # 1 - f
        if not frame.dense:
            share = share.masked_fill(~frame.real.unsqueeze(-1), 0.0)
        start: Tensor | None = None if carry is None else carry[0]
        c = gated_scan(share, u, start)
        past = x if self.scale == 1.0 else x * self.scale
        y = torch.lerp(past, c.tanh() if self.tanh else c, (pick + self.biases[1]).sigmoid())
        return y, (last_state(c, start),) if frame.keep else None
