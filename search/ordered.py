"""Ordered lists: what ``bisect`` lacks."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, TypeVar

Thing = TypeVar("Thing", bound=Any)


def remove(ordered: list[Thing], one: Thing) -> None:
    """Take *one*, which is there, out of a list in rising order."""
    del ordered[bisect_left(ordered, one)]
