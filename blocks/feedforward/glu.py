"""Gated linear units as a feed-forward network."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ..frame import Frame
from ..kinds import Carry
from ..projection import Projection
from .activations import ACTIVATIONS
from .sizes import hidden_width


class GLU(nn.Module):
    """``y = W3 (act(W1 x) * W2 x)`` for each token by itself, without biases (arXiv:2002.05202).

    ``silu`` makes it SwiGLU, ``gelu`` GEGLU, ``relu`` ReGLU. ``into`` stacks W1 over W2. Shapes:
    (B, T, W) to the same.

    Args:
        width: W.
        multiple: hidden units H for each unit of width; 8/3 costs what an MLP of 4 does.
        activation: of the gate, a name in ``ACTIVATIONS``.
    """

    def __init__(self, width: int, *, multiple: float, activation: str) -> None:
        super().__init__()
        hidden = hidden_width(width, multiple)
        self.into = Projection(width, 2 * hidden)
        self.out = Projection(hidden, width)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor, carry: Carry, frame: Frame) -> tuple[Tensor, Carry]:
        """Map x (B, T, W) to (B, T, W); there is nothing to remember."""
        gate, value = self._hidden(x)  # (B, T, W) -> 2 x (B, T, H)
        return self.out(self.activation(gate) * value), None  # (B, T, H) -> (B, T, W)

    def _hidden(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return W1 x and W2 x."""
        if self.into.precision == "full":
            # Halves of one product are read in strides, and backward joins their gradients again.
            gate, value = self.into.weight.chunk(2)
            return F.linear(x, gate), F.linear(x, value)
        gate, value = self.into(x).chunk(2, -1)
        return gate, value
