"""The contenders in the benchmark of asks do what is said of them, small."""

import pytest

from praxis_evolve.benchmarks import throughput
from praxis_evolve.benchmarks.long_genomes import founders, mean_visits, scored, species
from praxis_evolve.benchmarks.throughput import Ours, Turn, rows_of, turns

VISITS = 5


def test_founders_are_as_long_as_they_may_be_and_different():
    those = species(VISITS)
    found = founders(those, 6)
    assert mean_visits(list(found.values())) == VISITS
    assert len({those.identify(genome) for genome in found.values()}) == 6


def test_a_genome_that_lost_visits_is_worse_than_any_that_did_not():
    long, shorter = (next(iter(founders(species(n), 1).values())) for n in (VISITS, VISITS - 1))
    those = species(VISITS)
    one, other = (scored(genome, those).bits_per_byte or 0.0 for genome in (long, shorter))
    assert 2 <= one < 3 <= other < 4


@pytest.mark.parametrize("shares", [True, False])
def test_ours_begins_after_its_founders_and_bears_one_at_a_time(shares: bool):
    those = species(VISITS)
    starters = founders(those, 4)
    ours = Ours(those, starters, births=3, shares=shares)
    assert {those.identify(g) for g in ours.born} == {those.identify(g) for g in starters.values()}
    assert all(ours() > 0 for _ in range(3))
    assert len({those.identify(genome) for genome in ours.born}) == 4 + 3


def test_all_are_compared_round_for_round():
    found = {
        "deap": [Turn(100.0, None), Turn(10.0, None), Turn(50.0, None)],
        "other": [Turn(50.0, 4.0), Turn(10.0, 4.0), Turn(10.0, 4.5)],
    }
    rows = rows_of(found)
    assert [row["of_deap"] for row in rows] == [1.0, 0.5]
    assert rows[1]["rate"] == 10.0
    assert rows[1]["best"] == 50.0
    assert rows[1]["visits"] == 4.5
    assert [line.split()[0] for line in list(throughput.table(rows))[1:]] == ["deap", "other"]


def test_all_take_turns_each_in_a_process():
    several = throughput.contenders(VISITS, 4, 1000)
    some = {name: several[name] for name in ("deap", "without-shares")}
    found = turns(some, rounds=2, seconds=0.01)
    assert all(len(those) == 2 and min(those).rate > 0 for those in found.values())


def test_the_others_ask_and_tell():
    several = throughput.contenders(VISITS, 4, 2)
    assert all(make()() > 0 for make in several.values())
