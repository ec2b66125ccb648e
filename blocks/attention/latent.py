"""Multi-head latent attention: keys and values of all heads come from one short vector a token."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..frame import Frame
from ..projection import Projection
from .attend import read
from .cache import Cache, extend, trim
from .costs import latent_sizes
from .mask import score_bias, without_holes
from .rotary import rotate, rotation
from .window import reach

EPSILON = 1e-6  # of the norms


class LatentAttention(nn.Module):
    """Multi-head latent attention (MLA): (B, T, W) to the same, H heads of D = W / H channels.

    c = norm(A x) of ``kv_rank * W`` channels,  r = turn(W_r x) of R = ``rope_share * D`` channels;
    head h:  softmax([q_h, turn(p_h)] [K_h c, r]^T / sqrt(D + R)) V_h c,  then an output map.

    [q, p] come from x, or from norm(A_q x) of ``q_rank * W`` channels where that is not 0. Only r,
    which all heads share, knows of places. The carry is a ``Cache`` of c and r of the last
    ``window * context - 1`` tokens. A whole row makes keys and values of all heads; a call that
    continues one moves K_h to the queries and V_h behind the sum instead ("absorbs" them), so that
    the kept tokens are read as they are. Source: arXiv:2405.04434.
    """

    def __init__(
        self,
        width: int,
        *,
        heads: int,
        kv_rank: float,
        q_rank: float,
        rope_share: float,
        rope_base: float,
        window: float,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.dim = width // heads
        sizes = latent_sizes(
            width, heads=heads, kv_rank=kv_rank, q_rank=q_rank, rope_share=rope_share
        )
        self.rank, self.turned = sizes.rank, sizes.turned
        self.rope_base = rope_base
        self.window = window
        self.down = Projection(width, self.rank + self.turned)
        self.up = Projection(self.rank, 2 * width)
        self.norm = nn.Parameter(torch.ones(self.rank))
        self.queries = Projection(sizes.q_rank or width, heads * (self.dim + self.turned))
        self.query_down = Projection(width, sizes.q_rank) if sizes.q_rank else None
        self.query_norm = nn.Parameter(torch.ones(sizes.q_rank)) if sizes.q_rank else None
        self.output = Projection(width, width)

    def forward(self, x: Tensor, carry: Cache | None, frame: Frame) -> tuple[Tensor, Cache | None]:
        """Map x (B, T, W) to (B, T, W) and the cache to the next one."""
        limit = reach(self.window, frame.context)
        q, c, r = self._project(without_holes(x, frame), frame)
        kept = None if carry is None else Cache(*carry).at
        bias = score_bias(frame, kept, limit=limit, dtype=q.dtype)
        cache = extend(carry, c, r, frame)
        y = (self._naive if carry is None else self._absorbed)(q, cache, bias)
        y = self.output(y.flatten(2))
        if not frame.keep:
            return y, None
        return y, trim(cache, limit=limit, dense=frame.dense and carry is None)

    def _project(self, x: Tensor, frame: Frame) -> tuple[Tensor, Tensor, Tensor]:
        """Return [q, p] (B, T, H, D + R), c (B, T, 1, rank) and r (B, T, 1, R)."""
        turns = rotation(frame, dim=self.turned, base=self.rope_base, dtype=x.dtype)
        c, r = self.down(x)[:, :, None].split((self.rank, self.turned), 3)
        c = F.rms_norm(c, (self.rank,), self.norm, EPSILON)
        if self.query_down is not None:
            x = self.query_down(x)
            x = F.rms_norm(x, (x.shape[2],), self.query_norm, EPSILON)
        q, p = self.queries(x).unflatten(2, (self.heads, -1)).split((self.dim, self.turned), 3)
        return torch.cat((q, rotate(p, turns)), 3), c, rotate(r, turns)

    def _naive(self, q: Tensor, cache: Cache, bias: Tensor | None) -> Tensor:
        """Attend to keys and values of every head: (B, T, H, D + R) -> (B, T, H, D)."""
        k, v = self.up(cache.k[:, :, 0]).unflatten(2, (2, self.heads, self.dim)).unbind(2)
        k = torch.cat((k, cache.v.expand(-1, -1, self.heads, -1)), 3)
        v = F.pad(v, (0, self.turned))  # the fused kernel of CPUs wants values as wide as keys
        return read(q, k, v, bias, scale=None)[..., : self.dim]

    def _absorbed(self, q: Tensor, cache: Cache, bias: Tensor | None) -> Tensor:
        """Attend to the kept vectors themselves, as one key head: the same in other words."""
        c, weight = self.up.factors(cache.k)
        keys, values = weight.view(2, self.heads, self.dim, self.rank)
        inner = torch.einsum("bthd,hdr->bthr", q[..., : self.dim], keys)
        kept = torch.cat((c, cache.v), 3)  # (B, S, 1, rank + R)
        scale = (self.dim + self.turned) ** -0.5
        q = torch.cat((inner, q[..., self.dim :]), 3)
        y = read(q, kept, kept, bias, scale=scale)[..., : self.rank]
        return torch.einsum("bthr,hdr->bthd", y, values)
