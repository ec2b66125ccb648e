"""Keys of the terminal, taken one by one while a run works in the foreground."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

from .channel import Order

ORDERS = {"p": Order.PAUSE, "r": Order.RESUME, "q": Order.FINISH}
HELP = "p pause, r resume, q finish what runs and end (again: at once)"

_ECHO_AND_LINES = 3
"""The place of the local modes in what ``termios.tcgetattr`` returns."""


class Keys:
    """The keys of one terminal, by its file number.

    A process in the background that reads its terminal is stopped by the system, so nothing is
    read or set there; the terminal is set anew whenever the process comes to the foreground.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._quit = False

    def orders(self) -> Iterator[Order]:
        """Yield what the keys say that were pressed since."""
        if _in_foreground(self._file):
            pressed = _pressed(self._file).decode(errors="replace")
            yield from (self._order(key) for key in pressed.lower() if key in ORDERS)

    def _order(self, key: str) -> Order:
        """Return what a key says; who presses q twice is in a hurry."""
        order = Order.STOP if key == "q" and self._quit else ORDERS[key]
        self._quit |= key == "q"
        return order


@contextmanager
def keys(file: int | None = None) -> Generator[Keys | None]:
    """Give the keys of a terminal (stdin's unless given); None where there is none to be had."""
    number = _terminal(file)
    if number is None:
        yield None
        return
    import termios

    before = termios.tcgetattr(number)
    try:
        yield Keys(number)
    finally:
        if _in_foreground(number):
            with suppress(termios.error):
                termios.tcsetattr(number, termios.TCSANOW, before)


def _terminal(file: int | None) -> int | None:
    """Return the number of a file that is a terminal with modes, which Windows has none of."""
    if os.name != "posix":
        return None
    try:
        number = sys.stdin.fileno() if file is None else file
    except (OSError, ValueError, AttributeError):
        return None
    return number if os.isatty(number) else None


def _pressed(file: int) -> bytes:
    """Return the keys that were pressed since; of a terminal that hung up, none."""
    import termios

    with suppress(OSError, termios.error):
        _take_keys(file)
        if select.select([file], [], [], 0)[0]:
            return os.read(file, 64)
    return b""


def _take_keys(file: int) -> None:
    """Have the terminal give each key at once and show none; Ctrl-C stays what it is."""
    import termios

    modes = termios.tcgetattr(file)
    wanted = modes[_ECHO_AND_LINES] & ~(termios.ECHO | termios.ICANON)
    if modes[_ECHO_AND_LINES] != wanted:
        modes[_ECHO_AND_LINES] = wanted
        termios.tcsetattr(file, termios.TCSANOW, modes)


def _in_foreground(file: int) -> bool:
    """Whether this process may use the terminal."""
    try:
        return os.tcgetpgrp(file) == os.getpgrp()
    except OSError:
        return False
