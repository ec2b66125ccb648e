"""Claims that would matter are measured again; what nobody trusts breeds nothing."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.search.asynchronous import AsynchronousSearch
from praxis_evolve.search.audits import APART, AUDIT, DULL, FIRST, SHARE, Audits
from praxis_evolve.search.base import (
    Able,
    Asked,
    Assignment,
    Birth,
    Closed,
    Committed,
    Expired,
    Finished,
    key_of,
)
from praxis_evolve.search.evolution import regularized_evolution
from praxis_evolve.search.reach import Need, Reach
from praxis_evolve.search.scores import HEEDED
from praxis_evolve.search.toy import Toy

TOY, RUNGS = Toy(), (100, 300)


def audits() -> Audits:
    return Audits(seed=1, ladder=Ladder(RUNGS), identify=TOY.identify, legal=lambda genome: True)


def asked_of(number: int, rung: int = 100) -> Assignment:
    genome = TOY.sample(Random(number), f"{number}")
    return Assignment(genome, rung, 0, Birth("run", "other", number), "peer")


def claim(number: int, *, bits: float | None = None, rung: int = 100) -> Finished:
    asked = asked_of(number, rung)
    result = TOY.evaluate(asked)
    return Finished(result if bits is None else replace(result, bits_per_byte=bits), 0.25, asked)


def asks(stage: Audits, count: int = 200, author: str = "me") -> list[Assignment]:
    """What is asked for when all that was claimed has been heard a while ago."""
    own = replace(TOY.evaluate(asked_of(0)), rung=7)
    stage.tell([Finished(own)] * APART)
    offers = (stage.ask(Birth("run", author, number)) for number in range(count))
    return [offer for offer in offers if offer is not None]


def test_a_claim_is_measured_again_by_a_share_of_the_asks_until_somebody_does() -> None:
    stage = audits()
    assert not asks(stage)
    stage.tell([claim(1)])
    offers = asks(stage)
    assert 0.6 <= len(offers) / (200 * FIRST) <= 1.4, "nobody is believed yet"
    assert {(o.genome, o.rung, o.replica, o.origin) for o in offers} == {
        (asked_of(1).genome, 100, 0, AUDIT)
    }
    stage.tell([Asked(offers[0])])
    assert not asks(stage)
    assert not stage.done
    stage.tell([Expired(offers[0].birth)])
    assert asks(stage), "who was to measure it will not"
    stage.tell([Asked(offers[1]), Finished(TOY.evaluate(offers[1]))])
    assert not asks(stage)
    assert stage.done


@pytest.mark.parametrize("weight", [1.0, 0.5, 0.0])
def test_what_is_trusted_or_refuted_meanwhile_is_left(weight: float) -> None:
    stage = audits()
    stage.tell([claim(1), replace(claim(1), weight=weight)])
    assert not asks(stage)


def test_what_is_trusted_no_more_is_looked_at_again_and_keeps_nobody_else_s_claim_out() -> None:
    stage, low = audits(), claim(1, bits=0.1)
    stage.tell([low])
    assert asks(stage)
    stage.tell([replace(low, weight=1.0)])
    assert not asks(stage)
    for number in range(2, 8):
        stage.tell([Finished(replace(TOY.evaluate(asked_of(number)), bits_per_byte=3.0))])
    stage.tell([replace(low, weight=0.25)])
    assert {TOY.identify(offer.genome) for offer in asks(stage)} == {low.result.genome}
    stage.tell([replace(low, weight=0.0), claim(9, bits=2.9)])
    assert {offer.genome for offer in asks(stage)} == {asked_of(9).genome}


@pytest.mark.parametrize("heirs", [0, 30])
def test_only_what_would_be_promoted_is_looked_at_and_some_by_lot(heirs: int) -> None:
    stage = audits()
    for number in range(600, 600 + heirs):  # they are promoted by themselves
        heir = replace(TOY.evaluate(asked_of(number)), bits_per_byte=1.0, inherited_tokens=50)
        stage.tell([Finished(heir)])
    for number in range(30):
        asked = asked_of(number)
        stage.tell([Finished(replace(TOY.evaluate(asked), bits_per_byte=2 + number / 10))])
    stage.tell([claim(99), replace(claim(99), weight=1.0)])  # so it is not put to the test
    good = [claim(number, bits=2.5) for number in range(100, 110)]
    dull = [claim(number, bits=4.5) for number in range(200, 600)]
    stage.tell([*good, *dull])
    names = {TOY.identify(offer.genome) for offer in asks(stage, 1500)}
    assert {event.result.genome for event in good} <= names
    by_lot = len(names) - len(good)
    assert 0.5 * DULL < by_lot / len(dull) < 1.5 * DULL
    others = {TOY.identify(offer.genome) for offer in asks(stage, 1500, "another")}
    assert len(names & others) < len(good) + by_lot / 2, "each author has lots of its own"


def test_failures_finals_strange_rungs_and_illegal_genomes_are_nobody_s_work() -> None:
    stage = Audits(seed=1, ladder=Ladder(RUNGS), identify=TOY.identify, legal=lambda genome: False)
    stage.tell([claim(1)])
    assert not asks(stage)
    stage, good = audits(), claim(1)
    for result in (
        replace(good.result, bits_per_byte=None, failure="diverged", reason="by lot"),
        replace(good.result, replica=1),
        replace(good.result, inherited_tokens=3),
    ):
        stage.tell([replace(good, result=result)])
    stage.tell([claim(1, rung=7), replace(good, asked=None)])
    assert not asks(stage)


def test_what_is_beyond_the_machine_is_left_to_others() -> None:
    reach = Reach(lambda genome, rung: Need(0, rung))
    stage = Audits(
        seed=1, ladder=Ladder(RUNGS), identify=TOY.identify, legal=lambda genome: True, reach=reach
    )
    stage.tell([claim(1, rung=RUNGS[0]), claim(2, rung=RUNGS[1])])
    assert {offer.rung for offer in asks(stage)} == set(RUNGS[:2])
    reach.hear(Able(operations=RUNGS[0]))
    assert {offer.rung for offer in asks(stage)} == {RUNGS[0]}
    reach.hear(Able())
    assert {offer.rung for offer in asks(stage)} == set(RUNGS[:2])


def heir(number: int, line: str = "ab", *, bits: float = 2.0, author: str = "other") -> Finished:
    """A claim of an heir of the genome "p"."""
    event = by(author, claim(number, bits=bits))
    began = replace(event.result, heritage=line * 32, parent="p", inherited_tokens=9)
    return replace(event, result=began)


def test_an_heir_is_measured_again_from_its_parent_where_its_line_is_known() -> None:
    known = set[str]()
    stage = Audits(
        seed=1, ladder=Ladder(RUNGS), identify=TOY.identify, legal=lambda genome: True,
        follows=lambda claim: claim.heritage in known,
    )  # fmt: skip
    stage.tell([heir(1)])
    assert not asks(stage)
    known.add("ab" * 32)
    offers = asks(stage)
    assert {(offer.genome, offer.origin, offer.parents) for offer in offers} == {
        (asked_of(1).genome, AUDIT, ("p",))
    }
    stage.tell([claim(2, bits=0.1)])
    assert {offer.parents for offer in asks(stage)} == {("p",), ()}


def test_a_false_parent_beside_a_true_line_keeps_nobody_from_measuring_again() -> None:
    stage = Audits(
        seed=1, ladder=Ladder(RUNGS), identify=TOY.identify, legal=lambda genome: True,
        follows=lambda claim: claim.parent == "p",
    )  # fmt: skip
    false = heir(1, author="a")
    stage.tell([replace(false, result=replace(false.result, parent="q")), heir(1, author="b")])
    assert {offer.parents for offer in asks(stage)} == {("p",)}


def test_an_own_training_says_nothing_of_who_began_otherwise() -> None:
    stage = Audits(
        seed=1, ladder=Ladder(RUNGS), identify=TOY.identify, legal=lambda genome: True, standing=1,
        follows=lambda claim: True,
    )  # fmt: skip
    one, other, scratch = heir(1), heir(1, "cd", author="else"), by("third", claim(1))
    stage.tell([Finished(one.result), one, other, scratch])
    stage.tell([replace(one, weight=1.0)])
    assert not asks(stage), "it is answered, whatever it began with"
    stage.tell([heir(5, bits=0.1, author="else"), by("third", claim(6, bits=0.1))])
    stage.tell([heir(7, bits=0.1)])
    assert {TOY.identify(offer.genome) for offer in asks(stage)} == {
        TOY.identify(asked_of(7).genome)
    }, "only who was right is believed, and what waits of it goes first"


def test_heirs_matter_among_heirs() -> None:
    stage = Audits(
        seed=1, ladder=Ladder(RUNGS), identify=TOY.identify, legal=lambda genome: True,
        follows=lambda claim: True,
    )  # fmt: skip
    for number in range(30):
        result = replace(TOY.evaluate(asked_of(number)), bits_per_byte=2 + number / 10)
        stage.tell([Finished(result), Finished(replace(heir(number).result, bits_per_byte=1.5))])
    stage.tell([heir(99), replace(heir(99), weight=1.0)])  # so it is not put to the test
    stage.tell([heir(number, bits=1.6) for number in range(100, 140)])
    assert len({TOY.identify(offer.genome) for offer in asks(stage, 400)}) < 40 / 2
    stage.tell([heir(200, bits=1.4)])
    assert TOY.identify(asked_of(200).genome) in {TOY.identify(o.genome) for o in asks(stage, 400)}


def test_one_author_is_looked_at_until_it_is_believed() -> None:
    stage = Audits(
        seed=1, ladder=Ladder(RUNGS), identify=TOY.identify, legal=lambda genome: True, standing=2
    )

    def of(author: str, *numbers: int) -> list[Finished]:
        found = list[Finished]()
        for number in numbers:
            event = claim(number, bits=1 + number / 100)
            assert event.asked is not None
            birth = replace(event.asked.birth, author=author)
            found.append(replace(event, asked=replace(event.asked, birth=birth)))
        return found

    one, other = of("one", 1, 2, 3), of("other", 4, 5, 6)
    worse = replace(one[0].result, bits_per_byte=3.0)
    stage.tell([*one, *other, Finished(worse), replace(one[0], result=worse, weight=1.0)])
    assert {TOY.identify(a.genome) for a in asks(stage)} == {e.result.genome for e in one[1:]}
    worse = replace(one[1].result, bits_per_byte=3.0)
    stage.tell([Finished(worse), replace(one[1], result=worse, weight=1.0)])
    assert {TOY.identify(a.genome) for a in asks(stage)} == {one[2].result.genome}, "it is lately"
    stage.tell([replace(one[2], weight=1.0)])
    assert {TOY.identify(a.genome) for a in asks(stage)} == {e.result.genome for e in other}


def by(author: str, event: Finished) -> Finished:
    assert event.asked is not None
    return replace(
        event, asked=replace(event.asked, birth=replace(event.asked.birth, author=author))
    )


def test_what_was_just_heard_is_not_looked_at_yet() -> None:
    stage, own = audits(), Finished(replace(TOY.evaluate(asked_of(0)), rung=7))
    stage.tell([claim(1)])
    for _ in range(APART):
        assert not is_offered(stage)
        stage.tell([own])
    assert is_offered(stage)


def is_offered(stage: Audits) -> bool:
    return any(stage.ask(Birth("run", "me", number)) for number in range(100))


def committed(author: str, event: Finished) -> Committed:
    return Committed(author, key_of(event.result), "ab" * 32)


def test_what_its_author_was_bound_to_is_looked_at_at_once_and_counts_though_others_copied() -> (
    None
):
    stage = Audits(
        seed=1, ladder=Ladder(RUNGS), identify=TOY.identify, legal=lambda genome: True, standing=2
    )
    for number in range(2):
        event = claim(number)
        stage.tell([by("honest", event), by("copier", event)])
        assert not is_offered(stage), "who of them copied cannot be told"
        stage.tell([committed("honest", event)])
        assert is_offered(stage)
        stage.tell([replace(by(name, event), weight=1.0) for name in ("copier", "honest")])
        stage.tell([Finished(event.result)])
    # the honest one was right twice, so only what waits of it is looked at now
    stage.tell([by("honest", claim(7, bits=0.1)), by("copier", claim(8, bits=0.1))])
    assert {TOY.identify(a.genome) for a in asks(stage)} == {claim(7).result.genome}


def test_a_commitment_that_is_heard_of_after_its_claim_was_found_true_counts_as_well() -> None:
    stage = Audits(
        seed=1, ladder=Ladder(RUNGS), identify=TOY.identify, legal=lambda genome: True, standing=1
    )
    event = claim(1)
    stage.tell([Finished(event.result), by("late", event), by("other", event)])
    stage.tell([replace(by(name, event), weight=1.0) for name in ("late", "other")])
    assert 0.9 <= len(asked_while_new(stage)) / (2000 * FIRST) <= 1.1
    stage.tell([committed("late", event)])
    assert 0.9 <= len(asked_while_new(stage)) / (2000 * SHARE) <= 1.1
    stage.tell([replace(by("late", event), weight=0.25)])
    assert 0.9 <= len(asked_while_new(stage)) / (2000 * FIRST) <= 1.1, "it is taken back"


def asked_while_new(stage: Audits) -> list[Assignment]:
    stage.tell([by("new", claim(9, bits=0.1))])
    return asks(stage, 2000)


def test_each_tests_the_next_in_the_order_of_keys_so_that_all_are_tested_by_somebody() -> None:
    names = "bcde"
    tested = dict[str, str]()
    for author in names:
        stage = Audits(
            seed=1, ladder=Ladder(RUNGS), identify=TOY.identify, legal=lambda genome: True,
            standing=2,
        )  # fmt: skip
        for number, name in enumerate(names):
            if name != author:
                stage.tell([by(name, claim(number, bits=1.0))])
        found = {TOY.identify(offer.genome) for offer in asks(stage, author=author)}
        assert len(found) == 1
        tested[author] = next(
            name for n, name in enumerate(names) if claim(n).result.genome in found
        )
    assert tested == {"b": "c", "c": "d", "d": "e", "e": "b"}


def test_of_what_several_claim_at_about_the_same_time_nobody_is_put_to_the_test() -> None:
    def is_looked_at(*events: Finished) -> bool:
        stage = audits()
        for number in range(30):
            result = TOY.evaluate(asked_of(number))
            stage.tell([Finished(replace(result, bits_per_byte=2 + number / 10))])
        stage.tell(events)
        return bool(asks(stage, 30))

    dull = [claim(number, bits=4.9) for number in range(200, 240)]
    assert all(is_looked_at(by("one", event)) for event in dull)
    several = [is_looked_at(by("one", event), by("other", event)) for event in dull]
    assert sum(several) < 2 * DULL * len(dull) + 2


def test_who_is_found_wrong_is_looked_at_less_often_the_more_it_lacks_to_be_believed() -> None:
    stage = audits()
    stage.tell([by("known", claim(1)), by("known", replace(claim(1), weight=1.0))])
    counts = list[int]()
    for number in range(2, 5):
        stage.tell([by("known", claim(number, bits=0.1))])
        counts.append(len(asks(stage, 4000)))
        stage.tell([by("known", replace(claim(number), weight=0.0))])
    assert 0.9 <= counts[0] / (4000 * SHARE) <= 1.1, "it is believed"
    for wrong, count in enumerate(counts[1:], start=1):
        assert 0.75 <= count / (4000 * FIRST * 2 / (2 + 20 * wrong)) <= 1.25
    for number in range(20, 80):
        stage.tell([by("known", claim(number)), by("known", replace(claim(number), weight=1.0))])
    stage.tell([by("known", claim(9, bits=0.1))])
    assert 0.9 <= len(asks(stage, 4000)) / (4000 * SHARE * 62 / 122) <= 1.1, "it is again"


def test_new_names_are_looked_at_as_often_as_new_names_were_right() -> None:
    stage = audits()
    for number in range(9):
        claimed = by(f"liar {number}", claim(number, bits=0.1))
        stage.tell([claimed, replace(claimed, weight=0.0)])
    stage.tell([by("new", claim(20, bits=0.1))])
    assert 0.05 <= len(asks(stage, 2000)) / (2000 * FIRST) <= 0.15
    stage.tell([by("honest", claim(21)), by("honest", replace(claim(21), weight=1.0))])
    assert 0.13 <= len(asks(stage, 2000)) / (2000 * SHARE) <= 0.24


def test_claims_of_who_was_wrong_more_than_right_are_looked_at_by_lot_alone() -> None:
    stage = audits()
    stage.tell([replace(claim(number, bits=0.1), weight=HEEDED / 2) for number in range(300)])
    names = {offer.genome for offer in asks(stage, 2000)}
    assert 0.5 * DULL < len(names) / 300 < 1.5 * DULL


def test_when_time_is_up_nothing_is_looked_at() -> None:
    stage = audits()
    stage.tell([claim(1), Closed()])
    assert not asks(stage)


def evolution() -> AsynchronousSearch:
    return regularized_evolution(TOY, seed=1, ladder=Ladder(RUNGS), population=8, births=40)


def test_another_peer_s_genome_is_born_here_when_it_is_trusted_and_not_before() -> None:
    search, event = evolution(), claim(1)
    search.tell([event])
    assert search.population.births == 0
    assert search.population.living() == []
    search.tell([replace(event, weight=1.0)])
    search.tell([replace(event, weight=1.0)])
    assert search.population.births == 1
    assert search.population.living() == [event.result.genome]
    assert search.population.genomes[event.result.genome] == asked_of(1).genome
    search.tell([replace(event, weight=0.0)])
    assert search.population.living() == []


def test_a_claim_keeps_nobody_from_trying_its_genome() -> None:
    search, event = evolution(), claim(1)
    search.tell([event, replace(event, weight=0.0)])
    assert not search.population.seen(event.result.genome)
    failed = replace(event.result, bits_per_byte=None, failure="diverged", reason="by lot")
    search.tell([Finished(failed)])
    assert search.population.seen(event.result.genome)


def test_starters_that_others_say_to_have_tried_are_left_to_audits() -> None:
    starters = {f"{number}": TOY.sample(Random(number), f"{number}") for number in range(3)}
    search = regularized_evolution(
        TOY, seed=1, ladder=Ladder(RUNGS), population=8, births=40, starters=starters
    )
    search.tell([claim(0), claim(1)])

    def offers() -> set[str]:
        several = (search.ask(Birth("r", "me", number)) for number in range(20))
        return {TOY.identify(offer.genome) for offer in several if offer}

    assert offers() == {TOY.identify(starters["2"])}
    search.tell([replace(claim(0), weight=HEEDED / 2)])  # who said so is not heeded any more
    assert TOY.identify(starters["0"]) in offers()


def test_another_peer_s_genome_may_be_promoted_here() -> None:
    search = evolution()
    events = [replace(claim(number), weight=1.0) for number in range(3)]
    search.tell(events)
    best = min(events, key=lambda event: event.result.bits_per_byte or 9.0)
    offers = [search.ask(Birth("run", f"{author}", 0)) for author in range(60)]
    found = {(TOY.identify(offer.genome), offer.rung) for offer in offers if offer}
    assert (best.result.genome, 300) in found, "it is somebody's turn"


def test_who_counts_nothing_takes_no_audit_from_another() -> None:
    for first, then in (("honest", "liar"), ("liar", "honest")):
        stage = audits()
        for author in (first, then):
            event = claim(1)
            assert event.asked is not None
            asked = replace(event.asked, birth=replace(event.asked.birth, author=author))
            stage.tell([replace(event, asked=asked)])
            if author == "liar":
                stage.tell([replace(event, asked=asked, weight=0.0)])
        assert asks(stage)
