"""The model of costs: its constants are of real records, and it grows as it must."""

from pathlib import Path

import pytest

from praxis_evolve.benchmarks.cost_model import (
    Constants,
    compared_bytes,
    costs,
    measured,
    table,
)

CONSTANTS = Constants(record=2000.0, stored=3000.0, taken=0.001)


def test_constants_are_measured(tmp_path: Path) -> None:
    found = measured(tmp_path, count=30)
    assert 200 < found.record < 4000
    assert 0 < found.stored < 4000
    assert 0 < found.taken < 1


def test_ten_times_the_peers_make_ten_times_the_records() -> None:
    few, many = costs(20, CONSTANTS), costs(200, CONSTANTS)
    assert few.records == pytest.approx(20 * 288)
    assert many.received == pytest.approx(10 * few.received) == 200 * 288 * 2000 * 1.5
    assert many.disk == pytest.approx(30 * 200 * 288 * 3000)
    assert costs(20, CONSTANTS, minutes=10).cpu == pytest.approx(few.cpu / 2)


def test_of_more_authors_hardly_more_is_sent_where_as_much_differs() -> None:
    few, _ = compared_bytes(100, 5)
    many, requests = compared_bytes(5000, 5)
    assert many < 3 * few
    assert requests == 3
    assert compared_bytes(5000, 50)[0] > 3 * many


def test_costs_make_a_table() -> None:
    lines = list(table([costs(peers, CONSTANTS) for peers in (10, 20)]))
    assert lines[0].split() == ["peers", "10", "20"]
    assert lines[1].split() == ["records", "a", "day", "2,880", "5,760"]
