"""What workers of ``test_golden`` run: evaluators whose products of matrices are wrong."""

import os
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.evaluate import Evaluator
from praxis_evolve.evaluator.job import Job, Setup
from praxis_evolve.evaluator.result import Result

BROKEN = "PRAXIS_TEST_BROKEN"
"""The environment variable that names a fault."""

_linear = F.linear


def rounded(x: Tensor, bits: int) -> Tensor:
    """Return float32 numbers with so many bits behind the first, as TF32 has 10."""
    whole = x.detach().contiguous().view(torch.int32)
    half, mask = 1 << (22 - bits), -1 << (23 - bits)
    return x + (((whole + half) & mask).view(torch.float32) - x).detach()


def short(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Forget the last term of each sum, as a kernel that is wrong at an edge does."""
    return _linear(torch.cat([x[..., :-1], torch.zeros_like(x[..., -1:])], -1), weight, bias)


def coarse(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Round to ten bits what is multiplied in float32; the gate's float64 is as ever."""
    if x.dtype is not torch.float32:
        return _linear(x, weight, bias)
    return _linear(rounded(x, 10), rounded(weight, 10), bias)


FAULTS: dict[str, Callable[..., Tensor]] = {"short": short, "coarse": coarse}


def worker(setup: Setup) -> Callable[[Job], Result]:
    """Return an evaluator on a machine with the fault that the environment names."""
    F.linear = FAULTS[os.environ[BROKEN]]  # pyright: ignore[reportAttributeAccessIssue]
    return Evaluator(setup, installed())
