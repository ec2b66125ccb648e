"""The lease on a run: one process drives a run at a time.

The holder renews its lease before it expires. A lease that expired, or whose process on this host
is gone, is taken over, and its fencing number grows: the one who lost it can write nothing more.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import psutil
from sqlalchemy import String, bindparam, delete, insert, select, update

from . import lookup, rows
from .errors import LeaseHeldError, LeaseLostError
from .prepared import Driven, Prepared
from .store import Store
from .tables import leases, runs

SECONDS = 60.0
"""How long a lease lasts without being renewed."""

_RUN = bindparam("of_run", type_=String())
_HELD = Prepared(select(leases).where(leases.c.run == _RUN))
_LOCKED = Prepared(select(runs.c.digest).where(runs.c.name == _RUN).with_for_update())


@dataclass(frozen=True)
class Process:
    """A process by host, number and start (seconds since 1970): numbers are used again."""

    host: str
    pid: int
    started: float

    @classmethod
    def current(cls) -> Process:
        """Return this process."""
        return cls(_host(), os.getpid(), psutil.Process().create_time())

    @property
    def where(self) -> str:
        """The name of the host."""
        return self.host.partition(" ")[0]

    def gone(self) -> bool:
        """Return whether the process surely ended; false where it ran on another host."""
        if self.host != _host():
            return False
        try:
            found = psutil.Process(self.pid)
            # the clock behind the time of start may be set while the process runs
            return abs(found.create_time() - self.started) > 2 or not _alive(found)
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False


@dataclass(frozen=True)
class Lease:
    """The right to drive ``run`` until ``expires`` (seconds since 1970), as far as one knows."""

    run: str
    holder: str
    fence: int
    expires: float


def acquire(
    store: Store,
    run: str,
    *,
    now: float,
    seconds: float = SECONDS,
    process: Process | None = None,
    gone: Callable[[Process], bool] = Process.gone,
) -> Lease:
    """Return a lease on *run* for *process* (this one unless given).

    Raises:
        LeaseHeldError: another process holds the run.
        StoreError: the database failed.
    """
    own = Process.current() if process is None else process
    with store.writing() as connection:
        lock(connection, run)
        held = _HELD.first(connection, of_run=run)
        if held is not None:
            _refuse_held(held, now, gone)
        fence = 1 if held is None else held.fence + 1
        lease = Lease(run, secrets.token_hex(8), fence, now + seconds)
        connection.execute(delete(leases).where(leases.c.run == run))
        connection.execute(insert(leases).values(**vars(lease), **vars(own)))
    return lease


def renew(store: Store, lease: Lease, *, now: float, seconds: float = SECONDS) -> Lease:
    """Return the lease, good for *seconds* from *now*: the heartbeat of its holder.

    Raises:
        LeaseLostError: another process has taken over.
        StoreError: the database failed.
    """
    with store.writing() as connection:
        lock(connection, lease.run)
        guard(connection, lease)
        connection.execute(
            update(leases).where(leases.c.run == lease.run).values(expires=now + seconds)
        )
    return replace(lease, expires=now + seconds)


def release(store: Store, lease: Lease) -> None:
    """Give the lease back; nothing happens if another process has taken over."""
    mine = (leases.c.run == lease.run) & (leases.c.holder == lease.holder)
    with store.writing() as connection:
        connection.execute(update(leases).where(mine).values(holder=None))


def driver(
    store: Store, run: str, *, now: float, gone: Callable[[Process], bool] = Process.gone
) -> Process | None:
    """Return the process that drives *run*, None if there is none.

    Raises:
        StoreError: the database failed.
    """
    with store.reading() as connection:
        held = _HELD.first(connection, of_run=run)
    return None if held is None else _driving(held, now, gone)


@contextmanager
def changing(store: Store, run: str, lease: Lease | None = None) -> Generator[tuple[Driven, str]]:
    """Lend a transaction that has *run* for itself, and the digest of the run's manifest.

    Raises:
        NotFoundError: there is no such run.
        LeaseLostError: another process drives the run since *lease*.
        StoreError: the database failed.
    """
    with store.changing() as connection:
        digest = lock(connection, run)
        if digest is None:
            raise lookup.no_run(run, rows.run_names(connection), store.name)
        if lease is not None:
            guard(connection, lease)
        yield connection, digest


def guard(connection: Driven, lease: Lease) -> None:
    """Refuse to go on where the lease is another's or nobody's; the caller has locked the run.

    Raises:
        LeaseLostError: it is; the text says what to do.
    """
    held = _HELD.first(connection, of_run=lease.run)
    if held is not None and held.holder is None:
        raise LeaseLostError(
            f"run {lease.run!r} is not driven by this process any more, which gave it back or had "
            "the store upgraded under it; what it stored is kept; resume with the newest "
            "praxis-evolve"
        )
    if held is None or held.holder != lease.holder:
        fence = "none" if held is None else held.fence
        raise LeaseLostError(
            f"run {lease.run!r} is driven by another process since (fence {fence}, this process "
            f"had {lease.fence}); what this one stored is kept; stop it, or resume later"
        )


def lock(connection: Driven, run: str) -> str | None:
    """Let no other process change *run* until the transaction ends; return its digest, if any.

    SQLite locks the whole database when a write begins, and leaves FOR UPDATE out.
    """
    found = _LOCKED.first(connection, of_run=run)
    return None if found is None else found.digest


def _refuse_held(held: Any, now: float, gone: Callable[[Process], bool]) -> None:
    process = _driving(held, now, gone)
    if process is not None:
        raise LeaseHeldError(
            f"run {held.run!r} is driven by process {process.pid} on {process.where}; "
            f"stop that process, or wait {held.expires - now:.0f} seconds after it died"
        )


def _driving(held: Any, now: float, gone: Callable[[Process], bool]) -> Process | None:
    process = Process(held.host, held.pid, held.started)
    free = held.holder is None or held.expires <= now or gone(process)
    return None if free else process


def _alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@cache
def _host() -> str:
    """Return the host and, on Linux, the space of its process numbers: containers have others."""
    try:
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()
