"""A mixture of experts: each token runs through a few of many networks, and some that all share."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..frame import Frame
from ..kinds import Carry
from ..norm.rms import inverse_rms
from .experts import Experts
from .grouped import copies, mixed
from .sizes import hidden_width

RATE = 0.01
"""How far one step moves a bias; scores have a spread of about 1 at the start."""


class MixtureOfExperts(nn.Module):
    """``y = S(x) + sum over the k best experts i of g_i E_i(x)`` (DeepSeekMoE, arXiv:2401.06066).

    The logits ``l = W_r x / rms(x)`` give the gates: the softmax of the chosen logits, or their
    sigmoids divided by their sum. The k experts with the largest ``l_i + b_i`` are chosen; nothing
    else reads b. After each step b rises for experts with fewer tokens than the mean and falls for
    those with more, which balances them without a loss (arXiv:2408.15664, which adds b to the
    sigmoids). S is ``shared`` experts in one, which every token runs through.

    Tokens are sorted by expert, so that each is computed by exactly k of them, no capacity drops
    any, and the operations are k / routed of all experts' however the choice falls. Experts stand
    in stacked tensors. Shapes: (B, T, W) to the same. Notes: "margin", by how much the last expert
    chosen is ahead of the next.

    Args:
        width: W.
        routed: experts to choose from.
        k: experts of a token, 2 to routed: the gate of one alone would be 1 without gradient.
        shared: experts of all tokens.
        expert: ``glu``, ``mlp`` or ``kan``.
        multiple: hidden units of an expert for each unit of width.
        score: ``softmax`` or ``sigmoid``.
    """

    bias: Tensor
    loads: Tensor

    def __init__(
        self,
        width: int,
        *,
        routed: int,
        k: int,
        shared: int,
        expert: str,
        multiple: float,
        score: str,
    ) -> None:
        super().__init__()
        hidden = hidden_width(width, multiple)
        self.routed, self.k, self.score = routed, k, score
        self.router = nn.Linear(width, routed, bias=False)
        nn.init.normal_(self.router.weight, std=width**-0.5)
        self.experts = Experts(routed, width, hidden, kind=expert)
        with torch.no_grad():
            for weight in self.experts.out.parameters():
                weight.mul_(math.sqrt(k))  # an even mixture of k is smaller by this than each
        self.shared = Experts(1, width, shared * hidden, kind=expert) if shared else None
        self.register_buffer("bias", torch.zeros(routed))  # b
        self.register_buffer("loads", torch.zeros(routed), persistent=False)  # since the last step

    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> tuple[Tensor, Carry]:
        """Map x (B, T, W) to (B, T, W); there is nothing to remember."""
        tokens = x.flatten(0, 1)  # (B, T, W) -> (N, W)
        chosen, gates = self.choose(tokens, frame)
        features = self.experts.features(tokens)
        y = self.dispatch(features, chosen, gates)
        if self.shared is not None:
            y = y + self.shared(features, [len(features)])
        return y.view_as(x), None

    def choose(self, tokens: Tensor, frame: Frame) -> tuple[Tensor, Tensor]:
        """Return the experts of each token and their gates: (N, W) -> 2 x (N, k)."""
        logits = self.router(tokens) * inverse_rms(tokens)
        best = (logits.detach() + self.bias).topk(min(self.k + 1, self.routed))
        chosen = best.indices[:, : self.k]
        if self.training:
            self._count(chosen, frame)
        elif self.k < self.routed:
            margin = best.values[:, self.k - 1] - best.values[:, self.k]
            frame.note("margin", margin.view_as(frame.at).where(frame.real, math.inf), "margin")
        gates = logits.gather(1, chosen)
        # In logarithms sigmoids may be as small as they like and still be divided by their sum.
        return chosen, (gates if self.score == "softmax" else F.logsigmoid(gates)).softmax(-1)

    def dispatch(self, features: Tensor, chosen: Tensor, gates: Tensor) -> Tensor:
        """Return the sum of each token's experts by their gates: ..., 2 x (N, k) -> (N, W)."""
        order = chosen.flatten().argsort(stable=True)  # (N * k,), tokens of expert 0 first
        back = order.argsort()
        y = self.experts(copies(features, order, back, self.k), _sizes(chosen, self.routed))
        return mixed(y, order, back, gates)

    @torch.no_grad()
    def after_step(self) -> None:
        """Move the biases of experts that got too many or too few tokens in the last step."""
        self.bias += RATE * (self.loads.mean() - self.loads).sign()
        self.loads.zero_()

    @torch.no_grad()
    def _count(self, chosen: Tensor, frame: Frame) -> None:
        real = frame.real.flatten().unsqueeze(1).expand_as(chosen).flatten()
        self.loads.index_add_(0, chosen.flatten(), real.to(self.loads.dtype))


def _sizes(chosen: Tensor, number: int) -> list[int]:
    """Return the tokens of each expert; even on the meta device, where nothing is chosen."""
    if not chosen.is_meta:
        counts = torch.bincount(chosen.flatten(), minlength=number)
        return cast("list[int]", counts.tolist())
    each, rest = divmod(chosen.numel(), number)
    return [each + (expert < rest) for expert in range(number)]
