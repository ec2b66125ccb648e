"""What a process that drives a search collects."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from praxis_evolve.search.garbage import collect_seldom


class Ring:
    """What only a collection frees."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_young_garbage_is_collected_as_ever_and_what_there_was_is_not_looked_at() -> None:
    before = gc.get_threshold()
    collect_seldom()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold()[:2] == before[:2]
    ring = weakref.ref(Ring())
    kept = [list[int]() for _ in range(before[0] * 2)]
    assert ring() is None
    assert kept
