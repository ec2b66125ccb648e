"""Whose turn a work is, of those who are there."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.search.asynchronous import AsynchronousSearch
from praxis_evolve.search.base import Asked, Assignment, Birth, Finished
from praxis_evolve.search.company import LATELY, Company
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
    company.hear(Finished(of("other").result))
    company.hear(of("liar", weight=0.25))
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
                    company.hear(of(other))
            takers += [me] if company.turn(Birth("r", me, 7), f"{work}", 300) else []
        assert len(takers) == 1
        turns[takers[0]] += 1
    assert min(turns.values()) > 60


def test_who_has_left_is_forgotten() -> None:
    company, me = Company(), Birth("r", "me", 0)
    company.hear(of("gone"))
    theirs = [f"{n}" for n in range(50) if not company.turn(me, f"{n}", 300)]
    assert theirs
    for number in range(LATELY):
        company.hear(of("me too", number))
    gone = [work for work in theirs if company.turn(me, work, 300)]
    assert gone


def test_who_trains_no_further_has_no_turns_there_and_keeps_those_below() -> None:
    company, me, works = Company(), Birth("r", "me", 0), [f"{n}" for n in range(200)]
    for number in range(20):
        company.hear(of("small", number))
        company.hear(of("large", number))
    for work in works:
        three = [lot(0, author, work, 300) for author in ("me", "small", "large")]
        assert company.turn(me, work, 300) == (min(three) == three[0]), "nobody did such work yet"
    for number in range(10):
        company.hear(of("large", number, rung=300))
    for work in works:
        two = [lot(0, author, work, 300) for author in ("me", "large")]
        assert company.turn(me, work, 300) == (two[0] < two[1]), "small did none of several"
        three = [lot(0, author, work, 100) for author in ("me", "small", "large")]
        assert company.turn(me, work, 100) == (min(three) == three[0])
    company.hear(of("small", 99, rung=300))
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


def test_who_does_nothing_any_more_loses_its_turns_by_own_results() -> None:
    company, me = Company(), Birth("r", "me", 0)
    company.hear(of("gone"))
    assert not all(company.turn(me, f"{n}", 300) for n in range(50))
    for _ in range(LATELY):
        company.hear(Finished(of("me").result))
    assert all(company.turn(me, f"{n}", 300) for n in range(50))
