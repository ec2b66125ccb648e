"""What a finished run spent beside training: the gate's share of evaluations, the spread of speeds.

    python benchmarks/run_overhead.py [--store URL] [--run NAME]

The gate's seconds in the ledger hold admission and the check of the trained weights. Admission and
building are timed again beside them: do it on the machine of the run, as busy as it was then. The
share of the engine itself (asking, storing, telling) is printed by ``run`` at its end.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.gate import admission
from praxis_evolve.genome.build import build
from praxis_evolve.genome.graph import Genome
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.manifest import Manifest

EVERY = 4
"""Of so many genomes one is timed again."""


def admitted_and_built(genome: Genome, context: int) -> float:
    """Return the seconds that admission and building take."""
    began = time.perf_counter()
    admission(genome, catalog=installed(), context=context)
    build(genome, catalog=installed(), context=context)
    return time.perf_counter() - began


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default="sqlite:///runs/praxis-evolve.db")
    parser.add_argument("--run")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with Ledger.open(options.store, create=False) as ledger:
        name = options.run or ledger.runs()[-1].name
        manifest = Manifest.from_dict(ledger.manifest(name))
        lowest = manifest.rungs[0]
        results = [r for r in ledger.results(name) if r.ok]
        genomes = dict(ledger.genomes(name))
    first = [r.measured for r in results if r.rung == lowest]
    gate = sum(m.gate_seconds for m in first) / sum(m.seconds for m in first)
    shares = statistics.median(m.gate_seconds / m.seconds for m in first)
    speeds = statistics.quantiles((r.measured.tokens_per_second for r in results), n=10)
    print(
        f"run {name}: {len(results)} results, {len(first)} at the lowest rung ({lowest:,} tokens)"
    )
    print(f"gate       {gate:.1%} of the lowest rung's evaluations, median {shares:.1%}")
    timed = [r for r in results if r.rung == lowest][::EVERY]
    spent = sum(admitted_and_built(genomes[r.genome], manifest.context) for r in timed)
    share = spent / sum(r.measured.seconds for r in timed)
    print(f"admission  {share:.1%} of them with building, timed again on {len(timed)} genomes")
    print(f"training   {statistics.median(speeds):,.0f} tokens/s a worker "
          f"(tenths {speeds[0]:,.0f} to {speeds[-1]:,.0f})")  # fmt: skip


if __name__ == "__main__":
    main()
