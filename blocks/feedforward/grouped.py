"""Rows in groups: copies sorted into them, a matrix for each, and the mixture of the copies again.

Each has a backward pass of its own, which reads or writes every row once where it belongs. Split
and joined tensors would be filled, copied and added up once more for every group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor


def grouped(x: Tensor, weights: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return each group of rows times its matrix: (M, I), (E, O, I), E sizes -> (M, O).

    As many multiply-adds as one matrix for all rows, however the rows are spread over the groups.
    """
    return cast(Tensor, _Grouped.apply(x, weights, list(sizes)))


def copies(x: Tensor, order: Tensor, back: Tensor, k: int) -> Tensor:
    """Return k copies of each row, sorted: (N, W), 2 x (N * k,) -> (N * k, W).

    The k copies of a row follow each other; copy ``order[m]`` comes to place m, and ``back`` is the
    inverse of that order.
    """
    return cast(Tensor, _Copies.apply(x, order, back, k))


def mixed(y: Tensor, order: Tensor, back: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted sum of the k copies of each row: (N * k, W), ..., (N, k) -> (N, W)."""
    return cast(Tensor, _Mixed.apply(y, order, back, weights))


class _Grouped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor, sizes: list[int]) -> Tensor:
        ctx.save_for_backward(x, weights)
        ctx.sizes = sizes
        return _products(x, weights.mT, sizes)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, Tensor, None]:
        (grad,), (x, weights), sizes = grad_outputs, ctx.saved_tensors, ctx.sizes
        to_x = _products(grad, weights, sizes) if ctx.needs_input_grad[0] else None
        to_weights = weights.new_empty(weights.shape)
        groups = zip(torch.split(grad, sizes), torch.split(x, sizes), to_weights, strict=True)
        for rows, inputs, out in groups:
            torch.mm(rows.mT, inputs, out=out)
        return to_x, to_weights, None


def _products(x: Tensor, matrices: Tensor, sizes: list[int]) -> Tensor:
    """Return each group times its matrix: (M, I), (E, I, O) -> (M, O)."""
    y = x.new_empty(x.shape[0], matrices.shape[-1])
    for rows, matrix, out in zip(
        torch.split(x, sizes), matrices, torch.split(y, sizes), strict=True
    ):
        torch.mm(rows, matrix, out=out)
    return y


class _Copies(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor, back: Tensor, k: int) -> Tensor:
        ctx.save_for_backward(back)
        ctx.k = k
        return x.index_select(0, order // k)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None, None]:
        (back,) = ctx.saved_tensors
        grad = grad_outputs[0].index_select(0, back)
        return grad.view(-1, ctx.k, grad.shape[-1]).sum(1), None, None, None


class _Mixed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, order: Tensor, back: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(y, order, back, weights)
        parts = y.index_select(0, back).view(*weights.shape, y.shape[-1])
        return parts.mul_(weights.unsqueeze(-1)).sum(1)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None, Tensor]:
        (grad,), (y, order, back, weights) = grad_outputs, ctx.saved_tensors
        parts = grad.index_select(0, order // weights.shape[-1])  # (N * k, W), sorted
        to_weights = (parts * y).sum(-1).index_select(0, back).view_as(weights)
        return parts.mul_(weights.flatten()[order].unsqueeze(-1)), None, None, to_weights
