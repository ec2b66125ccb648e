"""Ordered lists: what ``bisect`` lacks."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Any, TypeVar

Thing = TypeVar("Thing", bound=Any)


def enter(ordered: list[Thing], one: Thing) -> None:
    """Put *one* into a list in rising order, most often at its end."""
    if ordered and one < ordered[-1]:
        insort(ordered, one)
    else:
        ordered.append(one)


def remove(ordered: list[Thing], one: Thing) -> None:
    """Take *one*, which is there, out of a list in rising order."""
    del ordered[bisect_left(ordered, one)]
