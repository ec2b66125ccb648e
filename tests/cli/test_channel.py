"""Orders reach the process that works on a run, once, and nobody else."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from praxis_evolve.cli.channel import (
    MOST,
    ORDER,
    STATE,
    Channel,
    Order,
    leave,
    taken,
    withdraw,
    working,
)
from praxis_evolve.cli.conditions import Pause
from praxis_evolve.market.lease import Process

SELF = Process.current()


@pytest.mark.parametrize("order", list(Order))
def test_an_order_is_taken_once(tmp_path: Path, order: Order) -> None:
    channel = Channel(tmp_path)
    assert list(channel.orders()) == []
    found = working(tmp_path)
    assert found is not None
    assert (found.process, found.pause) == (SELF, None)
    assert leave(tmp_path, found.process, order)
    assert not taken(tmp_path)
    assert list(channel.orders()) == [order]
    assert taken(tmp_path)
    assert list(channel.orders()) == []


def test_a_second_order_waits_for_the_first(tmp_path: Path) -> None:
    assert leave(tmp_path, SELF, Order.PAUSE)
    assert not leave(tmp_path, SELF, Order.STOP)
    assert list(Channel(tmp_path).orders()) == [Order.PAUSE]
    assert leave(tmp_path, SELF, Order.STOP)
    withdraw(tmp_path)
    assert taken(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_both_files_are_the_owners_alone(tmp_path: Path) -> None:
    Channel(tmp_path).tell(None)
    leave(tmp_path, SELF, Order.PAUSE)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    assert modes == {STATE: 0o600, ORDER: 0o600}


def test_a_pause_is_said_and_ends(tmp_path: Path) -> None:
    channel, pause = Channel(tmp_path), Pause("hours", "it is late", "07:00")
    channel.tell(pause)
    found = working(tmp_path)
    assert found is not None
    assert found.pause == pause
    channel.tell(None)
    assert working(tmp_path) is not None
    channel.close()
    assert working(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_an_end_that_never_worked_leaves_what_another_said(tmp_path: Path) -> None:
    Channel(tmp_path).tell(None)
    Channel(tmp_path).close()
    assert working(tmp_path) is not None


OTHER = Process("another host", 1, 1.0)
"""A process that may live, for all that is known here."""


def test_an_end_leaves_what_another_says_since_and_what_is_for_it(tmp_path: Path) -> None:
    channel = Channel(tmp_path)
    channel.tell(None)
    Channel(tmp_path, OTHER).tell(None)
    assert leave(tmp_path, OTHER, Order.PAUSE)
    assert list(channel.orders()) == []
    channel.close()
    found = working(tmp_path)
    assert found is not None
    assert found.process == OTHER
    assert list(Channel(tmp_path, OTHER).orders()) == [Order.PAUSE]


def test_an_end_takes_away_an_order_that_it_did_not_look_at(tmp_path: Path) -> None:
    channel = Channel(tmp_path)
    channel.tell(None)
    assert leave(tmp_path, SELF, Order.PAUSE)
    channel.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_process_said_is_stale(tmp_path: Path) -> None:
    dead = replace(SELF, started=SELF.started - 1000)  # the number was given to another one since
    Channel(tmp_path, dead).tell(None)
    assert working(tmp_path) is None


def test_an_order_for_a_process_that_died_is_dropped(tmp_path: Path) -> None:
    leave(tmp_path, replace(SELF, started=SELF.started - 1000), Order.STOP)
    assert list(Channel(tmp_path).orders()) == []
    assert taken(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "7", '{"process": 3}', '{"process": {}, "order": "stop"}',
        '{"process": {"host": 1, "pid": "x", "started": []}, "order": "stop"}',
        json.dumps({"process": vars(SELF), "order": "explode"}),
        json.dumps({"process": vars(SELF), "order": ["stop"]}),
        json.dumps({"process": vars(SELF), "order": "stop", "more": "x" * MOST}),
    ],
)  # fmt: skip
def test_nonsense_is_no_order_and_no_state(tmp_path: Path, text: str) -> None:
    for name in (STATE, ORDER):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    found = working(tmp_path)
    assert found is None or found.pause is None
    assert list(Channel(tmp_path).orders()) == []
    assert taken(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
def test_what_others_could_have_written_is_not_believed(tmp_path: Path) -> None:
    leave(tmp_path, SELF, Order.STOP)
    (tmp_path / ORDER).chmod(0o666)
    assert list(Channel(tmp_path).orders()) == []
    leave(tmp_path, SELF, Order.STOP)
    (tmp_path / ORDER).rename(tmp_path / "elsewhere")
    (tmp_path / ORDER).symlink_to(tmp_path / "elsewhere")
    assert list(Channel(tmp_path).orders()) == []
    assert (tmp_path / "elsewhere").exists()
