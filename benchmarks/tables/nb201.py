"""NAS-Bench-201 (arXiv:2001.00326): 15,625 cells of six operations, all of them trained.

The value is the validation error in per cent after 12 or 200 epochs (two schedules, so that going
on to 200 costs all of its seconds). After 200 epochs a run sees one training of each cell, by its
seed; after 12 the table has the mean of all trainings only. The truth is the mean at 200 epochs.

Unlike cells can be isomorphic: an operation that ends in nothing or begins from nothing is dead,
a skip joins two nodes. The 15,625 cells are 6,466 graphs, but each cell was trained by itself, so
those of a graph have accuracies of their own. Two identities are on offer:

* **cells** (``merged=False``): unlike cells are unlike genomes, as in all published figures. To
  pass over a cell because a twin was seen would hide the best entry of the table from a search for
  no fault of its own.
* **graphs** (``merged=True``): isomorphic cells are one genome, as the engine's own identity has
  it. Its accuracies are the means of its cells, their trainings being trainings of one network; its
  parameters and operations are the least of theirs, for the dead ones are counted in the others.
  Regrets are smaller than those of cells, since the luckiest cell is averaged with its twins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import moocore
import numpy as np
import numpy.typing as npt

from praxis_evolve.genome.cost import Costs

from .base import Frame, Point, Reading, Table, data_file, digest, hypervolume
from .words import Place, Word, Words

FILE = "nb201.npz"
DATASETS = ("c10", "c100", "in16")
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ("0->1", "0->2", "1->2", "0->3", "1->3", "2->3")
SHORT, LONG = 12, 200
MILLION = 1e6

_VALIDATION = {"c10": (1.0, 0.25), "c100": (0.2, 0.025), "in16": (0.12, 0.00504)}
"""Seconds of a validation pass: a constant and seconds for each second of a training epoch."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Columns:
    """What is known of each row; accuracies in per cent, operations and parameters in millions."""

    trainings: Floats  # (rows, 3), nan where there is no third
    validation: Mapping[int, Floats]
    test: Floats
    seconds: Mapping[int, Floats]
    parameters: Floats
    flops: Floats


def nb201(bench: Path | None, dataset: str, *, merged: bool = False) -> Table:
    """Return the table of a data set: ``c10``, ``c100`` or ``in16``.

    Raises:
        FileNotFoundError: the data is not there.
    """
    path = data_file(bench, FILE)
    with np.load(path) as stored:
        data = {name: stored[name] for name in stored.files if "latency" not in name}
    row_of = np.empty(len(OPERATIONS) ** len(EDGES), np.int64)
    row_of[_places(data["ops"])] = np.arange(len(row_of))
    columns = _columns(data, dataset)
    if merged:
        columns, row_of = _merged(columns, data["iso"]), data["iso"][row_of]
    return _table(f"nb201-{dataset}{'-graphs' if merged else ''}", columns, row_of, digest(path))


def _table(name: str, columns: _Columns, row_of: npt.NDArray[np.int64], source: str) -> Table:
    counts = np.isfinite(columns.trainings).sum(axis=1)
    long, test = columns.validation[LONG], columns.test

    def row(word: Word) -> int:
        return int(row_of[_places(np.asarray(word))])

    def price(word: Word) -> Costs:
        at = row(word)
        flops = float(columns.flops[at]) * MILLION
        return Costs(round(float(columns.parameters[at]) * MILLION), flops, flops, 0.0)

    def look(word: Word, rung: int, training: int) -> Reading:
        at = row(word)
        value = columns.validation[rung][at]
        if rung == LONG:
            value = columns.trainings[at, training % counts[at]]
        return Reading(100.0 - float(value), float(columns.seconds[rung][at]))

    def truth(word: Word) -> Mapping[str, float]:
        at = row(word)
        return {
            "validation regret": float(long.max() - long[at]),
            "test regret": float(test.max() - test[at]),
            "test error": float(100.0 - test[at]),
        }

    def point(word: Word) -> Point:
        at = row(word)
        return float(100.0 - long[at]), float(columns.parameters[at])

    words = Words(
        tuple(Place(edge, OPERATIONS) for edge in EDGES),
        name=lambda word: f"{name} {row(word)}",
        price=price,
        live=lambda word: range(len(EDGES)),
    )
    noise = float(np.median(np.nanstd(columns.trainings, axis=1, ddof=1)))
    frame = _frame(np.stack([100.0 - long, columns.parameters], axis=1))
    return Table(name, words, (SHORT, LONG), noise, look, truth, point, frame, source)


def _frame(points: Floats) -> Frame:
    """Return the box of the Pareto front of all points, and its hypervolume."""
    front = points[moocore.is_nondominated(points)]
    (x, y), (far, high) = front.min(axis=0).tolist(), front.max(axis=0).tolist()
    best = hypervolume([(a, b) for a, b in front.tolist()], (x, y), (far, high))
    return Frame((x, y), (far, high), best)


def _places(words: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Return the number of each word (..., 6), the first edge counting least."""
    return words.astype(np.int64) @ len(OPERATIONS) ** np.arange(len(EDGES))


def _columns(data: Mapping[str, npt.NDArray[np.float64]], dataset: str) -> _Columns:
    trainings = data[f"{dataset}_val200"].astype(float)
    epoch = data[f"{dataset}_sec"].astype(float)
    constant, factor = _VALIDATION[dataset]
    return _Columns(
        trainings,
        {SHORT: data[f"{dataset}_val12"].astype(float), LONG: np.nanmean(trainings, axis=1)},
        data[f"{dataset}_test200"].astype(float),
        {epochs: epochs * epoch + constant + factor * epoch for epochs in (SHORT, LONG)},
        data["params_formula"].astype(float),
        data["flops"].astype(float),
    )


def _merged(columns: _Columns, graph: npt.NDArray[np.int64]) -> _Columns:
    """Return a row for each graph instead of each cell."""
    order = np.argsort(graph, kind="stable")
    starts = np.searchsorted(graph[order], np.arange(int(graph.max()) + 1))
    counts = np.diff([*starts, len(graph)])

    def mean(values: Floats) -> Floats:
        return np.add.reduceat(values[order], starts) / counts

    def least(values: Floats) -> Floats:
        return np.minimum.reduceat(values[order], starts)

    known = np.isfinite(columns.trainings)
    sums = np.add.reduceat(np.where(known, columns.trainings, 0.0)[order], starts)
    of = np.add.reduceat(known[order].astype(float), starts)
    return _Columns(
        np.divide(sums, of, out=np.full_like(sums, math.nan), where=of > 0),
        {rung: mean(values) for rung, values in columns.validation.items()},
        mean(columns.test),
        {rung: least(values) for rung, values in columns.seconds.items()},
        least(columns.parameters),
        least(columns.flops),
    )
