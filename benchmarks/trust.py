"""What it takes to keep trust up as records come, beside computing it anew at each.

    python benchmarks/trust.py

The records are of ten authors, a tenth of them measured by two; the last of them come one by one.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from random import Random
from statistics import median
from time import perf_counter

from praxis_evolve.evaluator.result import Result
from praxis_evolve.market.reckoning import Reckoning
from praxis_evolve.market.record import Record
from praxis_evolve.market.trust import Trust

RESULT = Result("ab" * 32, "cd" * 32, 1000, 0, 7, 2.5)
AUTHORS = tuple(f"{number:064x}" for number in range(10))
MINE = AUTHORS[0]
LAST = 50
"""How many records come one by one."""


def records(count: int) -> list[Record]:
    """Return records as an honest swarm would make them; their signatures are not looked at."""
    rng, found, places = Random(1), list[Record](), dict.fromkeys(AUTHORS, 0)
    for number in range(count):
        author = AUTHORS[number % len(AUTHORS)]
        work = rng.randrange(max(1, number - 40)) if rng.random() < 0.1 else number
        name = hashlib.sha256(f"{work}".encode()).hexdigest()
        result = replace(RESULT, genome=name, bits_per_byte=2.5 + int(name[:6], 16) / 2**24)
        record = Record(
            "ef" * 32, author, places[author], "0" * 64, result, "0" * 64, "1", "0" * 128
        )
        record.__dict__["genuine"] = True
        places[author] += 1
        found.append(record)
    return found


def computed(several: list[Record]) -> Mapping[str, float]:
    """Return the weights, computed anew."""
    return Trust(several, MINE).weights()


def milliseconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = perf_counter()
    work()
    return 1e3 * (perf_counter() - start)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[1_000, 10_000, 50_000])
    print(f"{'records':>8}{'anew, ms':>12}{'kept up, ms':>14}{'times':>10}{'believed':>10}")
    for count in parser.parse_args().counts:
        several = records(count)
        for record in several:
            assert record.id
        anew = median(milliseconds(partial(computed, several)) for _ in range(3))
        reckoning = Reckoning(MINE)
        reckoning.hear(several[:-LAST])
        kept = [milliseconds(partial(reckoning.hear, [record])) for record in several[-LAST:]]
        mean = sum(kept) / LAST
        print(f"{count:8}{anew:12.1f}{mean:14.3f}{anew / mean:10.0f}{len(reckoning.trusted):10}")


if __name__ == "__main__":
    main()
