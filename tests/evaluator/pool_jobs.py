"""What the workers of ``test_pool`` run: the rung of a job says how it ends."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from praxis_evolve.evaluator.awake import awake
from praxis_evolve.evaluator.job import Job, Setup
from praxis_evolve.evaluator.result import Measurement, Result

FINE, DIES, DIES_ONCE, HANGS, RAISES, HANGS_ONCE, TAKES_TIME, RAISES_LONG = range(1, 9)


def answer(setup: Setup) -> Callable[[Job], Result]:
    """Return an evaluator that answers, dies, hangs or raises."""

    def first(name: str) -> bool:
        path = Path(setup.folder, name)
        if path.exists():
            return False
        path.write_text(str(os.getpid()))
        return True

    def evaluate(job: Job) -> Result:
        once = first(f"{job.rung}-{job.replica}")
        if job.rung == DIES or (job.rung == DIES_ONCE and once):
            os.kill(os.getpid(), signal.SIGKILL)
        if job.rung == HANGS or (job.rung == HANGS_ONCE and once):
            threading.Event().wait()
        if job.rung == TAKES_TIME:
            return takes_time(job)
        if job.rung == RAISES_LONG:
            raise LookupError("long " * 200_000)
        if job.rung == RAISES:
            raise LookupError("the program is broken here")
        return Result("g", "a", job.rung, job.replica, os.getpid(), bits_per_byte=2.0)

    def takes_time(job: Job) -> Result:
        """Wait for a file; ``bits_per_byte`` is how long by all clocks but that of evaluations."""
        began, first = time.monotonic(), awake()
        while not Path(setup.folder, "go").exists():
            time.sleep(0.01)
        by_own, took = awake() - first, time.monotonic() - began
        measured = Measurement(seconds=by_own)
        return Result("g", "a", job.rung, job.replica, 0, bits_per_byte=took, measured=measured)

    return evaluate


def broken(setup: Setup) -> Callable[[Job], Result]:
    """Die before being ready."""
    os._exit(3)
