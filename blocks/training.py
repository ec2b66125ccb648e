"""What a training pass owes: it may not look ahead either, unless it declares that it chooses so.

``train()`` has forms of its own, which the laws of ``eval()`` do not see; a block that learns from
the future there learns what it will not be given.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .probe import apart
from .subject import Subject, whole_frame


def looks_ahead(subject: Subject, x: Tensor, other: Tensor, tolerance: float) -> Iterator[str]:
    """Yield by how much later tokens change earlier outputs in training, if they do.

    Args:
        subject: what is tested; it is brought to ``train()``.
        x: an input, (B, T, ...), T > 3.
        other: another one of the same shape.
        tolerance: the largest relative difference that is rounding.
    """
    if any(getattr(part, "train_selects_future", False) for part in subject.module.modules()):
        return
    subject.module.train()
    t = x.shape[1] * 2 // 3
    outputs = list[Tensor]()
    for later in (x[:, t:], other[:, t:]):
        torch.manual_seed(0)  # what a block drops out is the same for both
        frame = whole_frame(*x.shape[:2], keep=False)
        outputs.append(subject.run(torch.cat((x[:, :t], later), 1), None, frame)[0][:, :t])
    if (gap := apart(*outputs)) > tolerance:
        yield f"causality: in train() tokens from {t} on change the outputs before by {gap:.1e}"
