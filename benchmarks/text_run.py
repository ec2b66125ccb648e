"""One run of ``text.py``: a search on a text at a budget of tokens, and its winner's finals."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from types import MappingProxyType

import torch

from praxis_evolve.benchmarks.budget import Budgeted
from praxis_evolve.benchmarks.comparison import Row
from praxis_evolve.blocks.registry import installed
from praxis_evolve.cli.bounds import EQUAL, preset_space
from praxis_evolve.evaluator.evaluate import Evaluator
from praxis_evolve.evaluator.job import Job, Setup
from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.evaluator.preset import PRESETS
from praxis_evolve.evaluator.result import Result
from praxis_evolve.evaluator.task import Task, embedded_task, save_task, text_task
from praxis_evolve.genome.space import Space
from praxis_evolve.genome.starters import llama, starters
from praxis_evolve.genome.text import to_json
from praxis_evolve.search.algorithms import DEFAULT, Terms, algorithm
from praxis_evolve.search.base import Asked, Assignment, Event, Finished, Search
from praxis_evolve.search.campaign import Agenda, Campaign, Entrant
from praxis_evolve.search.evolution import population_for
from praxis_evolve.search.finals import finalists
from praxis_evolve.search.simulation import simulate
from praxis_evolve.search.species import Species

PRESET = PRESETS["cpu-small"]

PARTS: Mapping[str, Mapping[str, bool]] = MappingProxyType(
    {"without-shares": {"shares": False}, "without-screen": {"screen": False}}
)
"""The default search with a part left out."""

EMBEDDED = "python-library"
REPLICAS = 3
"""The trainings of a winner: that of its search again, and two on fresh seeds."""

CANDIDATES = 5
"""How many of the best may fail in the finals."""

TEST_WINDOWS = 2_048
"""Which windows of the test split are read should matter less than any search."""

PATIENCE = 3600.0
"""Seconds for an evaluation: budgets are in tokens, and a busy machine changes no result."""

Curve = Sequence[tuple[int, float]]
"""Trained tokens and the lowest bits per byte on the search split so far, where it fell."""


@dataclass(frozen=True)
class Plan:
    """What all runs of a call have in common."""

    births: int
    rungs: tuple[int, ...]
    starters: bool
    bench: Path | None

    @property
    def ladder(self) -> Ladder:
        """The rungs as a ladder."""
        return Ladder(self.rungs)

    @property
    def tokens(self) -> int:
        """The trained tokens after which nothing more is asked."""
        return self.ladder.tokens(self.births)


def trained(result: Result, ladder: Ladder) -> int:
    """Return the tokens that a result took: a promotion goes on, what was refused took none."""
    return ladder.work(result.rung) if result.ok or result.measured.tokens_per_second else 0


def budgeted(search: Search, plan: Plan) -> Search:
    """Return a search that asks for nothing more when its trainings took the plan's tokens."""
    return Budgeted(search, plan.tokens, lambda result: trained(result, plan.ladder))


def space() -> Space:
    """Return the genomes of the preset that are no larger than the Llama block, nor cost more."""
    wide = preset_space(installed(), PRESET)
    rival = wide.costs(llama(wide, layers=PRESET.layers))
    return replace(wide, limits=replace(wide.limits, parameters=round(EQUAL * rival.parameters)))


def run(text: str, searcher: str, seed: int, plan: Plan) -> Row:
    """Return the row of one run, with its winner's finals."""
    torch.set_num_threads(1)
    species = Species(space())
    with tempfile.TemporaryDirectory() as folder:
        evaluator = Evaluator(setup(opened(text, plan.bench), Path(folder), plan), installed())
        seconds = list[float]()

        def evaluate(assignment: Assignment) -> Result:
            start = time.perf_counter()
            replica = REPLICAS * seed + assignment.replica
            found = evaluator(Job(assignment.genome, assignment.rung, replica))
            seconds.append(time.perf_counter() - start)
            return replace(found, replica=assignment.replica)

        start, busy = time.perf_counter(), time.process_time()
        search = budgeted(made(searcher, species, seed, plan), plan)
        log = simulate(search, evaluate, workers=1, seconds=lambda _: 1.0, rng=Random(seed))
        wall, busy = time.perf_counter() - start, time.process_time() - busy
        row = figures(log, plan)
        won = winner(log, species, evaluator, seed, plan)
    times = {"wall": wall, "processor": busy, "engine": wall - sum(seconds)}
    return {**row, **won, **{name: round(value, 1) for name, value in times.items()}}


def made(searcher: str, species: Species, seed: int, plan: Plan) -> Search:
    """Return a search by its name here; starters come before whatever it asks for itself."""
    terms = Terms(
        seed=seed,
        ladder=plan.ladder,
        births=4 * plan.births,  # tokens end it
        population=population_for(plan.births),
    )
    terms = replace(terms, **PARTS.get(searcher, {}))
    search = algorithm(DEFAULT if searcher in PARTS else searcher)(species, terms)
    named = starters(species.space, layers=PRESET.layers) if plan.starters else {}
    entrants = [Entrant(g, plan.rungs[0], 0, f"starter:{name}") for name, g in named.items()]
    return Campaign(Agenda(lambda: entrants, species.identify), search)


def figures(log: Sequence[Event], plan: Plan) -> Row:
    """Return what a run found on the search split, and what it spent."""
    results = [event.result for event in log if isinstance(event, Finished)]
    path, spent = curve(results, plan.ladder)
    return {
        "births": sum(result.rung == plan.ladder.lowest for result in results),
        "results": len(results),
        "failures": Counter(result.failure for result in results if result.failure),
        "tokens": spent,
        "seconds": round(sum(result.measured.seconds for result in results), 1),
        "gate_seconds": round(sum(result.measured.gate_seconds for result in results), 1),
        "curve": path,
    }


def curve(results: Sequence[Result], ladder: Ladder) -> tuple[Curve, int]:
    """Return the curve of a run, and the tokens that it trained."""
    spent, path = 0, list[tuple[int, float]]()
    for result in results:
        spent += trained(result, ladder)
        bits = result.bits_per_byte
        if bits is not None and (not path or bits < path[-1][1]):
            path.append((spent, bits))
    return path, spent


def winner(
    log: Sequence[Event], species: Species, evaluator: Evaluator, seed: int, plan: Plan
) -> Row:
    """Return the genome that won and its bits on the test split, of each final.

    Raises:
        RuntimeError: none of the best passes the gate in every final.
    """
    genomes = {
        species.identify(event.assignment.genome): event.assignment.genome
        for event in log
        if isinstance(event, Asked)
    }
    results = [event.result for event in log if isinstance(event, Finished)]
    top = plan.ladder.top
    for place, name in enumerate(finalists(results, genomes, top_rung=top, count=CANDIDATES)):
        jobs = (Job(genomes[name], top, REPLICAS * seed + n, test=True) for n in range(REPLICAS))
        finals = [evaluator(job) for job in jobs]
        bits = [final.test_bits_per_byte for final in finals if final.ok]
        if len(bits) == REPLICAS:
            return {
                "test": bits,
                "winner": to_json(genomes[name]),
                "parameters": species.costs(genomes[name]).parameters,
                "passed_over": place,
            }
    raise RuntimeError("none of the best genomes passes the gate in every final")


def setup(task: Task, folder: Path, plan: Plan) -> Setup:
    """Return what trainings have in common; the task is written into *folder*."""
    save_task(task, folder / "task")
    return Setup(
        task=str(folder / "task"), task_digest=task.digest, folder=str(folder), rungs=plan.rungs,
        context=PRESET.context, batch=PRESET.batch, search_windows=PRESET.search_windows,
        test_windows=TEST_WINDOWS, seconds=PATIENCE,
    )  # fmt: skip


def opened(text: str, bench: Path | None) -> Task:
    """Return a text.

    Raises:
        FileNotFoundError: it is read from the folder of the bench, and is not there.
    """
    if text == EMBEDDED:
        return embedded_task()
    path = (bench or Path("bench")) / "text" / f"{text}.txt"
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {str(path)!r}; give the folder that has text/{path.name} by --bench or "
            "PRAXIS_BENCH"
        )
    return text_task(path, context=PRESET.context)
