import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.reports.model import Evaluation, RunView
from praxis_evolve.reports.progress import (
    MOST_DOTS,
    along,
    best_so_far,
    evaluations_table,
    progress,
    rungs_of,
    tokens_spent,
)


@given(values=st.lists(st.none() | st.floats(1.0, 8.0), max_size=20))
def test_the_best_so_far_is_the_minimum_of_the_prefix(values: list[float | None]) -> None:
    evaluations = [Evaluation(i, "g", 1, value) for i, value in enumerate(values)]
    prefixes = [values[: i + 1] for i in range(len(values))]
    expected = [min((v for v in prefix if v is not None), default=None) for prefix in prefixes]
    assert best_so_far(evaluations) == expected


def test_a_promotion_pays_only_for_its_own_tokens(
    make_evaluation: Callable[..., Evaluation],
) -> None:
    evaluations = [
        make_evaluation(1, "a", 3.5, rung=50),
        make_evaluation(2, "b", None, rung=50),
        make_evaluation(3, "a", 3.2, rung=150, origin="promote"),
        make_evaluation(4, "a", 3.0, rung=450, origin="promote"),
        make_evaluation(5, "c", 3.6, rung=50),
    ]
    assert tokens_spent(evaluations) == [50, 50, 150, 450, 500]


def test_the_axes(run: RunView) -> None:
    assert along(run.evaluations, "evaluation") == [1, 2, 3, 4]
    assert along(run.evaluations, "tokens") == [50_000, 100_000, 100_000, 200_000]
    assert along(run.evaluations, "time") == [4 / 60, 8 / 60, 12 / 60, 16 / 60]


def test_each_rung_has_its_dots_and_its_line(run: RunView) -> None:
    drawn: Any = json.loads(str(progress(run.evaluations).to_json()))
    names = [trace["name"] for trace in drawn["data"]]
    assert rungs_of(run.evaluations) == [50_000, 150_000]
    assert names == [
        "rung 50 k tokens, n = 2",
        "best at 50 k",
        "rung 150 k tokens, n = 1",
        "best at 150 k",
    ]
    assert drawn["data"][1]["x"] == [1, 2, 4]
    assert drawn["data"][1]["y"] == [3.5, 3.3, 3.3]


def test_inherited_weights_have_dots_and_a_line_of_their_own(
    make_evaluation: Callable[..., Evaluation],
) -> None:
    evaluations = [
        make_evaluation(1, "a", 3.5, rung=50_000),
        replace(make_evaluation(2, "b", 3.0, rung=50_000), inherited_tokens=45_000),
        make_evaluation(3, "c", 3.4, rung=50_000),
    ]
    drawn: Any = json.loads(str(progress(evaluations).to_json()))["data"]
    assert [trace["name"] for trace in drawn] == [
        "rung 50 k tokens, n = 2",
        "best at 50 k",
        "rung 50 k tokens, inherited, n = 1",
        "best at 50 k, inherited",
    ]
    assert [trace["y"] for trace in drawn] == [[3.5, 3.4], [3.5, 3.4, 3.4], [3.0], [3.0, 3.0]]
    assert [row[6] for row in evaluations_table(evaluations).rows] == [0, 45_000, 0]


def test_many_dots_are_thinned_but_none_of_the_line(
    make_evaluation: Callable[..., Evaluation],
) -> None:
    count = 3 * MOST_DOTS
    evaluations = [make_evaluation(i, "a", 5.0 - i / count) for i in range(count)]
    dots, line = json.loads(str(progress(evaluations).to_json()))["data"]
    assert len(dots["x"]) == MOST_DOTS
    assert len(line["x"]) == count + 1
    assert f"n = {count}" in dots["name"]


def test_failures_stand_in_the_table(run: RunView) -> None:
    table = evaluations_table(run.evaluations)
    assert [row[-1] for row in table.rows] == [None, None, "refused", None]
    assert table.texts()[2][3] == "\N{EN DASH}"
