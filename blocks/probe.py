"""Make a module show its faults: redraw every parameter, shift every decision to its boundary.

At initial weights a test is blind: a leak behind a zero-initialised gate shows nothing there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from .frame import Note

CLOSE = 1e-6
"""A decision that stands nearer to its boundary than this may be turned by rounding."""


def redraw(module: nn.Module, generator: torch.Generator) -> None:
    """Draw every parameter at random, in place, zero-initialised ones included.

    Matrices and stacks of matrices get a standard deviation of 1.5 / sqrt(fan-in), vectors and
    scalars 0.5, so that activations keep their size and gates stand open by different amounts.
    """
    with torch.no_grad():
        for parameter in module.parameters():
            spread = 0.5 if parameter.dim() < 2 else 1.5 / math.sqrt(parameter.shape[-1])
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(drawn * spread)


def decisions(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the routers and exits of *module* by name: what has a ``decision_bias``."""
    named = cast("Iterator[tuple[str, nn.Module]]", module.named_modules())
    for name, part in named:
        if isinstance(getattr(part, "decision_bias", None), Tensor):
            yield name, part


def balance(part: nn.Module, margins: Tensor) -> None:
    """Shift the decisions of *part* so that some of these margins (N,) are positive, some not.

    The boundary comes to lie in the widest gap between two margins that leaves at least a fifth on
    either side; tokens that a block treats alike have equal margins, and where those are more than
    three fifths, in the widest gap of all. An infinite margin was decided before and does not
    count; where all others are equal nothing is shifted.
    """
    bias = cast(Tensor, part.decision_bias)
    ordered = margins[margins.isfinite()].sort().values
    fifth = ordered.shape[0] // 5
    for some in (ordered[fifth : ordered.shape[0] - fifth], ordered):
        gaps = some.diff()
        if gaps.numel() and gaps.max() > 2 * CLOSE:
            with torch.no_grad():
                bias.sub_(some[gaps.argmax()] + gaps.max() / 2)
            return


def close_calls(notes: Sequence[Note]) -> bool:
    """Whether any decision stood so near its boundary that rounding may turn it."""
    return any(bool((note.value.abs() < CLOSE).any()) for note in notes if note.kind == "margin")


def map_carry(function: Callable[[Tensor], Any], carry: Any) -> Any:
    """Apply *function* to every tensor of a carry and keep its shape as plain tuples."""
    if carry is None:
        return None
    if isinstance(carry, Tensor):
        return function(carry)
    return tuple(map_carry(function, part) for part in cast("tuple[Any, ...]", carry))


def carry_tensors(carry: Any) -> Iterator[Tensor]:
    """Yield the tensors of a carry, in order."""
    if isinstance(carry, Tensor):
        yield carry
    elif carry is not None:
        for part in cast("tuple[Any, ...]", carry):
            yield from carry_tensors(part)


def same(a: Any, b: Any) -> bool:
    """Return whether two carries hold equal tensors in the same order."""
    ours, theirs = list(carry_tensors(a)), list(carry_tensors(b))
    return len(ours) == len(theirs) and all(map(torch.equal, ours, theirs))


def apart(a: Tensor, b: Tensor) -> float:
    """Return the largest difference relative to the size of *a*; infinite where one is not finite.

    Shapes must be equal; an empty tensor is 0 apart.
    """
    if a.shape != b.shape:
        return math.inf
    if not a.numel():
        return 0.0
    gap = (a - b).abs().max().item() / max(1.0, a.abs().max().item())
    return gap if math.isfinite(gap) else math.inf
