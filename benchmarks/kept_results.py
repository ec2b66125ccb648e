"""Evaluations that are done once: results are kept in a file of JSON lines for whoever asks again.

So an audit of a simulated peer costs nothing, and a call that was stopped goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from praxis_evolve.benchmarks.rows import add_row, digest_of, end_line, known_rows
from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.evaluator.job import Job, Setup
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.identity import genome_id
from praxis_evolve.market.result_text import content_of, measured_of, parsed_result

SOURCES = "genome/*.py", "evaluator/*.py"


class KeptResults:
    """What *evaluate* finds, of each genome, rung and replica once.

    Args:
        evaluate: answers jobs of trainings from scratch.
        setup: of these trainings; results of another text or shape are not taken for its own, nor
            such of other sources.
        catalog: the blocks.
        file: where results are kept.
    """

    def __init__(
        self, evaluate: Callable[[Job], Result], setup: Setup, catalog: Catalog, file: Path
    ) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        end_line(file)
        self._evaluate, self._catalog, self._file = evaluate, catalog, file
        shape = (setup.task_digest, setup.rungs, setup.context, setup.batch, setup.search_windows,
                 setup.test_windows)  # fmt: skip
        self._world = digest_of(SOURCES, catalog.digest, repr(shape))
        self._known = {
            key: parsed_result(row["content"], row["measured"])
            for key, row in known_rows(file).items()
            if key.startswith(self._world)
        }

    def __call__(self, job: Job) -> Result:
        """Return the result of a job, which is evaluated if it never was."""
        name = genome_id(job.genome, self._catalog)
        key = f"{self._world} {name} {job.rung} {job.replica} {'test' if job.test else 'search'}"
        if key not in self._known:
            found = self._evaluate(job)
            row = {"key": key, "content": content_of(found), "measured": measured_of(found)}
            add_row(self._file, row)
            self._known[key] = found
        return self._known[key]
