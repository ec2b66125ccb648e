"""What is observed of a machine, with clocks, cores, terminals and plugs that a test holds."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

import pytest

from praxis_evolve.cli.conditions import Facts, Terms, parse_hours
from praxis_evolve.cli.disk import Kept
from praxis_evolve.cli.machine import PERIOD, Cores, Machine, battery, typed, used_by_others

START = 1_700_000_000.0


@dataclass
class World:
    """A machine of two cores; ``others`` and ``own`` are the shares of it that are used."""

    seconds: float = 0.0
    others: float = 0.0
    own: float = 0.0
    total: float = 0.0
    busy: float = 0.0
    ours: float = 0.0
    typed: tuple[float, str] | None = None
    power: tuple[bool, float] | None = None
    kept: Kept = field(default_factory=lambda: Kept(5))
    looks: int = 0
    pruned: list[Kept] = field(default_factory=list[Kept])

    def machine(self, terms: Terms) -> Machine:
        return Machine(
            terms, keep=self.keep, pruned=self.pruned.append, now=lambda: self.seconds,
            wall=lambda: START + self.seconds, cores=self.cores, typed=lambda: self.typed,
            battery=lambda: self.power,
        )  # fmt: skip

    def cores(self) -> Cores:
        return Cores(self.total, self.busy, {1: self.ours})

    def keep(self) -> Kept:
        self.looks += 1
        return self.kept

    def after(self, seconds: float, machine: Machine) -> Facts:
        """Let time pass, the cores used as they are, and look."""
        self.seconds += seconds
        self.total += 2 * seconds
        self.ours += 2 * seconds * self.own
        self.busy += 2 * seconds * (self.own + self.others)
        return machine.facts()


def unused(facts: Facts) -> float:
    assert facts.unused is not None
    return facts.unused


def test_own_work_is_no_use_and_that_of_others_is() -> None:
    world = World(own=1.0)
    machine = world.machine(Terms(idle=60))
    first = world.after(0, machine)
    assert (first.unused, first.usage) == (0.0, "this was started just now")
    assert unused(world.after(30, machine)) == 30
    world.own, world.others = 0.5, 0.2
    assert unused(world.after(30, machine)) == 60
    world.others = 0.5
    used = world.after(10, machine)
    assert (used.unused, used.usage) == (0.0, "other programs take 50% of its cores")
    world.others = 0.0
    assert unused(world.after(10, machine)) == 10


def test_who_types_uses_the_machine() -> None:
    world = World()
    machine = world.machine(Terms(idle=60))
    world.after(0, machine)
    world.after(100, machine)
    world.typed = (START + 97.0, "pts/7")
    facts = world.after(PERIOD, machine)
    assert (facts.unused, facts.usage) == (8.0, "somebody typed at pts/7")
    assert unused(world.after(20, machine)) == 28.0
    world.typed = (START + 1e6, "pts/7")  # a clock that was set back: now, not later
    assert unused(world.after(20, machine)) == 0.0


def test_a_look_is_good_for_some_seconds() -> None:
    world = World()
    machine = world.machine(Terms(disk=10))
    for _ in range(10):
        world.after(PERIOD / 10, machine)
    assert world.looks == 1
    world.after(PERIOD, machine)
    assert world.looks == 2


def test_only_what_is_asked_for_is_observed() -> None:
    world = World(power=(True, 50.0), typed=(START, "tty1"))
    facts = world.after(0, world.machine(Terms()))
    assert (facts.unused, facts.on_battery, facts.disk, world.looks) == (None, None, None, 0)
    facts = world.after(0, world.machine(Terms(on_battery=False, disk=3)))
    assert (facts.on_battery, facts.charge, facts.disk) == (True, 50.0, 5)
    world.power = None
    assert world.after(0, world.machine(Terms(on_battery=False))).on_battery is None


def test_what_was_pruned_is_told() -> None:
    world = World(kept=Kept(3, 2, 9))
    world.after(0, world.machine(Terms(disk=5)))
    assert world.pruned == [Kept(3, 2, 9)]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="time zones of POSIX")
@pytest.mark.parametrize(("zone", "minute"), [("UTC0", 22 * 60 + 13), ("XST-3", 60 + 13)])
def test_hours_are_local(monkeypatch: pytest.MonkeyPatch, zone: str, minute: int) -> None:
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        machine = World().machine(Terms(parse_hours("22-7")))
        assert machine.facts().minute == minute  # 2023-11-14, 22:13:20 UTC
    finally:
        monkeypatch.delenv("TZ") if before is None else monkeypatch.setenv("TZ", before)
        time.tzset()


def test_a_process_that_is_new_counts_and_one_that_ended_does_not() -> None:
    before = Cores(100.0, 50.0, {1: 10.0, 2: 5.0})
    after = Cores(120.0, 60.0, {1: 12.0, 3: 4.0})
    assert used_by_others(before, after) == pytest.approx((10 - 2 - 4) / 20)
    assert used_by_others(before, before) == 0.0
    assert used_by_others(before, Cores(120.0, 50.0, {1: 30.0})) == 0.0


def test_this_machine_can_be_observed() -> None:
    cores = Cores.now()
    assert 0 < cores.busy <= cores.total
    assert cores.own[os.getpid()] > 0
    for found, kinds in ((battery(), (bool, float)), (typed(), (float, str))):
        assert found is None or tuple(map(type, found)) == kinds
