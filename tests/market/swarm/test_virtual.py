"""Virtual time: asyncio works in it, nothing waits for a clock, and what is real is refused."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, suppress
from typing import Any, cast
from weakref import ref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.market.swarm import virtual
from praxis_evolve.market.swarm.virtual import SimulationError, VirtualLoop

DAY = 86_400.0


def loop() -> VirtualLoop:
    return cast(VirtualLoop, asyncio.get_running_loop())


def test_a_year_costs_as_many_steps_as_a_second():
    async def main(seconds: float) -> tuple[float, int]:
        for _ in range(100):
            await asyncio.sleep(seconds / 100)
        return loop().time(), loop().steps

    short, long = virtual.run(main(1.0)), virtual.run(main(365 * DAY))
    assert short[0] == pytest.approx(1.0)
    assert long[0] == pytest.approx(365 * DAY)
    assert short[1] == long[1] < 500


def test_time_starts_at_zero_in_each_run():
    async def main() -> float:
        began = loop().time()
        await asyncio.sleep(5)
        return began

    assert [virtual.run(main()) for _ in range(2)] == [0.0, 0.0]


@given(st.lists(st.floats(0, 1e6), max_size=30))
def test_timers_go_off_at_their_times_in_their_order(delays: list[float]):
    seen: list[tuple[float, int]] = []

    async def nap(number: int) -> None:
        await asyncio.sleep(delays[number])
        seen.append((loop().time(), number))

    async def main() -> None:
        await asyncio.gather(*map(nap, range(len(delays))))

    virtual.run(main())
    assert [time for time, _ in seen] == sorted(delays)
    assert {number: time for time, number in seen} == dict(enumerate(delays))


def order(seed: int | None) -> list[int]:
    seen: list[int] = []

    async def main() -> None:
        for number in range(20):
            loop().call_at(1.0, seen.append, number)
        await asyncio.sleep(2)

    virtual.run(main(), seed=seed)
    return seen


def test_timers_of_one_moment_go_off_as_set_or_as_drawn():
    assert order(None) == list(range(20))
    drawn = [order(seed) for seed in range(8)]
    assert drawn == [order(seed) for seed in range(8)]
    assert all(sorted(each) == list(range(20)) for each in drawn)
    assert len({tuple(each) for each in drawn}) == 8


def test_callbacks_of_a_moment_keep_their_order_whatever_the_seed():
    async def main() -> list[int]:
        seen: list[int] = []
        for number in range(20):
            loop().call_soon(seen.append, number)
        await asyncio.sleep(0)
        return seen

    assert virtual.run(main(), seed=3) == list(range(20))


def test_cancelled_timers_do_not_move_the_time():
    async def main() -> float:
        timers = [loop().call_later(DAY, print) for _ in range(10_000)]
        for timer in timers:
            timer.cancel()
        await asyncio.sleep(1)
        return loop().time()

    assert virtual.run(main()) == 1


def test_cancelled_timers_do_not_move_the_time_of_a_deadlock_either():
    async def main() -> None:
        loop().call_later(5, print).cancel()
        await asyncio.Event().wait()

    with pytest.raises(SimulationError, match="deadlock at 0 s"):
        virtual.run(main())


def test_timers_of_the_past_go_off_now():
    async def main() -> list[float]:
        seen: list[float] = []
        await asyncio.sleep(10)
        loop().call_at(3, lambda: seen.append(loop().time()))
        await asyncio.sleep(1)
        return [*seen, loop().time()]

    assert virtual.run(main()) == [10, 11]


def test_cancelled_timers_are_forgotten():
    async def main() -> int:
        known: list[ref[asyncio.TimerHandle]] = []
        for _ in range(10_000):
            timer = loop().call_later(DAY, print)
            known.append(ref(timer))
            timer.cancel()
        return sum(each() is not None for each in known)

    assert virtual.run(main()) < 1000


def test_time_outs_fire_when_due_and_not_before():
    async def main() -> None:
        async with asyncio.timeout(10):
            await asyncio.sleep(9)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 5)
        assert loop().time() == 14
        with pytest.raises(TimeoutError):
            async with asyncio.timeout_at(15):
                await asyncio.sleep(math.inf)
        assert loop().time() == 15
        done, pending = await asyncio.wait([asyncio.ensure_future(asyncio.sleep(9))], timeout=1)
        assert (len(done), len(pending), loop().time()) == (0, 1, 16)

    virtual.run(main())


def test_queues_locks_and_groups_work():
    async def main() -> list[int]:
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=2)
        lock, got = asyncio.Lock(), list[int]()

        async def produce() -> None:
            for number in range(10):
                await queue.put(number)
                await asyncio.sleep(0.1)

        async def consume() -> None:
            while len(got) < 10:
                async with lock:
                    got.append(await queue.get())

        async with asyncio.TaskGroup() as group:
            group.create_task(produce())
            group.create_task(consume())
        return got

    assert virtual.run(main()) == list(range(10))


def test_generators_that_nobody_ended_are_ended():
    ended: list[str] = []

    async def numbers(name: str) -> AsyncIterator[int]:
        try:
            for number in range(10):
                await asyncio.sleep(1)
                yield number
        finally:
            await asyncio.sleep(1)
            ended.append(name)

    async def main() -> None:
        async with aclosing(cast(Any, numbers("closed"))) as frames:
            assert await anext(frames) == 0
        assert ended == ["closed"]
        await anext(numbers("dropped"))
        await asyncio.sleep(2)
        assert ended == ["closed", "dropped"]
        kept.append(numbers("kept"))
        assert await anext(kept[0]) == 0

    kept: list[AsyncIterator[int]] = []
    virtual.run(main())
    assert ended == ["closed", "dropped", "kept"]


def test_what_is_left_at_the_end_is_cancelled_in_order():
    ended: list[str] = []

    async def stay(name: str) -> None:
        try:
            await asyncio.sleep(DAY)
        finally:
            await asyncio.sleep(1)
            ended.append(name)

    async def main() -> None:
        for name in "abcdefgh":
            tasks.append(asyncio.create_task(stay(name)))
        await asyncio.sleep(1)

    tasks: list[asyncio.Task[None]] = []
    virtual.run(main())
    assert "".join(ended) == "abcdefgh"


def test_an_error_in_main_comes_out():
    async def main() -> None:
        await asyncio.sleep(1)
        raise LookupError("found nothing")

    with pytest.raises(LookupError, match="found nothing"):
        virtual.run(main())


async def failing() -> None:
    raise LookupError("found nothing")


def test_errors_that_nobody_awaited_come_out():
    async def main() -> None:
        tasks = [asyncio.create_task(failing())]
        loop().call_soon(divmod, 1, 0)
        await asyncio.sleep(1)
        del tasks

    with pytest.raises(ExceptionGroup, match="nobody awaited") as caught:
        virtual.run(main())
    assert [type(each) for each in caught.value.exceptions] == [ZeroDivisionError, LookupError]


def test_errors_in_knots_of_garbage_come_out():
    async def main() -> None:
        knot: list[Any] = [asyncio.create_task(failing())]
        knot.append(knot)
        await asyncio.sleep(1)

    with pytest.raises(ExceptionGroup, match="nobody awaited"):
        virtual.run(main())


def test_errors_that_nobody_awaited_are_noted_at_that_of_main():
    async def main() -> None:
        asyncio.create_task(failing()).set_name("lost")
        await asyncio.sleep(1)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine") as caught:
        virtual.run(main())
    assert caught.value.__notes__ == ["nobody awaited LookupError('found nothing')"]


def test_a_deadlock_says_who_waits_and_where():
    async def main() -> None:
        await asyncio.sleep(12)
        await asyncio.gather(*(asyncio.create_task(wait(), name=f"peer {n}") for n in range(7)))

    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(SimulationError) as caught:
        virtual.run(main())
    said = str(caught.value)
    assert said.startswith("deadlock at 12 s: no timer is set, and these wait: task ")
    assert f"peer 3 at {__file__}:" in said
    assert said.endswith("; 3 more")


def test_an_infinite_nap_is_a_deadlock():
    with pytest.raises(SimulationError, match="deadlock at 0 s"):
        virtual.run(asyncio.sleep(math.inf))


def test_who_waits_without_a_nap_is_stopped():
    async def main() -> None:
        while loop().time() < 10:
            await asyncio.sleep(0)

    with pytest.raises(SimulationError, match=r"1000 steps at 0 s, .*without a nap"):
        virtual.run(main(), busy=1000)


def test_many_steps_are_fine_if_time_passes():
    async def main() -> None:
        for number in range(10_000):
            await asyncio.sleep(number % 100 == 0)

    virtual.run(main(), busy=1000)


def test_a_nap_of_no_number_is_refused():
    async def main() -> None:
        loop().call_at(math.nan, print)

    with pytest.raises(ValueError, match="nan"):
        virtual.run(main())


REAL: list[Callable[[], Coroutine[Any, Any, Any]]] = [
    lambda: asyncio.open_connection("127.0.0.1", 9),
    lambda: asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0),
    lambda: asyncio.create_subprocess_exec("true"),
]


@pytest.mark.parametrize("real", REAL)
def test_what_is_real_is_refused(real: Callable[[], Coroutine[Any, Any, Any]]):
    with pytest.raises(SimulationError, match=r"loop\.\w+\(\) has no place in virtual time"):
        virtual.run(real())


def test_what_another_thread_computes_is_computed_in_a_step():
    async def main() -> tuple[bool, float]:
        same = await asyncio.to_thread(threading.get_ident) == threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(divmod, 1, 0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.0):
                await asyncio.to_thread(pytest.fail, "it was cancelled before")
        return same, loop().time()

    assert virtual.run(main()) == (True, 0.0)


def test_signals_and_files_are_refused():
    async def main() -> None:
        for act in (loop().add_signal_handler, loop().add_reader):
            with pytest.raises(SimulationError):
                act(2, print)

    virtual.run(main())


def test_other_threads_are_refused():
    refused: list[Exception] = []

    async def main() -> None:
        thread = threading.Thread(target=call, args=(loop(),))
        thread.start()
        thread.join()

    def call(other: VirtualLoop) -> None:
        try:
            other.call_soon_threadsafe(print)
        except SimulationError as error:
            refused.append(error)

    virtual.run(main())
    assert len(refused) == 1


def test_a_run_within_a_loop_is_refused():
    async def main() -> None:
        with pytest.raises(RuntimeError, match="await the coroutine"):
            virtual.run(asyncio.sleep(1))

    virtual.run(main())
    asyncio.run(main())


def test_a_loop_that_ended_takes_nothing():
    async def main() -> VirtualLoop:
        return loop()

    ended = virtual.run(main())
    assert ended.is_closed()
    assert not ended.is_running()
    with pytest.raises(RuntimeError, match="its simulation is over"):
        ended.call_soon(print)


def test_garbage_is_collected_by_steps_alone():
    async def main() -> list[int]:
        ends: list[int] = []

        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                ends.append(loop().steps)

        for _ in range(3):
            knot: list[Any] = [numbers()]
            knot.append(knot)
            await anext(knot[0])
            del knot
            for _ in range(virtual.TIDY // 10):
                junk: list[Any] = [[] for _ in range(noise)]
                junk.append(junk)
                await asyncio.sleep(0)
        for _ in range(virtual.TIDY):
            await asyncio.sleep(0)
        return ends

    assert gc.isenabled()
    noise = 0
    quiet = virtual.run(main())
    noise = 50
    assert virtual.run(main()) == quiet
    assert len(quiet) == 3
    assert gc.isenabled()


SETS = """
import asyncio
from praxis_evolve.market.swarm import virtual

async def stay(name):
    try:
        await asyncio.sleep(9)
    finally:
        seen.append(name)

async def main():
    junk.extend(bytearray(n * 37 % 501) for n in range({junk}))
    try:
        async with asyncio.TaskGroup() as group:
            for name in range(30):
                group.create_task(stay(name))
            await asyncio.sleep(1)
            raise KeyError
    except* KeyError:
        pass
    futures = [asyncio.get_running_loop().create_future() for _ in range(30)]
    for future in futures:
        asyncio.get_running_loop().call_later(1, future.set_result, None)
    done, _ = await asyncio.wait(futures)
    seen.extend(futures.index(future) for future in done)
    seen.append(asyncio.current_task().get_name())

seen, junk = [], []
virtual.run(main())
print(seen)
"""


def test_sets_of_tasks_and_futures_have_one_order_in_all_processes():
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    said = {
        subprocess.run(
            [sys.executable, "-c", SETS.format(junk=junk)],
            env={**environment, "PYTHONHASHSEED": str(junk)},
            capture_output=True,
            check=True,
        ).stdout
        for junk in (0, 100, 1000)
    }
    assert len(said) == 1


def test_an_interrupt_comes_out():
    ended: list[bool] = []

    async def main() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            ended.append(True)

    async def interrupted() -> None:
        task = asyncio.create_task(main())
        loop().call_later(5, interrupt)
        with suppress(asyncio.CancelledError):
            await task

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        virtual.run(interrupted())
    assert ended == [True]


def test_a_deadlock_leaves_no_task_behind():
    async def main() -> None:
        tasks.extend(asyncio.create_task(asyncio.Event().wait()) for _ in range(3))
        await asyncio.Event().wait()

    tasks: list[asyncio.Task[Any]] = []
    with pytest.raises(SimulationError) as caught:
        virtual.run(main())
    assert all(task.cancelled() for task in tasks)
    assert not hasattr(caught.value, "__notes__")
