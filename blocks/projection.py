"""The linear map of all blocks: plain, or with weights of one or 1.58 bits (BitLinear)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .declaration import Precision

_SAFE = 1e-5  # the least scale of a row of zeros
_LEVELS = 127  # of an eight-bit activation
_DOWN = 1 - 2.0**-16
"""Brings halves below one. What a rounded map returns are whole multiples of one number, so halves
are common in the next one, and rounding errors must not decide them.
"""


class Projection(nn.Linear):
    """``y = W x + b``: (..., inputs) -> (..., outputs), keeping the rms of x at the start.

    Weights are normal with standard deviation ``inputs ** -0.5``, biases zero. With ``precision``
    ternary or binary it is a BitLinear: x is normed by its rms and rounded to eight bits by the
    largest value of its row, ``x_q = round(127 x / max |x|)``, and W to

        ternary: b round(W / b) clipped to -b .. b, b = mean |W|    (arXiv:2402.17764)
        binary:  b sign(W - mean W),                b = mean |W|    (arXiv:2310.11453)

    Rounding is straight-through: its gradient is that of the map without rounding. ``precision`` is
    a gene of the pool entry; ``set_precision`` sets it in all of a block's projections.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = False) -> None:
        super().__init__(inputs, outputs, bias=bias)
        self.precision: Precision = "full"

    def reset_parameters(self) -> None:
        """Draw the weights; the constructor calls it."""
        nn.init.normal_(self.weight, std=self.in_features**-0.5)
        if self.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
            nn.init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Map (..., inputs) to (..., outputs)."""
        return F.linear(*self.factors(input), self.bias)

    def factors(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is multiplied, as ``precision`` has it: (..., inputs) and the weight."""
        if self.precision == "full":
            return input, self.weight
        x = F.rms_norm(input, (self.in_features,), eps=_SAFE)
        weight = _rounded(self.weight, _ROUNDING[self.precision](self.weight))
        return _rounded(x, eight_bits(x)), weight


def set_precision(module: nn.Module, precision: Precision) -> None:
    """Set how every projection inside *module* holds its weights."""
    for part in module.modules():
        if isinstance(part, Projection):
            part.precision = precision


def eight_bits(x: Tensor) -> Tensor:
    """Round each row of x (..., N) to 255 levels between minus and plus its largest magnitude.

    Halves go to zero.
    """
    scale = x.abs().amax(-1, keepdim=True).clamp(min=_SAFE) / _LEVELS
    return (x * (_DOWN / scale)).round() * scale


def ternary(weight: Tensor) -> Tensor:
    """Round to {-b, 0, b} with b the mean magnitude."""
    scale = weight.abs().mean().clamp(min=_SAFE)
    return (weight / scale).round().clamp(-1, 1) * scale


def binary(weight: Tensor) -> Tensor:
    """Round to {-b, b} with b the mean magnitude, around the mean."""
    scale = weight.abs().mean().clamp(min=_SAFE)
    return torch.where(weight >= weight.mean(), scale, -scale)


_ROUNDING = {"ternary": ternary, "binary": binary}


def _rounded(exact: Tensor, rounded: Tensor) -> Tensor:
    """Return *rounded* with the gradient of *exact*."""
    return exact + (rounded - exact).detach()
