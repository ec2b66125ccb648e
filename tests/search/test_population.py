from random import Random

from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.search.base import Birth
from praxis_evolve.search.population import OLDEST, Population
from praxis_evolve.search.standing import standings

RUNGS = (100, 300)


def birth(number: int, author: str = "author") -> Birth:
    return Birth("run", author, number)


def grown(size: int, members: int) -> Population:
    population = Population(size=size, rungs=RUNGS)
    for number in range(members):
        population.bear(f"g{number}", birth(number))
        population.score(f"g{number}", 100, 3.0)
    return population


def test_the_living_are_the_youngest_that_have_a_score():
    population = grown(3, 6)
    assert population.living() == ["g3", "g4", "g5"]
    population.score("g4", 100, None)
    assert population.living() == ["g2", "g3", "g5"]


def test_age_is_by_birth_and_not_by_the_time_of_the_result():
    population = Population(size=2, rungs=RUNGS)
    for number in (0, 1, 2):
        population.bear(f"g{number}", birth(number))
    for number in (2, 1, 0):
        population.score(f"g{number}", 100, 3.0)
    assert population.living() == ["g1", "g2"]


def test_a_genome_asked_for_again_keeps_its_first_age():
    population = grown(2, 3)
    population.bear("g0", birth(9))
    assert population.living() == ["g1", "g2"]
    assert population.births == 3


Step = tuple[str, str, int]
events = st.one_of(
    st.tuples(st.just("bear"), st.sampled_from("abcdef"), st.integers(0, 20)),
    st.tuples(st.just("score"), st.sampled_from("abcdef"), st.sampled_from(RUNGS)),
    st.tuples(st.just("fail"), st.sampled_from("abcdef"), st.sampled_from(RUNGS)),
)


@given(st.lists(events, max_size=40))
def test_the_living_against_brute_force(steps: list[Step]):
    population = Population(size=3, rungs=RUNGS)
    ages: dict[str, int] = {}
    scored: set[tuple[str, int]] = set()
    for kind, name, number in steps:
        if kind == "bear":
            population.bear(name, birth(number))
            ages[name] = min(number, ages.get(name, number))
        elif kind == "score":
            population.score(name, number, 3.0)
            scored.add((name, number))
        else:
            population.score(name, number, None)
            scored.discard((name, number))
    born = sorted((age, name) for name, age in ages.items() if (name, 100) in scored)
    living = [name for _, name in born][-3:]
    assert population.living() == living
    assert population.births == len(ages)
    above = [name for name in living if (name, 300) in scored]
    assert population.ground(2) == ((300, above) if len(above) >= 2 else (100, living))


def test_parents_are_compared_at_the_highest_rung_with_enough_of_the_living():
    population = grown(4, 6)
    population.score("g0", 300, 2.0)  # has left
    population.score("g4", 300, 2.0)
    assert population.ground(2) == (100, ["g2", "g3", "g4", "g5"])
    population.score("g5", 300, 2.0)
    assert population.ground(2) == (300, ["g4", "g5"])


def test_ages_of_several_authors_go_by_number_first():
    population = Population(size=9, rungs=RUNGS)
    names = [(2, "a"), (1, "b"), (1, "a"), (3, "a")]
    for number, author in Random(0).sample(names, 4):
        population.bear(f"{number}{author}", birth(number, author))
        population.score(f"{number}{author}", 100, 3.0)
    assert population.living() == ["1a", "1b", "2a", "3a"]


@given(st.lists(events, max_size=60), st.sets(st.integers(0, 59)))
def test_snapshots_hang_on_what_was_told_and_not_on_who_looks(steps: list[Step], looks: set[int]):
    seen, unseen = Population(size=3, rungs=RUNGS), Population(size=3, rungs=RUNGS)
    for number, (kind, name, value) in enumerate(steps):
        for population in (seen, unseen):
            if kind == "bear":
                population.bear(name, birth(value))
            else:
                population.score(name, value, None if kind == "fail" else float(number))
        if number in looks:
            _ = seen.snapshot
    assert seen.snapshot == unseen.snapshot


def test_a_snapshot_is_new_at_first_and_later_at_most_as_many_changes_old_as_it_may_be():
    population, ages = Population(size=3, rungs=RUNGS), list[int]()
    for number in range(1200):
        population.bear(f"g{number}", birth(number))
        population.score(f"g{number}", 100, float(-number))
        taken = population.snapshot
        ages.append(population.version - taken.version)
        assert taken.scores[100] == {f"g{n}": float(-n) for n in range(number + 1 - ages[-1])}
        assert taken.standings == standings(taken.scores)
    assert max(ages[:60]) <= 1
    assert max(ages) == OLDEST - 1


def test_a_snapshot_is_taken_when_a_genome_with_a_score_is_told_of():
    population = grown(3, 100)
    population.score("uninvited", 100, 2.0)
    population.bear("uninvited", birth(200))
    assert population.snapshot.version == population.version
    assert "uninvited" in population.snapshot.standings
