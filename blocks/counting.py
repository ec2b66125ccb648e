"""What a call of a built module costs, counted and not declared: the oracle of cost formulas."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from .declaration import Cost
from .kinds import Carry
from .probe import carry_tensors
from .subject import Subject, whole_frame

CALLS = (
    ((), 16), ((5,), 1), ((2, 3), 1), ((16,), 16), ((8, 8), 16), ((13,), 22), ((32,), 7),
)  # fmt: skip
"""The tokens of earlier calls and of one: it begins, ends and crosses segments anywhere."""


def counted(
    subject: Subject, tokens: int, *, after: Sequence[int] = (), device: str = "meta"
) -> Cost:
    """Return what a call of *tokens* tokens costs that goes on from calls of so many tokens each.

    Args:
        subject: on *device*; it is put into ``eval()``.
        tokens: the tokens of the call, of one row.
        after: the tokens of each earlier call; none for a call at the start of the row.
        device: "meta", where tensors have no data, or "cpu" for blocks that read their carry.
    """
    subject.module.eval()
    carry, start = cast(Carry, None), 0
    # The counter knows matrix products, but not the fused attention of CPUs.
    with torch.device(device), torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        for count in after:
            frame = whole_frame(1, count, start=start)
            _, carry = subject.run(subject.draw(1, count), carry, frame)
            start += count
        frame = whole_frame(1, tokens, start=start)
        with FlopCounterMode(display=False) as counter:
            _, carry = subject.run(subject.draw(1, tokens), carry, frame)
    return Cost(
        parameters=sum(p.numel() for p in subject.module.parameters()),
        flops=counter.get_total_flops(),
        carry=sum(t.numel() * t.element_size() for t in carry_tensors(carry)),
    )


def differences(declared: Cost, real: Cost, where: str = "") -> Iterator[str]:
    """Yield where FLOPs and carry differ, a sentence each; *where* says of what call."""
    if not math.isclose(declared.flops, real.flops):
        yield f"cost: {declared.flops:.0f} FLOPs declared{where}, {real.flops:.0f} counted"
    if not math.isclose(declared.carry, real.carry):
        yield f"cost: a carry of {declared.carry:.0f} bytes declared{where}, {real.carry:.0f} kept"
