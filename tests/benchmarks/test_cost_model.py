"""The model of costs: its constants are of real records, and it grows as it must."""

from pathlib import Path

import pytest

from praxis_evolve.benchmarks.cost_model import (
    Constants,
    compared_bytes,
    costs,
    measured,
    passed_bytes,
    table,
)

CONSTANTS = Constants(record=2000.0, stored=3000.0, taken=0.001)


def test_constants_are_measured(tmp_path: Path) -> None:
    found = measured(tmp_path, count=30)
    assert 200 < found.record < 4000
    assert 0 < found.stored < 4000
    assert 0 < found.taken < 1
    assert 0 < found.looked < found.taken
    assert 0 < found.headed < 1e-3


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


def test_commitments_are_passed_on_where_an_author_does_not_tell_all() -> None:
    assert passed_bytes(33, 33 * 288) == 0
    assert costs(20, CONSTANTS).passed == 0 == costs(66, CONSTANTS, islands=2).passed
    some, more = passed_bytes(1000, 1000 * 288), passed_bytes(1000, 2000 * 288)
    assert 1.9 < more / some < 2
    assert 2 * 1000 * 288 * 340 < some < 2 * 1000 * 288 * 900
    whole = costs(1000, CONSTANTS)
    assert whole.rate * 86_400 == pytest.approx(whole.received + whole.compared + whole.passed)
    assert costs(2000, CONSTANTS, islands=2).passed == pytest.approx(whole.passed)


def test_costs_make_a_table() -> None:
    lines = list(table([costs(peers, CONSTANTS) for peers in (10, 20)]))
    assert lines[0].split() == ["peers", "10", "20"]
    assert lines[1].split() == ["islands", "1", "1"]
    assert lines[2].split() == ["records", "a", "day", "2,880", "5,760"]


def test_on_islands_a_peer_holds_its_own_and_a_hundredth_of_the_others() -> None:
    whole, parted = costs(200, CONSTANTS), costs(200, CONSTANTS, islands=4)
    assert whole.held == whole.records == parted.records == 200 * 288
    assert parted.held == pytest.approx(50 * 288 + 1.5 * 288)
    assert parted.received == pytest.approx(parted.held * 2000 * 1.5)
    assert parted.disk == pytest.approx(30 * parted.held * 3000)
    assert whole.visited == 0
    assert 0 < parted.visited < 50e6
