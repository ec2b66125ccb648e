from collections import Counter
from random import Random

import pytest

from praxis_evolve.search.base import Birth
from praxis_evolve.search.objectives import objectives
from praxis_evolve.search.population import Population
from praxis_evolve.search.tournament import LEAD, tournament
from praxis_evolve.search.toy import Toy

TOY = Toy(length=4)
DRAWS = 400


def herd(bits: list[float], letters: list[int]) -> Population:
    population = Population(size=64, rungs=(100, 300))
    for number, (score, letter) in enumerate(zip(bits, letters, strict=True)):
        name = f"g{number:02}"
        population.know(name, TOY.spell([letter] * 4, ""))
        population.bear(name, Birth("run", "author", number))
        population.score(name, 100, score)
    return population


def test_quality_alone_picks_the_best_of_the_contenders():
    population = herd([float(n) for n in range(64)], [0] * 64)
    select, rng = tournament(TOY, objectives(["bits_per_byte"]), size=16, among=64), Random(0)
    chosen = Counter(select(population, rng) for _ in range(DRAWS))
    # The best contends in a quarter of the draws, the second in a quarter of the others, ...
    assert chosen["g00"] / DRAWS == pytest.approx(16 / 64, abs=0.06)
    assert chosen["g01"] / DRAWS == pytest.approx(16 / 64 * 48 / 63, abs=0.06)


def test_most_tournaments_look_at_all_objectives():
    # Two genomes, neither dominated: the first is good, the second is cheap.
    population = herd([2.0, 2.5], [5, 0])
    select, rng = (
        tournament(TOY, objectives(["bits_per_byte", "flops"]), size=2, among=2),
        Random(0),
    )
    chosen = Counter(select(population, rng) for _ in range(DRAWS))
    assert set(chosen) == {"g00"}  # equal contributions: what stands first, the better, wins

    population = herd([2.0, 2.5, 2.45, 2.4], [5, 0, 4, 4])
    select = tournament(TOY, objectives(["bits_per_byte", "flops"]), size=4, among=4)
    chosen = Counter(select(population, rng) for _ in range(DRAWS))
    assert chosen["g00"] / DRAWS == pytest.approx(LEAD, abs=0.06)
    assert set(chosen) == {"g00", "g01"}


def test_a_higher_rung_has_fewer_contenders_in_proportion():
    population = herd([float(n) for n in range(64)], [0] * 64)
    for number in range(20, 40):
        population.score(f"g{number:02}", 300, float(-number))
    select, rng = tournament(TOY, objectives(["bits_per_byte"]), size=16, among=64), Random(0)
    chosen = Counter(select(population, rng) for _ in range(DRAWS))
    assert chosen["g39"] / DRAWS == pytest.approx(5 / 20, abs=0.06)
    assert all(name is not None and "g20" <= name <= "g39" for name in chosen)


def test_who_is_excluded_is_not_chosen():
    population = herd([1.0, 2.0], [0, 0])
    select, rng = tournament(TOY, objectives(["bits_per_byte"]), size=2, among=2), Random(0)
    assert select(population, rng, "g00") == "g01"


def test_nobody_can_be_chosen_while_nobody_has_a_score():
    select = tournament(TOY, objectives(["bits_per_byte"]), size=2, among=2)
    assert select(Population(size=2, rungs=(100,)), Random(0)) is None


def test_costs_are_computed_once_for_each_genome(monkeypatch: pytest.MonkeyPatch):
    population, calls = herd([1.0, 2.0, 3.0], [0, 1, 2]), Counter[str]()
    real = Toy.costs

    def counted(self: Toy, genome: object):
        calls[str(genome)] += 1
        return real(self, genome)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(Toy, "costs", counted)
    select, rng = (
        tournament(TOY, objectives(["bits_per_byte", "flops"]), size=3, among=3),
        Random(0),
    )
    for _ in range(50):
        select(population, rng)
    assert set(calls.values()) == {1}
