"""Judging: which results rank genomes, and by what number.

In a run from scratch it is the bits per byte. In one whose children inherit weights a result says
as much about the training behind it as about the genome, so no result is ranked by its bits with
one of another kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import StatisticsError, linear_regression, median
from typing import Protocol

from ..evaluator.result import Result
from .scores import Scores, comparable

ENOUGH = 8
"""The fewest results of a kind whose spread and trend are taken for more than chance."""


class Judge(Protocol):
    """Turns results into scores, smaller is better, that compare within a rung."""

    def learn(self, result: Result, weight: float) -> Mapping[str, float | None]:
        """Take in a result; return which genomes have another score at its rung now.

        The genome of the result is among them unless the result is none to rank by; None takes its
        score away, or says that it has none.
        """
        ...


class FromScratch:
    """The bits per byte of trainings from scratch; what inherited weights stands apart."""

    def __init__(self) -> None:
        self._scores = Scores()

    def learn(self, result: Result, weight: float) -> Mapping[str, float | None]:
        """Take in a result of the search."""
        if not comparable(result):
            return {}
        return {result.genome: self._scores.add(result, weight)}


class Apart:
    """Scores of a run that inherits weights: each kind of result is ranked among its own.

    A kind is a rung, from scratch or inherited. What was inherited differs, too: the bits of heirs
    are first taken to one amount of it, along their own trend in the logarithm of the tokens
    behind them, so that long lines and edits that keep much win nothing by that alone. Then they
    are put where they would stand among the results from scratch of the rung: as many median
    deviations from the median. So an heir and a newcomer compare by how far each stands out of its
    own kind, and a typical heir is worth as much as a typical newcomer.
    """

    def __init__(self) -> None:
        self._scores = {False: Scores(), True: Scores()}
        self._rungs = dict[int, _Rung]()

    def learn(self, result: Result, weight: float) -> Mapping[str, float | None]:
        """Take in a result of the search."""
        if result.replica:
            return {}
        score = self._scores[result.inherited_tokens > 0].add(result, weight)
        rung = self._rungs.setdefault(result.rung, _Rung(result.rung))
        return rung.changed_by(result, score)


def ranked_apart(results: Iterable[Result]) -> list[Result]:
    """Return a result for each genome and rung of the search with the score in place of the bits.

    They are fit for whatever ranks results from scratch.
    """
    judge, told = Apart(), dict[tuple[str, int], Result]()
    scores = dict[tuple[str, int], float | None]()
    for result in results:
        changed = judge.learn(result, 1.0)
        scores |= {(genome, result.rung): score for genome, score in changed.items()}
        if changed and result.ok:
            told[result.genome, result.rung] = result
    return [
        replace(told[key], bits_per_byte=score, inherited_tokens=0)
        for key, score in scores.items()
        if score is not None
    ]


class _Rung:
    """The results of one rung in both kinds."""

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens
        self._scratch = dict[str, float]()
        self._heirs = dict[str, tuple[float, float]]()  # amount of training and bits
        self._told = dict[str, float]()

    def changed_by(self, result: Result, score: float | None) -> Mapping[str, float | None]:
        inherited = result.inherited_tokens
        (self._heirs if inherited else self._scratch).pop(result.genome, None)
        if score is not None and inherited:
            self._heirs[result.genome] = (math.log2(1 + inherited / self._tokens), score)
        elif score is not None:
            self._scratch[result.genome] = score
        now, before = self._levelled(), self._told
        self._told = now
        others = [name for name in now if now[name] != before.get(name)]
        gone = [name for name in before if name not in now]
        return {name: now.get(name) for name in (result.genome, *others, *gone)}

    def _levelled(self) -> dict[str, float]:
        """Return all scores; a genome of both kinds has that from scratch."""
        names = sorted(self._heirs)
        bits = _at_one_amount([self._heirs[name] for name in names])
        moved = _moved(bits, sorted(self._scratch.values()))
        return dict(zip(names, moved, strict=True)) | self._scratch


def _at_one_amount(heirs: Sequence[tuple[float, float]]) -> list[float]:
    """Return the bits without what more or less training than the others had explains of them."""
    amounts, bits = [amount for amount, _ in heirs], [bits for _, bits in heirs]
    if len(heirs) < ENOUGH:
        return bits
    try:
        slope = min(0.0, linear_regression(amounts, bits).slope)  # training does no harm
    except StatisticsError:  # all inherited the same
        return bits
    middle = median(amounts)
    return [bit - slope * (amount - middle) for amount, bit in heirs]


def _moved(bits: Sequence[float], kind: Sequence[float]) -> list[float]:
    """Return *bits* with the median of another kind, and its spread where there are enough."""
    if not bits or not kind:
        return list(bits)
    middle, scale = median(bits), 1.0
    if min(len(bits), len(kind)) >= ENOUGH and (own := _spread(bits)) > 0:
        scale = _spread(kind) / own or 1.0
    return [median(kind) + scale * (bit - middle) for bit in bits]


def _spread(bits: Sequence[float]) -> float:
    """Return the median absolute deviation."""
    middle = median(bits)
    return median(abs(bit - middle) for bit in bits)
