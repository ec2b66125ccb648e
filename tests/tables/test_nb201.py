"""The table of cells, against plain loops over the numbers it was made of, and the loader."""

import importlib.util
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from praxis_evolve.benchmarks.tables import TABLES
from praxis_evolve.benchmarks.tables.nb201 import nb201
from praxis_evolve.search.base import Assignment, Birth

WORDS = [tuple(Random(seed).choices(range(5), k=6)) for seed in range(40)]


@pytest.fixture(scope="module")
def data(made: Path) -> dict[str, Any]:
    return dict(np.load(made / "data" / "nb201.npz"))


def row_of(data: dict[str, Any], word: tuple[int, ...]) -> int:
    return int(np.flatnonzero((data["ops"] == word).all(axis=1))[0])


def test_a_run_sees_one_training_and_further_replicas_see_others(made: Path, data: dict[str, Any]):
    table = nb201(made, "c10")
    for word in WORDS:
        trainings = data["c10_val200"][row_of(data, word)]
        trainings = trainings[np.isfinite(trainings)]
        genome = table.words.spell(word, "b")
        for seed, replica in ((0, 0), (1, 0), (7, 2)):
            work = Assignment(genome, 200, replica, Birth("r", "a", 0))
            result = table.evaluate(work, seed=seed)
            expected = trainings[(seed + replica) % len(trainings)]
            assert result.bits_per_byte == pytest.approx(100 - expected)
            assert (result.genome, result.replica) == (table.words.identify(genome), replica)


def test_the_truth_is_the_mean_and_regret_is_against_the_best(made: Path, data: dict[str, Any]):
    table = nb201(made, "c10")
    means = [np.mean([x for x in those if x == x]) for those in data["c10_val200"]]
    best = data["ops"][int(np.argmax(means))]
    assert table.truth(tuple(best))["validation regret"] == 0
    for word in WORDS:
        at, truth = row_of(data, word), table.truth(word)
        assert truth["validation regret"] == pytest.approx(max(means) - means[at])
        assert truth["test error"] == pytest.approx(100 - data["c10_test200"][at])
        assert truth["test regret"] == pytest.approx(
            data["c10_test200"].max() - data["c10_test200"][at]
        )


def test_the_whole_table_has_all_of_the_hypervolume_and_a_part_has_less(
    made: Path, data: dict[str, Any]
):
    table = nb201(made, "c10")
    assert table.frame is not None
    everything = [table.point(tuple(word)) for word in data["ops"]]
    assert table.frame.fraction(everything) == pytest.approx(1)
    points = sorted(map(table.point, WORDS))
    (x, y), (right, top) = table.frame.ideal, table.frame.nadir
    area, level = 0.0, y + 1.1 * (top - y)
    for error, size in points:  # from the left: each lower point adds a rectangle
        if size < level:
            area += max(0.0, x + 1.1 * (right - x) - error) * (level - size)
            level = size
    fraction = area / ((right - x) * (top - y)) / table.frame.best
    assert table.frame.fraction(points) == pytest.approx(fraction)


def test_graphs_are_the_means_of_their_cells_at_the_least_size(made: Path, data: dict[str, Any]):
    cells, graphs = nb201(made, "c10"), nb201(made, "c10", merged=True)
    for word in WORDS:
        twins = np.flatnonzero(data["iso"] == data["iso"][row_of(data, word)])
        test = 100 - data["c10_test200"][twins].mean()
        assert graphs.truth(word)["test error"] == pytest.approx(test)
        first = data["c10_val200"][twins, 0].mean()
        assert graphs.look(word, 200, 0).value == pytest.approx(100 - first)
        least = min(data["params_formula"][twins])
        assert graphs.words.price(word).parameters == round(1e6 * least)
    dead, skip = (0, 1, 2, 3, 4, 0), (1, 1, 2, 3, 4, 1)
    same = [graphs.words.identify(graphs.words.spell(word, "")) for word in (dead, skip)]
    unlike = [cells.words.identify(cells.words.spell(word, "")) for word in (dead, skip)]
    assert same[0] == same[1]
    assert unlike[0] != unlike[1]


@pytest.mark.parametrize("bench", [None, Path("/nowhere")])
def test_missing_data_is_told_with_the_cure(bench: Path | None):
    with pytest.raises(FileNotFoundError, match=r"nb201\.npz.*--bench.*PRAXIS_BENCH"):
        TABLES["nb201-c10"](bench)


def test_figures_are_those_of_the_loader_beside_the_data(bench: Path):
    spec = importlib.util.spec_from_file_location("bench_nb201", bench / "nb201.py")
    assert spec is not None
    assert spec.loader is not None
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    for dataset in ("c10", "c100", "in16"):
        theirs, ours = loader.NB201(dataset), nb201(bench, dataset)
        for word in WORDS:
            for rung, training in ((12, None), (200, 0), (200, 2)):
                value, _, seconds = theirs.query(word, epoch=rung, seed=training)
                reading = ours.look(word, rung, training or 0)
                assert reading == pytest.approx((100 - value, seconds), rel=1e-5)
            value, test, _ = theirs.query(word)
            truth = ours.truth(word)
            assert truth["validation regret"] == pytest.approx(theirs.best_val - value, abs=1e-4)
            assert truth["test regret"] == pytest.approx(theirs.best_test - test, abs=1e-4)
    graphs = nb201(bench, "c10", merged=True)
    names = {graphs.words.name(tuple(word)) for word in theirs.ops.tolist()}
    assert len(names) == 6466
