"""The simulated swarm that does a whole run: all of it is done, and little of it twice."""

from praxis_evolve.benchmarks.duplicates import Done, lines, swarm


def test_a_run_is_done_by_all_and_what_is_begun_is_left_to_who_began_it():
    told, untold = (swarm(3, births=12, seed=1, told=heard) for heard in (True, False))
    for done in (told, untold):
        assert {"tuning", "starter", "look", "baseline", "finalist"} <= set(done.all)
        assert done.proof <= done.twice < done.all
    assert told.rest.total() <= untold.rest.total()
    assert told == swarm(3, births=12, seed=1), "a simulation is the same again"


def test_friends_prove_nothing_and_leave_each_other_what_they_are_at():
    told, untold = (
        swarm(4, births=24, seed=1, friends=True, told=heard) for heard in (True, False)
    )
    for done in (told, untold):
        assert done.twice == done.rest
        assert not done.proof
        assert not done.all["audit"]
    assert told.rest.total() < untold.rest.total()


def test_what_was_done_makes_a_table():
    done = Done(seconds=7200)
    done.all.update(audit=2, promote=6, look=2)
    done.twice.update(promote=4, look=1)
    done.proof.update(promote=1)
    done.checks.update(promote=1)
    assert done.rest == {"promote": 2, "look": 1}
    head, row, *origins = [line.split() for line in lines({"told": done})]
    assert dict(zip(["name", *head], row, strict=True)) == {
        "name": "told", "all": "10", "audits": "20.0%", "twice": "50.0%", "proof": "10.0%",
        "checks": "10.0%", "rest": "30.0%", "hours": "2.00",
    }  # fmt: skip
    assert [" ".join(line) for line in origins] == [
        "look: 1 of 2 twice, 1 for nothing", "promote: 4 of 6 twice, 2 for nothing"
    ]  # fmt: skip
