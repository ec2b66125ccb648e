"""Where a token was hard to foresee: a small guess of the next byte, and how sure it is."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..frame import Frame
from .shares import BYTES
from .space import told

GUESS_WEIGHT = 0.1
"""Weight of the guess's loss: Adam makes up for it, and the gradient's clipping hardly sees it."""

_SAFE = 1e-6


class EntropyGate(nn.Module):
    """A token begins a patch where its guess was not sure (entropy patching, arXiv:2412.09871).

    p_t = softmax(V x_t / rms(x_t)) guesses the token after t, H_t is the entropy of p_t over
    log 256, and margin_t = H_{t-1} - threshold + ``decision_bias``: a patch begins where it is > 0.
    The paper has a small language model, trained before, for the guess; here it is linear, of the
    stream that the router sees, and learns beside the model: V by the cross-entropy of the tokens
    of a call. No gradient enters the stream. V starts at 0, where every token begins a patch.

    Shapes: x (B, T, W), V (256, W), entropies (B, T, 1), margins (B, T).
    """

    decision_bias: Tensor

    def __init__(self, width: int, *, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold
        self.guess = nn.Linear(width, BYTES, bias=False)
        nn.init.zeros_(self.guess.weight)
        self.register_buffer("decision_bias", torch.zeros(()), persistent=False)

    def forward(self, x: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return margins (B, T), entropies (B, T, 1) and the logarithm of the guesses (B, T, 256).

        ``before`` (B, 1) is the last entropy of the call before.
        """
        x = F.rms_norm(x.detach(), x.shape[-1:], eps=_SAFE)
        guess = self.guess(x).log_softmax(-1)
        entropy = -(guess.detach().exp() * guess.detach()).sum(-1, keepdim=True) / math.log(BYTES)
        previous = torch.cat((before, entropy.squeeze(-1)), 1)[:, : x.shape[1]]
        return previous - self.threshold + self.decision_bias, entropy, guess


def guess_loss(guess: Tensor, packed: Frame) -> Tensor:
    """Return what wrong guesses (B, T, 256) of a packed frame's next tokens cost, a scalar."""
    targets = told(packed)[:, 1:, None] & (BYTES - 1)
    surprise = -guess[:, :-1].gather(2, targets).squeeze(-1)  # (B, T - 1)
    known = packed.real[:, 1:]
    return GUESS_WEIGHT * (surprise * known).sum() / known.sum().clamp(min=1)
