"""MEGA: attention of one head that looks through a moving average, behind two gates."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..attention.attend import attend
from ..attention.cache import Cache, extend, trim
from ..attention.mask import hidden_keys, without_holes
from ..attention.window import reach
from ..frame import Frame
from ..projection import Projection
from .ema import MovingAverage


class State(NamedTuple):
    """The memories of the average (B, W, ndim) and the keys and values of attention."""

    average: Tensor
    cache: Cache


class Mega(nn.Module):
    """Moving average equipped gated attention (arXiv:2209.10655): (B, T, W) to the same.

    a = SiLU(EMA(x)),  z = SiLU(W_z a),  q = gain_q z + shift_q,  k = gain_k z + shift_k,
    v = SiLU(W_v x),  o = f(q k^T) v,  reset r = SiLU(W_r a),  update u = sigmoid(W_u a),
    y = u * SiLU(W_h a + U (r * o)) + (1 - u) * x,    every W with a bias.

    z has ``key`` * W channels, v and r ``value`` * W. f is the softmax of q k^T / sqrt(Z), or the
    Laplace function of q k^T / n with n the number of keys that a query sees. The squared ReLU that
    it stands in for is left out: where all scores are negative it is dead for good. Order comes
    from the average: there is no other position. The paper's chunks, which cut attention off at
    fixed places, are a window here.

    The carry is a ``State``; its cache ends ``window * context - 1`` tokens back.
    """

    def __init__(
        self, width: int, *, ndim: int, key: float, value: float, score: str, window: float
    ) -> None:
        super().__init__()
        self.width, self.key, self.value = width, round(key * width), round(value * width)
        self.score, self.window = score, window
        self.average = MovingAverage(width, ndim)
        self.averaged = Projection(width, self.key + self.value + 2 * width, bias=True)
        self.values = Projection(width, self.value, bias=True)
        self.reset = Projection(self.value, width)  # U
        size = 1.0 if score == "softmax" else self.key**-0.25  # lest the first scores be large
        self.gain = nn.Parameter(size * torch.randn(2, self.key))
        self.shift = nn.Parameter(torch.zeros(2, self.key))

    def forward(self, x: Tensor, carry: State | None, frame: Frame) -> tuple[Tensor, State | None]:
        """Map x (B, T, W) to (B, T, W) and the state to the next one."""
        average, kept = (None, None) if carry is None else carry
        x = without_holes(x, frame)
        a, average = self.average(x, average, frame)
        sizes = (self.key + self.value, self.width, self.width)
        zr, update, new = self.averaged(F.silu(a)).split(sizes, -1)
        z, reset = F.silu(zr).tensor_split((self.key,), 2)
        q, k = (z[:, :, None] * self.gain + self.shift).chunk(2, 2)  # (B, T, 1, Z)
        v = F.silu(self.values(x))[:, :, None]  # (B, T, 1, V)
        o, cache = self._attend(q, k, v, kept, frame)
        new = F.silu(new + self.reset(reset * o.squeeze(2)))
        y = torch.lerp(x, new, update.sigmoid())
        return y, State(average, cache) if average is not None and cache is not None else None

    def _attend(
        self, q: Tensor, k: Tensor, v: Tensor, kept: Cache | None, frame: Frame
    ) -> tuple[Tensor, Cache | None]:
        """Return what each query reads, (B, T, 1, V), and the next cache where it is kept."""
        if self.score == "softmax":
            return attend(q, k, v, kept, frame, window=self.window)
        limit = reach(self.window, frame.context)
        at = None if kept is None else Cache(*kept).at
        hidden = hidden_keys(frame, at, limit=limit).squeeze(1)  # (B or 1, T, S)
        seen = (~hidden).sum(-1, keepdim=True).to(q.dtype)
        cache = extend(kept, k, v, frame)
        scores = (q.squeeze(2) / seen) @ cache.k.squeeze(2).mT  # (B, T, S)
        weights = laplace(scores).masked_fill(hidden, 0.0)
        o = (weights @ cache.v.squeeze(2))[:, :, None]
        if not frame.keep:
            return o, None
        return o, trim(cache, limit=limit, dense=frame.dense and kept is None)


def laplace(scores: Tensor) -> Tensor:
    """Return the Laplace function: the normal distribution that meets max(0, s)^2 at sqrt(1/2).

    Its mean is sqrt(1/2), its variance 1 / (4 pi): value and slope are equal there.
    """
    return 0.5 * (1 + torch.erf((scores - math.sqrt(0.5)) * math.sqrt(2 * math.pi)))
