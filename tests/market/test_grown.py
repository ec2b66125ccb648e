"""Blocks join a running search: they are tried, and resume and replay know of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.pool import SerialPool
from praxis_evolve.market.drive import drive
from praxis_evolve.market.errors import StoreError
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.market.plan import Plan
from praxis_evolve.market.worker import Wish, Worked
from praxis_evolve.search.base import Asked, Grown
from praxis_evolve.search.replay import replay
from praxis_evolve.tests.market import loop
from praxis_evolve.tests.market.loop import CATALOG, MANIFEST, NAMES, Seen, after, always, invented

NEW = "retention"
LARGER = installed().only((*NAMES, NEW))
KNOWN = replace(MANIFEST, sources=CATALOG.sources)
ME = Identity.new()


@pytest.fixture(autouse=True)
def larger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CATALOG", LARGER)  # what invented results are named by


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'store.db'}", now=lambda: 1000.0) as opened:
        opened.create_run("r", KNOWN.to_dict())
        yield opened


def work(ledger: Ledger, *, looks: int | None = None, joining: bool = False) -> Worked:
    wish = always(Wish.WORK) if looks is None else after(looks, Wish.STOP)
    return drive(
        ledger, "r", Plan(KNOWN, LARGER), identity=ME, pool=SerialPool[str](invented),
        watcher=Seen(), wish=wish, now=lambda: 1000.0,
        joining={NEW: LARGER.sources[NEW]} if joining else {},
    )  # fmt: skip


def test_a_block_that_joins_is_tried_and_bred(ledger: Ledger) -> None:
    work(ledger, looks=14)
    before = [e for e in ledger.events("r") if isinstance(e, Asked)]
    assert all(part.name != NEW for e in before for part in e.assignment.genome.parts())
    work(ledger, joining=True)
    asked = [e.assignment for e in ledger.events("r") if isinstance(e, Asked)][len(before) :]
    tried = [a for a in asked if a.origin == f"trial:{NEW}"]
    assert 1 <= len(tried) <= 4
    assert all(a.rung == KNOWN.rungs[0] for a in tried)
    assert asked[: len(tried)] == tried
    plan = Plan(KNOWN, LARGER)
    plan.search.tell(list(ledger.events("r")))
    assert plan.joined == {NEW: LARGER.sources[NEW]}
    assert NEW in plan.space.catalog
    assert plan.search.done


def test_a_grown_run_replays(ledger: Ledger) -> None:
    work(ledger, looks=14)
    work(ledger, looks=9, joining=True)
    work(ledger)
    events = list(ledger.events("r"))
    assert sum(isinstance(event, Grown) for event in events) == 1
    assert replay(Plan(KNOWN, LARGER).search, events, author=ME.author) is None
    assert not list(ledger.problems("r"))


def test_a_grown_run_needs_its_blocks(ledger: Ledger) -> None:
    work(ledger, looks=12, joining=True)
    with pytest.raises(StoreError, match=r"\['retention'\], which are not installed"):
        Plan(KNOWN, CATALOG).search.tell(list(ledger.events("r")))


def test_the_manifest_names_what_changed() -> None:
    KNOWN.require_same_blocks(installed())
    KNOWN.require_same_blocks(installed(), {NEW: LARGER.sources[NEW]})
    other = replace(KNOWN, sources={**KNOWN.sources, "glu": "1/another"})
    with pytest.raises(StoreError, match="source of glu is another one"):
        other.require_same_blocks(installed())
    with pytest.raises(StoreError, match="source of retention is"):
        KNOWN.require_same_blocks(installed(), {NEW: "2/another"})
    with pytest.raises(StoreError, match=r"\['glu'\], which are not installed"):
        KNOWN.require_same_blocks(CATALOG.only(n for n in NAMES if n != "glu"))


def test_a_manifest_of_the_second_format_is_one_without_what_came_later() -> None:
    old = {**MANIFEST.to_dict(), "format": 2}
    for newer in ("original", "history", "inherit", "shares", "screen"):
        del old[newer]
    assert Manifest.from_dict(old) == replace(MANIFEST, shares=False, screen=False)


def test_a_manifest_of_the_first_format_is_read_by_its_digest() -> None:
    old = {**MANIFEST.to_dict(), "format": 1}
    for newer in ("sources", "original", "history", "inherit", "shares", "screen"):
        del old[newer]
    read = Manifest.from_dict(old)
    assert read == replace(MANIFEST, shares=False, screen=False)
    read.require_same_blocks(installed())
    with pytest.raises(StoreError, match="another one"):
        replace(read, catalog="0").require_same_blocks(installed())


def test_a_block_comes_too_late_for_finals(ledger: Ledger) -> None:
    work(ledger)
    before = list(ledger.events("r"))
    work(ledger, joining=True)
    assert list(ledger.events("r")) == before
