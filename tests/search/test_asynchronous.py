"""What the search does with events beyond the contract."""

from dataclasses import replace

import pytest

from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.search.asynchronous import AsynchronousSearch
from praxis_evolve.search.base import Asked, Assignment, Birth, Closed, Expired, Finished
from praxis_evolve.search.proposals import fresh, sampling
from praxis_evolve.search.random import random_search
from praxis_evolve.search.toy import Toy

TOY = Toy()


def search(births: int = 30) -> AsynchronousSearch:
    return random_search(TOY, seed=1, ladder=Ladder((100, 300)), births=births)


def birth(number: int) -> Birth:
    return Birth("run", "author", number)


def hand_out(search: AsynchronousSearch, number: int) -> Assignment:
    assignment = search.ask(birth(number))
    assert assignment is not None
    search.tell([Asked(assignment)])
    return assignment


def failure(assignment: Assignment) -> Result:
    result = TOY.evaluate(assignment)
    return replace(result, bits_per_byte=None, failure="diverged", reason="loss is nan")


def test_promotions_go_before_new_genomes():
    own = search()
    first = [hand_out(own, number) for number in range(3)]
    results = [TOY.evaluate(assignment) for assignment in first]
    own.tell([Finished(result) for result in results])
    promoted = hand_out(own, 3)
    best = min(results, key=lambda result: result.bits_per_byte or 9.0)
    assert (promoted.rung, promoted.replica, promoted.origin) == (300, 0, "promote")
    assert promoted.parents == (best.genome,) == (TOY.identify(promoted.genome),)
    assert hand_out(own, 4).rung == 100


def test_failures_neither_breed_nor_are_promoted():
    own = search()
    for number in range(6):
        own.tell([Finished(failure(hand_out(own, number)))])
    assert own.population.living() == []
    assert hand_out(own, 6).origin == "sample"


def test_a_result_of_little_weight_only_ends_its_work():
    own = search()
    for number in range(6):
        own.tell([Finished(TOY.evaluate(hand_out(own, number)), 0.25)])
    assert not own.work.pending
    assert own.population.living() == []
    assert hand_out(own, 6).rung == 100


def test_a_stranger_cannot_stop_a_promotion_by_a_claim():
    own = search()
    asked = [hand_out(own, number) for number in range(3)]
    own.tell([Finished(TOY.evaluate(assignment)) for assignment in asked])
    claims = [Finished(failure(replace(assignment, rung=300)), 0.25) for assignment in asked]
    own.tell(claims)
    assert hand_out(own, 3).origin == "promote"


def test_a_result_of_no_weight_was_never_told():
    own = search()
    assignment = hand_out(own, 0)
    own.tell([Finished(TOY.evaluate(assignment), 0.0)])
    assert len(own.work.pending) == 1


def test_finals_are_not_the_search_s():
    own, other = search(), search()
    hand_out(own, 0)
    hand_out(other, 0)
    final = replace(hand_out(search(), 5), replica=1, birth=birth(50))
    own.tell([Asked(final), Finished(TOY.evaluate(final)), Expired(final.birth)])
    assert own.population.births == 1
    assert own.ask(birth(1)) == other.ask(birth(1))


def test_a_tuned_starter_at_a_higher_rung_is_still_to_be_born():
    own = search()
    tuned = replace(hand_out(search(), 0), rung=300, birth=birth(50))
    own.tell([Asked(tuned), Finished(TOY.evaluate(tuned))])
    assert own.population.births == 0
    assert own.ask(birth(0)) == search().ask(birth(0))


def test_inherited_weights_are_not_ranked_with_others():
    own = search()
    result = replace(TOY.evaluate(hand_out(own, 0)), inherited_tokens=100)
    own.tell([Finished(result)])
    assert own.population.living() == []
    assert not own.work.pending


def test_births_of_others_count():
    own = search(births=3)
    other = [replace(hand_out(search(), n), birth=Birth("run", "other", n)) for n in range(3)]
    own.tell([Asked(assignment) for assignment in other])
    assert own.ask(birth(0)) is None
    assert not own.done  # they are still at work
    own.tell([Expired(other[0].birth)])
    again = own.ask(birth(0))
    assert again == replace(other[0], birth=birth(0))


def test_done_when_nobody_works_and_nothing_is_left():
    own = search(births=2)
    asked = [hand_out(own, 0), hand_out(own, 1)]
    own.tell([Finished(TOY.evaluate(asked[0]))])
    assert not own.done
    own.tell([Finished(TOY.evaluate(asked[1]))])
    assert own.done


def test_a_small_space_ends_before_its_births():
    tiny = Toy(length=2, letters=2)
    own = random_search(tiny, seed=0, ladder=Ladder((100,)), births=10)
    for number in range(4):
        own.tell([Finished(tiny.evaluate(hand_out(own, number)))])
    assert own.ask(birth(4)) is None
    assert own.done


def test_closed_wants_nothing_new_but_waits_for_what_runs():
    own = search()
    asked = [hand_out(own, number) for number in range(4)]
    own.tell([Finished(TOY.evaluate(assignment)) for assignment in asked[:3]])
    own.tell([Closed()])
    assert own.ask(birth(4)) is None
    assert not own.done
    own.tell([Expired(asked[3].birth)])
    assert own.done


@pytest.mark.parametrize("births", [0, -1])
def test_a_search_needs_a_genome(births: int):
    with pytest.raises(ValueError, match=f"births={births}; give numbers above 0"):
        search(births)


def test_who_breaks_a_limit_that_only_measuring_shows_is_not_promoted():
    heavy = Measurement(peak_memory_bytes=1001)
    free, limited = (
        AsynchronousSearch(
            fresh((sampling(TOY),), TOY.identify), TOY.identify, seed=1,
            ladder=Ladder((100, 300)), population=30, births=30, limits=limits,
        )
        for limits in ({}, {"peak_memory_bytes": 1000.0})
    )  # fmt: skip
    results = [TOY.evaluate(hand_out(free, number)) for number in range(9)]
    ranked = sorted(results, key=lambda result: result.bits_per_byte or 9.0)
    first = [replace(ranked[0], measured=heavy), *ranked[1:]]
    asked = [limited.ask(birth(number)) for number in range(9)]
    limited.tell([Asked(assignment) for assignment in asked if assignment])
    for own in (free, limited):
        own.tell([Finished(result) for result in first])
    assert hand_out(free, 9).parents == (ranked[0].genome,)
    assert hand_out(limited, 9).parents == (ranked[1].genome,)

    light = replace(ranked[0], measured=Measurement(peak_memory_bytes=1))
    limited.tell([Finished(light)])  # a second measurement: the median is within the limit
    assert hand_out(limited, 10).parents == (ranked[0].genome,)
