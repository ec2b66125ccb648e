"""What this machine can do in a run of several: it proves itself, is timed, and is told so.

What was found is kept for the next time, as long as program, torch, device and the shape of the
run's trainings are the same.
"""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..evaluator.atomic import write_atomically
from ..evaluator.golden import TOLERANCE, golden_genome
from ..evaluator.ladder import Ladder
from ..evaluator.preset import PRESETS
from ..evaluator.proof import Proof, Sample, proof
from ..genome.starters import llama, starters
from ..reports.quantities import amount, duration, size
from ..search.base import Able
from .errors import CliError, Code
from .output import event_json, notice
from .resources import part_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..genome.graph import Genome
    from ..market.plan import Plan
    from ..search.reach import Need
    from .session import How

SECONDS = 2
"""About how long speed is measured, at the nominal speed of the preset."""

LEAST_STEPS = 8


@dataclass(frozen=True)
class Machine:
    """What the machine has for a run: device, workers, the most memory of each, and its GPUs."""

    device: str
    workers: int
    limit_bytes: int
    gpus: tuple[int, ...] = (0,)

    @property
    def name(self) -> str:
        """The device as it is sold; of several GPUs the first, which is what is proven."""
        if self.device == "cpu":
            return f"{platform.node()} {platform.machine()} {platform.processor()}"
        import torch

        return torch.cuda.get_device_name(self.gpus[0])


def able(plan: Plan, machine: Machine, how: How) -> Able:
    """Prove and time this machine, say what was found, and return what it can do.

    Raises:
        CliError: it computes something else than others do, or nothing of the run fits it.
    """
    sample = _sample(plan, machine)
    place = _place(plan, sample, machine)
    found = _read(place)
    kept = found is not None
    if found is None:
        if not (how.quiet or how.json):
            notice("proof       this machine trains the golden genome and is timed")
        with tempfile.TemporaryDirectory(prefix="praxis-") as folder:
            found = proof(
                sample, plan.catalog, Path(folder), device=machine.device, gpu=machine.gpus[0]
            )
        _require_sound(found)
        _keep(found, place)
    fit = Fit(plan, machine, found)
    if how.json:
        event_json("run/1", 0.0, "able", kept=kept, **fit.fields)
    elif not how.quiet:
        for line in fit.lines:
            notice(line)
    fit.require_work()
    return fit.able


class Fit:
    """How a run fits a machine of which a proof was made."""

    def __init__(self, plan: Plan, machine: Machine, found: Proof) -> None:
        self._plan, self._machine, self._found = plan, machine, found
        manifest = plan.manifest
        part = part_of(machine.device, machine.workers, machine.gpus)
        self.limit = min(machine.limit_bytes, part)
        self.room = max(0, self.limit - found.held_bytes)
        self.able = Able(
            memory_bytes=self.room, operations=manifest.seconds * found.operations_per_second
        )
        self._ladder = Ladder(manifest.rungs)

    @cached_property
    def starters(self) -> dict[str, Genome]:
        """The starters of the run, by name."""
        return starters(self._plan.space, layers=self._plan.manifest.layers)

    @property
    def seconds(self) -> dict[int, float]:
        """How long a worker trains the usual genome to each rung, about; empty if it cannot."""
        speed = self._found.tokens_per_second
        return {rung: rung / speed for rung in self._ladder.rungs} if speed else {}

    @property
    def hourly(self) -> float:
        """How many evaluations of the search the workers do in an hour, about."""
        births = self._plan.manifest.births
        tokens = self._ladder.tokens(births) / sum(self._ladder.expected(births).values())
        return 3600 * self._machine.workers * self._found.tokens_per_second / tokens

    def fitting(self, rung: int) -> list[str]:
        """Return the starters that can be trained to a rung here."""
        needs = {name: self._plan.need(each, rung) for name, each in self.starters.items()}
        return [name for name, need in needs.items() if self._fits(need)]

    @property
    def lines(self) -> Sequence[str]:
        """What is found, for people."""
        found, starting = self._found, self.starters
        rungs = (f"{amount(rung)} tokens {duration(s)}" for rung, s in self.seconds.items())
        usual = self._plan.need(_usual(self._plan), self._ladder.lowest).memory_bytes
        fits = (f"{len(self.fitting(r))} to {amount(r)}" for r in self._ladder.rungs)
        speed = f"the usual genome of the run cannot be trained here: {found.reason}"
        if found.tokens_per_second:
            speed = (
                f"{amount(found.tokens_per_second)} tokens/s a worker: {', '.join(rungs)}; about "
                f"{amount(self.hourly)} evaluations an hour"
            )
        return (
            f"proof       the golden genome learns as it should, to {found.deviation:.0e} of "
            f"{TOLERANCE:.0e} bits",
            f"memory      a worker holds {size(found.held_bytes)} idle and about {size(usual)} "
            f"more for the usual genome of the run; the limit is {size(self.limit)}",
            f"speed       {speed}",
            f"fits        {', '.join(fits)} tokens of {len(starting)} starters; what does not fit "
            "is left to others",
        )

    @property
    def fields(self) -> dict[str, Any]:
        """What is found, for programs."""
        found = self._found
        return {
            "deviation": found.deviation, "tolerance": TOLERANCE, "idle_bytes": found.held_bytes,
            "usual_bytes": found.peak_bytes or None, "limit_bytes": self.limit,
            "room_bytes": self.room, "tokens_per_second": found.tokens_per_second or None,
            "rung_seconds": {str(rung): s for rung, s in self.seconds.items()},
            "evaluations_per_hour": self.hourly or None,
            "starters": len(self.starters),
            "fitting": {str(rung): len(self.fitting(rung)) for rung in self._ladder.rungs},
        }  # fmt: skip

    def require_work(self) -> None:
        """Refuse a machine that not the least starter fits.

        Raises:
            CliError: so it is; the text has what that needs.
        """
        several, lowest = self.starters, self._ladder.lowest
        needs = {name: self._plan.need(each, lowest) for name, each in several.items()}
        if not needs or any(map(self._fits, needs.values())):
            return
        light = min(needs, key=lambda name: needs[name].memory_bytes)
        short = min(needs, key=lambda name: needs[name].operations)
        rate, limit = self._found.operations_per_second, self._plan.manifest.seconds
        raise CliError(
            f"nothing of the run on {self._plan.manifest.task!r} fits this machine",
            why=f"the least starters take {size(needs[light].memory_bytes)} ({light}) and "
            f"{duration(needs[short].operations / rate)} ({short}), but a worker has room for "
            f"{size(self.room)} and {duration(limit)}",
            cure="give a worker more with --memory-limit, or fewer --workers; relay takes part "
            "without evaluating",
            code=Code.UNFIT,
        )

    def _fits(self, need: Need) -> bool:
        return need.memory_bytes <= self.room and need.operations <= (self.able.operations or 0.0)


def _sample(plan: Plan, machine: Machine) -> Sample:
    """Return the usual genome of a run, which is Llama's, and so many steps of it."""
    manifest = plan.manifest
    tokens = SECONDS * PRESETS[manifest.preset].tokens_per_second
    return Sample(
        genome=_usual(plan), context=manifest.context,
        batch=manifest.batch, seconds=manifest.seconds, memory_bytes=machine.limit_bytes,
        steps=max(LEAST_STEPS, round(tokens / (manifest.batch * manifest.context))),
    )  # fmt: skip


def _usual(plan: Plan) -> Genome:
    """Return the genome that everything in a run is measured against."""
    return llama(plan.space, layers=plan.manifest.layers)


def _require_sound(found: Proof) -> None:
    """Refuse a machine whose numbers others would find wrong.

    Raises:
        CliError: so it is.
    """
    if found.sound:
        return
    off = f"its curve is {found.deviation:.1g} bits per byte off, and {TOLERANCE:.0e} may be"
    raise CliError(
        "this machine trains the golden genome to something else than others do",
        why=f"it failed: {found.reason}" if found.reason else off,
        cure="install torch again (praxis-evolve doctor), or give another --device; what it "
        "measures would be found wrong",
        code=Code.UNSOUND,
    )


def _place(plan: Plan, sample: Sample, machine: Machine) -> Path:
    """Return the file of a proof: another program, device or shape of a run has another."""
    import platformdirs

    names = sorted({part.name for part in golden_genome(plan.catalog).parts()})
    names += [part.name for part in sample.genome.parts()]
    key = (
        __version__, version("torch"), machine.name, machine.limit_bytes,
        [plan.catalog.sources[name] for name in names], plan.identify(sample.genome),
        sample.context, sample.batch, sample.steps,
    )  # fmt: skip
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    return Path(platformdirs.user_cache_dir("praxis-evolve")) / "machines" / f"{name}.json"


def _keep(found: Proof, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(place, json.dumps(asdict(found)).encode())


def _read(place: Path) -> Proof | None:
    """Return the proof that was kept, if there is one that can be read."""
    try:
        found = Proof(**json.loads(place.read_text()))
        return found if found.sound else None
    except (OSError, ValueError, TypeError):
        return None
