"""The n-gram floor: what plain counting of byte sequences reaches, as a yardstick for the models.

Interpolated Kneser-Ney with three discounts per order (Chen and Goodman 1999, "An empirical study
of smoothing techniques for language modeling"), in numpy: the grams of an order are sorted integers
of nine bits a symbol, so that counting is sorting and looking up is bisection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BITS = 9
START = 256
"""The symbol before the first byte of a row; one more than the largest byte."""

CHUNK = 1 << 23
"""Bytes that are counted at a time, which bounds the memory."""


def entropy(text: Bytes) -> float:
    """Return the bits per byte of a text for who knows no more than how frequent each byte is."""
    chances = np.bincount(text, minlength=1) / max(1, len(text))
    chances = chances[chances > 0]
    return float(-(chances * np.log2(chances)).sum())


@dataclass(frozen=True)
class Order:
    """The grams of one length n, and what each history of n - 1 symbols gives away.

    ``grams`` (G,) sorted, ``discounted`` (G,) their discounted share of the history's mass;
    ``histories`` (H,) sorted, ``backoff`` (H,) the mass left for the lower order.
    """

    grams: Ints
    discounted: Floats
    histories: Ints
    backoff: Floats


@dataclass(frozen=True)
class NGram:
    """An interpolated Kneser-Ney model over bytes; ``orders[n - 1]`` holds the n-grams."""

    orders: tuple[Order, ...]

    def probability(self, histories: Ints, symbols: Ints) -> Floats:
        """Return p(symbol | history).

        Args:
            histories: (N, up to order - 1), the symbols before, the nearest last; START stands
                where a row has no more, and then the lower order decides alone.
            symbols: (N,), bytes.
        """
        chance = np.full(len(symbols), 1.0 / START)
        history = np.zeros(len(symbols), np.int64)
        for n, order in enumerate(self.orders):
            known = np.full(len(symbols), True)
            if n:
                nearest = histories[:, -n]
                known = nearest != START
                history = history | (nearest << (BITS * (n - 1)))
            gram = (history << BITS) | symbols
            finer = _look_up(order.grams, order.discounted, gram, 0.0)
            finer += _look_up(order.histories, order.backoff, history, 1.0) * chance
            chance = np.where(known, finer, chance)
        return chance

    def bits_per_byte(self, windows: Bytes) -> float:
        """Return the mean of -log2 p over all bytes of *windows* (N, T) but the first of each.

        A byte's history stays in its window: the same bytes that a model sees.
        """
        padded = _padded(windows, len(self.orders))
        views = np.lib.stride_tricks.sliding_window_view(padded, len(self.orders), axis=1)
        grams = views[:, 1:].reshape(-1, len(self.orders))
        return float(-np.log2(self.probability(grams[:, :-1], grams[:, -1])).mean())


def fit(rows: Bytes, *, order: int = 6) -> NGram:
    """Count the n-grams of *rows* (R, L), each row a sequence of its own, up to *order* (1 to 6).

    Raises:
        ValueError: there is no byte in the rows, or the order is out of range.
    """
    if not 1 <= order <= 6:
        raise ValueError(f"the order of an n-gram must be from 1 to 6, but is {order}")
    if not rows.size:
        raise ValueError(
            f"an n-gram needs at least one byte to count, but the rows are {rows.shape}"
        )
    grams, counts = _count(rows, order)
    orders: list[Order] = []
    for length in range(order, 0, -1):
        orders.append(_discount(grams, counts))
        # Below the highest order a gram counts once for each different symbol before it.
        shorter = np.sort(grams & ((1 << (BITS * (length - 1))) - 1)) if length > 1 else grams
        grams, counts = np.unique(shorter, return_counts=True)
    return NGram(tuple(reversed(orders)))


def floor(rows: Bytes, windows: Bytes, *, order: int = 6) -> float:
    """Return the bits per byte that counting *rows* (R, L) reaches on *windows* (N, T)."""
    return fit(rows, order=order).bits_per_byte(windows)


def _count(rows: Bytes, order: int) -> tuple[Ints, Ints]:
    grams, counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for piece in _pieces(rows, order):
        some, times = np.unique(_codes(piece, order), return_counts=True)
        grams, place = np.unique(np.concatenate((grams, some)), return_inverse=True)
        counts = np.bincount(place, np.concatenate((counts, times))).astype(np.int64)
    return grams, counts


def _pieces(rows: Bytes, order: int) -> Iterator[Ints]:
    """Yield padded pieces of about CHUNK bytes; pieces of one row overlap by a history."""
    many = max(1, CHUNK // rows.shape[1])
    for first in range(0, len(rows), many):
        group = rows[first : first + many]
        for start in range(0, rows.shape[1], CHUNK):
            if start:
                yield group[:, start - order + 1 : start + CHUNK].astype(np.int64)
            else:
                yield _padded(group[:, :CHUNK], order)


def _padded(rows: Bytes, order: int) -> Ints:
    return np.pad(rows.astype(np.int64), ((0, 0), (order - 1, 0)), constant_values=START)


def _codes(padded: Ints, order: int) -> Ints:
    """Return the grams of all positions as integers: (R, T + order - 1) -> (R * T,)."""
    length = padded.shape[1] - order + 1
    codes = np.zeros((len(padded), length), np.int64)
    for place in range(order):
        codes = (codes << BITS) | padded[:, place : place + length]
    return codes.ravel()


def _discount(grams: Ints, counts: Ints) -> Order:
    discount = _discounts(counts)[np.minimum(counts, 3)]
    histories, place = np.unique(grams >> BITS, return_inverse=True)
    total = np.bincount(place, counts)
    left = np.bincount(place, discount)
    return Order(grams, (counts - discount) / total[place], histories, left / total)


def _discounts(counts: Ints) -> Floats:
    """Return what is taken from grams that occur 0, 1, 2, 3 or more times.

    Where a text is too small to have grams of each of these counts, half a count is taken, as where
    the estimate is nothing: a history would leave no chance to what never followed it.
    """
    n1, n2, n3, n4 = (int((counts == times).sum()) for times in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        return np.array([0.0, 0.5, 0.5, 0.5])
    share = n1 / (n1 + 2 * n2)
    raw = [1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3]
    return np.array([0.0, *(min(d, i + 1.0) if d > 0 else 0.5 for i, d in enumerate(raw))])


def _look_up(keys: Ints, values: Floats, wanted: Ints, default: float) -> Floats:
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], default)
