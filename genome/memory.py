"""What was computed of values, kept for others that share them, as parents and children do.

By object and not by equality: 1, 1.0 and True are equal settings with different texts.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import Any, Generic, TypeVar

Thing = TypeVar("Thing")


class _Kept(weakref.ref[object], Generic[Thing]):
    """What was computed of a value in a world, as long as the value lives.

    It is the weak reference itself: there are many, and each object more is one that the collector
    of garbage visits.
    """

    __slots__ = ("key", "thing", "world")

    key: int
    thing: Thing
    world: object


class PerObject(Generic[Thing]):
    """A memory of one thing for each of some frozen values, in one world (a catalog) at a time.

    It forgets values that died and, some ``most`` values later, those that nobody asked for since:
    a search keeps all of its genomes, and what it never asks again would only slow the collector.
    """

    def __init__(self, most: int = 1024) -> None:
        self._most = most
        self._young: dict[int, _Kept[Thing]] = {}
        self._old: dict[int, _Kept[Thing]] = {}
        self._forget = self._forgotten

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def known(self, value: object, world: object) -> Thing | None:
        """Return what was computed of *value* in *world*, None if it never was."""
        kept = self._young.get(id(value)) or self._aged(value)
        return kept.thing if kept is not None and kept.world is world else None

    def of(self, value: object, world: object, compute: Callable[[], Thing]) -> Thing:
        """Return what was computed of *value* in *world*, computing it if it never was."""
        kept = self._young.get(id(value)) or self._aged(value)
        if kept is not None and kept.world is world:
            return kept.thing
        return self.keep(value, world, compute())

    def each(
        self, values: Iterable[object], world: object, compute: Callable[[Any], Thing]
    ) -> list[Thing]:
        """Return what was computed of each of several values, in less time than one by one."""
        known = self._young.get
        return [
            kept.thing
            if (kept := known(id(value))) is not None and kept.world is world
            else self.of(value, world, partial(compute, value))
            for value in values
        ]

    def keep(self, value: object, world: object, thing: Thing) -> Thing:
        """Note and return what was computed of *value* in *world*."""
        kept: _Kept[Thing] = _Kept(value, self._forget)
        kept.key, kept.world, kept.thing = id(value), world, thing
        self._enter(kept)
        return thing

    def _aged(self, value: object) -> _Kept[Thing] | None:
        """Return what was kept of a value that nobody asked for in a while."""
        kept = self._old.pop(id(value), None)
        if kept is not None:
            self._enter(kept)
        return kept

    def _enter(self, kept: _Kept[Thing]) -> None:
        if len(self._young) >= self._most:
            self._young, self._old = {}, self._young
        self._young[kept.key] = kept

    def _forgotten(self, kept: _Kept[Thing]) -> None:
        for several in (self._young, self._old):
            if several.get(kept.key) is kept:
                del several[kept.key]


class ByKey(Generic[Thing]):
    """A memory of one true thing for each of some keys, in one world (a catalog) at a time.

    It forgets what nobody asked for while some ``most`` others were noted.
    """

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._world: object = None
        self._young: dict[Hashable, Thing] = {}
        self._old: dict[Hashable, Thing] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def of(self, key: Hashable, world: object, compute: Callable[[], Thing]) -> Thing:
        """Return what was computed for *key* in *world*, computing it if it never was."""
        if world is not self._world:
            self._world, self._young, self._old = world, {}, {}
        thing = self._young.get(key)
        if thing is None:
            thing = self._old.pop(key, None) or compute()
            if len(self._young) >= self._most:
                self._young, self._old = {}, self._young
            self._young[key] = thing
        return thing


class Recent(Generic[Thing]):
    """A memory of one thing for each of the last values, which are kept with it.

    For what has no weak references, such as tuples, and for what is wanted again soon or never.
    """

    def __init__(self, most: int = 1024) -> None:
        self._most = most
        self._kept: OrderedDict[int, tuple[object, object, Thing]] = OrderedDict()

    def of(self, value: object, world: object, compute: Callable[[], Thing]) -> Thing:
        """Return what was computed of *value* in *world*, computing it if that was long ago."""
        key = id(value)
        kept = self._kept.get(key)
        if kept is not None and kept[0] is value and kept[1] is world:
            return kept[2]
        thing = compute()
        self._kept.pop(key, None)
        self._kept[key] = value, world, thing
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return thing
