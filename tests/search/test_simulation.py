from random import Random

from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.search.base import Asked, Expired, Finished
from praxis_evolve.search.random import random_search
from praxis_evolve.search.simulation import simulate, timed
from praxis_evolve.search.toy import Toy

TOY = Toy()


def test_at_most_so_many_work_at_once_and_all_of_them_do():
    search = random_search(TOY, seed=0, ladder=Ladder((100,)), births=40)
    log = simulate(search, TOY.evaluate, workers=5, seconds=Random.random, rng=Random(0))
    busy, most = 0, 0
    for event in log:
        busy += 1 if isinstance(event, Asked) else -1
        most = max(most, busy)
        assert 0 <= busy <= 5
    assert (busy, most) == (0, 5)
    assert len(log) == 80


def test_quick_evaluations_end_before_slow_ones_that_began_earlier():
    search = random_search(TOY, seed=0, ladder=Ladder((100,)), births=3)
    times = iter([3.0, 1.0, 2.0])
    log = simulate(search, TOY.evaluate, workers=3, seconds=lambda _: next(times), rng=Random(0))
    asked = [TOY.identify(e.assignment.genome) for e in log if isinstance(e, Asked)]
    ended = [event.result.genome for event in log if isinstance(event, Finished)]
    assert ended == [asked[1], asked[2], asked[0]]


def test_the_dead_are_expired_in_their_share():
    search = random_search(TOY, seed=0, ladder=Ladder((100,)), births=300)
    log = simulate(
        search, TOY.evaluate, workers=4, seconds=Random.random, rng=Random(0), deaths=0.25
    )
    dead = sum(isinstance(event, Expired) for event in log)
    assert sum(isinstance(event, Finished) for event in log) == 300
    assert 70 < dead < 130  # 300 / 0.75 - 300 = 100


def test_the_late_are_given_up_and_come_all_the_same():
    search = random_search(TOY, seed=0, ladder=Ladder((100,)), births=300)
    log = simulate(search, TOY.evaluate, workers=4, seconds=Random.random, rng=Random(0), late=0.25)
    given_up = {e.birth: place for place, e in enumerate(log) if isinstance(e, Expired)}
    asks = [e.assignment for e in log if isinstance(e, Asked)]
    assert sum(isinstance(event, Finished) for event in log) == len(asks)
    assert 70 < len(given_up) < 130
    last = {e.result.genome: place for place, e in enumerate(log) if isinstance(e, Finished)}
    late = {a.birth: TOY.identify(a.genome) for a in asks if a.birth in given_up}
    assert all(place < last[late[birth]] for birth, place in given_up.items())


def test_a_death_is_noticed_when_the_lease_is_over_and_its_place_is_taken_at_once():
    search = random_search(TOY, seed=0, ladder=Ladder((100,)), births=60)
    log = list(
        timed(
            search, TOY.evaluate, workers=3, seconds=lambda _, rng: 1 + rng.random(),
            rng=Random(0), deaths=0.3, lease=5.0,
        )
    )  # fmt: skip
    asked = {e.assignment.birth: time for time, e in log if isinstance(e, Asked)}
    noticed = {e.birth: time for time, e in log if isinstance(e, Expired)}
    assert len(noticed) > 5
    names = [TOY.identify(e.assignment.genome) for _, e in log if isinstance(e, Asked)]
    last = list(asked.values())[names.index(list(dict.fromkeys(names))[-1])]
    for birth, time in noticed.items():
        death = time - 5
        assert 1 <= death - asked[birth] <= 2
        assert death > last or any(abs(start - death) < 1e-9 for start in asked.values())
    assert sum(isinstance(event, Finished) for _, event in log) == 60


def test_times_rise_and_may_hang_on_the_assignment():
    search = random_search(TOY, seed=0, ladder=Ladder((100, 400)), births=30)
    log = list(
        timed(
            search, TOY.evaluate, workers=2, seconds=lambda asked, _: asked.rung / 100,
            rng=Random(0),
        )
    )  # fmt: skip
    assert [time for time, _ in log] == sorted(time for time, _ in log)
    asked = {
        (TOY.identify(e.assignment.genome), e.assignment.rung): time
        for time, e in log
        if isinstance(e, Asked)
    }
    for time, event in log:
        if isinstance(event, Finished):
            result = event.result
            assert time - asked[result.genome, result.rung] == result.rung / 100
