import pytest

from praxis_evolve.evaluator.result import Result
from praxis_evolve.search.campaign import Entrant
from praxis_evolve.search.finals import (
    by_replica,
    compare,
    finalists,
    finals,
    verdict,
    winner,
)
from praxis_evolve.search.intervals import Summary
from praxis_evolve.search.toy import Toy

TOY = Toy(length=2)
GENOMES = {name: TOY.spell([number, 0], "") for number, name in enumerate("abcde")}


def searched(name: str, bits: float, *, rung: int = 900, architecture: str = "") -> Result:
    return Result(name, architecture or name, rung, 0, 1, bits_per_byte=bits)


def final(name: str, replica: int, search: float, test: float) -> Result:
    return Result(name, name, 900, replica, replica, bits_per_byte=search, test_bits_per_byte=test)


def failed(name: str, replica: int) -> Result:
    return Result(name, name, 900, replica, replica, failure="diverged", reason="loss is nan")


def test_the_best_of_the_highest_rung_are_finalists():
    results = [searched("a", 2.9), searched("b", 2.5), searched("c", 2.0, rung=300)]
    assert finalists(results, GENOMES, top_rung=900) == ["b", "a"]
    assert finalists(results, GENOMES, top_rung=900, count=3) == ["b", "a", "c"]
    assert finalists(results, GENOMES, top_rung=300) == ["c"]


def test_a_genome_stands_at_its_highest_rung():
    results = [searched("a", 2.1, rung=300), searched("a", 2.9), searched("b", 2.5)]
    assert finalists(results, GENOMES, top_rung=900) == ["b", "a"]


def test_of_one_architecture_only_the_best_is_a_finalist():
    results = [
        searched("a", 2.5, architecture="same"),
        searched("b", 2.4, architecture="same"),
        searched("c", 2.9),
    ]
    assert finalists(results, GENOMES, top_rung=900) == ["b", "c"]


def test_failures_strangers_and_finals_are_no_finalists():
    results = [failed("a", 0), searched("z", 1.0), final("b", 1, 1.0, 1.0), searched("c", 3.0)]
    assert finalists(results, GENOMES, top_rung=900) == ["c"]
    assert finalists([], GENOMES, top_rung=900) == []


def test_finals_go_replica_by_replica():
    trainings = finals([GENOMES["a"]], {"llama": GENOMES["b"]}, rung=900, replicas=(1, 2))
    assert trainings == [
        Entrant(GENOMES["a"], 900, 1, "finalist"),
        Entrant(GENOMES["b"], 900, 1, "baseline:llama"),
        Entrant(GENOMES["a"], 900, 2, "finalist"),
        Entrant(GENOMES["b"], 900, 2, "baseline:llama"),
    ]


def test_only_finals_of_the_rung_are_counted():
    results = [searched("a", 1.0), searched("a", 1.0, rung=300), final("a", 1, 2.0, 2.2)]
    assert by_replica(results, "a", rung=900) == {1: 2.2}
    assert by_replica(results, "a", rung=900, test=False) == {1: 2.0}


def test_finals_do_not_choose_the_winner():
    results = [final("a", 1, 2.0, 2.2), final("b", 1, 2.1, 2.9)]
    assert winner(results, ["a", "b"], rung=900) == "a"
    assert winner(results, ["b", "a"], rung=900) == "b"


def test_a_finalist_that_failed_once_stands_behind_one_that_did_not():
    results = [final("a", 1, 2.0, 2.0), failed("a", 2)]
    results += [final("b", r, 2.5, 2.5) for r in (1, 2)]
    assert winner(results, ["a", "b"], rung=900) == "b"
    assert winner([failed("a", 1)], ["a"], rung=900) is None


def test_the_winner_is_compared_pair_by_pair_on_the_test_split():
    results = [final("a", r, 1.0, bits) for r, bits in ((1, 2.7), (2, 2.75), (3, 2.72))]
    results += [final("b", r, 1.0, bits) for r, bits in ((1, 3.0), (2, 3.06), (3, 3.0))]
    (comparison,) = compare(results, "a", {"llama": "b", "absent": "c"}, rung=900)
    assert comparison.baseline == "llama"
    assert comparison.difference.mean == pytest.approx(-0.2967, abs=1e-4)
    assert comparison.change == pytest.approx(-0.2967 / 3.02, abs=1e-4)
    assert comparison.verdict == "beat"


def test_a_winner_that_is_the_baseline_did_not_beat_it():
    results = [final("a", r, 1.0, 3.0 + r / 10) for r in (1, 2, 3)]
    (comparison,) = compare(results, "a", {"llama": "a"}, rung=900)
    assert comparison.verdict == "did not beat"


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(-0.3, -0.1, "beat"), (-0.3, 0.1, "cannot tell"), (0.1, 0.3, "did not beat")],
)
def test_verdicts_follow_the_interval(low: float, high: float, word: str):
    assert verdict(Summary((low + high) / 2, low, high, 3)) == word


def test_one_seed_cannot_tell():
    results = [final("a", 1, 1.0, 2.0), final("b", 1, 1.0, 3.0)]
    (comparison,) = compare(results, "a", {"llama": "b"}, rung=900)
    assert comparison.verdict == "cannot tell"
