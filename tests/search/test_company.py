"""Whose turn a work is, of those who are there."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import count, islice
from random import Random

from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.search.asynchronous import AsynchronousSearch
from praxis_evolve.search.base import (
    Asked,
    Assignment,
    Birth,
    Closed,
    Event,
    Finished,
    Key,
    Said,
    Taken,
)
from praxis_evolve.search.campaign import Agenda, Entrant, Remainder
from praxis_evolve.search.company import LATELY, PATIENCE, Company
from praxis_evolve.search.draws import lot
from praxis_evolve.search.evolution import regularized_evolution
from praxis_evolve.search.toy import Toy

TOY = Toy()


def of(author: str, number: int = 0, weight: float = 1.0, rung: int = 100) -> Finished:
    birth = Birth("r", author, number)
    asked = Assignment(TOY.sample(Random(number), f"{number}"), rung, 0, birth)
    return Finished(TOY.evaluate(asked), weight, asked)


def test_alone_every_turn_is_one_s_own() -> None:
    company = Company()
    company.tell(Finished(of("other").result))
    company.tell(of("liar", weight=0.25))
    assert all(company.turn(Birth("r", "me", 0), f"{n}", 300) for n in range(50))


def test_each_work_is_one_author_s_turn_and_all_see_the_same() -> None:
    authors = [f"a{n}" for n in range(4)]
    turns = Counter[str]()
    for work in range(400):
        takers = list[str]()
        for me in authors:
            company = Company()
            for other in authors:
                if other != me:
                    company.tell(of(other))
            takers += [me] if company.turn(Birth("r", me, 7), f"{work}", 300) else []
        assert len(takers) == 1
        turns[takers[0]] += 1
    assert min(turns.values()) > 60


def test_who_has_left_is_forgotten() -> None:
    company, me = Company(), Birth("r", "me", 0)
    company.tell(of("gone"))
    theirs = [f"{n}" for n in range(50) if not company.turn(me, f"{n}", 300)]
    assert theirs
    for number in range(LATELY):
        company.tell(of("me too", number))
    gone = [work for work in theirs if company.turn(me, work, 300)]
    assert gone


def test_who_trains_no_further_has_no_turns_there_and_keeps_those_below() -> None:
    company, me, works = Company(), Birth("r", "me", 0), [f"{n}" for n in range(200)]
    for number in range(20):
        company.tell(of("small", number))
        company.tell(of("large", number))
    for work in works:
        three = [lot(0, author, work, 300, 0) for author in ("me", "small", "large")]
        assert company.turn(me, work, 300) == (min(three) == three[0]), "nobody did such work yet"
    for number in range(10):
        company.tell(of("large", number, rung=300))
    for work in works:
        two = [lot(0, author, work, 300, 0) for author in ("me", "large")]
        assert company.turn(me, work, 300) == (two[0] < two[1]), "small did none of several"
        three = [lot(0, author, work, 100, 0) for author in ("me", "small", "large")]
        assert company.turn(me, work, 100) == (min(three) == three[0])
    company.tell(of("small", 99, rung=300))
    assert sum(company.turn(me, work, 300) for work in works) < 100, "it does, after all"


def search() -> AsynchronousSearch:
    return regularized_evolution(TOY, seed=1, ladder=Ladder((100, 300)), population=8, births=9)


def test_two_peers_promote_different_genomes_and_nobody_s_are_done_in_the_end() -> None:
    events = [of(author, number) for number, author in enumerate(["one", "two"] * 6)]
    promoted = dict[str, list[str]]()
    for author in ("one", "two"):
        own = search()
        own.tell([replace(e, asked=None) if e.asked.birth.author == author else e  # type: ignore
                  for e in events])  # fmt: skip
        own.tell([Asked(e.asked) for e in events if e.asked])
        offers = list[Assignment]()
        for number in range(100, 110):
            offer = own.ask(Birth("r", author, number))
            if offer is None:
                break
            own.tell([Asked(offer)])
            offers.append(offer)
        promoted[author] = [TOY.identify(o.genome) for o in offers if o.origin == "promote"]
    assert promoted["one"][0] != promoted["two"][0]
    assert set(promoted["one"]) == set(promoted["two"])


def test_those_who_promote_in_the_place_of_others_do_not_begin_with_the_same() -> None:
    others = ["one", "two", "three", "four", "five", "six"]
    own = search()
    own.tell([of(author, number) for number, author in enumerate(others * 2)])
    first = dict[str, str]()
    for author in (f"idle {number}" for number in range(24)):
        offer = own.ask(Birth("r", author, 100))
        assert offer is not None
        assert offer.origin == "promote"
        name = TOY.identify(offer.genome)
        lots = {each: lot(0, each, name, 300, 0) for each in (*others, author)}
        if min(lots, key=lots.__getitem__) != author:
            first[author] = name
    assert len(first) > 4
    counts = Counter(first.values())
    assert len(counts) == 4, "twelve thirds"
    assert max(counts.values()) <= len(first) / 2


def test_who_does_nothing_any_more_loses_its_turns_by_own_results() -> None:
    company, me = Company(), Birth("r", "me", 0)
    company.tell(of("gone"))
    assert not all(company.turn(me, f"{n}", 300) for n in range(50))
    for number in range(LATELY):
        company.tell(Finished(of("me", number).result))
    assert all(company.turn(me, f"{n}", 300) for n in range(50))


def entrants(several: int) -> list[Entrant]:
    return [Entrant(TOY.sample(Random(n), f"{n}"), 100, 0, "trial") for n in range(several)]


def key_of(entrant: Entrant) -> Key:
    return Key(TOY.identify(entrant.genome), entrant.rung, entrant.replica)


NUMBERS = count()


def asked_in_turn(agenda: Agenda, author: str) -> list[str]:
    """What *agenda* asks for one after the other, at most 99."""
    found = list[str]()
    for number in islice(NUMBERS, 99):
        if (offer := agenda.ask(Birth("r", author, number))) is None:
            break
        agenda.tell([Asked(offer)])
        found.append(TOY.identify(offer.genome))
    return found


def test_what_another_works_on_is_left_alone_until_it_stops() -> None:
    several = entrants(6)
    agenda = Agenda(lambda: several, TOY.identify)
    taken = [key_of(each) for each in several[:2]]
    agenda.tell([Taken("other", tuple(taken))])
    assert asked_in_turn(agenda, "me") == [key_of(each)[0] for each in several[2:]]
    agenda.tell([Taken("other", (taken[1],))])
    assert asked_in_turn(agenda, "me") == [taken[0][0]]
    agenda.tell([Taken("other", ())])
    assert asked_in_turn(agenda, "me") == [taken[1][0]]


def test_a_result_ends_what_its_author_works_on_whether_it_is_trusted_or_not() -> None:
    for weight in (0.25, 1.0):
        company, done = Company(), of("other", weight=weight)
        work = Key(done.result.genome, done.result.rung, done.result.replica)
        company.tell(Taken("other", (work, Key("00" * 32, 100, 3))))
        company.tell(Taken("another", (work,)))
        company.tell(done)
        assert company.works_on(work), "another works on it, too"
        company.tell(Taken("another", ()))
        assert not company.works_on(work)
        assert company.works_on(Key("00" * 32, 100, 3))
        assert not company.searches()


def test_peers_that_share_an_agenda_begin_with_what_is_their_turn() -> None:
    several = entrants(30)
    first = dict[str, list[str]]()
    for me, other in (("one", "two"), ("two", "one")):
        agenda = Agenda(lambda: several, TOY.identify)
        agenda.tell([of(other, 99)])
        first[me] = asked_in_turn(agenda, me)
    order = [key_of(each)[0] for each in several]
    assert set(first["one"]) == set(first["two"]) == set(order)
    halves = [first["one"][:10], first["two"][:10]]
    assert set(halves[0]).isdisjoint(halves[1])
    for half in halves:
        assert half == sorted(half, key=order.index), "as the agenda has them"


def test_alone_an_agenda_goes_by_its_order() -> None:
    several = entrants(9)
    agenda = Agenda(lambda: several, TOY.identify)
    assert asked_in_turn(agenda, "me") == [key_of(each)[0] for each in several]


def test_a_search_is_not_through_while_another_works_on_it_unless_it_is_closed() -> None:
    own = search()
    while (offer := own.ask(Birth("r", "me", len(own.population.genomes)))) is not None:
        own.tell([Asked(offer), Finished(TOY.evaluate(offer))])
    assert own.done
    work = Key("00" * 32, 100, 0)
    own.tell([Taken("other", (work,))])
    assert not own.done
    own.tell([Taken("other", (Key("00" * 32, 100, 2),))])
    assert own.done, "a final is none of its business"
    own.tell([Taken("other", (work,)), Closed()])
    assert own.done


def test_a_promotion_that_another_makes_is_not_made_here() -> None:
    events = [of("me", number) for number in range(9)]
    own = search()
    own.tell([each for e in events if e.asked for each in (Asked(e.asked), Finished(e.result))])
    offer = own.ask(Birth("r", "me", 50))
    assert offer is not None
    assert offer.origin == "promote"
    own.tell([Taken("other", (Key(TOY.identify(offer.genome), offer.rung, 0),))])
    other = own.ask(Birth("r", "me", 50))
    assert other is None or other.genome != offer.genome


def test_a_birth_that_another_has_now_is_left_to_it_until_it_stops() -> None:
    starters = {"first": TOY.sample(Random(1), "1")}
    own = regularized_evolution(TOY, seed=1, ladder=Ladder((100, 300)), starters=starters)
    birth = Birth("r", "me", 0)

    def origin() -> str:
        offer = own.ask(birth)
        return "" if offer is None else offer.origin

    assert origin() == "starter:first"
    work = Key(TOY.identify(starters["first"]), 100, 0)
    own.tell([Taken("other", (work,))])
    assert origin() not in ("", "starter:first")
    own.tell([Taken("other", (work._replace(rung=300),))])
    assert origin() == "starter:first", "it is no birth"
    own.tell([Taken("other", (work,)), Taken("other", ())])
    assert origin() == "starter:first"


def test_each_goes_through_a_patient_agenda_by_an_order_of_its_own() -> None:
    several = entrants(12)
    order = [key_of(each)[0] for each in several]
    agendas = [Agenda(lambda: several, TOY.identify, patient=True) for _ in range(2)]
    orders = [asked_in_turn(each, me) for each, me in zip(agendas, ("one", "two"), strict=True)]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(order)
    assert len({tuple(each) for each in (order, *orders)}) == 3


def test_what_strangers_claim_of_a_patient_agenda_is_done_last_unless_they_are_believed() -> None:
    several, birth = entrants(3), Birth("r", "me", 0)
    agenda = Agenda(lambda: several, TOY.identify, patient=True)
    rest = Remainder(agenda)
    claims = [of("stranger", number, weight=0.25) for number in range(3)]
    agenda.tell(claims)
    assert agenda.ask(birth) is None
    assert rest.ask(birth) is not None
    assert not rest.done
    agenda.tell([replace(claims[0], weight=0.0)])
    offer = agenda.ask(birth)
    assert offer is not None
    assert TOY.identify(offer.genome) == claims[0].result.genome, "it was found false"
    agenda.tell([Asked(offer)])
    assert agenda.ask(birth) is None
    agenda.tell([replace(claim, weight=1.0) for claim in claims[1:]])
    assert rest.ask(birth) is None
    agenda.tell([Finished(TOY.evaluate(offer))])
    assert rest.done


def test_the_word_of_a_stranger_puts_off_what_can_wait_for_a_while_and_keeps_nobody_waiting() -> (
    None
):
    several, birth = entrants(1), Birth("r", "me", 0)
    work, own = key_of(several[0]), Finished(of("other", 99).result)
    patient, plain = (Agenda(lambda: several, TOY.identify, patient=p) for p in (True, False))
    company = Company()

    def tell(*events: Event) -> None:
        patient.tell(events)
        plain.tell(events)
        for event in events:
            company.tell(event)

    tell(Said("stranger", (work,)))
    assert company.is_said(work)
    assert not company.works_on(work)
    assert not company.searches()
    assert plain.ask(birth) is not None
    assert patient.ask(birth) is None
    assert Remainder(patient).ask(birth) is not None
    tell(Said("stranger", ()))
    assert patient.ask(birth) is not None
    tell(Said("stranger", (work,)), *[own] * (PATIENCE - 1))
    assert patient.ask(birth) is None
    tell(own)
    assert patient.ask(birth) is not None
    tell(Said("stranger", ()), Said("stranger", (work,)), Said("another", (work,)))
    assert patient.ask(birth) is not None, "whoever says it again"


def test_a_starter_that_a_stranger_says_to_train_is_put_off() -> None:
    starters = {"only": TOY.sample(Random(1), "1")}
    search = regularized_evolution(
        TOY, seed=1, ladder=Ladder((100, 300)), population=8, births=40, starters=starters
    )
    birth, work = Birth("r", "me", 0), Key(TOY.identify(starters["only"]), 100, 0)
    search.tell([Said("stranger", (work,))])
    offer = search.ask(birth)
    assert offer is not None
    assert offer.origin == "sample"
    search.tell([Said("stranger", ())])
    offer = search.ask(birth)
    assert offer is not None
    assert offer.origin == "starter:only"


def test_what_is_planned_stands_from_the_first_ask_on_whoever_looked_before() -> None:
    plans = [entrants(3), entrants(6)[3:]]
    seen, looked = (Agenda(lambda: plans[0], TOY.identify, origin="trial") for _ in range(2))
    other = Assignment(TOY.sample(Random(9), "9"), 100, 0, Birth("r", "me", 0), "another")
    for agenda in (seen, looked):
        agenda.tell([Asked(other)])
    assert looked.entrants is not None
    assert not looked.done
    plans[0] = plans[1]  # what others found came in
    for agenda in (seen, looked):
        agenda.tell([of("other", 50)])
        assert list(agenda.entrants or ()) == [key_of(each) for each in plans[1]]
    offer = seen.ask(Birth("r", "me", 1))
    assert offer == looked.ask(Birth("r", "me", 1))
    assert offer is not None
    for agenda in (seen, looked):
        agenda.tell([Asked(offer)])
    plans[0] = entrants(9)[6:]
    for agenda in (seen, looked):
        agenda.tell([of("other", 51)])
        assert list(agenda.entrants or ()) == [key_of(each) for each in plans[1]]
