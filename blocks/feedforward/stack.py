"""Linear maps and spline layers of several experts in stacked tensors, each on its own tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..projection import Projection, binary, eight_bits, ternary
from . import splines
from .grouped import grouped

_SAFE = 1e-5  # of the norm in ``Projection``


class Stack(nn.Module):
    """``y_m = W_e x_m`` for the rows m of group e: (M, inputs) -> (M, outputs).

    The maps stand below each other in the weight of one ``Projection``, (E * outputs, inputs); its
    precision is theirs, and each is rounded by its own scale, as E projections would be.

    Args:
        number: E.
        inputs: length of a row.
        outputs: length of what it is mapped to.
    """

    def __init__(self, number: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.number = number
        self.maps = Projection(inputs, number * outputs)

    def features(self, x: Tensor) -> Tensor:
        """Return what ``forward`` reads, x itself: (N, inputs) to the same."""
        return x

    def forward(self, x: Tensor, sizes: Sequence[int]) -> Tensor:
        """Map x (M, inputs), E groups of *sizes* rows one after the other, to (M, outputs)."""
        weights = self.maps.weight.view(
            self.number, -1, self.maps.in_features
        )  # (E, outputs, inputs)
        if self.maps.precision == "full":
            return grouped(x, weights, sizes)
        rounding = ternary if self.maps.precision == "ternary" else binary
        rounded = torch.stack([rounding(weight) for weight in weights.unbind()])
        x = F.rms_norm(x, x.shape[-1:], eps=_SAFE)
        return grouped(_straight(x, eight_bits(x)), _straight(weights, rounded), sizes)


class SplineStack(nn.Module):
    """A ``SplineLayer`` for each group of rows: (M, inputs) -> (M, outputs).

    The functions of one variable are the same in all layers, so that a row that goes through
    several of them needs its features once.

    Args:
        number: layers, E.
        inputs: length of a row.
        outputs: length of what it is mapped to.
        grid: intervals of the grid.
        order: degree of the splines.
        extent: the grid spans [-extent, extent].
    """

    def __init__(
        self, number: int, inputs: int, outputs: int, *, grid: int, order: int, extent: float
    ) -> None:
        super().__init__()
        self.grid, self.order, self.extent = grid, order, extent
        self.base = Stack(number, inputs, outputs)
        size = splines.basis_size(grid, order)
        self.coefficients = nn.Parameter(torch.empty(number, outputs, size, inputs))
        nn.init.normal_(self.coefficients, std=0.1 * inputs**-0.5)

    def features(self, x: Tensor) -> Tensor:
        """Return what ``forward`` reads: silu and basis functions, (N, inputs) -> (N, features)."""
        basis = splines.basis(x, grid=self.grid, order=self.order, extent=self.extent)
        return torch.cat((F.silu(x), basis.flatten(-2)), -1)

    def forward(self, features: Tensor, sizes: Sequence[int]) -> Tensor:
        """Map features, E groups of *sizes* rows one after the other, to (M, outputs)."""
        inputs = self.coefficients.shape[-1]
        base, basis = torch.tensor_split(features, [inputs], -1)
        curves = grouped(basis, self.coefficients.flatten(-2), sizes)
        return self.base(base, sizes) + curves


def _straight(exact: Tensor, rounded: Tensor) -> Tensor:
    return exact + (rounded - exact).detach()
