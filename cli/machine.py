"""This machine, observed now and then: clock, plug, cores, terminals, disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from .conditions import BUSY, Facts, Terms
from .disk import Kept

PERIOD = 5.0
"""Seconds between two looks, over which the use of the cores is taken."""


@dataclass(frozen=True)
class Cores:
    """Seconds that all cores could have worked and did, and those of each process of ours."""

    total: float
    busy: float
    own: Mapping[int, float]

    @staticmethod
    def now() -> Cores:
        """Return what the system has counted so far."""
        times: Any = psutil.cpu_times()
        guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        total = sum(times) - guests  # they are in the time of users, too
        own = dict[int, float]()
        this = psutil.Process()
        for process in (this, *this.children(recursive=True)):
            with suppress(psutil.Error):
                spent = process.cpu_times()
                own[process.pid] = spent.user + spent.system
        spare = sum(getattr(times, name, 0.0) for name in ("idle", "iowait", "steal"))
        return Cores(total, total - spare, own)


def used_by_others(before: Cores, after: Cores) -> float:
    """Return which share of all cores the processes of others took between two looks.

    What a process of ours took that ended in between is taken for theirs: that is one look.
    """
    total = after.total - before.total
    own = sum(spent - before.own.get(pid, 0.0) for pid, spent in after.own.items())
    return max(0.0, (after.busy - before.busy - own) / total) if total > 0 else 0.0


def battery() -> tuple[bool, float] | None:
    """Return whether this machine is on battery and its charge of 100, None where it has none."""
    sensors: Any = getattr(psutil, "sensors_battery", lambda: None)()
    if sensors is None or sensors.power_plugged is None:
        return None
    return not sensors.power_plugged, float(sensors.percent)


def typed() -> tuple[float, str] | None:
    """Return when somebody typed last (seconds since 1970) and where; None where that is unknown.

    It is when a terminal of somebody logged in was read last. A screen without one shows nothing.
    """
    found = list[tuple[float, str]]()
    for user in psutil.users():
        with suppress(OSError):
            name = str(user.terminal)
            found.append((Path("/dev", name).stat().st_atime, name))
    return max(found, default=None)


@dataclass
class Machine:
    """Tells the facts that *terms* ask for, at most some seconds old.

    ``keep`` returns what the run keeps and prunes it; the rest are where facts come from.
    """

    terms: Terms
    keep: Callable[[], Kept] = lambda: Kept(0)
    pruned: Callable[[Kept], None] = lambda kept: None
    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    cores: Callable[[], Cores] = Cores.now
    typed: Callable[[], tuple[float, str] | None] = typed
    battery: Callable[[], tuple[bool, float] | None] = battery
    _facts: Facts = field(default=Facts(), init=False)
    _looked: float | None = field(default=None, init=False)
    _before: Cores | None = field(default=None, init=False)
    _used: float = field(default=0.0, init=False)
    _usage: str = field(default="this was started just now", init=False)

    def facts(self) -> Facts:
        """Return what is known; look again if it is time."""
        if self._looked is None:
            self._used = self.now()
        if self._looked is None or self.now() - self._looked >= PERIOD:
            self._looked = self.now()
            self._facts = self._look()
        return self._facts

    def _look(self) -> Facts:
        local = time.localtime(self.wall())
        terms, power = self.terms, None if self.terms.on_battery else self.battery()
        if terms.idle is not None:
            self._look_at_use()
        kept = None if terms.disk is None else self.keep()
        if kept is not None and kept.files:
            self.pruned(kept)
        return Facts(
            minute=60 * local.tm_hour + local.tm_min,
            unused=None if terms.idle is None else self.now() - self._used,
            usage=self._usage,
            on_battery=None if power is None else power[0],
            charge=None if power is None else power[1],
            disk=None if kept is None else kept.bytes,
        )

    def _look_at_use(self) -> None:
        """Note when the machine was used last, and how."""
        before, self._before = self._before, self.cores()
        share = 0.0 if before is None else used_by_others(before, self._before)
        if share > BUSY:
            self._used = self.now()
            self._usage = f"other programs take {share:.0%} of its cores"
        if (last := self.typed()) is not None:
            used = self.now() - max(0.0, self.wall() - last[0])
            if used > self._used:
                self._used, self._usage = used, f"somebody typed at {last[1]}"
