from random import Random

from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.search.base import Assignment, Birth, Key
from praxis_evolve.search.toy import Toy
from praxis_evolve.search.work import Work

GENOME = Toy().sample(Random(0), "")
KEYS = (Key("a", 100, 0), Key("b", 100, 0))
Step = tuple[str, int]


def assignment(number: int) -> Assignment:
    return Assignment(GENOME, 100, 0, Birth("run", "author", number))


def play(steps: list[Step]) -> Work:
    """Births 0 to 2 ask for the first key, 3 to 5 for the second."""
    work = Work()
    for kind, number in steps:
        if kind == "ask":
            work.ask(KEYS[number // 3], assignment(number))
        elif kind == "lapse":
            work.lapse(Birth("run", "author", number))
        else:
            work.answer(KEYS[number // 3])
    return work


steps = st.lists(st.tuples(st.sampled_from(["ask", "lapse", "answer"]), st.integers(0, 5)))


@given(steps)
def test_the_state_is_that_of_the_set_of_events(events: list[Step]):
    work = play(events)
    for place, key in enumerate(KEYS):
        mine = range(3 * place, 3 * place + 3)
        answered = any(("answer", n) in events for n in mine)
        asked = {n for n in mine if ("ask", n) in events}
        alive = {n for n in asked if ("lapse", n) not in events}
        assert work.answered(key) == answered
        assert (key in work.pending) == (bool(alive) and not answered)
        assert (key in work.expired) == (bool(asked) and not alive and not answered)
        assert work.taken(key) == (answered or bool(asked))


@given(steps, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_matters(events: list[Step], rng: Random):
    once, shuffled = play(events), play(rng.sample(events * 2, 2 * len(events)))
    assert once.pending.keys() == shuffled.pending.keys()
    assert once.expired.keys() == shuffled.expired.keys()


def test_what_was_asked_first_is_listed_first():
    work = play([("ask", 3), ("ask", 0), ("lapse", 0), ("lapse", 3)])
    assert list(work.expired) == [KEYS[0], KEYS[1]]
    assert list(play([("ask", 3), ("ask", 0)]).pending) == [KEYS[1], KEYS[0]]
