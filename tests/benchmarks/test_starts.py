"""Starts on a long history: what is filled is sound, and what is measured is a start."""

from __future__ import annotations

from pathlib import Path
from random import Random

from praxis_evolve.benchmarks.cost_model import CATALOG, RUN
from praxis_evolve.benchmarks.starts import OTHERS, OWN, fill, start, table
from praxis_evolve.market.ledger import Ledger


def test_a_start_hears_all_that_was_filled(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with Ledger.open(url, catalog=CATALOG) as ledger:
        fill(ledger, 60, Random(1))
        counts = ledger.counts(RUN)
        assert counts.pop(OWN.author) == 60  # they are the first of all others
        assert counts == {other.author: 3 for other in OTHERS}
        assert list(ledger.problems(RUN)) == []
    first, second = start(url), start(url)
    assert first.records == second.records == 120
    assert 120 <= first.lines == second.lines
    lines = list(table([first, second]))
    assert [line.split()[:2] for line in lines[1:]] == [["120", str(first.lines)]] * 2
