"""Which GPUs a run may use, and how much memory one of its workers."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .errors import CliError, Code
from .settings import memory_of

if TYPE_CHECKING:
    from .settings import RunSettings


LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux keeps the memory that a container may take, by its two versions of control groups."""


def gpus_of(settings: RunSettings, device: str) -> tuple[int, ...]:
    """Return the numbers of the GPUs that workers take in turn; 0 stands for none on a CPU.

    Raises:
        CliError: one is asked for that is not here.
    """
    if device == "cpu":
        count = 0
    else:
        import torch  # only where there is a GPU: importing it takes a second

        count = torch.cuda.device_count()
    missing = [number for number in settings.gpus if number >= count]
    if missing:
        here = f"there are {count}, from 0 to {count - 1}" if count else "this run is on the CPU"
        raise CliError(
            f"--gpus names {missing[0]}, but {here}",
            cure="praxis-evolve doctor says which GPUs are here",
            code=Code.USAGE,
        )
    return settings.gpus or tuple(range(max(1, count)))


def workers_of(settings: RunSettings, device: str) -> int:
    """Return how many workers a run has: one a core that this process may use, or one a GPU.

    Raises:
        CliError: a GPU is asked for that is not here.
    """
    gpus = gpus_of(settings, device)
    if settings.once:
        return 1
    return settings.workers or (usable_cores() if device == "cpu" else len(gpus))


def usable_cores() -> int:
    """Return the cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def usable_memory() -> int:
    """Return the bytes that this process may have: those of the machine, or of its container."""
    import psutil

    total = psutil.virtual_memory().total
    for path in LIMITS:
        with suppress(OSError, ValueError):  # "max" is no number
            return min(total, int(path.read_text()))
    return total


def with_bytes(settings: RunSettings, device: str, workers: int) -> RunSettings:
    """Return the settings with the memory of a worker in bytes.

    ``MAX`` is a worker's even part of the machine, on a GPU of the smallest that is used: so
    ``MAX/2`` leaves half of it to others, however many workers there are.

    Raises:
        CliError: that leaves nothing.
    """
    if "MAX" not in settings.memory_limit:
        return settings
    try:
        part = part_of(device, workers, gpus_of(settings, device))
        memory = memory_of(settings.memory_limit, part)
    except ValueError as error:
        raise CliError(
            f"--memory-limit is {settings.memory_limit!r}", why=str(error), code=Code.USAGE
        ) from None
    return settings.model_copy(update={"memory_limit": str(memory)})


def part_of(device: str, workers: int, gpus: Sequence[int]) -> int:
    """Return the memory of each worker if all take the same, on a GPU of the smallest of *gpus*."""
    if device == "cpu":
        return usable_memory() // workers
    import torch

    properties = cast("Any", torch.cuda).get_device_properties
    least = min(int(properties(number).total_memory) for number in gpus)
    return least // math.ceil(workers / len(gpus))
