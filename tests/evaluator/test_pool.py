import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.job import Job, Setup, names
from praxis_evolve.evaluator.pool import Pool, ProcessPool, SerialPool
from praxis_evolve.evaluator.result import Result
from praxis_evolve.evaluator.worker import (
    SUSPENDS,
    Broken,
    Worker,
    WorkerError,
    first_ready,
    visible,
)
from praxis_evolve.genome.graph import Genome
from praxis_evolve.tests.evaluator.pool_jobs import (
    DIES,
    DIES_ONCE,
    FINE,
    HANGS,
    HANGS_ONCE,
    RAISES,
    RAISES_LONG,
    TAKES_TIME,
    answer,
)

JOBS = answer.__module__

holds = pytest.mark.skipif(not SUSPENDS, reason="workers are held still on Linux alone")


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []
    states = [child.status() for child in psutil.Process().children()]
    assert psutil.STATUS_ZOMBIE not in states


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(task="", task_digest="d", folder=str(tmp_path), rungs=(1,), seconds=120.0)


@pytest.fixture(params=["serial", "process"])
def pool(request: pytest.FixtureRequest, setup: Setup) -> Iterator[Pool[str]]:
    pool: Pool[str] = (
        SerialPool(answer(setup))
        if request.param == "serial"
        else ProcessPool(setup, installed(), workers=2, evaluator=f"{JOBS}:answer")
    )
    yield pool
    pool.close()


def processes(setup: Setup, *, workers: int = 1, grace: float = 60.0) -> ProcessPool[str]:
    return ProcessPool(setup, installed(), workers=workers, evaluator=f"{JOBS}:answer", grace=grace)


def drain(pool: Pool[str]) -> dict[str, Result]:
    found: dict[str, Result] = {}
    while answers := pool.wait():
        assert not found.keys() & dict(answers).keys()
        found |= dict(answers)
    return found


def test_every_job_is_answered_once_under_its_key(pool: Pool[str], small_genome: Genome) -> None:
    assert pool.wait(0.0) == []
    assert pool.wait() == []
    assert pool.capacity >= 1
    for number in range(7):
        pool.submit(f"key{number}", Job(small_genome, FINE, replica=number))
    found = drain(pool)
    assert {key: result.replica for key, result in found.items()} == {
        f"key{number}": number for number in range(7)
    }
    pool.submit("key0", Job(small_genome, FINE, replica=9))
    assert drain(pool)["key0"].replica == 9


def test_a_key_that_is_out_is_refused(pool: Pool[str], small_genome: Genome) -> None:
    pool.submit("key", Job(small_genome, FINE))
    with pytest.raises(ValueError, match="the key 'key' is out already"):
        pool.submit("key", Job(small_genome, FINE))


def test_a_paused_pool_begins_nothing_until_it_goes_on(
    pool: Pool[str], small_genome: Genome
) -> None:
    pool.pause()
    for number in range(3):
        pool.submit(f"key{number}", Job(small_genome, FINE, replica=number))
    assert pool.wait(0.1) == []
    pool.resume()
    assert {key: result.ok for key, result in drain(pool).items()} == dict.fromkeys(
        ("key0", "key1", "key2"), True
    )


def test_closing_twice_does_nothing(pool: Pool[str], small_genome: Genome) -> None:
    pool.submit("key", Job(small_genome, FINE))
    pool.close()
    pool.close()
    assert pool.wait() == []


def test_a_job_whose_worker_dies_is_tried_again(setup: Setup, small_genome: Genome) -> None:
    with processes(setup, workers=2) as pool:
        pool.submit("once", Job(small_genome, DIES_ONCE))
        pool.submit("always", Job(small_genome, DIES))
        pool.submit("fine", Job(small_genome, FINE))
        found = drain(pool)
    assert found["once"].ok
    assert found["fine"].ok
    assert found["always"].failure == "worker died"
    assert "SIGKILL" in found["always"].reason
    genome, architecture = names(small_genome, installed())
    assert (found["always"].genome, found["always"].architecture) == (genome, architecture)


def test_a_worker_killed_in_the_middle_of_a_job_loses_nothing(
    setup: Setup, small_genome: Genome
) -> None:
    with processes(setup) as pool:
        (before,) = pool.processes
        pool.submit("key", Job(small_genome, HANGS_ONCE))
        mark = Path(setup.folder, f"{HANGS_ONCE}-0")
        while not (mark.exists() and mark.read_text()):
            assert pool.wait(0.02) == []
        os.kill(before, signal.SIGKILL)
        found = drain(pool)
    assert found["key"].ok
    assert found["key"].seed != before


def test_an_idle_worker_that_dies_is_replaced(setup: Setup, small_genome: Genome) -> None:
    with processes(setup) as pool:
        pool.submit("first", Job(small_genome, FINE))
        worker = drain(pool)["first"].seed
        os.kill(worker, signal.SIGKILL)
        pool.submit("second", Job(small_genome, FINE, replica=1))
        assert drain(pool)["second"].seed != worker


def until(true: Callable[[], bool]) -> None:
    """Look again and again; a process takes its time to do as it is told."""
    end, pause = time.monotonic() + 60, threading.Event()
    while not true():
        assert time.monotonic() < end
        pause.wait(0.01)


def held(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


@holds
def test_a_held_worker_goes_on_where_it_was_and_the_time_does_not_count(
    setup: Setup, small_genome: Genome
) -> None:
    with processes(setup) as pool:
        pool.submit("key", Job(small_genome, TAKES_TIME))
        until(lambda: pool.wait(0.01) == [] and Path(setup.folder, f"{TAKES_TIME}-0").exists())
        pool.pause()
        until(lambda: held(pool.processes[0]))
        Path(setup.folder, "go").touch()
        assert pool.wait(0.3) == []
        pool.resume()
        result = drain(pool)["key"]
    assert result.bits_per_byte is not None
    assert result.bits_per_byte - result.measured.seconds >= 0.3
    assert result.measured.seconds >= 0


@holds
def test_a_worker_that_gets_ready_in_a_pause_is_held_from_then_on(
    setup: Setup, small_genome: Genome
) -> None:
    with processes(setup) as pool:
        pool.submit("key", Job(small_genome, TAKES_TIME))
        pool.pause()
        until(lambda: pool.wait(0.01) == [] and held(pool.processes[0]))
        Path(setup.folder, "go").touch()
        pool.resume()
        assert drain(pool)["key"].ok


@holds
def test_the_deadline_of_a_held_worker_moves_on(setup: Setup, small_genome: Genome) -> None:
    worker = Worker(f"{JOBS}:answer", setup)
    try:
        first_ready([worker], None)
        worker.receive()
        worker.send(Job(small_genome, HANGS))
        before, began = worker.left(100.0), time.monotonic()
        worker.suspend()
        assert worker.left(0.0) > 1e9
        threading.Event().wait(0.3)
        worker.wake()
        assert worker.left(100.0) >= before - (time.monotonic() - began - 0.3)
    finally:
        worker.kill()
        worker.join()


@holds
def test_what_a_held_worker_has_half_said_is_heard_to_its_end(
    setup: Setup, small_genome: Genome
) -> None:
    worker = Worker(f"{JOBS}:answer", setup)
    try:
        first_ready([worker], None)
        worker.receive()
        worker.send(Job(small_genome, RAISES_LONG))
        first_ready([worker], None)  # the pipe takes less than the whole text
        worker.suspend()
        message = worker.receive()
    finally:
        worker.kill()
        worker.join()
    assert isinstance(message, Broken)
    assert "long " * 200_000 in message.text


@holds
def test_a_held_worker_that_is_killed_is_replaced(setup: Setup, small_genome: Genome) -> None:
    with processes(setup) as pool:
        pool.submit("key", Job(small_genome, HANGS_ONCE))
        mark = Path(setup.folder, f"{HANGS_ONCE}-0")
        until(lambda: pool.wait(0.01) == [] and mark.exists() and bool(mark.read_text()))
        pool.pause()
        os.kill(pool.processes[0], signal.SIGKILL)
        assert pool.wait(0.2) == []
        pool.resume()
        assert drain(pool)["key"].ok


def test_a_worker_that_hangs_is_killed_and_replaced(setup: Setup, small_genome: Genome) -> None:
    with processes(replace(setup, seconds=0.2), grace=0.1) as pool:
        pool.submit("hangs", Job(small_genome, HANGS))
        pool.submit("fine", Job(small_genome, FINE))
        found = drain(pool)
    assert found["hangs"].failure == "out of time"
    assert "was killed" in found["hangs"].reason
    assert found["fine"].ok


def test_a_broken_program_raises_with_the_workers_traceback(
    setup: Setup, small_genome: Genome
) -> None:
    with processes(setup) as pool:
        pool.submit("key", Job(small_genome, RAISES))
        with pytest.raises(WorkerError, match="LookupError: the program is broken here"):
            pool.wait()


def test_workers_that_never_get_ready_are_not_tried_for_ever(
    setup: Setup, small_genome: Genome
) -> None:
    broken = ProcessPool[str](setup, installed(), workers=1, evaluator=f"{JOBS}:broken")
    with broken as pool:
        pool.submit("key", Job(small_genome, FINE))
        with pytest.raises(WorkerError, match=r"3 workers in a row .* exit code 3"):
            pool.wait()


def test_an_interrupt_is_the_parents_to_handle(setup: Setup, small_genome: Genome) -> None:
    with processes(setup) as pool:
        pool.submit("first", Job(small_genome, FINE))
        worker = drain(pool)["first"].seed
        for name in (signal.SIGINT, signal.SIGTERM):
            os.kill(worker, name)
        pool.submit("second", Job(small_genome, FINE, replica=1))
        assert drain(pool)["second"].seed == worker


@pytest.mark.parametrize(
    ("seen", "names"), [(None, "012"), ("", "012"), ("4,7", "472"), ("GPU-a,GPU-b", ["GPU-a"])]
)
def test_gpus_are_numbered_as_this_process_sees_them(
    seen: str | None, names: str | list[str]
) -> None:
    environment = {} if seen is None else {"CUDA_VISIBLE_DEVICES": seen}
    assert [visible(number, environment) for number in range(len(names))] == list(names)


def test_a_pool_without_workers_is_refused(setup: Setup) -> None:
    with pytest.raises(ValueError, match="at least one worker, but is given 0"):
        processes(setup, workers=0)


ORPHANS = """
import sys
from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.job import Job, Setup
from praxis_evolve.evaluator.pool import ProcessPool
from praxis_evolve.genome.graph import Genome
from {jobs} import HANGS, FINE

if __name__ == "__main__":
    setup = Setup(task="", task_digest="d", folder={folder!r}, rungs=(1,))
    pool = ProcessPool(setup, installed(), workers=2, evaluator="{jobs}:answer")
    pool.submit("fine", Job(Genome((), ()), FINE))
    pool.wait()
    pool.submit("hangs", Job(Genome((), ()), HANGS))
    {pause}
    print(*pool.processes, flush=True)
    {end}
"""


@pytest.mark.parametrize(
    ("end", "pause"),
    [
        ("input()", ""),
        ("sys.exit(0)", ""),
        ("input()", "pool.pause()"),
        ("sys.exit(0)", "pool.pause()"),
    ],
)
def test_workers_leave_with_their_parent(tmp_path: Path, end: str, pause: str) -> None:
    script = tmp_path / "parent.py"
    script.write_text(ORPHANS.format(jobs=JOBS, folder=str(tmp_path), end=end, pause=pause))
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        workers = [int(word) for word in parent.stdout.readline().split()]
        assert len(workers) == 2
        running = [psutil.Process(pid) for pid in workers if psutil.pid_exists(pid)]
        if end == "input()":
            parent.kill()
        parent.wait(30)
    assert not psutil.wait_procs(running, timeout=30)[1]
