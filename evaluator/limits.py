"""Limits of one evaluation: how long it may take and how much memory its process may hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import psutil
import torch

from .awake import awake
from .result import Failure


@dataclass(frozen=True)
class Stop:
    """Why an evaluation ended early."""

    failure: Failure
    reason: str


@dataclass
class Watch:
    """A clock and a memory gauge, started when it is made; None is no limit.

    ``peak_bytes`` is the most memory that was seen: of the process on a CPU, of the allocator on a
    GPU.
    """

    seconds: float | None = None
    memory_bytes: int | None = None
    device: str = "cpu"
    now: Callable[[], float] = awake
    peak_bytes: int = 0
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self.now()
        if self.device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats(self.device)

    @property
    def elapsed(self) -> float:
        """Seconds since the watch was made."""
        return self.now() - self._started

    def late(self) -> Stop | None:
        """Say that the time is up; cheap enough for every step."""
        if self.seconds is None or self.elapsed <= self.seconds:
            return None
        return Stop(
            "out of time", f"took {self.elapsed:.0f} s, but the limit is {self.seconds:.0f} s"
        )

    def full(self) -> Stop | None:
        """Take the memory in use and say whether it is above the limit."""
        self.peak_bytes = max(self.peak_bytes, _in_use(self.device))
        if self.memory_bytes is None or self.peak_bytes <= self.memory_bytes:
            return None
        return Stop(
            "out of memory",
            f"held {self.peak_bytes / 2**20:,.0f} MiB, but the limit is "
            f"{self.memory_bytes / 2**20:,.0f} MiB",
        )


def _in_use(device: str) -> int:
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    return psutil.Process().memory_info().rss


def no_memory(error: BaseException) -> bool:
    """Whether *error* says that an allocation failed; on a CPU torch has no type of its own."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text or "not enough memory" in text
    )
