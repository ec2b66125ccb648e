"""A large learned memory whose entries are found by product keys."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..frame import Frame
from ..kinds import Carry
from ..projection import Projection
from .product_keys import best_pairs
from .sizes import hidden_width


class ProductMemory(nn.Module):
    """``y = W_o (silu(W_g x) * sum over heads and their k best entries i of s_i v_i)``.

    The key of entry (a, b) is the half key a beside the half key b; its score for a query is the
    sum of both products, and s is the softmax over a head's k (arXiv:1907.05242). Heads have keys
    of their own and share the values. The gate silu(W_g x) is that of Memory+ (arXiv:2412.09764);
    it is left out where ``gate`` is False. The query is divided by its rms where the paper has a
    batch norm, which would let rows influence each other. Shapes: (B, T, W) to the same.

    Args:
        width: W.
        side: half keys in each set; there are ``side ** 2`` entries.
        heads: queries of each token.
        k: entries for each query, at most side.
        key_dim: length of queries and whole keys, even.
        value: length of an entry for each unit of width, V / W.
        gate: whether what was read is gated by the token.
    """

    def __init__(
        self,
        width: int,
        *,
        side: int,
        heads: int,
        k: int,
        key_dim: int,
        value: float,
        gate: bool,
    ) -> None:
        super().__init__()
        self.side, self.heads, self.k = side, heads, k
        length = hidden_width(width, value)
        self.query = Projection(width, heads * key_dim)
        self.keys = nn.Parameter(torch.empty(2, heads, side, key_dim // 2))
        self.values = nn.Parameter(torch.empty(side**2, length))
        self.gate = Projection(width, length) if gate else None
        self.out = Projection(length, width)
        nn.init.normal_(self.keys, std=key_dim**-0.5)
        nn.init.normal_(self.values, std=(k / heads) ** 0.5)  # weights of a head are about 1 / k

    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> tuple[Tensor, Carry]:
        """Map x (B, T, W) to (B, T, W); there is nothing to remember."""
        tokens = x.flatten(0, 1)  # (B, T, W) -> (N, W)
        entries, scores = self.retrieve(tokens)
        weights = scores.softmax(-1).flatten(1)  # (N, h * k)
        read = F.embedding_bag(
            entries.flatten(1), self.values, per_sample_weights=weights, mode="sum"
        )  # (N, h * k) -> (N, V)
        if self.gate is not None:
            read = F.silu(self.gate(tokens)) * read
        return self.out(read).view_as(x), None

    def retrieve(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return the k best entries of each head and their scores: (N, W) -> 2 x (N, h, k)."""
        query = self.query(tokens).unflatten(-1, (self.heads, -1)).transpose(0, 1)  # (h, N, D)
        halves = F.rms_norm(query, query.shape[-1:], eps=1e-6).chunk(2, -1)
        first, second = (half @ keys.mT for half, keys in zip(halves, self.keys, strict=True))
        a, b = best_pairs(first, second, self.k)  # (h, N, side) -> (h, N, k)
        scores = first.gather(-1, a) + second.gather(-1, b)
        return (a * self.side + b).transpose(0, 1), scores.transpose(0, 1)
