"""A worker process: the parent's handle on it, and what runs inside."""

from __future__ import annotations

import ctypes
import importlib
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, cast

from .awake import awake
from .job import Job, Setup
from .result import Result

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What numerical libraries read when they are loaded; each worker has one thread."""

STARTING = 600.0
"""Seconds that a worker may take to import torch, on the slowest of machines."""

SUSPENDS = sys.platform == "linux"
"""Whether a worker can be held still: only there does the system end one with its parent."""

_PR_SET_PDEATHSIG = 1
"""The number of that option in Linux's <sys/prctl.h>."""

GOING = 5.0
"""Seconds between the end of a process's pipe and its own."""


class WorkerError(RuntimeError):
    """The program is broken, not a candidate; the text has the worker's traceback."""


@dataclass(frozen=True)
class Ready:
    """A worker has imported what it needs."""


@dataclass(frozen=True)
class Broken:
    """A worker raised; ``text`` is its traceback."""

    text: str


class Worker:
    """The parent's handle on one worker process.

    Args:
        evaluator: ``module:function``, (setup) -> (job -> result).
        setup: what the evaluator is made of.
        device: the number of the GPU that the process may see, on CUDA.
    """

    def __init__(self, evaluator: str, setup: Setup, *, device: int = 0) -> None:
        spawn = multiprocessing.get_context("spawn")  # fork and threads of torch do not mix
        self._pipe, theirs = spawn.Pipe()
        self._held = spawn.RawValue(ctypes.c_double, 0.0)
        self._process = spawn.Process(
            target=serve, args=(theirs, evaluator, setup, device, self._held), daemon=True
        )
        with _undisturbed():
            self._process.start()
        theirs.close()  # so that the death of the process ends the pipe
        self.ready = False
        self._started = time.monotonic()
        self._sent: float | None = None
        self._suspended: float | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid or 0

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    @property
    def exit(self) -> str:
        """How the process ended, in words."""
        code = self._process.exitcode
        if code is not None and code < 0:
            hint = " (a system kills what takes too much memory)" if code == -signal.SIGKILL else ""
            return f"signal {signal.Signals(-code).name}{hint}"
        return f"exit code {code}"

    @property
    def suspended(self) -> bool:
        """Whether the process is held still."""
        return self._suspended is not None

    def suspend(self) -> None:
        """Hold the process still: its clocks stand, its memory stays, and it takes no cores.

        One that is not ready goes on until it is, for before that it could outlive its parent.
        """
        if SUSPENDS and self.ready and not self.suspended and self.alive:
            os.kill(self.pid, signal.SIGSTOP)
            self._suspended = time.monotonic()

    def wake(self) -> None:
        """Let the process go on where it was."""
        if self._suspended is None:
            return
        seconds = time.monotonic() - self._suspended
        self._suspended = None
        self._held.value += seconds
        self._sent = None if self._sent is None else self._sent + seconds
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)

    def left(self, seconds: float) -> float:
        """Return how long until the worker counts as hung: a job may take *seconds*."""
        if self.suspended:
            return math.inf
        now = time.monotonic()
        if not self.ready:
            return self._started + STARTING - now
        return math.inf if self._sent is None else self._sent + seconds - now

    @property
    def pipe(self) -> Connection:
        """What becomes readable when the worker has a message, or has died."""
        return self._pipe

    def send(self, job: Job) -> None:
        """Give the worker a job. That it may be dying shows when its message is received."""
        self._sent = time.monotonic()
        with suppress(OSError):
            self._pipe.send(job)

    def receive(self) -> Result | Ready | Broken | None:
        """Return the worker's message, or None if it died; half a message needs it awake."""
        self.wake()
        try:
            message = cast("Result | Ready | Broken", self._pipe.recv())
        except (EOFError, OSError):
            self._process.join(GOING)
            return None
        self.ready = True
        # Starting takes its time on a loaded machine: the clock of a job runs from then on.
        self._sent = time.monotonic() if isinstance(message, Ready) and self._sent else None
        return message

    def kill(self) -> None:
        """End the process. What it writes is written at once or not at all, so nothing is torn."""
        self._process.kill()

    def join(self) -> None:
        """Wait until the killed process is gone and free what it held."""
        self._process.join()
        self._pipe.close()
        self._process.close()


@contextmanager
def _undisturbed() -> Generator[None]:
    """Start a process that never hears of Ctrl-C: the parent decides, and outlives its workers.

    A new process inherits what is blocked, so this holds from its first instruction on. The first
    process of a kind starts a tracker, which would unblock the signals again: it goes before.
    """
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def first_ready(workers: Sequence[Worker], timeout: float | None) -> list[Worker]:
    """Return the workers that have a message or died, waiting for the first."""
    pipes: Sequence[Any] = wait([worker.pipe for worker in workers], timeout)
    return [worker for worker in workers if worker.pipe in pipes]


def serve(
    pipe: Connection, evaluator: str, setup: Setup, device: int, held: ctypes.c_double
) -> None:
    """Answer jobs until the parent kills the process or is gone; runs in the worker process.

    The parent writes to *held* how many seconds it held the process still.
    """
    awake.held = held
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)  # also where a library unblocks them
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    _die_with_parent()
    os.environ.update(dict.fromkeys(THREADS, "1"))
    if setup.device.startswith("cuda"):
        os.environ["CUDA_VISIBLE_DEVICES"] = visible(device, os.environ)
    try:
        answer = _load(evaluator)(setup)
        pipe.send(Ready())
        while True:
            pipe.send(answer(pipe.recv()))
    except (EOFError, BrokenPipeError):
        return
    except Exception:
        pipe.send(Broken(traceback.format_exc()))


def visible(device: int, environment: Mapping[str, str]) -> str:
    """Return what names a GPU to CUDA that is number *device* of those that are seen here."""
    named = [name for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return named[device] if device < len(named) else str(device)


def _load(path: str) -> Callable[[Setup], Callable[[Job], Result]]:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _die_with_parent() -> None:
    """Have the system kill this process with its parent: while it is held it cannot leave."""
    if SUSPENDS:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
