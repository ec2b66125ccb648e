"""What is shown of a run: a line a minute, what holds it, what it works on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any

import pytest
from rich.console import Console

from praxis_evolve.cli.channel import Order
from praxis_evolve.cli.conditions import Pause
from praxis_evolve.cli.disk import Kept
from praxis_evolve.cli.display import LINE_SECONDS, Display, JsonLines, Lines, Quiet, Screen
from praxis_evolve.cli.drawn import drawn, line_of, now_text
from praxis_evolve.cli.keys import HELP
from praxis_evolve.cli.places import short
from praxis_evolve.cli.progress import Status
from praxis_evolve.evaluator.job import Job
from praxis_evolve.genome.identity import genome_id
from praxis_evolve.search.base import Assignment, Birth
from praxis_evolve.tests.market.loop import CATALOG, MANIFEST, invented

NIGHT = Pause("hours", "it is 12:00, outside of --hours 22:00-07:00", "22:00")


@dataclass
class World:
    """A run that a test lets time pass for."""

    seconds: float = 100.0
    day: date = date(2026, 1, 1)
    number: int = 0
    status: Status = field(init=False)

    def __post_init__(self) -> None:
        self.status = Status(MANIFEST, now=lambda: self.seconds, today=lambda: self.day)

    def begun(self) -> Assignment:
        self.number += 1
        genome = MANIFEST.space(CATALOG).sample(Random(self.number), "x")
        made = Assignment(genome, 100, 0, Birth("run", "me", self.number))
        self.status.begin(made)
        return made

    def ended(self, made: Assignment) -> None:
        self.status.end(made, invented(Job(made.genome, made.rung)))

    def pairs(self) -> dict[str, str]:
        line = line_of(self.status, len(self.status.running))
        return dict(pair.split("=", 1) for pair in line.split())


def drawn_text(status: Status, keys: str = "") -> str:
    console = Console(width=120)
    with console.capture() as shown:
        console.print(drawn(status, 0, keys))
    return shown.get()


def test_a_line_names_what_is_worked_on_and_what_was_done_today() -> None:
    world = World()
    assert (world.pairs()["now"], world.pairs()["today"]) == ("-", "0")
    first, second, third = (world.begun() for _ in range(3))
    name = short(genome_id(first.genome, CATALOG))
    assert now_text(world.status) == f"{name}@0.1k+2"
    world.ended(second)
    world.ended(third)
    assert (world.pairs()["now"], world.pairs()["today"]) == (f"{name}@0.1k", "2")
    world.day = date(2026, 1, 2)
    assert world.pairs()["today"] == "0"
    world.ended(first)
    assert (world.pairs()["now"], world.pairs()["today"]) == ("-", "1")


def test_a_pause_is_named_and_its_time_counts_for_no_speed() -> None:
    world = World()
    world.ended(world.begun())
    world.seconds += 10
    before = world.status.left()
    world.status.hold(NIGHT)
    world.seconds += 5000
    assert (world.pairs()["paused"], world.pairs()["until"]) == ("hours", "22:00")
    assert world.status.left() == before > 0
    world.status.hold(Pause("battery", "on battery", "plugged in"))
    world.seconds += 70
    assert world.pairs()["until"] == "pluggedin"
    world.status.hold(None)
    assert (world.status.worked, world.status.elapsed) == (10.0, 5080.0)
    assert world.status.left() == before
    assert "paused" not in world.pairs()


def test_the_screen_says_why_nothing_moves_and_which_keys_there_are() -> None:
    world = World()
    assert "paused" not in drawn_text(world.status)
    world.status.hold(NIGHT)
    shown = drawn_text(world.status, HELP)
    assert f"paused  {NIGHT}" in shown
    assert f"keys    {HELP}" in shown
    assert str(NIGHT).endswith("; until 22:00")


def heard(display: Display) -> None:
    """Let a display show all that can happen but a result."""
    display.paused(NIGHT)
    display.told(Order.RESUME)
    display.told(Order.FINISH)
    display.paused(None)
    display.pruned(Kept(5_000_000, 3, 1_000_000))


def test_json_has_an_event_for_all_that_happens_and_one_a_minute(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()
    world.status.terms = {"hours": "22:00-07:00"}
    display = JsonLines(world.status)
    display.start()
    for _ in range(3):
        display.tick(0)
        world.seconds += LINE_SECONDS / 2
    made = world.begun()
    world.status.hold(NIGHT)
    world.seconds += LINE_SECONDS
    display.tick(1)
    heard(display)
    said: list[dict[str, Any]] = [json.loads(s) for s in capsys.readouterr().out.splitlines()]
    assert [each["event"] for each in said] == [
        "start", "progress", "progress", "paused", "told", "told", "resumed", "pruned",
    ]  # fmt: skip
    assert said[0]["limits"] == {"hours": "22:00-07:00"}
    assert (said[1]["paused"], said[2]["paused"], said[2]["running"]) == (None, "hours", 1)
    assert said[2]["now"] == [f"{short(genome_id(made.genome, CATALOG))}@0.1k"]
    assert (said[3]["by"], said[3]["until"]) == ("hours", "22:00")
    assert [said[4]["order"], said[5]["order"]] == ["resume", "finish"]
    assert (said[7]["checkpoints"], said[7]["kept_bytes"]) == (3, 5_000_000)


def test_lines_come_once_a_minute_and_where_something_changes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()
    display = Lines(world.status)
    display.start()
    for _ in range(121):
        display.tick(0)
        world.seconds += 1
    assert len(capsys.readouterr().err.splitlines()) == 2
    heard(display)
    assert capsys.readouterr().err.splitlines() == [
        f"paused      {NIGHT}",
        "told        to resume",
        "told        to finish",
        "working     again",
        "disk        3 old checkpoints of 1.0 MB are removed; 5.0 MB are kept",
    ]


def quiet(status: Status) -> Display:
    return Quiet()


@pytest.mark.parametrize(("make", "lines"), [(Screen, 2), (quiet, 0)])
def test_other_displays_show_only_what_else_could_not_be_seen(
    capsys: pytest.CaptureFixture[str], make: Callable[[Status], Display], lines: int
) -> None:
    heard(make(World().status))
    said = capsys.readouterr()
    assert (said.out, len(said.err.splitlines())) == ("", lines)
