"""The calls of the six kinds of things that a declaration can name; each is a ``torch.nn.Module``.

Every constructor takes ``width`` first and then keyword-only settings, all of them. A carry is a
nested tuple of tensors, batch first, or None; it is all that a module remembers between calls, and
``forward`` never writes into the one it was given. Every module maps (B, T, W) to the same shape,
accepts T = 0 and rows of holes only, and obeys the carry law: in ``eval()`` feeding a sequence in
any chunking with the carry equals feeding it whole.

A module may also have

* ``after_step()``: an update without gradient after each optimizer step (balancing, grids);
* ``decision_bias``: a parameter or buffer that is added to the margin of its decisions, so that the
  gate can shift them until both sides occur;
* ``train_selects_future``: True where the training pass, and only it, may look ahead to choose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor

from .frame import Frame

Carry = Any
"""A nested tuple of tensors, batch first, or None."""

Inner = Callable[[Tensor, Carry, Frame], tuple[Tensor, Carry]]
"""The function that a router wraps: norm, prelude and block of one visit."""


class Block(Protocol):
    """A causal map of a stream: ``Block(width, **settings)``."""

    def __call__(self, x: Tensor, carry: Carry, frame: Frame) -> tuple[Tensor, Carry]:
        """Map x (B, T, W) to (B, T, W) and the carry to the next one."""
        ...


class Norm(Protocol):
    """A normalisation of each token by itself: ``Norm(width, **settings)``."""

    def __call__(self, x: Tensor) -> Tensor:
        """Map x (..., W) to (..., W)."""
        ...


class Router(Protocol):
    """A choice of the tokens that a visit works on: ``Router(width, **settings)``."""

    def __call__(
        self, x: Tensor, inner: Inner, carry: Carry, frame: Frame
    ) -> tuple[Tensor, Tensor, Carry]:
        """Return y (B, T, W), which tokens were worked on (B, T) bool, and the next carry.

        ``y`` is zero at the tokens left out; the visit keeps their base bit for bit. The carry
        holds the router's own and the inner one.
        """
        ...


class Residual(Protocol):
    """How a visit reads the stream and writes to it: ``Residual(width, **settings)``.

    Streams are (B, T, W) for a single stream and (B, T, n, W) for ``streams`` = n > 1. ``inner``
    maps (B, T, W) to the block's output of the same shape and to what else the caller wants.
    """

    streams: int

    def read(self, streams: Tensor) -> Tensor:
        """Return the input of the branch: (B, T[, n], W) -> (B, T, W)."""
        ...

    def write(self, base: Tensor, read: Tensor, y: Tensor) -> Tensor:
        """Return the new streams from the base, the streams that were read and the branch's y.

        ``base`` and ``read`` (B, T[, n], W), ``y`` (B, T, W) -> (B, T[, n], W).
        """
        ...


class Embedding(Protocol):
    """Tokens to vectors: ``Embedding(width, vocabulary=V, context=C, **settings)``.

    ``table`` is the (V, W) matrix that a tied head shares. Where it is no parameter of its own, the
    module may have ``logits(x)``, (..., W) -> (..., V), which then is the tied head; the
    declaration counts it by ``head``.
    """

    table: Tensor

    def __call__(self, tokens: Tensor, carry: Carry, frame: Frame) -> tuple[Tensor, Carry]:
        """Map tokens (B, T) int64 to (B, T, W)."""
        ...


class Exit(Protocol):
    """A test whether a token is done after a visit: ``Exit(width, **settings)``.

    There is one module for each place where a token may leave; ``decode`` is the model's shared
    final norm and head, (B, T, W) -> (B, T, V).
    """

    def __call__(self, before: Tensor, after: Tensor, decode: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the margin (B, T) by which each token's confidence exceeds the threshold.

        ``before`` and ``after`` (B, T, W) are the reduced streams before and after the visit. A
        token leaves where the margin is > 0.
        """
        ...

    def loss(
        self, before: Tensor, after: Tensor, final: Tensor, decode: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Return the auxiliary loss, a scalar: ``final`` (B, T, V) are the full model's logits."""
        ...
