"""Pools: where jobs run. One after the other in this process, or in worker processes.

Workers are processes of their own with one thread each (or one GPU each): a candidate that takes
all the memory, hangs or crashes costs its worker and nothing else, and the worker is replaced. This
module is torch-free; only the workers import torch.
"""

from __future__ import annotations

import atexit
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from ..blocks.registry import Catalog
from .job import Job, Setup, failed
from .result import Failure, Result
from .worker import Broken, Worker, WorkerError, first_ready

Key = TypeVar("Key", bound=Hashable)
Answers = list[tuple[Key, Result]]

EVALUATOR = "praxis_evolve.evaluator.evaluate:worker"
"""The function (setup) -> (job -> result) that a worker process imports and calls."""

TRIES = 2
"""How often a job is given to a worker before the death of its workers is its result."""

BAD_STARTS = 3
"""Workers in a row that die before they are ready; more mean a broken program."""


class Pool(Protocol[Key]):
    """Takes jobs under keys and gives back results in the order in which they finish."""

    @property
    def capacity(self) -> int:
        """How many jobs run at once; more wait in line."""
        ...

    def submit(self, key: Key, job: Job) -> None:
        """Take a job. A key that is out may not be submitted again."""
        ...

    def wait(self, timeout: float | None = None) -> Answers[Key]:
        """Return what finished; block until something did, nothing is out, or the time is up.

        Raises:
            WorkerError: the program is broken; the text has the worker's traceback.
        """
        ...

    def pause(self) -> None:
        """Begin no job until ``resume``, and hold those that run where that is sound."""
        ...

    def resume(self) -> None:
        """Go on where the pause began; the clocks of evaluations stood still meanwhile."""
        ...

    def close(self) -> None:
        """Stop at once; what is out is lost. Closing twice does nothing."""
        ...


class SerialPool(Generic[Key]):
    """Runs one job in each ``wait``, in this process."""

    capacity = 1

    def __init__(self, evaluate: Callable[[Job], Result]) -> None:
        self._evaluate = evaluate
        self._line: dict[Key, Job] = {}
        self._paused = False

    def submit(self, key: Key, job: Job) -> None:
        """Take a job.

        Raises:
            ValueError: the key is out already.
        """
        _check_new(key, self._line)
        self._line[key] = job

    def wait(self, timeout: float | None = None) -> Answers[Key]:
        """Run the oldest job to its end, whatever the timeout, and return its result."""
        if self._paused or not self._line:
            return []
        key = next(iter(self._line))
        return [(key, self._evaluate(self._line.pop(key)))]

    def pause(self) -> None:
        """Let ``wait`` run nothing."""
        self._paused = True

    def resume(self) -> None:
        """Let ``wait`` run jobs again."""
        self._paused = False

    def close(self) -> None:
        """Drop the jobs in line."""
        self._line.clear()


class ProcessPool(Generic[Key]):
    """Runs jobs in worker processes and replaces those that die or hang.

    A job whose worker dies is tried once more on a new one, then it fails as ``worker died``; one
    that runs far beyond ``setup.seconds`` is killed and fails as ``out of time``.

    Args:
        setup: what the workers evaluate with.
        catalog: what names the genomes of failed jobs.
        workers: how many processes.
        evaluator: ``module:function``, (setup) -> (job -> result), imported by the workers.
        grace: seconds beyond ``setup.seconds`` until a worker counts as hung.
        devices: for CUDA, which GPUs; worker i sees only ``devices[i % len(devices)]``.
    """

    def __init__(
        self,
        setup: Setup,
        catalog: Catalog,
        *,
        workers: int,
        evaluator: str = EVALUATOR,
        grace: float = 60.0,
        devices: Sequence[int] = (0,),
    ) -> None:
        if workers < 1:
            raise ValueError(f"a pool needs at least one worker, but is given {workers}")
        self._setup, self._catalog = setup, catalog
        self._deadline = setup.seconds + grace
        self._new = [
            lambda number=number: Worker(evaluator, setup, device=devices[number % len(devices)])
            for number in range(workers)
        ]
        self._workers: list[Worker] = [make() for make in self._new]
        self._running: list[Key | None] = [None] * workers
        self._jobs: dict[Key, Job] = {}
        self._line: deque[Key] = deque()
        self._tries: Counter[Key] = Counter()
        self._bad_starts = 0
        self._paused = False
        # Without this an exit that forgot to close would wait for workers that wait for work.
        atexit.register(self.close)

    @property
    def capacity(self) -> int:
        """The number of workers."""
        return len(self._new)

    @property
    def processes(self) -> list[int]:
        """The process ids of the workers, for displays and tests."""
        return [worker.pid for worker in self._workers]

    def submit(self, key: Key, job: Job) -> None:
        """Take a job; it starts as soon as a worker is free.

        Raises:
            ValueError: the key is out already.
        """
        _check_new(key, self._jobs)
        self._jobs[key] = job
        self._line.append(key)
        self._hand_out()

    def wait(self, timeout: float | None = None) -> Answers[Key]:
        """Return what finished; see ``Pool.wait``."""
        until = None if timeout is None else time.monotonic() + timeout
        found: Answers[Key] = []
        while self._jobs and not found:
            self._hand_out()
            left = None if until is None else max(0.0, until - time.monotonic())
            for worker in first_ready(self._workers, self._patience(left)):
                found += self._hear(self._workers.index(worker))
            found += self._stop_hung()
            if left == 0.0:
                break
        self._hand_out()
        return found

    def pause(self) -> None:
        """Hold the workers still; where a system cannot, what runs comes to its end."""
        self._paused = True
        for worker in self._workers:
            worker.suspend()

    def resume(self) -> None:
        """Let the workers go on where they were."""
        self._paused = False
        for worker in self._workers:
            worker.wake()
        self._hand_out()

    def close(self) -> None:
        """Kill the workers and wait until they are gone."""
        atexit.unregister(self.close)
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.join()
        self._workers, self._running = [], []
        self._jobs.clear()
        self._line.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _hand_out(self) -> None:
        for number, worker in enumerate(self._workers if not self._paused else ()):
            if self._line and self._running[number] is None and worker.alive:
                key = self._line.popleft()
                self._running[number] = key
                worker.send(self._jobs[key])

    def _patience(self, left: float | None) -> float | None:
        """How long to wait for news: until the timeout or the first deadline."""
        waits = [worker.left(self._deadline) for worker in self._workers]
        first = max(0.0, min(waits if left is None else [*waits, left]))
        return None if first == math.inf else first

    def _hear(self, number: int) -> Answers[Key]:
        """Take the message of a worker, or its death."""
        key = self._running[number]
        message = self._workers[number].receive()
        if isinstance(message, Broken):
            raise WorkerError(message.text)
        if message is None:
            return self._bury(number)
        self._bad_starts = 0
        if self._paused:
            self._workers[number].suspend()
        if isinstance(message, Result) and key is not None:
            self._running[number] = None
            return [(self._done(key), message)]
        return []

    def _bury(self, number: int) -> Answers[Key]:
        """Replace a dead worker; try its job again, or answer for it."""
        worker, key = self._workers[number], self._running[number]
        if not worker.ready:
            self._bad_starts += 1
            if self._bad_starts >= BAD_STARTS:
                raise WorkerError(
                    f"{BAD_STARTS} workers in a row died before they were ready, the last one "
                    f"with {worker.exit}; run with --workers 0 to see why"
                )
        elif key is not None:
            self._tries[key] += 1
        reason = f"the worker died with {worker.exit}, {TRIES} times"
        self._replace(number)
        if key is None:
            return []
        if self._tries[key] < TRIES:
            self._line.appendleft(key)
            return []
        return [self._fail(key, "worker died", reason)]

    def _stop_hung(self) -> Answers[Key]:
        found: Answers[Key] = []
        for number, worker in enumerate(self._workers):
            key = self._running[number]
            if worker.left(self._deadline) > 0:
                continue
            if not worker.ready:
                worker.kill()  # what is heard of it next is its death
            elif key is not None:
                reason = f"gave no answer for {self._deadline:.0f} s and was killed"
                self._replace(number)
                found.append(self._fail(key, "out of time", reason))
        return found

    def _replace(self, number: int) -> None:
        self._workers[number].kill()
        self._workers[number].join()
        self._workers[number] = self._new[number]()
        self._running[number] = None

    def _fail(self, key: Key, failure: Failure, reason: str) -> tuple[Key, Result]:
        job = self._jobs[key]
        return self._done(key), failed(job, self._setup, self._catalog, failure, reason)

    def _done(self, key: Key) -> Key:
        del self._jobs[key]
        self._tries.pop(key, None)
        return key


def _check_new(key: object, out: dict[Key, Job]) -> None:
    if key in out:
        raise ValueError(f"a job with the key {key!r} is out already; wait for it first")
