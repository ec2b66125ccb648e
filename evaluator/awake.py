"""The clock of evaluations: it stands still while the pool holds the process of the worker still.

A suspended process cannot know that it was; the pool counts the seconds in memory that both share.
"""

from __future__ import annotations

import time
from ctypes import c_double


class Awake:
    """Seconds without those in which this process was held still.

    ``held`` is how many those are; in a worker process the pool writes it.
    """

    def __init__(self) -> None:
        self.held = c_double(0.0)

    def __call__(self) -> float:
        """Return the seconds of ``time.monotonic`` less ``held``."""
        return time.monotonic() - self.held.value


awake = Awake()
"""The clock of this process."""
