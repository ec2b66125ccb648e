"""Softmax attention whose heads may share or lack parts: MHA, GQA, MQA and SQA in one block."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..frame import Frame
from ..projection import Projection
from .alibi import slopes
from .attend import attend
from .beside import Beside
from .cache import Cache
from .costs import query_heads
from .mask import without_holes
from .rotary import rotate, rotation

EPSILON = 1e-6  # of the norm of queries and keys


class Attention(nn.Module):
    """Causal softmax attention: (B, T, W) to the same, H query heads and G key heads of D channels.

    head h:  softmax(q_h k_g^T / sqrt(D) + bias) v_g,  g = h // (H / G),  then an output map.

    D = W / ``heads`` and H = ``queries * heads``: heads without queries cost no scores (sparse
    query attention, arXiv:2510.01817). G = H is the multi-head form (1706.03762), G = 1 multi-query
    (1911.02150), between lies grouped-query (2305.13245). ``position``: "rope" turns q and k
    (2104.09864), "xpos" also lets them fade (2212.10554), "alibi" lowers scores with distance
    (2108.12409), "none" leaves order to the causal mask, then ``head_scale`` learns a factor of the
    scores for each head (2404.12224). ``qk_norm`` makes the scores s_h cos(q_h, k_g) with a learned
    s_h, sqrt(D) at first (2010.04245). ``gate`` multiplies what a head, or each of its channels,
    has read by sigmoid(W x) (2505.06708). ``normaliser`` "softmax1" divides by 1 + the sum, so that
    a head may read little or nothing (evanmiller.org/attention-is-off-by-one). ``persistent``
    learned keys and values for each key head are seen by all queries, from no distance: q is not
    turned for them (1907.01470). The carry is a ``Cache`` of the last
    ``window * context - 1`` tokens.
    """

    def __init__(
        self,
        width: int,
        *,
        heads: int,
        group: int,
        position: str,
        rope_base: float,
        window: float,
        head_scale: bool,
        queries: float,
        qk_norm: bool,
        gate: str,
        normaliser: str,
        persistent: int,
    ) -> None:
        super().__init__()
        self.heads = query_heads(heads, queries)
        self.key_heads = max(1, self.heads // group)
        self.dim = width // heads
        self.rope_base = rope_base if position in ("rope", "xpos") else None
        self.xpos = position == "xpos"
        self.slopes = slopes(self.heads) if position == "alibi" else ()
        self.window = window
        inner = self.heads * self.dim
        self.queries = Projection(width, inner)
        self.keys_values = Projection(width, 2 * self.key_heads * self.dim)
        self.output = Projection(inner, width)
        scaled = head_scale and position == "none"
        self.head_scale = nn.Parameter(torch.ones(self.heads)) if scaled else None
        sharpness = torch.full((self.heads,), self.dim**0.5)
        self.sharpness = nn.Parameter(sharpness) if qk_norm else None
        self.gate = _gate(gate, width, heads=self.heads, dim=self.dim)
        self.beside = normaliser == "softmax1" or persistent > 0
        self.nothing = normaliser == "softmax1"
        added = (2, persistent, self.key_heads, self.dim)  # keys and values
        self.persistent = nn.Parameter(torch.randn(added)) if persistent else None

    def forward(self, x: Tensor, carry: Cache | None, frame: Frame) -> tuple[Tensor, Cache | None]:
        """Map x (B, T, W) to (B, T, W) and the cache to the next one."""
        x = without_holes(x, frame)
        plain, k, v = self._project(x)
        q, k = self._turned(plain, k, frame)
        y, cache = attend(
            q, k, v, carry, frame,
            window=self.window, slopes=self.slopes, xpos=self.xpos,
            scale=None if self.sharpness is None else 1 / self.dim,
            beside=self._beside(plain) if self.beside else None,
        )  # fmt: skip
        if self.gate is not None:
            y = y * self.gate(x).sigmoid().unflatten(2, (self.heads, -1))  # (B, T, H, 1 | D)
        return self.output(y.flatten(2)), cache

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return q (B, T, H, D), k (B, T, G, D) and v (B, T, G, D)."""
        rows, tokens, _ = x.shape
        q = self.queries(x).view(rows, tokens, self.heads, self.dim)
        kv = self.keys_values(x).view(rows, tokens, 2 * self.key_heads, self.dim)
        k, v = kv.chunk(2, 2)
        if self.sharpness is not None:  # of length sqrt(D), hence the scale 1 / D
            q = F.rms_norm(q, (self.dim,), eps=EPSILON) * self.sharpness[:, None]
            k = F.rms_norm(k, (self.dim,), eps=EPSILON)
        if self.head_scale is not None:
            q = q * self.head_scale[:, None]
        return q, k, v

    def _turned(self, q: Tensor, k: Tensor, frame: Frame) -> tuple[Tensor, Tensor]:
        if self.rope_base is None:
            return q, k
        turns = rotation(frame, dim=self.dim, base=self.rope_base, dtype=q.dtype)
        return rotate(q, turns), rotate(k, turns)

    def _beside(self, q: Tensor) -> Beside:
        if self.persistent is None:
            none = q.new_zeros(0, self.key_heads, self.dim)
            return Beside(q, none, none, self.nothing)
        k, v = self.persistent
        if self.sharpness is not None:
            k = F.rms_norm(k, (self.dim,), eps=EPSILON)
        return Beside(q, k, v, self.nothing)


def _gate(kind: str, width: int, *, heads: int, dim: int) -> nn.Module | None:
    """Return the map to the gate's logits: a channel for each head, each of its channels, or none.

    Few logits decide about whole heads, so that map keeps its precision.
    """
    if kind == "element":
        return Projection(width, heads * dim)
    if kind == "head":
        return nn.Linear(width, heads, bias=False)
    return None
