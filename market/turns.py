"""Turns of the processes that write to one SQLite file: those who wait longest go first, mostly.

SQLite lets a writer that finds the file locked try again after naps of up to a tenth of a second:
with many writers some wait for seconds while others write. Here who has waited longer looks more
often. It is a matter of order alone: the lock that counts is SQLite's own, so it does no harm where
there are no such locks (Windows), or where the holder of the turn hangs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PATIENCE = 5.0
"""The most seconds to wait for a turn before SQLite's own lock is tried without one."""

NAP = 0.001
"""Seconds between the first looks of a newcomer."""

SHORTEST = NAP / 4


@contextmanager
def turn(file: Path | None) -> Generator[None]:
    """Wait for one's turn to write to *file* (None is nobody else's) and keep it for the block.

    The turn is a lock on the folder: to open and close the file itself would drop SQLite's locks.
    """
    folder = None if file is None or fcntl is None else _opened(file.parent)
    if folder is None:
        yield
        return
    try:
        _wait(folder)
        yield
    finally:
        _end(folder)


def _opened(folder: Path) -> int | None:
    try:
        return os.open(folder, os.O_RDONLY)
    except OSError:  # a folder that may be used and not read
        return None


def _wait(folder: int) -> None:
    assert fcntl is not None
    began, nap = time.monotonic(), NAP
    while time.monotonic() - began < PATIENCE:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(nap)
            nap = max(SHORTEST, 0.9 * nap)
        except OSError:  # a file system without such locks
            return
        else:
            return


def _end(folder: int) -> None:
    assert fcntl is not None
    with suppress(OSError):
        fcntl.flock(folder, fcntl.LOCK_UN)  # for the copies of forked processes, too
    os.close(folder)
