"""Standings: how good each genome is among all, as one number from rungs that are no equals.

Genomes are compared within a rung only. All of them stand at the lowest; those at a higher one
exchange the places that they have among all by what they showed there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

from ..evaluator.result import Result
from .scores import Scores, comparable


def scores_by_rung(results: Iterable[tuple[Result, float]]) -> dict[int, dict[str, float]]:
    """Return bits per byte by rung and genome, of results with the weights of their trust.

    The order of the results does not matter, and what is told twice counts once.
    """
    found = dict[int, dict[str, float]]()
    known = Scores()
    for result, weight in sorted(results, key=lambda told: (repr(told[0]), told[1])):
        if comparable(result) and weight > 0:
            score = known.add(result, weight)
            rung = found.setdefault(result.rung, {})
            if score is None:
                rung.pop(result.genome, None)
            else:
                rung[result.genome] = score
    return found


def standings(scores: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """Return the standing of each genome of the lowest rung, from 0 (worst) to 1 (best).

    It is the share of the others that are worse, equals counted half, 1/2 where there are none.
    What stands at a higher rung and not at the lowest has none.
    """
    if not scores:
        return {}
    lowest, *higher = sorted(scores)
    places = _shares(scores[lowest])
    for rung in higher:
        there = {name: bits for name, bits in scores[rung].items() if name in places}
        free = sorted((places[name] for name in there), reverse=True)
        places |= _exchanged(there, free)
    return places


def _shares(bits: Mapping[str, float]) -> dict[str, float]:
    """Return for each the share of the others that are worse."""
    free = [1 - (number + 0.5) / len(bits) for number in range(len(bits))]
    return _exchanged(bits, free)


def _exchanged(bits: Mapping[str, float], free: list[float]) -> dict[str, float]:
    """Give the places, falling, to the genomes from the best to the worst; equals share theirs."""
    ordered = sorted(bits, key=bits.__getitem__)
    values = [bits[name] for name in ordered]
    if len(set(values)) == len(values):
        return dict(zip(ordered, free, strict=True))
    ordered.sort(key=lambda name: (bits[name], name))
    found, start = dict[str, float](), 0
    for _, equals in groupby(ordered, key=bits.__getitem__):
        names = list(equals)
        place = sum(free[start : start + len(names)]) / len(names)
        found |= dict.fromkeys(names, place)
        start += len(names)
    return found
