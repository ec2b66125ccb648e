"""Finals: the best genomes from scratch on fresh seeds, beside baselines, on text nobody searched.

The best of many noisy results is partly luck, so the numbers of the search and of second looks
(``looks``) choose, and none of them is reported. Finals report the test split, every difference
paired by replica, and choose nothing: the better of two that are equal would look better than it
is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..evaluator.result import Result
from ..genome.graph import Genome
from .campaign import Entrant
from .intervals import Summary, paired, summary
from .scores import comparable

REPLICAS = (1, 2, 3)
"""The replicas of the finals; the search itself is replica 0."""

Verdict = Literal["beat", "did not beat", "cannot tell"]


@dataclass(frozen=True)
class Comparison:
    """The winner against a baseline on the test split, in bits per byte.

    ``difference`` is winner minus baseline, paired by replica: below 0 the winner is better.
    ``change`` is its mean as a share of the baseline's.
    """

    baseline: str
    test: Summary
    difference: Summary
    change: float
    verdict: Verdict


def finalists(
    results: Iterable[Result], genomes: Mapping[str, Genome], *, top_rung: int, count: int = 2
) -> list[str]:
    """Return the ids of the *count* best of *genomes*, the best first.

    Those at higher rungs come first (none above *top_rung* counts), within a rung those with fewer
    bits per byte on the search split. Of one architecture only the best stands.
    """
    best: dict[str, tuple[int, float, str, str]] = {}
    for result in results:
        bits = result.bits_per_byte
        known = result.genome in genomes and comparable(result) and result.rung <= top_rung
        if known and result.ok and bits is not None:
            place = (-result.rung, bits, result.genome, result.architecture)
            best[result.genome] = min(place, best.get(result.genome, place))
    chosen: dict[str, str] = {}
    for *_, genome_id, architecture in sorted(best.values()):
        chosen.setdefault(architecture, genome_id)
    return list(chosen.values())[:count]


def finals(
    finalists: Sequence[Genome],
    baselines: Mapping[str, Genome],
    *,
    rung: int,
    replicas: Sequence[int] = REPLICAS,
) -> list[Entrant]:
    """Return the trainings to make, of origin ``finalist`` or ``baseline:NAME``.

    They go replica by replica, so that even an early end leaves pairs.
    """
    named = [("finalist", genome) for genome in finalists]
    named += [(f"baseline:{name}", genome) for name, genome in baselines.items()]
    return [Entrant(genome, rung, replica, name) for replica in replicas for name, genome in named]


def is_final(result: Result) -> bool:
    """Return whether a result is a final that succeeded."""
    return result.ok and result.replica > 0 and result.inherited_tokens == 0


def by_replica(
    results: Iterable[Result],
    genome_id: str,
    *,
    rung: int,
    test: bool = True,
    counts: Callable[[Result], bool] = is_final,
) -> dict[int, float]:
    """Return the bits per byte of a genome's finals by replica, on the test or search split.

    Other results than finals count where *counts* says so; of several of one replica the first.
    """
    found: dict[int, float] = {}
    for result in results:
        bits = result.test_bits_per_byte if test else result.bits_per_byte
        is_meant = result.genome == genome_id and result.rung == rung and counts(result)
        if is_meant and bits is not None:
            found.setdefault(result.replica, bits)
    return found


def winner(results: Sequence[Result], finalists: Sequence[str], *, rung: int) -> str | None:
    """Return the first of *finalists*, which are in the order of choice, that has all its finals.

    One that failed on a seed stands behind all that have more: half of its luck is hidden. None if
    none has a final.
    """
    counts = {name: len(by_replica(results, name, rung=rung)) for name in finalists}
    return max(counts, key=counts.__getitem__) if any(counts.values()) else None


def compare(
    results: Sequence[Result], winner: str, baselines: Mapping[str, str], *, rung: int
) -> list[Comparison]:
    """Return the winner against each baseline (name -> genome id) that shares a replica with it."""
    ours = by_replica(results, winner, rung=rung)
    found: list[Comparison] = []
    for name, genome_id in baselines.items():
        theirs = by_replica(results, genome_id, rung=rung)
        if ours.keys() & theirs.keys():
            test, difference = summary(list(theirs.values())), paired(ours, theirs)
            change = difference.mean / test.mean
            found.append(Comparison(name, test, difference, change, verdict(difference)))
    return found


def verdict(difference: Summary) -> Verdict:
    """Say whether the interval of (winner - baseline) lies below 0, from 0 upwards, or across."""
    if difference.high < 0:
        return "beat"
    return "did not beat" if difference.low >= 0 else "cannot tell"
