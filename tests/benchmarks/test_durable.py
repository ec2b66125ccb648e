"""What the benchmark of stores says is what was stored, small."""

from pathlib import Path
from typing import Any

import pytest

from praxis_evolve.benchmarks import durable
from praxis_evolve.benchmarks.durable import Client, Timed, figures, timed
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.search.base import Asked


def test_the_rate_is_that_of_all_from_the_first_to_the_last():
    several = [
        Timed(10.0, 12.0, 0.5, (0.1,) * 4, ()),
        Timed(11.0, 15.0, 0.5, (0.3,) * 6, ("one",)),
    ]
    found = figures(several)
    assert found["rate"] == pytest.approx(10 / 5)
    assert (found["median"], found["longest"]) == (0.3, 0.3)
    assert found["processor"] == pytest.approx(0.1)


def test_what_raises_is_an_error_and_the_next_is_tried():
    def once(number: int) -> float:
        if number == 1:
            raise OSError("database is locked")
        return 0.25

    found = timed(once, 3)
    assert found.seconds == (0.25, 0.25)
    assert found.errors == ("OSError: database is locked",)


def run(kind: str, folder: Path) -> dict[str, Any]:
    size = ("--processes", "2", "--births", "3", "--trials", "2", "--visits", "4")
    options = durable.options().parse_args([*size, "--population", "4"])
    return durable.run(kind, folder, options)


@pytest.mark.parametrize("kind", ["stored", "evolution"])
@pytest.mark.slow
def test_all_that_is_acknowledged_is_in_the_ledger(kind: str, tmp_path: Path):
    row = run(kind, tmp_path)
    assert (row["done"], row["errors"]) == (6, [])
    with Ledger.open(f"sqlite:///{tmp_path / kind}.db", create=False) as ledger:
        for name in ("run-0", "run-1"):
            events = list(ledger.events(name))
            asked = [event for event in events if isinstance(event, Asked)]
            assert len(asked) == 4 + 3
            assert len(events) - len(asked) == len(ledger.records(name)) == 7


@pytest.mark.parametrize(("kind", "done"), [("row", 6), ("optuna", 4)])
@pytest.mark.slow
def test_others_are_timed_beside(kind: str, done: int, tmp_path: Path):
    row = run(kind, tmp_path)
    assert row["done"] + len(row["errors"]) == done
    assert len(list(durable.table([row]))) == 2


def test_a_result_that_is_missing_is_an_error(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with Ledger.open(url) as ledger:
        ledger.create_run("run-0", {})
    client = Client(url, 0, 1, {}, 4)
    assert list(durable.problems([client], [Timed(0, 1, 0, (0.1,), ())])) == [
        "run-0 was acknowledged 1 results and has 0"
    ]
