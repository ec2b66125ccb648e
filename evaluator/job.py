"""What goes to a worker: the setup of a run, once, and jobs. Plain values, no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from ..blocks.registry import Catalog
from ..genome.edit import pruned
from ..genome.graph import Genome
from ..genome.identity import identify
from ..genome.text import to_json
from .ladder import Ladder
from .result import Failure, Result

LEAST_WINDOWS = 64
"""The fewest windows of the search split that a rung is measured on, where the setup has more."""


WEIGHTS = "weights"
"""The folder, in that of a run, where states and weights are kept."""


@dataclass(frozen=True)
class Offer:
    """A state of the lowest rung that somebody else keeps, as the record of its training says.

    ``weights`` is the SHA-256 of the file, ``size`` the most bytes that it may have;
    ``bits_per_byte`` and ``curve`` are what its training came to, within ``tolerance``, and
    ``inherited_tokens`` what it had begun with.
    """

    weights: str
    size: int
    bits_per_byte: float
    inherited_tokens: int
    tolerance: float
    curve: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Job:
    """Train *genome* to *rung* tokens with the seed of *replica*.

    ``test`` also measures on the test split and runs the full gate (finalists, baselines);
    ``keep_weights`` writes what was measured to ``Setup.weights_path``. ``line`` are the ancestors
    whose weights the genome begins with, the oldest first: each was trained to the lowest rung, the
    first from scratch, every other from what the one before it had learned. It is empty for a
    training from scratch. So a job says all that its result depends on: ``offers`` are states of
    the last ancestor that may be in the folder, and spare its training without changing anything.
    """

    genome: Genome
    rung: int
    replica: int = 0
    test: bool = False
    keep_weights: bool = False
    line: tuple[Genome, ...] = ()
    offers: tuple[Offer, ...] = ()

    @property
    def heritage(self) -> str:
        """The name of the line together with the genome (``heritage_of``); empty without a line."""
        return reduce(heritage_of, (*self.line, self.genome), "") if self.line else ""


def heritage_of(line: str, genome: Genome) -> str:
    """Return the name of a line that goes on with *genome*, lineage ids included: a SHA-256 in hex.

    *line* is the name of the line before, empty where the genome is the first. Whoever begins with
    weights of equal names, trains the same.
    """
    return hashlib.sha256(f"{line}\n{to_json(pruned(genome))}".encode()).hexdigest()


def received_name(weights: str) -> str:
    """Return the name of a file of weights (by SHA-256) that was received and not proved yet."""
    return f"{weights}.received.safetensors"


def weights_hash(path: Path) -> str:
    """Return the SHA-256 of a file of weights, by which records and peers name it.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seed_of(task_digest: str, replica: int) -> int:
    """Return the seed of a replica: of the task, not of the genome, so that genomes pair.

    Nor is it the evaluator's to choose: whoever evaluates, a claim can be measured again.
    """
    digest = hashlib.sha256(f"{task_digest}/{replica}".encode()).digest()
    return int.from_bytes(digest[:6], "big")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What all evaluations of a run share; frozen in its manifest.

    Args:
        task: the task file that ``save_task`` wrote.
        task_digest: what the task's digest must be.
        folder: where checkpoints and weights are kept; it exists.
        rungs: training tokens, rising.
        context: tokens of a window.
        batch: windows of a step.
        search_windows: windows of the search split that fitness is measured on at the top rung;
            lower rungs, where differences are larger, have their share of them (``windows_at``).
        test_windows: windows of the test split.
        seconds: the longest that one evaluation may take.
        memory_bytes: the most memory that a worker may hold; None is no limit.
        parameters: the largest model; None is no limit.
        device: ``cpu``, ``cuda`` (each worker sees one) or ``mps``.
        gate: whether genomes must pass the gate; without it no number counts.
        inherit: whether genomes keep their states of the lowest rung for children to begin with;
            jobs with a line need it.
    """

    task: str
    task_digest: str
    folder: str
    rungs: tuple[int, ...]
    context: int = 128
    batch: int = 4
    search_windows: int = 64
    test_windows: int = 256
    seconds: float = 600.0
    memory_bytes: int | None = None
    parameters: int | None = None
    device: str = "cpu"
    gate: bool = True
    inherit: bool = False

    @property
    def ladder(self) -> Ladder:
        """The rungs as a ladder."""
        return Ladder(self.rungs)

    @property
    def tokens_per_step(self) -> int:
        """Tokens of one optimizer step."""
        return self.batch * self.context

    def seed(self, replica: int) -> int:
        """Return the seed of a replica, as ``seed_of``."""
        return seed_of(self.task_digest, replica)

    def windows_at(self, rung: int) -> int:
        """Return how many windows of the search split fitness is measured on at a rung.

        That they grow with the training keeps measuring at one share of the time.
        """
        share = min(1.0, rung / self.rungs[-1])
        return min(self.search_windows, max(LEAST_WINDOWS, round(self.search_windows * share)))

    def checkpoint_path(self, genome: str, rung: int, replica: int, heritage: str = "") -> Path:
        """Return where the stable state of a genome (by id) at a rung is kept, from its line."""
        line = heritage and f"-{heritage[:16]}"
        return Path(self.folder, f"{genome[:24]}{line}-r{replica}-{rung}.stable.safetensors")

    def weights_path(self, genome: str, rung: int, replica: int) -> Path:
        """Return where the measured weights of a finalist (by id) are kept."""
        return Path(self.folder, f"{genome[:24]}-r{replica}-{rung}.weights.safetensors")

    def received_path(self, weights: str) -> Path:
        """Return where a file of weights (by SHA-256) lies that was received and not proved yet."""
        return Path(self.folder, received_name(weights))

    def to_json(self) -> str:
        """Return the setup as one line of JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Setup:
        """Return the setup that ``to_json`` wrote.

        Raises:
            TypeError, ValueError: the text is something else.
        """
        fields: dict[str, Any] = json.loads(text)
        rungs = tuple(fields.pop("rungs"))
        return Setup(rungs=rungs, **fields)


def names(genome: Genome, catalog: Catalog) -> tuple[str, str]:
    """Return the ids (genome, architecture) of *genome*.

    One that is too broken to have them is named by its text: its failure needs a name, too.
    """
    try:
        identity = identify(genome, catalog)
    except (KeyError, ValueError, IndexError):
        name = hashlib.sha256(to_json(genome).encode()).hexdigest()
        return name, name
    return identity.genome, identity.architecture


def state_bytes(parameters: int) -> int:
    """Return the most bytes of a state, or of weights, of a model with so many parameters.

    A state has three numbers of four bytes for each; buffers, losses and the header are far less.
    """
    return 16 * parameters + (1 << 22)


def failed(job: Job, setup: Setup, catalog: Catalog, failure: Failure, reason: str) -> Result:
    """Return the result of a job that no worker could answer."""
    genome, architecture = names(job.genome, catalog)
    return Result(
        genome, architecture, job.rung, job.replica, setup.seed(job.replica),
        failure=failure, reason=reason,
    )  # fmt: skip
