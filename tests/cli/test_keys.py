"""Keys of a terminal are orders, in the foreground alone, and the terminal is given back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from praxis_evolve.cli.channel import Order
from praxis_evolve.cli.keys import keys

pytestmark = pytest.mark.skipif(os.name != "posix", reason="terminals of POSIX")

PROGRAM = """
import fcntl, os, sys, termios
from praxis_evolve.cli.keys import keys

fcntl.ioctl(0, termios.TIOCSCTTY, 0)
with keys() as pressed:
    assert list(pressed.orders()) == []
    print("ready", flush=True)
    said = []
    while "stop" not in said:
        for order in pressed.orders():
            said.append(order.value)
            print(order.value, flush=True)
modes = termios.tcgetattr(0)[3]
print("echo" if modes & termios.ECHO and modes & termios.ICANON else "raw", flush=True)
"""


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A terminal: the end where keys are pressed, and the end of the program."""
    ours, theirs = os.openpty()
    yield ours, theirs
    for each in (ours, theirs):
        with suppress(OSError):
            os.close(each)


def test_keys_are_orders_and_a_second_q_is_in_a_hurry(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=theirs, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as program:  # fmt: skip
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        os.write(ours, b"pxR")
        assert [program.stdout.readline() for _ in range(2)] == ["pause\n", "resume\n"]
        os.write(ours, b"q")
        assert program.stdout.readline() == "finish\n"
        os.write(ours, b"q")
        assert program.stdout.read() == "stop\necho\n"
        assert program.wait(30) == 0


def test_a_terminal_of_another_is_left_alone(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    os.write(ours, b"q\n")
    with keys(theirs) as pressed:  # it controls no process of this session: nobody is in front
        assert pressed is not None
        assert list(pressed.orders()) == []


def test_what_is_no_terminal_has_no_keys(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, keys(file.fileno()) as pressed:
        assert pressed is None
    assert [order.value for order in Order] == ["pause", "resume", "finish", "stop"]
