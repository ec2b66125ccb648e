"""What a swarm finds with as many evaluations as one machine.

    python benchmarks/together.py --peers 8 --seeds 5
    python benchmarks/together.py --peers 8 --seeds 5 --text tinyshakespeare --samples 21

Peers are simulated as in ``liars``, all honest, and training is the same: a known landscape, or a
text. ``alone`` is the truth of the genome that one machine takes for the best after all
evaluations, ``together`` the mean of what the peers of a swarm take for the best after as many in
all, in bits per byte, smaller is better; ``spread`` is from the median of genomes that nobody chose
to what one finds.
``audits`` are the evaluations that measure again what others claim.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from statistics import fmean

from praxis_evolve.benchmarks.liars import SAMPLES, middling, swarm
from praxis_evolve.benchmarks.training import Training, add_options, trainings
from praxis_evolve.search.intervals import paired


def main() -> None:
    """Simulate and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--peers", type=int, default=8)
    parser.add_argument("--evaluations", type=int, default=800)
    parser.add_argument("--first", type=int, default=0, help="seed")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=SAMPLES, help="for the median")
    add_options(parser)
    asked = parser.parse_args()
    with trainings(asked) as make:
        show(make, asked)


def show(make: Callable[[int], Training], asked: argparse.Namespace) -> None:
    """Print a row for each seed, and the paired difference."""
    alone, together, spread = dict[int, float](), dict[int, float](), dict[int, float]()
    print(f"{'seed':>6}{'alone':>10}{'together':>10}{'spread':>10}{'audits':>10}")
    for seed in range(asked.first, asked.first + asked.seeds):
        training = make(seed)
        run = partial(
            swarm, training, births=asked.evaluations, evaluations=asked.evaluations, seed=seed
        )
        one, several = run(1, 0), run(asked.peers, 0)
        alone[seed], together[seed] = one.truth, several.truth
        spread[seed] = middling(training, seed=seed, samples=asked.samples) - one.truth
        row = f"{one.truth:10.3f}{several.truth:10.3f}{spread[seed]:10.3f}"
        print(f"{seed:6}{row}{several.audits:10.1%}", flush=True)
    difference = paired(together, alone)
    part = 1 - difference.mean / fmean(spread.values())
    print(f"together - alone: {difference.mean:+.3f} ({difference.low:+.3f} to ", end="")
    print(f"{difference.high:+.3f}); the swarm finds {part:.2f} of what one machine does")


if __name__ == "__main__":
    main()
