"""Flushing what was committed to a SQLite file, after the writers' lock was given back.

With ``synchronous=FULL`` SQLite flushes its write-ahead log at the end of each commit, while others
wait for the lock; with ``NORMAL`` it leaves that to us. A flush of ours covers all that was
committed before, by whom ever, and the file system does those of several processes in one go. What
is no longer in the log was flushed by the checkpoint that took it out.
"""

from __future__ import annotations

import os
from pathlib import Path

from .errors import StoreError


def flush(file: Path | None) -> None:
    """Return when all that was committed to *file* would survive a loss of power.

    Raises:
        StoreError: the disk failed; what was committed may be lost if the power is.
    """
    if file is None:
        return
    try:
        log = os.open(f"{file}-wal", os.O_RDWR)
    except FileNotFoundError:
        return  # there is no write-ahead log here, and SQLite flushes by itself
    try:
        _sync(log)
    except OSError as error:
        raise StoreError(
            f"the store {file} could not be flushed to the disk: {error.strerror}; check the disk"
        ) from error
    finally:
        os.close(log)


def _sync(log: int) -> None:
    # the data and the size are enough; what else fsync writes takes twice as long
    getattr(os, "fdatasync", os.fsync)(log)
