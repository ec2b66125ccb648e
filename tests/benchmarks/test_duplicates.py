"""The simulated swarm that does a whole run: all of it is done, and little of it twice."""

import pytest

from praxis_evolve.benchmarks.duplicates import lines, swarm


@pytest.mark.slow
def test_a_run_is_done_by_all_and_what_is_begun_is_left_to_who_began_it():
    told, silent = (swarm(3, births=12, seed=1, told=heard) for heard in (True, False))
    for done in (told, silent):
        assert {"tuning", "starter", "look", "baseline", "finalist"} <= set(done.all)
        assert done.proof <= done.twice < done.all
    assert told.rest.total() <= silent.rest.total()
    assert told == swarm(3, births=12, seed=1, told=True), "a simulation is the same again"
    assert [line.split()[0] for line in lines({"told": told})][:2] == ["all", "told"]
