"""How a swarm does that is larger than anybody's home.

    python benchmarks/scale.py simulated --peers 1000 --seed 1
    python benchmarks/scale.py simulated --peers 3000 --islands 3 --seed 1
    python benchmarks/scale.py real --peers 60

``simulated`` runs peers with real ledgers and signatures in one process and in virtual time; two
runs of one seed have the same trace. ``real`` runs nodes with libp2p's daemon on 127.0.0.1, which
takes 0.3 GB and eight seconds of a core for each.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from praxis_evolve.benchmarks.scale_real import real
from praxis_evolve.benchmarks.scale_simulated import simulated


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    which = parser.add_subparsers(dest="which", required=True)
    add = which.add_parser("simulated").add_argument
    add("--peers", type=int, default=1000)
    add("--seed", type=int, default=0)
    add("--records", type=int, help="how many are published; one for each peer if not given")
    add("--seconds", type=float, default=120.0, help="virtual seconds in which they are published")
    add("--churn", type=float, default=2.0, help="virtual seconds between kills, joins, partitions")
    add("--islands", type=int, default=1, help="each of which holds its own records")
    add = which.add_parser("real").add_argument
    add("--peers", type=int, default=60)
    add("--seed", type=int, default=0)
    add("--kills", type=int, default=6)
    return parser


def main() -> None:
    """Run it once and print what came of it."""
    asked = options().parse_args()
    if asked.which == "simulated":
        records = asked.peers if asked.records is None else asked.records
        found: object = simulated(
            asked.peers, seed=asked.seed, records=records, seconds=asked.seconds,
            churn=asked.churn, islands=asked.islands,
        )  # fmt: skip
    else:
        with TemporaryDirectory() as folder:
            found = real(asked.peers, kills=asked.kills, seed=asked.seed, folder=Path(folder))
    for name, value in vars(found).items():
        shown = value if isinstance(value, str) else f"{value:>10,.1f}".removesuffix(".0")
        print(f"{name:14}{shown:>12}")


if __name__ == "__main__":
    main()
