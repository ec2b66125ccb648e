"""Garbage: how a process that drives a search collects it.

A search keeps all that it was told, so a full collection looks at everything and finds nearly
nothing, again and again: half of the time of a search in memory of ten thousand births.
"""

from __future__ import annotations

import gc

FULL = 1000
"""How many collections of what is no longer young there are before one of everything."""


def collect_seldom() -> None:
    """Leave what there is now to itself, and look at everything seldom; for all of the process."""
    gc.collect()
    gc.freeze()
    youngest, middle, _ = gc.get_threshold()
    gc.set_threshold(youngest, middle, FULL)
