"""Steps, their seconds in turns, and the most bytes that are alive in one."""

from __future__ import annotations

import statistics
import time
import weakref
from collections.abc import Callable
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Step = Callable[[], None]


class LiveBytes(TorchDispatchMode):
    """The most bytes of tensors alive at once among those made inside."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: dict[int, Any] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operator and note the storages that are new."""
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._note(tensor.untyped_storage())
        return made

    def _note(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return

        def gone(_: Any) -> None:
            self.now -= size
            self._known.pop(key, None)

        self._known[key] = weakref.ref(storage, gone)
        self.now += size
        self.most = max(self.most, self.now)


def step_of(module: nn.Module, x: Tensor) -> Step:
    """Return one forward and backward of *module*; gradients are dropped, as after a step."""
    x = x.detach().requires_grad_()
    weights = torch.randn_like(module(x))
    parameters = list(module.parameters())

    def step() -> None:
        module(x).backward(weights)
        x.grad = None
        for parameter in parameters:
            parameter.grad = None

    return step


def peak_bytes(step: Step, device: str) -> int:
    """Return the most bytes that a step takes above what there was before it."""
    if device == "cpu":
        with LiveBytes() as live:
            step()
        return live.most
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    step()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def paired(steps: dict[str, Step], *, rounds: int, device: str) -> dict[str, list[float]]:
    """Return the seconds of each step in each round; they take turns, and the first 3 warm up.

    Each round has an order of its own, lest one step always find what the same other one leaves of
    caches and free memory.
    """
    times: dict[str, list[float]] = {label: [] for label in steps}
    order, draw = list(steps), Random(0)
    for number in range(rounds + 3):
        draw.shuffle(order)
        for label, step in ((label, steps[label]) for label in order):
            start = time.perf_counter()
            step()
            if device != "cpu":
                torch.cuda.synchronize()
            if number >= 3:
                times[label].append(time.perf_counter() - start)
    return times


def median_ratio(times: dict[str, list[float]], label: str, other: str) -> float:
    """Return the median over rounds of the time of *label* by that of *other*."""
    return statistics.median(a / b for a, b in zip(times[label], times[other], strict=True))


def count(module: nn.Module) -> int:
    """Return the number of parameters that learn."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
