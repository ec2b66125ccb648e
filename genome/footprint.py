"""What training a genome takes, about, by formulas over its costs: no torch, so for every ask."""

from __future__ import annotations

from .cost import FLOAT_BYTES, Costs, streams
from .graph import Genome

STATES = 4
"""Numbers that are kept for each parameter: its weight, its gradient and two moments."""

STREAM_READS = 8
"""Numbers that a visit keeps of each channel of the stream, for norm, residual and gates."""

BACKWARD = 3
"""Operations of a step by those of its forward pass: the gradient of a product is two products."""


def training_bytes(genome: Genome, found: Costs, *, tokens: int, vocabulary: int = 256) -> int:
    """Return about how many bytes training holds at its peak, in float32, with *tokens* a step.

    What a product of matrices returns is kept for its gradient: operations by the width say how
    much that is. Of 106 genomes, samples and starters, half were given more than 1.3 times what
    their tensors took, one in twenty less than .7 times and none less than a third of it
    (``tests/genome/test_footprint.py``); of the peaks of eight processes on a CPU, which hold what
    they freed, .5 to 1.2 times. So it says what surely is too much, and no more than that.
    """
    stack, visits = genome.stack, len(genome.live_visits())
    stream = STREAM_READS * visits * streams(stack.residual) * stack.width
    kept = stream + found.flops / stack.width + BACKWARD * vocabulary
    return round(FLOAT_BYTES * (STATES * found.parameters + tokens * kept))


def training_operations(found: Costs, *, tokens: int) -> float:
    """Return the operations of training a genome of these costs for so many *tokens*."""
    return BACKWARD * found.flops * tokens
