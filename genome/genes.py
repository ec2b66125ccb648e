"""The ranges of the genes that belong to no block: those of training and of the stack."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import get_args

from ..blocks.declaration import Precision
from ..blocks.ranges import Choice, Range, Real, Value
from .graph import Merge

TRAINING: Mapping[str, Range] = {
    "learning_rate": Real(1e-3, 3e-2, log=True),
    "weight_decay": Real(0.0, 0.3),
    "beta2": Choice((0.9, 0.95, 0.98, 0.99, 0.999), ordered=True),
    "warmup": Real(0.01, 0.5, log=True),
    "clip": Real(0.3, 10.0, log=True),
    "shuffle": Choice((0.0, 0.1, 0.3, 1.0), ordered=True),
}
"""The training genes. Small models want a learning rate near 0.01, so the range surrounds it."""

SEGMENTS = Choice((2, 4, 8), ordered=True)
"""Segments in a context: at least two, so that a segment is at most half the context."""

TIED = Choice((True, False))

FEEDBACK = (0, 16, 32, 64)
"""Tokens until a visit hears those that read it; 0 is no feedback."""

PRECISIONS: tuple[Precision, ...] = get_args(Precision)

LEGACY: Mapping[str, Value] = {"feedback": 0, "precision": "full", "shuffle": 0.0}
"""Genes that came later, at the value that means what genomes did before: left out of identities
at that value, and taken at it where a text lacks them.
"""

MERGES: tuple[Merge, ...] = get_args(Merge)


@cache
def feedback_range(context: int) -> Choice:
    """Return the delays of feedback at a context: at most half of it, or little would be heard."""
    return Choice(tuple(delay for delay in FEEDBACK if 2 * delay <= context), ordered=True)


WIDTH_STEP = 32
"""Widths are multiples of this, so that 1, 2, 4 and 8 heads always divide them evenly."""
