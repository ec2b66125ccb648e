"""What was computed of values, kept while these live: parents and children share most parts.

By object and not by equality: 1, 1.0 and True are equal settings with different texts.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

Thing = TypeVar("Thing")


class _Kept(NamedTuple, Generic[Thing]):
    world: object
    thing: Thing
    end: weakref.ref[object]


class PerObject(Generic[Thing]):
    """A memory of one thing for each of some frozen values, in one world (a catalog) at a time."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept[Thing]] = {}

    def known(self, value: object, world: object) -> Thing | None:
        """Return what was computed of *value* in *world*, None if it never was."""
        kept = self._kept.get(id(value))
        return kept.thing if kept is not None and kept.world is world else None

    def of(self, value: object, world: object, compute: Callable[[], Thing]) -> Thing:
        """Return what was computed of *value* in *world*, computing it if it never was."""
        key = id(value)
        kept = self._kept.get(key)
        if kept is None or kept.world is not world:
            end = weakref.ref(value, lambda _: self._kept.pop(key, None))
            kept = self._kept[key] = _Kept(world, compute(), end)
        return kept.thing
