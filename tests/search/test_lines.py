"""Lines: who inherits from whom hangs on the asks alone, and never on what came later."""

from __future__ import annotations

from dataclasses import replace

from praxis_evolve.genome.graph import Entry, Genome, Part, Visit
from praxis_evolve.search.base import Asked, Assignment, Birth
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


A, B, C = genome("a"), genome("a", "b"), genome("a", "b", "c")
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
