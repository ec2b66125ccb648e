"""A run without training: a small manifest, invented results, and wishes after a plan."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.job import Job
from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.genome.identity import identify
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.market.worker import Wish
from praxis_evolve.search.base import Assignment

NAMES = (
    "attention", "glu", "mlp", "mingru", "short_conv", "pre", "rmsnorm", "layernorm", "token",
)  # fmt: skip
CATALOG = installed().only(NAMES)

MANIFEST = Manifest(
    program="0", preset="none", seed=3, task="words", task_digest="ab" * 32, task_bytes=1000,
    widths=(32,), layers=1, context=32, batch=4, rungs=(100, 300), search_windows=4,
    test_windows=4, blocks=NAMES, catalog=CATALOG.digest, visits=4, parameters=None, flops=None,
    carry_bytes=None, population=6, births=12, objectives=("bits_per_byte", "flops"),
    replicas=(1, 2),
)  # fmt: skip


def invented(job: Job, *, noise: Random | None = None) -> Result:
    """A result that hangs on the job alone but for its measured columns; one in eleven fails.

    Each ancestor of the job's line is worth 90 tokens.
    """
    name = identify(job.genome, CATALOG)
    text = f"{name.genome}/{job.rung}/{job.replica}"
    lot = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 16**8
    found = Result(
        name.genome, name.architecture, job.rung, job.replica, abs(job.replica), 2 + lot,
        3 + lot if job.test else None,
        inherited_tokens=90 * len(job.line),
        measured=Measurement(seconds=noise.random() if noise else 0.0),
    )  # fmt: skip
    if lot < 1 / 11 and not job.test:
        return replace(found, bits_per_byte=None, failure="diverged", reason="by lot")
    return found


@dataclass
class Seen:
    """A watcher that notes what it saw."""

    asked: list[Assignment] = field(default_factory=list[Assignment])
    finished: list[tuple[Assignment, Result]] = field(
        default_factory=list[tuple[Assignment, Result]]
    )

    def on_asked(self, assignment: Assignment) -> None:
        self.asked.append(assignment)

    def on_finished(self, assignment: Assignment, result: Result) -> None:
        self.finished.append((assignment, result))

    def on_wait(self, pending: int) -> None:
        pass


def always(wish: Wish) -> Callable[[], Wish]:
    return lambda: wish


def after(looks: int, then: Wish) -> Callable[[], Wish]:
    """Work for so many looks, then wish for something else."""
    wishes = iter([Wish.WORK] * looks)
    return lambda: next(wishes, then)


class Parallel:
    """A pool of *capacity* jobs at once that answers in a random order, now and then nothing."""

    def __init__(self, capacity: int, evaluate: Callable[[Job], Result], rng: Random) -> None:
        self.capacity = capacity
        self.out: dict[str, Job] = {}
        self.most = 0
        self.paused = False
        self._evaluate, self._rng = evaluate, rng

    def submit(self, key: str, job: Job) -> None:
        assert key not in self.out
        assert not self.paused
        self.out[key] = job
        self.most = max(self.most, len(self.out))

    def wait(self, timeout: float | None = None) -> list[tuple[str, Result]]:
        if self.paused or not self.out or self._rng.random() < 0.2:
            return []
        keys = self._rng.sample(sorted(self.out), self._rng.randint(1, len(self.out)))
        return [(key, self._evaluate(self.out.pop(key))) for key in keys]

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def close(self) -> None:
        self.out.clear()


def works(assignments: Sequence[Assignment]) -> list[tuple[str, int, int]]:
    """Genome id, rung and replica of each."""
    return [(identify(a.genome, CATALOG).genome, a.rung, a.replica) for a in assignments]
