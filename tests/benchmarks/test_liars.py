"""The simulated swarm of the benchmark: few liars change nothing of what it finds."""

import pytest

from praxis_evolve.benchmarks.landscape import Landscape, manifest
from praxis_evolve.benchmarks.liars import KINDS, Kind, middling, swarm, table


@pytest.mark.parametrize("kind", KINDS)
def test_liars_convince_nobody_and_cost_little(kind: Kind):
    landscape = Landscape(1)
    honest = swarm(landscape, 3, 0, births=40, evaluations=36, seed=1)
    among = swarm(landscape, 3, 1, births=40, evaluations=36, seed=1, kind=kind)
    usual = middling(landscape, seed=1)
    assert honest.truth < usual
    assert among.truth < usual
    assert (honest.believed, among.believed) == (0, 0)
    assert (honest.banned, among.banned) == (0, 0)
    assert among.audits > 0
    assert among.evaluations <= 4


def test_honest_peers_whose_trainings_stray_are_believed_all_the_same():
    found = swarm(Landscape(1), 3, 0, births=120, evaluations=180, seed=1, astray=0.05)
    assert found.friends == 2
    assert found.banned == 0


def test_a_simulation_is_the_same_again():
    one, other = (swarm(Landscape(2), 2, 1, births=20, evaluations=8, seed=2) for _ in range(2))
    assert one == other


def test_rows_make_a_table():
    row = {"fitness": 1.0, "of alone": 1.0, "evaluations": 1.2, "audits": 0.1}
    row |= {"friends": 8.0, "believed": 0.0, "banned": 0.0, "false": 0.0}
    rows = [{"seed": 0, "kind": "copier", "liars": share, **row} for share in (0.0, 0.2)]
    lines = list(table(rows))
    assert [line.split()[0] for line in lines] == ["liars", "0%", "20%"]
    assert manifest(400).population == 50
