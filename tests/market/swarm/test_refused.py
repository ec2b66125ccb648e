"""Authors whose records were refused are left alone for longer and longer, and not for ever."""

from __future__ import annotations

from praxis_evolve.market.swarm.refused import FIRST, LONGEST, MOST, Refused


def test_an_author_is_left_alone_twice_as_long_each_time() -> None:
    here, now, waits = Refused(), 0.0, list[float]()
    for _ in range(8):
        here.note(["a"], [], now)
        wait = next(second for second in range(10_000) if "a" not in here.at(now + second))
        waits.append(wait)
        now += wait
    assert waits == [FIRST * 2**n if FIRST * 2**n < LONGEST else LONGEST for n in range(8)]


def test_who_is_taken_again_begins_anew() -> None:
    here = Refused()
    for _ in range(5):
        here.note(["a", "b"], [], 0.0)
    here.note([], ["a"], 0.0)
    assert here.at(0.0) == {"b"}
    here.note(["a"], [], 0.0)
    assert here.at(FIRST) == {"b"}


def test_only_so_many_are_remembered() -> None:
    here = Refused()
    for number in range(3 * MOST):
        here.note([f"{number}"], [], 0.0)
    assert here.at(1.0) == {f"{number}" for number in range(2 * MOST, 3 * MOST)}
