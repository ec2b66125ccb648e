"""The token embedding in two factors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..frame import Frame
from ..kinds import Carry
from ..projection import Projection
from .catalog import code_length
from .table import looked_up, new_table


class FactorisedEmbedding(nn.Module):
    """A short vector for each token, projected to the width (ALBERT, arXiv:1909.11942).

    x_t = sqrt(E) P C[token_t], with E = ratio W numbers a token: V E + E W parameters in place of
    V W. A tied head goes back through both factors, as by the table sqrt(E / W) C P^T, so that its
    logits have rank E at most; the rows of that table have the length of a plain one's.

    Shapes: tokens (B, T), C (V, E), P (W, E), x (B, T, W).
    """

    def __init__(self, width: int, *, vocabulary: int, context: int, ratio: float) -> None:
        super().__init__()
        size = code_length(width, ratio)
        self.codes = new_table(vocabulary, size)
        self.project = Projection(size, width)

    def forward(self, tokens: Tensor, carry: Carry, frame: Frame) -> tuple[Tensor, Carry]:
        """Map tokens (B, T) to (B, T, W); the tokens at holes may be anything."""
        if not frame.dense:
            tokens = torch.where(frame.real, tokens, 0)
        return self.project(looked_up(tokens, self.codes)), None

    def logits(self, x: Tensor) -> Tensor:
        """Return what a head of ``table`` would, through the factors: (..., W) -> (..., V)."""
        weight = self.project.weight  # P
        short = (weight.shape[1] / weight.shape[0]) ** 0.5 * (x @ weight)
        return F.linear(short, self.codes)  # (..., E) -> (..., V)

    @property
    def table(self) -> Tensor:
        """The factors multiplied out, (V, W), for who wants a plain table; ``logits`` does not."""
        weight = self.project.weight
        return (weight.shape[1] / weight.shape[0]) ** 0.5 * self.codes @ weight.T
