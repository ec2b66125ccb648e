"""The table of how far two machines are apart counts what is beyond the tolerance."""

from __future__ import annotations

from itertools import pairwise

from praxis_evolve.benchmarks.landscape import CATALOG, manifest
from praxis_evolve.benchmarks.rounding import bred, table
from praxis_evolve.genome.identity import genome_id
from praxis_evolve.market.tally import STRAY, TOLERANCE


def test_a_table_counts_what_is_beyond_the_tolerance() -> None:
    found = {"scratch": [2 * TOLERANCE, 2 * STRAY, 0.0, 0.0], "1 ancestors": [3e-9]}
    _, scratch, heirs = table(found)
    assert scratch.split() == ["scratch", "4", "2.0e-03", "1.0e-01", "1.0e-01", "50.0%", "25.0%"]
    assert heirs.split()[2:] == ["1", "3.0e-09", "3.0e-09", "3.0e-09", "0.0%", "0.0%"]


def test_lines_are_the_same_again_and_have_no_genome_twice() -> None:
    space = manifest(1).space(CATALOG)
    one, again = bred(space, 3, 4), bred(space, 3, 4)
    assert one == again
    names = [genome_id(genome, CATALOG) for genome in one]
    assert all(name != after for name, after in pairwise(names))
    assert all(map(space.legal, one))
