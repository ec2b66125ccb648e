"""Swarms of the benchmark: a seed repeats event for event, and nothing acknowledged is lost."""

import math

from praxis_evolve.benchmarks.scale_simulated import Traffic, simulated


def test_a_seed_repeats_and_another_differs() -> None:
    one, again, other = (
        simulated(8, seed=seed, records=8, seconds=20.0, churn=1.0) for seed in (5, 5, 6)
    )
    assert one == again
    assert one.trace != other.trace
    for found in (one, other):
        assert found.kills + found.partitions > 5
        assert found.acknowledged > 4
        assert found.lost == 0
        assert math.isfinite(found.quiet)


def test_islands_hold_their_own_and_the_best_of_others_while_peers_die() -> None:
    one, parted, again = (
        simulated(8, seed=7, records=48, seconds=20.0, churn=2.0, islands=islands)
        for islands in (1, 2, 2)
    )
    assert parted == again
    assert one.held == one.records > 40
    assert (one.migrants, one.migrated) == (0, 0.0)
    for found in (one, parted):
        assert found.kills + found.partitions > 5
        assert found.acknowledged > 20
        assert found.lost == 0
        assert math.isfinite(found.quiet)
    assert 2 <= parted.migrants <= 16
    assert parted.quiet < parted.everywhere < math.inf
    assert parted.records / 2 < parted.held < 0.75 * parted.records
    assert parted.migrated > 0
    assert parted.batches < 0.75 * one.batches


def test_bytes_are_counted_by_method() -> None:
    traffic = Traffic()
    for line in ("0.5 a:1 asks b 'heads' 40", "0.6 a:1 begins 0", "0.7 a:1 brings 100",
                 "0.8 b:2 asks a 'pull' 7", "0.9 a:1 brings 3", "1.0 a joins 0"):  # fmt: skip
        traffic(line)
    assert traffic.bytes == {"asks heads": 40, "answers heads": 103, "asks pull": 7}
