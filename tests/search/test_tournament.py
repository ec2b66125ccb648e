from collections import Counter
from collections.abc import Mapping
from random import Random

import pytest

from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.search.base import Birth
from praxis_evolve.search.measures import NOTHING
from praxis_evolve.search.objectives import objectives
from praxis_evolve.search.population import Population
from praxis_evolve.search.tournament import LEAD, tournament
from praxis_evolve.search.toy import Toy

TOY = Toy(length=4)
DRAWS = 400


def herd(
    bits: list[float], letters: list[int], *, limits: Mapping[str, float] = NOTHING
) -> Population:
    population = Population(size=64, rungs=(100, 300), limits=limits)
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


MEASURED = objectives(["bits_per_byte", "tokens_per_second"])


def measured(name: str, *, speed: float = 0.0, memory: int = 0) -> Result:
    columns = Measurement(tokens_per_second=speed, peak_memory_bytes=memory)
    return Result(name, name, 100, 0, 0, bits_per_byte=9.0, measured=columns)


def test_the_faster_of_two_equals_is_chosen_if_it_is_clearly_faster():
    population = herd([2.0, 2.0], [0, 0])
    for name, speed in (("g00", 1000.0), ("g01", 4000.0)):
        population.learn(measured(name, speed=speed), 1.0)
    select, rng = tournament(TOY, MEASURED, size=2, among=2), Random(0)
    chosen = Counter(select(population, rng) for _ in range(DRAWS))
    assert chosen["g01"] / DRAWS == pytest.approx(1 - LEAD, abs=0.06)

    population = herd([2.0, 2.0], [0, 0])
    for name, speed in (("g00", 1000.0), ("g01", 1050.0)):
        population.learn(measured(name, speed=speed), 1.0)
    assert {select(population, rng) for _ in range(DRAWS)} == {"g00"}


def test_who_was_never_measured_is_not_compared_by_it():
    population = herd([2.0, 2.5, 2.5], [0, 0, 0])
    for name, speed in (("g01", 1000.0), ("g02", 9000.0)):
        population.learn(measured(name, speed=speed), 1.0)
    three = tournament(TOY, MEASURED, size=3, among=3)
    assert {three(population, Random(n)) for n in range(50)} == {"g00"}
    assert {three(population, Random(n), "g00") for n in range(50)} == {"g01", "g02"}


@pytest.mark.parametrize("names", [["bits_per_byte"], ["bits_per_byte", "flops"]])
def test_who_breaks_a_limit_of_measures_stands_behind_all_others(names: list[str]):
    population = herd([1.0, 2.0, 3.0], [0, 1, 2], limits={"peak_memory_bytes": 1000.0})
    select = tournament(TOY, objectives(names), size=3, among=3)
    population.learn(measured("g00", memory=1001), 1.0)
    assert {select(population, Random(n)) for n in range(50)} == {"g01"}
    for name in ("g01", "g02"):
        population.learn(measured(name, memory=1001), 1.0)
    assert {select(population, Random(n)) for n in range(50)} == {"g00"}


def test_what_a_repetition_shows_to_be_luck_dominates_nobody():
    population = herd([2.0, 2.2], [2, 1])
    select = tournament(TOY, objectives(["bits_per_byte", "flops"]), size=2, among=2)
    assert {select(population, Random(n)) for n in range(50)} == {"g00"}
    for replica, bits in ((1, 0.0), (2, 4.0)):
        population.learn(Result("g00", "g00", 100, replica, 0, bits_per_byte=bits), 1.0)
    chosen = Counter(select(population, Random(n)) for n in range(DRAWS))
    assert chosen["g01"] / DRAWS == pytest.approx(1 - LEAD, abs=0.06)


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
