"""The simulated search on islands: one island is the swarm of old, and others send their best."""

from __future__ import annotations

from collections import Counter

import pytest

from praxis_evolve.benchmarks import liars
from praxis_evolve.benchmarks.identities import identity_of
from praxis_evolve.benchmarks.islands import Islander, settled, swarm
from praxis_evolve.benchmarks.landscape import Landscape, manifest
from praxis_evolve.market.islands import Islands


def test_one_island_is_the_swarm_in_which_all_hold_all():
    found = swarm(3, 1, births=20, evaluations=12, seed=2)
    landscape = Landscape(2)
    whole = liars.swarm(landscape, 3, 0, births=20, evaluations=12, seed=2)
    assert found.gained == pytest.approx(liars.middling(landscape, seed=2) - whole.truth)
    assert found.audits == whole.audits
    assert found.held > 0.9


def test_islands_are_alike_in_size_and_a_search_on_them_is_the_same_again():
    islands = Islands(liars.RUN, 3)
    lives = Counter(islands.of(identity_of(number).author) for number in settled(9, islands))
    assert lives == {0: 3, 1: 3, 2: 3}
    one, other = (swarm(4, 2, births=20, evaluations=16, seed=2) for _ in range(2))
    assert one == other
    assert one.best >= one.gained


def test_a_visitor_hears_the_best_and_believes_none_of_it():
    islands = Islands(liars.RUN, 2)
    of = manifest(80)
    here, there = (Islander(number, of, islands) for number in settled(2, islands))
    landscape = Landscape(1)
    for _ in range(45):
        there.work(landscape, is_believed=False)
    here.visit(there)
    offered = there.emigrants.best()
    assert set(here.records) == set(offered)
    assert 0 < len(offered) < len(there.records)
    assert all(here.weight_of(name) < 1 for name in offered)
    assert here.emigrants.best() == [], "what came goes no further"
