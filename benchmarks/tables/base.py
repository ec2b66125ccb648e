"""What the harness knows of a table: a space, what evaluations return, and what is true."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import moocore

from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.search.base import Assignment
from praxis_evolve.search.objectives import REFERENCE

from .words import Word, Words

Point = tuple[float, float]
"""Value and millions of parameters, both to be small."""


class Reading(NamedTuple):
    """What one evaluation shows: a value to be small, and the seconds that it took."""

    value: float
    seconds: float


@dataclass(frozen=True)
class Frame:
    """The box by which points are scaled to [0, 1], and the largest hypervolume that is known.

    Hypervolumes are taken from ``REFERENCE`` in both scaled coordinates.
    """

    ideal: Point
    nadir: Point
    best: float

    def fraction(self, points: Sequence[Point]) -> float:
        """Return the hypervolume of *points* as a fraction of the largest."""
        return hypervolume(points, self.ideal, self.nadir) / self.best


@dataclass(frozen=True)
class Table:
    """A table of evaluations that somebody made for all: evaluating is looking up.

    Results have no accuracy or perplexity: ``bits_per_byte`` is whatever the table says is to be
    small (an error in per cent, a perplexity), and the ``rung`` is what its trainings count in
    (epochs). Searches learn of nothing but order from it.

    Attributes:
        name: what the table is called in rows and on the command line.
        words: its space, a ``Breeding``.
        rungs: the lengths of training it has; the last is the one that counts.
        noise: the standard deviation of a single training's value.
        look: (word, rung, number of the training) -> what this one training showed.
        truth: word -> figures that no search sees, by name; all are to be small.
        point: word -> true value and parameters, for hypervolumes.
        frame: for hypervolumes; None where no best is known.
        digest: of the file of data.
    """

    name: str
    words: Words
    rungs: tuple[int, ...]
    noise: float
    look: Callable[[Word, int, int], Reading]
    truth: Callable[[Word], Mapping[str, float]]
    point: Callable[[Word], Point]
    frame: Frame | None
    digest: str

    def evaluate(self, assignment: Assignment, *, seed: int) -> Result:
        """Return the result of an assignment in the run of *seed*.

        A run sees one training of each genome, further replicas see others.
        """
        word = self.words.read(assignment.genome)
        name, rung = self.words.identify(assignment.genome), assignment.rung
        value, seconds = self.look(word, rung, seed + assignment.replica)
        return Result(
            name,
            name,
            rung,
            assignment.replica,
            seed,
            bits_per_byte=value,
            costs=self.words.price(word),
            measured=Measurement(seconds=seconds),
        )


def hypervolume(points: Sequence[Point], ideal: Point, nadir: Point) -> float:
    """Return the hypervolume of *points*, scaled so that *ideal* is 0 and *nadir* is 1."""
    spans = [high - low for low, high in zip(ideal, nadir, strict=True)]
    scaled = [
        [(x - low) / span for x, low, span in zip(p, ideal, spans, strict=True)] for p in points
    ]
    return float(moocore.hypervolume(scaled, ref=[REFERENCE, REFERENCE]))


def data_file(bench: Path | None, name: str) -> Path:
    """Return the path of a file of data.

    Raises:
        FileNotFoundError: it is not there, or nobody said where to look.
    """
    if bench is None:
        raise FileNotFoundError(
            f"the data of {name} is not part of the project; say where it is by --bench FOLDER "
            "or PRAXIS_BENCH"
        )
    path = bench / "data" / name
    if not path.exists():
        raise FileNotFoundError(
            f"there is no {path}; --bench or PRAXIS_BENCH must be the folder that has data/{name}"
        )
    return path


def digest(path: Path) -> str:
    """Return 16 digits of the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
