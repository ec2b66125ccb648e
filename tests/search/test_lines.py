"""Lines: who inherits from whom hangs on what was told, and never on what came later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from random import Random

import pytest

from praxis_evolve.evaluator.job import Job
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.graph import Entry, Genome, Part, Visit
from praxis_evolve.search.audits import AUDIT
from praxis_evolve.search.base import Asked, Assignment, Birth, Event, Finished
from praxis_evolve.search.lines import Lines

LOW, HIGH = 100, 300


def genome(*lineages: str) -> Genome:
    pool = tuple(Entry(Part(f"b{name}"), lineage=name) for name in lineages)
    return Genome(pool, tuple(Visit(i, (i - 1,)) for i in range(len(pool))))


def identify(genome: Genome) -> str:
    return "".join(entry.block.name for entry in genome.pool)


def ask(number: int, own: Genome, *parents: Genome, rung: int = LOW) -> Assignment:
    return Assignment(own, rung, 0, Birth("r", "me", number), "x", tuple(map(identify, parents)))


def lines(*assignments: Assignment) -> Lines:
    found = Lines(identify, lowest=LOW)
    found.tell([Asked(assignment) for assignment in assignments])
    return found


A, B, C, D = genome("a"), genome("a", "b"), genome("a", "b", "c"), genome("d")
FIRST, SECOND, THIRD = ask(0, A), ask(1, B, A), ask(2, C, B)


def test_a_line_leads_to_what_was_trained_from_scratch() -> None:
    found = lines(FIRST, SECOND, THIRD)
    assert found.of(FIRST) == ()
    assert found.of(SECOND) == (A,)
    assert found.of(THIRD) == (A, B)


def test_a_promotion_keeps_the_line_of_its_genome() -> None:
    found = lines(FIRST, SECOND, ask(3, B, B, rung=HIGH))
    assert found.of(ask(3, B, B, rung=HIGH)) == (A,)
    assert found.of(ask(4, A, A, rung=HIGH)) == ()


def test_finals_and_what_has_no_parents_have_no_line() -> None:
    found = lines(FIRST, SECOND)
    assert found.of(replace(SECOND, replica=1)) == ()
    assert found.of(ask(5, B, rung=HIGH)) == ()  # the tuning of a baseline that was bred, too


def test_of_two_parents_the_one_with_more_in_common_gives_the_weights() -> None:
    other = genome("x", "y")
    child = genome("x", "y", "a")
    start = (FIRST, ask(1, other))
    assert lines(*start, ask(2, child, A, other)).line(child) == (other,)
    assert lines(*start, ask(2, child, other, A)).line(child) == (other,)
    even = genome("x", "a")
    assert lines(*start, ask(2, even, A, other)).line(even) == (A,)


def test_the_first_ask_settles_it() -> None:
    again = ask(9, B, C)
    found = lines(FIRST, SECOND, THIRD, again)
    assert found.line(B) == (A,)
    assert found.line(C) == (A, B)  # no ring


def test_a_parent_that_nobody_asked_for_gives_nothing() -> None:
    assert lines(SECOND).line(B) == ()
    assert lines(THIRD, SECOND, FIRST).line(C) == ()


def told(own: Genome, parent: Genome | None = None, *, weight: float = 1.0) -> Finished:
    """What another peer found of a genome that it had bred."""
    result = Result(
        identify(own), "a", LOW, 0, 0, 2.0, inherited_tokens=9 if parent else 0,
        parent=identify(parent) if parent else "",
    )  # fmt: skip
    return Finished(result, weight, Assignment(own, LOW, 0, Birth("r", "they", 0), "peer"))


def after(*events: Event) -> Lines:
    found = Lines(identify, lowest=LOW)
    found.tell(events)
    return found


def test_a_child_of_what_another_bred_has_the_whole_line() -> None:
    found = after(told(A), told(B, A), Asked(THIRD))
    assert found.line(B) == (A,)
    assert found.of(THIRD) == (A, B)
    assert found.of(ask(3, B, B, rung=HIGH)) == (A,)  # as one that is promoted here, too


def test_a_line_is_known_when_all_of_it_was_told() -> None:
    assert after(told(B, A), Asked(THIRD)).of(THIRD) == ()
    assert after(told(B, A), Asked(THIRD), told(A)).of(THIRD) == ()  # it was settled without
    late = after(told(C, B), told(B, A), told(A))
    assert late.line(C) == (A, B)
    assert after(told(C, B), told(B, A), Asked(FIRST)).line(C) == (A, B)


@pytest.mark.parametrize(
    "result",
    [
        replace(told(B).result, replica=1), replace(told(B).result, rung=HIGH),
        replace(told(B).result, bits_per_byte=None, failure="diverged"),
    ],
)  # fmt: skip
def test_only_what_children_can_begin_with_gives_a_line(result: Result) -> None:
    asked = told(B).asked
    assert after(Finished(result, 1.0, asked), Asked(THIRD)).of(THIRD) == ()
    assert after(told(B, weight=0.25), Asked(THIRD)).of(THIRD) == ()
    assert after(Finished(told(B).result), Asked(THIRD)).of(THIRD) == ()  # its genome is not here
    assert after(told(B, weight=0.25), told(B), Asked(THIRD)).of(THIRD) == (B,)


def test_what_was_settled_first_stays_and_no_lie_makes_a_ring() -> None:
    assert after(Asked(FIRST), Asked(SECOND), told(B)).line(B) == (A,)
    assert after(told(A), told(B), told(B, A)).line(B) == ()
    assert after(told(A, B), told(B, A), Asked(THIRD)).of(THIRD) == ()
    assert after(told(A, A), told(B, A)).line(B) == ()


def claimed(
    own: Genome, *line: Genome, weight: float = 0.25, text: Genome | None = None
) -> Finished:
    """What another peer claims of an heir; *text* is how its genome is stored here."""
    event = told(text or own, line[-1], weight=weight)
    heritage = Job(own, LOW, line=line).heritage
    return replace(event, result=replace(event.result, heritage=heritage))


def test_an_heir_can_be_measured_again_where_its_line_is_known_in_whatever_order_it_was_told() -> (
    None
):
    several = [told(A), claimed(B, A, weight=1.0), claimed(C, A, B)]
    for events in permutations(several):
        found = after(*events)
        assert all(found.follows(event.result) for event in several[1:])
        audit = replace(ask(5, C, B), origin=AUDIT)
        found.tell([Asked(audit)])
        assert found.of(audit) == (A, B)
        assert Job(C, LOW, line=found.of(audit)).heritage == several[2].result.heritage


def test_a_true_line_under_a_false_parent_is_not_known() -> None:
    found, true = after(told(A), told(D), claimed(B, A)), claimed(B, A)
    false = replace(true, result=replace(true.result, parent=identify(D)))
    found.tell([false])
    assert found.follows(true.result)
    assert not found.follows(false.result)


def test_who_is_audited_at_a_higher_rung_has_its_line_too() -> None:
    found, audit = after(told(A), claimed(B, A)), replace(ask(5, B, A, rung=HIGH), origin=AUDIT)
    found.tell([Asked(audit)])
    assert found.of(audit) == (A,)


@pytest.mark.parametrize(
    ("known", "claim"),
    [
        ([], claimed(B, A)),
        ([told(A, weight=0.25)], claimed(B, A)),
        ([told(A)], claimed(C, A, B)),
        ([told(A)], claimed(C, B, A)),
        ([told(B), told(A, B)], claimed(C, A)),
        ([told(A)], claimed(B, A, text=genome("a", "c"))),
        ([told(A), told(B)], claimed(B, A)),
        ([told(A)], replace(claimed(B, A), asked=None)),
    ],
    ids=[
        "nothing known", "parent not believed", "parent not told", "another line of the parent",
        "the parent is an heir here", "another text here", "it is from scratch here", "no genome",
    ],
)  # fmt: skip
def test_of_what_began_otherwise_or_nobody_knows_how_no_line_is_known(
    known: Sequence[Event], claim: Finished
) -> None:
    assert not after(*known, claim).follows(claim.result)


@pytest.mark.parametrize("seed", range(20))
def test_a_line_hangs_on_no_order_among_those_before_its_child(seed: int) -> None:
    """Against a walk up the tree, whatever came first: all is told before anybody is asked."""
    rng = Random(seed)
    genomes = [genome(*(f"{number}-{i}" for i in range(2))) for number in range(12)]
    parents: Mapping[int, int | None] = {
        number: rng.choice([None, *range(number)]) if number else None for number in range(12)
    }
    missing = rng.randrange(1, 12)

    def walk(number: int) -> Sequence[Genome]:
        above, place = list[Genome](), number
        while (parent := parents[place]) is not None:
            if missing in (place, parent):
                return ()
            above.insert(0, genomes[parent])
            place = parent
        return () if place == missing else above

    events = [
        told(genomes[n], None if above is None else genomes[above])
        for n, above in parents.items()
        if n != missing
    ]
    rng.shuffle(events)
    found = after(*events)
    assert [list(found.line(each)) for each in genomes] == [list(walk(n)) for n in range(12)]
