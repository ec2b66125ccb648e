from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from praxis_evolve.market import turns
from praxis_evolve.market.turns import turn

pytestmark = pytest.mark.skipif(os.name != "posix", reason="turns are taken on POSIX only")


def at_once(several: int, work: Callable[[int], None]) -> None:
    with ThreadPoolExecutor(several) as pool:
        list(pool.map(work, range(several)))


def test_one_at_a_time_has_the_turn(tmp_path: Path):
    inside, most = list[int](), list[int]()

    def work(number: int) -> None:
        with turn(tmp_path / "store.db"):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.001)
            inside.remove(number)

    at_once(8, work)
    assert most == [1] * 8


def test_the_turn_ends_with_the_block_whatever_happens(tmp_path: Path):
    with pytest.raises(KeyError), turn(tmp_path / "store.db"):
        raise KeyError
    with turn(tmp_path / "store.db"):
        pass


def test_who_waits_for_a_holder_that_hangs_goes_on_without_a_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(turns, "PATIENCE", 0.02)
    reached = list[int]()
    with turn(tmp_path / "store.db"), turn(tmp_path / "store.db"):
        reached.append(1)
    assert reached == [1]


def test_a_store_in_memory_has_no_turns():
    with turn(None), turn(None):
        pass
