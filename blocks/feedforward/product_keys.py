"""The best keys among all pairs of two small sets of half keys (arXiv:1907.05242, 3.2)."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor


@torch.no_grad()
def best_pairs(first: Tensor, second: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the pairs whose sums ``first[..., a] + second[..., b]`` are the k largest.

    The pair of the i-th best a and the j-th best b has i * j - 1 pairs that are no worse, so those
    with i * j <= k decide over all: 20 sums for k = 8.

    Args:
        first: scores of the first halves, (..., side).
        second: scores of the second halves, (..., side).
        k: number of pairs, at most side.

    Returns:
        The indices a and b, both (..., k), best pair first.
    """
    tops, lefts = first.topk(k)
    others, rights = second.topk(k)
    row, column = torch.tensor(_candidates(k), device=first.device)
    sums = tops.index_select(-1, row) + others.index_select(-1, column)
    chosen = sums.topk(k).indices
    return lefts.gather(-1, row[chosen]), rights.gather(-1, column[chosen])


@cache
def _candidates(k: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the ranks, from 0, of the halves of the pairs that can be among the k best."""
    pairs = ((i, j) for i in range(k) for j in range(k // (i + 1)))
    rows, columns = zip(*pairs, strict=True)
    return rows, columns
