"""Random search: the control that every other search has to beat with the same budget."""

from __future__ import annotations

from ..evaluator.ladder import Ladder
from .asynchronous import AsynchronousSearch
from .breeding import Breeding, remembering
from .proposals import fresh, sampling
from .reach import BOUNDLESS, Reach


def random_search(
    breeding: Breeding, *, seed: int, ladder: Ladder, births: int, reach: Reach = BOUNDLESS
) -> AsynchronousSearch:
    """Return a search that draws *births* different genomes and promotes the best of them.

    It differs from ``regularized_evolution`` in where genomes come from and in nothing else, so
    that comparing both measures evolution alone.
    """
    identify = remembering(breeding.identify)
    return AsynchronousSearch(
        fresh((sampling(breeding),), identify, reach=reach),
        identify,
        seed=seed,
        ladder=ladder,
        population=births,
        births=births,
        reach=reach,
    )
