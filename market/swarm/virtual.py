"""Virtual time: coroutines run as on asyncio's own loop, and nobody waits for a clock.

When nothing is ready, time jumps to the next timer: a day of naps costs what is computed in it. All
is done in one order, so that a run repeats exactly, on any machine, as far as its own code asks for
no clock and no random number of the machine, and iterates over no set but of numbers, tasks and
futures (``asyncio.as_completed`` makes a set: give it tasks). In virtual time there are no
connections, threads, processes and signals: who asks for one is refused. What is given to another
thread to compute (``asyncio.to_thread``) is computed in a step.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import math
import sys
import threading
from asyncio import _set_running_loop  # pyright: ignore[reportPrivateUsage] (it is for loops)
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import Context
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NoReturn, TypeVar, cast
from weakref import WeakValueDictionary

BUSY = 5_000_000
"""The most steps at one moment: who takes more waits, without a nap, for what time must bring."""

TIDY = 100_000
"""Steps between two collections of garbage: what it finalizes must not hang on the allocator."""

_ASYNCIO = Path(asyncio.__file__).parent
_FEW = 256  # timers, of which it does not matter how many are cancelled
_SHOWN = 5  # tasks in a text

T = TypeVar("T")


class SimulationError(RuntimeError):
    """A simulation cannot go on, or asked for what has no place in virtual time."""


def run(main: Coroutine[Any, Any, T], *, seed: int | None = None, busy: int = BUSY) -> T:
    """Return what *main* returns, at once; what it left running is cancelled.

    Timers set to the same moment go off as they were set or, with a *seed*, in an order drawn from
    it: asyncio promises neither. *busy* is the most steps at one moment.

    Raises:
        SimulationError: all wait and no timer is set, or *main* waits without letting time pass.
        ExceptionGroup: *main* raised nothing, but there were errors that nobody awaited.
        RuntimeError: it is called within a loop.
    """
    if _within():
        main.close()
        raise RuntimeError("virtual.run() is called within a running loop; await the coroutine")
    loop = VirtualLoop(seed=seed, busy=busy)
    with _garbage_by_steps():
        try:
            result = loop.run_until_complete(main)
        except BaseException as error:
            loop.finish()
            for lost in loop.lost:
                error.add_note(f"nobody awaited {lost!r}")
            raise
        loop.finish()
    if loop.lost:
        raise ExceptionGroup("nobody awaited these errors", loop.lost)
    return result


class VirtualLoop(asyncio.AbstractEventLoop):
    """A loop whose time starts at 0; ``steps`` counts what ran, ``lost`` is what nobody awaited."""

    def __init__(self, *, seed: int | None = None, busy: int = BUSY) -> None:
        self.steps = 0
        self.lost: list[Exception] = []
        self._rng = None if seed is None else Random(seed)
        self._busy = busy
        self._now = 0.0
        self._last = 0  # the step with which too many would be at this moment
        self._ready: deque[_Soon | _Timer] = deque()
        self._timers: list[tuple[float, float, int, _Timer]] = []
        self._many = _FEW
        self._numbers = count()
        self._generators: WeakValueDictionary[int, AsyncGenerator[Any, Any]] = WeakValueDictionary()
        self._thread = threading.get_ident()
        self._running = self._closed = False

    def time(self) -> float:
        """Return the seconds of virtual time since the start."""
        return self._now

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Run *callback* at this moment, after all that is ready."""
        self._check_open()
        step = _Soon(callback, args, self, context)
        self._ready.append(step)
        return step

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Run *callback* at this moment; other threads are refused."""
        if threading.get_ident() != self._thread:
            raise SimulationError(
                "another thread called into virtual time, where there is only one"
            )
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run *callback* in *delay* seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run *callback* at a time: now if it is over, never if it is infinite."""
        self._check_open()
        if math.isnan(when):
            raise ValueError("a timer cannot be set to nan")
        timer = _Timer(when, callback, args, self, context)
        if when < math.inf:
            tie = 0.0 if self._rng is None else self._rng.random()
            heapq.heappush(self._timers, (when, tie, next(self._numbers), timer))
            if len(self._timers) > self._many:
                self._forget_cancelled()
        return timer

    def run_in_executor(
        self, executor: object, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Call *func* at this moment, after all that is ready: to compute takes no virtual time."""
        future = cast("asyncio.Future[T]", self.create_future())

        def compute() -> None:
            if future.cancelled():
                return
            try:
                future.set_result(func(*args))
            except Exception as error:
                future.set_exception(error)

        self.call_soon(compute)
        return future

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future, whose place in sets hangs on its number alone."""
        return _Future(next(self._numbers), self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
        **more: Any,
    ) -> asyncio.Task[T]:
        """Return a task, which is called by its number in this loop unless a name is given."""
        self._check_open()
        number = next(self._numbers)
        name = f"task {number}" if name is None else name
        return _Task(number, coro, loop=self, name=name, context=context, **more)

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        """Run until *future* is done and return its result.

        Raises:
            SimulationError: all wait and no timer is set, or the time stands still.
        """
        self._check_open()
        awaited = asyncio.ensure_future(cast(Awaitable[T], future), loop=self)
        self._last = self.steps + self._busy
        with self._as_the_running_loop():
            self._run(awaited)
        return awaited.result()

    def finish(self) -> None:
        """Cancel what is left, in the order in which it began, wait for its end, and close."""
        try:
            self.run_until_complete(self._cancel_all())
        finally:
            gc.collect(1)  # a task says when it is deleted that nobody took its error
            self.close()

    def close(self) -> None:
        """Forget all that was to be done."""
        self._closed = True
        self._ready.clear()
        self._timers.clear()

    def is_running(self) -> bool:
        """Return whether it runs."""
        return self._running

    def is_closed(self) -> bool:
        """Return whether it is closed."""
        return self._closed

    def get_debug(self) -> bool:
        """Return False: asyncio's debug mode measures real time."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep an error that nobody awaited."""
        error = context.get("exception")
        self.lost.append(
            error if isinstance(error, Exception) else SimulationError(context["message"])
        )

    def _run(self, awaited: asyncio.Future[Any]) -> None:
        ready = self._ready
        while not awaited.done():
            if not ready:
                self._jump()
            step = ready.popleft()
            if step.cancelled():
                continue
            step.run()
            self.steps += 1
            if self.steps >= self._last:
                raise SimulationError(
                    f"{self._busy} steps at {self._now:g} s, where time stands still: "
                    "somebody waits in a loop without a nap"
                )
            if self.steps % TIDY == 0:
                gc.collect(2 if self.steps % (10 * TIDY) == 0 else 1)

    def _jump(self) -> None:
        """Move on to the next timers, and make all of that moment ready in their order."""
        timers = self._timers
        while timers and timers[0][-1].cancelled():  # none of these may move the time
            heapq.heappop(timers)
        if not timers:
            raise SimulationError(
                f"deadlock at {self._now:g} s: no timer is set, and these wait: {_waiting(self)}"
            )
        when = timers[0][0]
        if when > self._now:
            self._now, self._last = when, self.steps + self._busy
        while timers and timers[0][0] == when:
            self._ready.append(heapq.heappop(timers)[-1])

    def _forget_cancelled(self) -> None:
        self._timers = [timer for timer in self._timers if not timer[-1].cancelled()]
        heapq.heapify(self._timers)
        self._many = max(_FEW, 2 * len(self._timers))

    async def _cancel_all(self) -> None:
        """End all tasks, then all generators that somebody began and nobody ended."""
        tasks = sorted(asyncio.all_tasks() - {asyncio.current_task()}, key=hash)
        for task in tasks:
            task.cancel()
        ends: list[object] = await asyncio.gather(*tasks, return_exceptions=True)
        self.lost.extend(end for end in ends if isinstance(end, Exception))
        for generator in list(self._generators.values()):
            try:
                await generator.aclose()
            except Exception as error:
                self.lost.append(error)

    @contextmanager
    def _as_the_running_loop(self) -> Generator[None]:
        hooks = sys.get_asyncgen_hooks()
        _set_running_loop(self)
        self._running = True
        sys.set_asyncgen_hooks(self._generator_begins, self._generator_is_dropped)
        try:
            yield
        finally:
            sys.set_asyncgen_hooks(*hooks)
            self._running = False
            _set_running_loop(None)

    def _generator_begins(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._generators[next(self._numbers)] = generator

    def _generator_is_dropped(self, generator: AsyncGenerator[Any, Any]) -> None:
        if not self._closed:
            self.call_soon(self.create_task, generator.aclose())

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: asyncio tells each loop, and this one looks when timers grow many."""

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the loop is closed: its simulation is over")


class _Soon(asyncio.Handle):
    """What is ready to run."""

    def run(self) -> None:
        self._run()


class _Timer(asyncio.TimerHandle):
    """What runs at a time."""

    def run(self) -> None:
        self._run()


class _Future(asyncio.Future[Any]):
    """A future that is hashed by its number: sets of them have the same order in each run."""

    def __init__(self, number: int, loop: VirtualLoop) -> None:
        super().__init__(loop=loop)
        self._number = number

    def __hash__(self) -> int:
        return self._number


class _Task(asyncio.Task[T]):
    """A task that is hashed by its number, too: a task group keeps its tasks in a set."""

    def __init__(self, number: int, coro: Any, **settings: Any) -> None:
        self._number = number  # before asyncio puts it into a set
        super().__init__(coro, **settings)

    def __hash__(self) -> int:
        return self._number


@contextmanager
def _garbage_by_steps() -> Generator[None]:
    """Leave it to the loop when garbage is collected, as generators in it end with a step."""
    enabled = gc.isenabled()
    gc.disable()
    gc.collect(1)
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _within() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _waiting(loop: VirtualLoop) -> str:
    """Return which tasks wait, and where the first of them do."""
    tasks = sorted(asyncio.all_tasks(loop), key=hash)
    shown = [f"{task.get_name()} at {_place(task)}" for task in tasks[:_SHOWN]]
    more = [f"{len(tasks) - _SHOWN} more"] if len(tasks) > _SHOWN else []
    return "; ".join(shown + more)


def _place(task: asyncio.Task[Any]) -> str:
    """Return the file and line at which a task waits, outside of asyncio if there is one."""
    place, inner = "an unknown place", cast(Any, task.get_coro())
    while frame := getattr(inner, "cr_frame", None):
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(_ASYNCIO) and inner is not task.get_coro():
            break
        place, inner = f"{file}:{frame.f_lineno}", inner.cr_await
    return place


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(self: VirtualLoop, *args: object, **settings: object) -> NoReturn:
        raise SimulationError(
            f"loop.{name}() has no place in virtual time; put what needs it behind a protocol, "
            "with a twin for simulations"
        )

    return refuse


for _name in dir(asyncio.AbstractEventLoop):
    if not _name.startswith("_") and _name not in vars(VirtualLoop):
        setattr(VirtualLoop, _name, _refusal(_name))
