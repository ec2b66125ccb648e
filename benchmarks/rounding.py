"""How far two machines are apart in what one training comes to: from scratch, and of heirs.

    python benchmarks/rounding.py --text tinyshakespeare --lines 48 --length 6

Each line begins with a genome that is a starter or a sample, in turn, and each of its genomes is a
mutant of the one before. All are trained from scratch, and with the weights of the one before, each
twice with one seed: as usual with one thread, and with two threads and without oneDNN, which rounds
otherwise in most products. A training whose figures hang on the last digit of a product (hard
choices, large steps) is another one then, as with another seed; ``beyond`` counts those that are
further apart than ``TOLERANCE``, ``wrong`` those that are further apart than ``STRAY``, too.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import fmean
from tempfile import TemporaryDirectory

import torch

from praxis_evolve.benchmarks.landscape import CATALOG
from praxis_evolve.benchmarks.text import TEXTS
from praxis_evolve.benchmarks.text_run import opened
from praxis_evolve.benchmarks.trained import manifest, setup
from praxis_evolve.evaluator.evaluate import Evaluator
from praxis_evolve.evaluator.job import Job
from praxis_evolve.evaluator.task import Task
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.mutation import mutate
from praxis_evolve.genome.space import Space
from praxis_evolve.genome.starters import starters
from praxis_evolve.market.tally import STRAY, TOLERANCE

SCRATCH = "scratch"


def bred(space: Space, number: int, length: int) -> list[Genome]:
    """Return a line: a starter or a sample, and mutants each of the one before."""
    rng, several = Random(number), sorted(starters(space, layers=2).items())
    starter = several[number // 2 % len(several)][1]
    found = [starter if number % 2 == 0 else space.sample(rng, f"s{number}")]
    while len(found) < length:
        found.append(mutate(found[-1], space, rng, f"b{number}/{len(found)}", tail=0.0).genome)
    return found


def figures(line: Sequence[Genome], evaluate: Evaluator) -> Iterator[tuple[str, float | None]]:
    """Yield what each genome of a line comes to from scratch, and from its ancestors."""
    rung = evaluate.setup.ladder.lowest
    for place, genome in enumerate(line):
        yield SCRATCH, evaluate(Job(genome, rung)).bits_per_byte
        if place:
            heir = Job(genome, rung, line=tuple(line[:place]))
            yield f"{place} ancestors", evaluate(heir).bits_per_byte


@contextmanager
def rounding_otherwise() -> Generator[None]:
    """Let products be summed up in another order."""
    torch.set_num_threads(2)
    with warnings.catch_warnings(), torch.backends.mkldnn.flags(enabled=False):
        yield
    torch.set_num_threads(1)


def evaluator(task: Task, folder: str, tokens: int) -> Evaluator:
    """Return what trains genomes to one rung, with states of its own."""
    of = replace(setup(task, Path(folder)), rungs=(tokens,), inherit=True, gate=False)
    return Evaluator(of, CATALOG)


def table(apart: dict[str, list[float]]) -> Iterator[str]:
    """Yield the lines of the table."""
    names = "".join(f"{name:>9}" for name in ("pairs", "median", "90 %", "most", "beyond", "wrong"))
    yield f"{'trained from':12}{names}"
    for name, found in apart.items():
        found.sort()
        bits = (found[len(found) // 2], found[len(found) * 9 // 10], found[-1])
        shares = (fmean(each > most for each in found) for most in (TOLERANCE, STRAY))
        yield (
            f"{name:12}{len(found):9}" + "".join(f"{each:9.1e}" for each in bits)
            + "".join(f"{share:9.1%}" for share in shares)
        )  # fmt: skip


def main() -> None:
    """Train all lines twice and print a table."""
    bench = os.environ.get("PRAXIS_BENCH")
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--text", choices=TEXTS, default="tinyshakespeare")
    parser.add_argument("--bench", type=Path, default=Path(bench) if bench else None)
    parser.add_argument("--lines", type=int, default=48)
    parser.add_argument("--length", type=int, default=6, help="genomes of a line")
    parser.add_argument("--tokens", type=int, default=16_384, help="of a training")
    asked = parser.parse_args()
    task = opened(asked.text, asked.bench)
    space = manifest(task, 1, seed=0).space(CATALOG)
    apart = defaultdict[str, list[float]](list)
    torch.set_num_threads(1)
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        usual, second = (evaluator(task, folder, asked.tokens) for folder in (one, other))
        for number in range(asked.lines):
            line = bred(space, number, asked.length)
            first = list(figures(line, usual))
            with rounding_otherwise():
                again = list(figures(line, second))
            for (name, bits), (_, too) in zip(first, again, strict=True):
                if bits is not None and too is not None:
                    apart[name].append(abs(bits - too))
            if number % 8 == 7:
                print(f"{number + 1} lines", flush=True)
    print("\n".join(table(apart)))


if __name__ == "__main__":
    main()
