"""One evaluation: check, cost, gate, build, train, measure, gate again.

A bad candidate is a result with a failure and a reason; only a broken program raises.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..blocks.registry import Catalog, installed
from ..genome.build import Model, build
from ..genome.cost import Costs, costs
from ..genome.graph import Genome
from ..genome.identity import canonical
from ..genome.rules import gene_problems, part_problems
from ..genome.space import Limits
from . import gate
from .checkpoint import CheckpointError, State, open_state, save_state, save_weights
from .heritage import begin
from .job import Job, Offer, Setup, names, weights_hash
from .limits import Stop, Watch, no_memory
from .measure import measure
from .received import form_of, received_state
from .result import Measurement, Result, Split
from .schedule import Schedule, schedule
from .task import VOCABULARY, Bytes, Task, TaskError, open_task
from .train import curve, train

log = logging.getLogger(__name__)


class Evaluator:
    """Answers jobs in this process: ``Evaluator(setup, catalog)(job)`` is a result.

    It holds the opened task, and which architectures passed the gate.

    Raises:
        TaskError: the task file is damaged or is not the one of the setup.
    """

    def __init__(self, setup: Setup, catalog: Catalog) -> None:
        self.setup = setup
        self.catalog = catalog
        self._task = _task(setup)
        self._verdicts: dict[tuple[str, bool], gate.Verdict] = {}

    def __call__(self, job: Job) -> Result:
        """Evaluate *job*."""
        return _Evaluation(self, job).result()

    def stable(self, job: Job) -> State | Stop:
        """Return what children of *job*'s genome begin with, or why it cannot be had.

        It is the state at the end of its stable phase, read where it is at hand, else trained.
        """
        return _Evaluation(self, job).stable()

    def windows(self, split: Split, rung: int) -> Bytes:
        """Return the fixed windows of the search or the test split at a rung, (N, context + 1)."""
        setup = self.setup
        count = setup.test_windows if split == "test" else setup.windows_at(rung)
        return self._task.windows(split, context=setup.context, count=count)

    @property
    def text(self) -> Bytes:
        """The bytes that candidates learn from."""
        return self._task.train

    def verdict(self, genome: Genome, architecture: str, *, full: bool) -> gate.Verdict:
        """Return the gate's verdict; one that was given before costs nothing."""
        key = (architecture, full)
        if key in self._verdicts:
            return replace(self._verdicts[key], seconds=0.0)
        context, catalog = self.setup.context, self.catalog
        if full:
            found = gate.full(genome, catalog=catalog, context=context)
        else:
            # The seed hangs on the architecture, so that all peers refuse the same genomes.
            seed = int(architecture[:8], 16)
            found = gate.admission(genome, catalog=catalog, context=context, seed=seed)
        self._verdicts[key] = found
        return found


def evaluate(job: Job, setup: Setup, catalog: Catalog) -> Result:
    """Return the result of *job* alone; an ``Evaluator`` answers many for less.

    Raises:
        TaskError: the task file is damaged or is not the one of the setup.
    """
    return Evaluator(setup, catalog)(job)


def worker(setup: Setup) -> Evaluator:
    """Return what a worker process runs: an evaluator over the installed catalog."""
    return Evaluator(setup, installed())


class _Evaluation:
    """The stages of one job, each of which may stop it."""

    def __init__(self, evaluator: Evaluator, job: Job, watch: Watch | None = None) -> None:
        setup = evaluator.setup
        self._evaluator, self._setup, self._job = evaluator, setup, job
        self._catalog = evaluator.catalog
        self._watch = watch or Watch(setup.seconds, setup.memory_bytes, setup.device)
        genome, architecture = names(job.genome, self._catalog)
        seed = setup.seed(job.replica)
        self._result = Result(genome, architecture, job.rung, job.replica, seed)
        self._gate_seconds = 0.0
        self._speed = 0.0
        self._weights = ""

    def result(self) -> Result:
        """Run the stages and return what was found."""
        try:
            stop = self._run()
        except (MemoryError, RuntimeError) as error:
            if not no_memory(error):
                raise
            stop = Stop("out of memory", str(error).splitlines()[0])
        found = self._result
        if stop is not None:
            found = replace(
                found, bits_per_byte=None, test_bits_per_byte=None,
                failure=stop.failure, reason=stop.reason,
            )  # fmt: skip
        return replace(found, measured=self._measured())

    def _run(self) -> Stop | None:
        stop = self._check()
        if stop is not None:
            return stop
        plan = self._schedule()
        start = self._start(plan)
        if self._setup.gate and (start is None or self._job.test):
            stop = self._admit()
        if stop is not None:
            return stop
        model = self._build()
        if start is None and self._job.line:
            stop = self._inherit(model)
        elif start is not None and self._job.line:
            self._began_with(start.inherited)
        stop = stop or self._train(model, plan, start)
        return stop or self._measure(model) or self._keep(model)

    def _build(self) -> Model:
        return build(
            self._job.genome, catalog=self._catalog, context=self._setup.context,
            vocabulary=VOCABULARY, seed=self._result.seed, device=self._setup.device,
        )  # fmt: skip

    def _inherit(self, model: Model) -> Stop | None:
        """Begin with what the parent had learned when its training to the lowest rung was stable.

        Where its state is neither at hand nor received the parent is trained again, and its parents
        before it.
        """
        *older, parent = self._job.line
        job = replace(
            self._job, genome=parent, rung=self._setup.ladder.lowest, test=False,
            keep_weights=False, line=tuple(older),
        )  # fmt: skip
        found = _Evaluation(self._evaluator, job, self._watch).stable()
        for offer in job.offers:
            self._setup.received_path(offer.weights).unlink(missing_ok=True)
        if isinstance(found, Stop):
            return Stop(found.failure, f"its parent could not be trained again: {found.reason}")
        trained = found.step * self._setup.tokens_per_step + found.inherited
        tokens = begin(model, found.weights, parent, trained=trained, catalog=self._catalog)
        self._began_with(tokens)
        return None

    def _began_with(self, inherited: int) -> None:
        """Note whose weights the training began with, and how much training was behind them."""
        parent, _ = names(self._job.line[-1], self._catalog)
        self._result = replace(
            self._result, inherited_tokens=inherited, parent=parent, heritage=self._job.heritage
        )

    def stable(self) -> State | Stop:
        """Return the state at the end of the stable phase, of a genome that passed all checks.

        It is read where it is at hand, or else trained and kept.
        """
        plan = self._schedule()
        start = self._start(plan)
        if start is not None and start.step == plan.stable:
            return start
        for offer in self._job.offers:
            if (received := self._received(offer, plan)) is not None:
                return received
        if self._job.offers:
            start = self._start(plan)  # another worker may have proved it meanwhile
            if start is not None and start.step == plan.stable:
                return start
        self._job = replace(self._job, offers=())  # they are no ancestor's
        model = self._build()
        stop = self._inherit(model) if start is None and self._job.line else None
        reached = replace(plan, steps=plan.stable + 1)  # a step of the decay branch: it is saved
        stop = stop or self._train(model, reached, start)
        return stop or self._start(plan) or Stop("worker died", "its checkpoint was lost")

    def _received(self, offer: Offer, plan: Schedule) -> State | None:
        """Return the state that was received for an offer, if it is there, and kept if it is sound.

        Its file is another's word, and so is the hash that a record names: what the decay branch
        makes of it must be what its training came to, which costs a tenth of that. Its losses must
        be, too, from the first step on: children begin with the weights and without the moments
        that come with them, and moments can lead any weights anywhere in a step.
        """
        path = self._setup.received_path(offer.weights)
        if not path.exists():
            return None
        form = form_of(
            self._job.genome, catalog=self._catalog, context=self._setup.context,
            steps=plan.stable, inherited=offer.inherited_tokens,
        )  # fmt: skip
        try:
            state = received_state(path, form, recipe=self._recipe())
        except CheckpointError as error:
            log.warning("%s; they are not used", error)
            return None
        if state.inherited != offer.inherited_tokens:
            log.warning(
                "the weights %s inherited %d tokens, but their record says %d; they are not used",
                path.name, state.inherited, offer.inherited_tokens,
            )  # fmt: skip
            return None
        bits = self._decayed(state, plan)
        if not abs(bits - offer.bits_per_byte) <= offer.tolerance:
            log.warning(
                "the weights %s come to %.4f bits per byte, but their record says %.4f; they are "
                "not used", path.name, bits, offer.bits_per_byte,
            )  # fmt: skip
            return None
        if not _is_along(self._result.curve, offer):
            log.warning(
                "the weights %s come to what their record says by another curve than it has; they "
                "are not used", path.name,
            )  # fmt: skip
            return None
        with suppress(FileNotFoundError):  # another worker was faster
            path.replace(self._path(self._job.rung))
        return state

    def _decayed(self, state: State, plan: Schedule) -> float:
        """Return what a state at the end of the stable phase comes to; infinite if to nothing."""
        model = self._build()
        if self._train(model, plan, state) is not None:
            return math.inf
        return measure(model, self._evaluator.windows("search", self._job.rung)).bits_per_byte

    def _check(self) -> Stop | None:
        """Is the genome legal here, and small enough?"""
        genome, catalog, setup = self._job.genome, self._catalog, self._setup
        problem = next(_problems(genome, catalog, setup.context), None)
        if problem is not None:
            return Stop("invalid", problem)
        try:
            form = canonical(genome, catalog)
        except ValueError as error:
            return Stop("invalid", str(error))
        found = costs(form, catalog=catalog, context=setup.context, vocabulary=VOCABULARY)
        self._result = replace(self._result, costs=found)
        limits = Limits(parameters=setup.parameters)
        problem = next(limits.cost_problems(found), None) or _too_large(found, setup.memory_bytes)
        return Stop("too large", problem) if problem else None

    def _admit(self) -> Stop | None:
        verdict = self._evaluator.verdict(
            self._job.genome, self._result.architecture, full=self._job.test
        )
        return self._judge(verdict)

    def _judge(self, verdict: gate.Verdict) -> Stop | None:
        self._gate_seconds += verdict.seconds
        return None if verdict.passed else Stop("refused", verdict.reason)

    def _schedule(self, rung: int | None = None) -> Schedule:
        setup = self._setup
        return schedule(
            rung or self._job.rung,
            lowest=setup.ladder.lowest,
            warmup=self._job.genome.training.warmup,
            tokens_per_step=setup.tokens_per_step,
        )

    def _start(self, plan: Schedule) -> State | None:
        """The state of the highest rung up to this one that this genome was trained to before."""
        for rung in sorted(self._setup.rungs, reverse=True):
            path = self._path(rung)
            if rung > self._job.rung or not path.exists():
                continue
            try:
                state = open_state(path, recipe=self._recipe())
            except CheckpointError as error:
                log.warning("%s; the training starts again from a lower rung or from zero", error)
                continue
            if state.step <= plan.stable:
                return state
        return None

    def _train(self, model: Model, plan: Schedule, start: State | None) -> Stop | None:
        setup, job = self._setup, self._job
        before, first = self._watch.elapsed, start.step if start else 0
        done = train(
            model, self._evaluator.text, job.genome.training, schedule=plan,
            context=setup.context, batch=setup.batch, seed=self._result.seed, watch=self._watch,
            start=start, at_stable=self._save if first < plan.stable else None,
            past=len(job.line) * self._schedule(setup.ladder.lowest).stable,
        )  # fmt: skip
        tokens = (len(done.losses) - first) * setup.tokens_per_step
        self._speed = tokens / max(self._watch.elapsed - before, 1e-9)
        points = curve(done.losses, tokens_per_step=setup.tokens_per_step)
        self._result = replace(self._result, curve=points)
        return done.stop

    def _measure(self, model: Model) -> Stop | None:
        windows = self._evaluator.windows("search", self._job.rung)
        fitness = measure(model, windows)
        if not math.isfinite(fitness.bits_per_byte):
            return Stop("diverged", f"the search split measures {fitness.bits_per_byte}")
        self._result = replace(self._result, bits_per_byte=fitness.bits_per_byte)
        if fitness.left:
            self._result = replace(self._result, costs=self._costs_with(fitness.left))
        if self._setup.gate:
            tokens = torch.from_numpy(windows[:1, : self._setup.context].astype(np.int64))
            stop = self._judge(gate.trained(model, tokens.to(self._setup.device)))
            if stop is not None:
                return stop
        if self._job.test:
            test = measure(model, self._evaluator.windows("test", self._job.rung)).bits_per_byte
            if not math.isfinite(test):
                return Stop("diverged", f"the test split measures {test}")
            self._result = replace(self._result, test_bits_per_byte=test)
        return None

    def _costs_with(self, left: tuple[float, ...]) -> Costs:
        """The costs with the share of tokens that was measured to leave early."""
        form = canonical(self._job.genome, self._catalog)
        context = self._setup.context
        return costs(form, catalog=self._catalog, context=context, vocabulary=VOCABULARY, left=left)

    def _keep(self, model: Model) -> None:
        """Keep the weights if they are wanted, and drop the states that this one continues."""
        job, kept = self._job, self._path(self._job.rung)
        if job.keep_weights:
            kept = self._setup.weights_path(self._result.genome, job.rung, job.replica)
            save_weights(model, kept)
        if job.keep_weights or self._is_for_children(job.rung):
            self._weights = weights_hash(kept)
        for rung in self._setup.rungs:
            if rung < self._job.rung and not self._is_for_children(rung):
                self._path(rung).unlink(missing_ok=True)

    def _is_for_children(self, rung: int) -> bool:
        """Whether children may begin with the stable state of *rung*."""
        return self._setup.inherit and rung == self._setup.ladder.lowest

    def _save(self, state: State) -> None:
        rung = self._job.rung
        if rung != self._setup.ladder.top or self._is_for_children(rung):
            state = replace(state, inherited=self._result.inherited_tokens)
            save_state(state, self._path(rung), recipe=self._recipe())

    def _path(self, rung: int) -> Path:
        job = self._job
        return self._setup.checkpoint_path(self._result.genome, rung, job.replica, job.heritage)

    def _recipe(self) -> str:
        """All that the stable state depends on; the rung is no part of it, which is the point."""
        setup = self._setup
        line = f"line {self._job.heritage} " if self._job.line else ""
        return (
            f"{line}genome {self._result.genome} task {setup.task_digest} seed {self._result.seed} "
            f"context {setup.context} batch {setup.batch} lowest {setup.ladder.lowest} "
            f"gate {setup.gate} sources {self._sources()}"
        )

    def _sources(self) -> str:
        """Version and source of every part: another block of the catalog changes no training."""
        genomes = (*self._job.line, self._job.genome)
        names = sorted({part.name for genome in genomes for part in genome.parts()})
        return " ".join(f"{name} {self._catalog.sources[name]}" for name in names)

    def _measured(self) -> Measurement:
        self._watch.full()
        return Measurement(
            seconds=self._watch.elapsed,
            gate_seconds=self._gate_seconds,
            tokens_per_second=self._speed,
            peak_memory_bytes=self._watch.peak_bytes,
            device=self._setup.device,
            weights=self._weights,
        )


def _task(setup: Setup) -> Task:
    task = open_task(Path(setup.task))
    if task.digest != setup.task_digest:
        raise TaskError(
            f"the task of this run has the digest {setup.task_digest[:12]}, but {setup.task!r} has "
            f"{task.digest[:12]}; give the run the text that it was started with"
        )
    return task


def _problems(genome: Genome, catalog: Catalog, context: int) -> Iterator[str]:
    structure = list(genome.problems())
    yield from structure
    if not structure:
        yield from part_problems(genome, catalog)
        yield from gene_problems(genome.stack, genome.training, (genome.stack.width,), context)


def _is_along(curve: Sequence[tuple[int, float]], offer: Offer) -> bool:
    """Whether a training had the losses that an offer's record has, as far as it has any."""
    return len(curve) == len(offer.curve) and all(
        one == other and abs(bits - theirs) <= offer.tolerance
        for (one, bits), (other, theirs) in zip(curve, offer.curve, strict=True)
    )


def _too_large(found: Costs, memory_bytes: int | None) -> str | None:
    """Weights, gradients and two moments in float32 must fit before anything is allocated."""
    needed = found.parameters * 4 * 4
    if memory_bytes is None or needed <= memory_bytes:
        return None
    return (
        f"weights, gradients and moments need {needed / 2**20:,.0f} MiB, but the limit is "
        f"{memory_bytes / 2**20:,.0f} MiB"
    )
