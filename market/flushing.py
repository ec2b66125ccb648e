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
        StoreError: the log cannot be opened or the disk failed; what was committed may be lost if
            the power is.
    """
    if file is None:
        return
    log = f"{file}-wal"
    try:
        handle = os.open(log, os.O_RDWR)
    except FileNotFoundError:
        return  # there is no write-ahead log here, and SQLite flushes by itself
    except OSError as error:
        cure = f"make {log} a file that this user may read and write"
        raise _unflushed(file, error, cure) from error
    try:
        _sync(handle)
    except OSError as error:
        raise _unflushed(file, error, "check the disk") from error
    finally:
        os.close(handle)


def _unflushed(file: Path, error: OSError, cure: str) -> StoreError:
    return StoreError(
        f"the store {file} was written, but could not be flushed to the disk, and may lose what "
        f"was written if the power fails: {error.strerror}; {cure}"
    )


def _sync(handle: int) -> None:
    # the data and the size are enough; what else fsync writes takes twice as long
    getattr(os, "fdatasync", os.fsync)(handle)
