"""Second looks: the best of the search on more seeds, before finalists are chosen of them.

The best of many noisy results is partly luck, the more so the more there are (the winner's curse);
with every look the luck averages out. Looks choose, and are never reported: finals have seeds of
their own, so that what they say of the chosen owes nothing to the choice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from ..evaluator.result import Result
from ..genome.graph import Genome
from .campaign import Entrant
from .finals import by_replica

REPLICAS = (-1, -2)
"""The replicas of second looks; 0 is the search, those above are finals."""

CONTENDERS = 2
"""How many genomes are looked at for each that becomes a finalist."""


def looks(
    contenders: Sequence[Genome], *, rung: int, replicas: Sequence[int] = REPLICAS
) -> list[Entrant]:
    """Return the trainings to make, of origin ``look``, replica by replica."""
    return [Entrant(genome, rung, replica, "look") for replica in replicas for genome in contenders]


def settled(results: Sequence[Result], contenders: Sequence[str], *, rung: int) -> list[str]:
    """Return the ids of the contenders in the order of their mean on the search split.

    What counts is the search's own result and all looks at *rung*, from scratch. One that failed on
    a seed stands behind all that have more; those without a result keep their order at the end.
    """

    def place(name: str) -> tuple[int, float]:
        bits = by_replica(results, name, rung=rung, test=False, counts=_chooses)
        looked = sum(replica < 0 for replica in bits)
        return -looked, fmean(bits.values()) if bits else math.inf

    return sorted(contenders, key=place)


def _chooses(result: Result) -> bool:
    return result.ok and result.replica <= 0 and result.inherited_tokens == 0
