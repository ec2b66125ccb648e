from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from praxis_evolve.blocks.makers import OURS, Maker
from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.genome.graph import Genome
from praxis_evolve.market.credit import Account
from praxis_evolve.market.listings import Listing, Made, Market, Use
from praxis_evolve.reports.market import (
    MOST,
    contributors_table,
    listings_table,
    makers_table,
    parts_of_best,
    used,
)
from praxis_evolve.reports.model import RunView
from praxis_evolve.reports.page import build_page
from praxis_evolve.search.intervals import proportion

EVIL = "<img src=x onerror=alert(1)>"


def listing(name: str, hits: int, *, maker: Maker = OURS) -> Listing:
    use = Use(hits, 1e9 * hits, proportion(hits, 10), proportion(hits, 100))
    return Listing(
        name, "block", "attention", "arXiv:1", "1/ab", maker, use, "mixer", 0.25, ("a", "b"), ("a",)
    )


@pytest.fixture
def market() -> Market:
    stranger = Maker(EVIL, "good-blocks", "1.2")
    listings = (listing("attention", 7), listing("glu", 3, maker=stranger), listing("kan", 0))
    unknown = replace(listings[2], name="mlp", share=None, use=Use(0, 0.0, None, None))
    account = Account("ab" * 32, "own", 9, 1, 0, 0, 4e9, 3e9, 3e9, 1e9, 2.5)
    makers = (Made(OURS, 3, listings[0].use), Made(stranger, 1, listings[1].use))
    return Market((*listings, unknown), (account,), makers, None, frozenset())


def test_the_figure_has_a_row_for_each_block_that_genomes_use(market: Market) -> None:
    assert [each.name for each in used(market.listings)] == ["attention", "glu"]
    drawn: Any = json.loads(str(parts_of_best(market.listings).to_json()))
    every, best = drawn["data"]
    assert [trace["name"] for trace in (every, best)] == [
        "of all, n = 100", "of the best tenth, 95 %, n = 10"
    ]  # fmt: skip
    assert every["x"] == pytest.approx([7.0, 3.0])
    assert best["x"] == pytest.approx([70.0, 30.0])
    bars = best["error_x"]
    for place, hits in enumerate((7, 3)):
        part = proportion(hits, 10)
        assert best["x"][place] + bars["array"][place] == pytest.approx(100 * part.high)
        assert best["x"][place] - bars["arrayminus"][place] == pytest.approx(100 * part.low)
    assert "<img" not in json.dumps(drawn)
    many = [listing(f"block{n}", 1) for n in range(MOST + 20)]
    shown: Any = json.loads(str(parts_of_best(many).to_json()))
    assert len(shown["data"][1]["x"]) == MOST


def test_the_tables_have_a_row_for_each_with_shares_in_per_cent(market: Market) -> None:
    rows = json.loads(listings_table(market.listings).to_json())
    assert [row["block"] for row in rows] == ["attention", "glu", "kan", "mlp"]
    assert (rows[0]["share_percent"], rows[0]["of_best_percent"]) == (25.0, 70.0)
    assert (rows[0]["measured_by"], rows[0]["able"]) == (2, 1)
    assert rows[3]["share_percent"] is rows[3]["of_best_percent"] is rows[3]["of_all_percent"]
    (account,) = json.loads(contributors_table(market.contributors).to_json())
    assert (account["credit_flops"], account["ancestors"]) == (3e9, 2.5)
    assert [row["blocks"] for row in json.loads(makers_table(market.makers).to_json())] == [3, 1]


def test_the_page_shows_the_market_and_names_of_strangers_stay_text(
    run: RunView, genomes: dict[str, Genome], catalog: Catalog, market: Market
) -> None:
    without = build_page(run, genomes, catalog)
    html = build_page(replace(run, market=market), genomes, catalog)
    assert 'id="market-title"' in html
    assert 'id="market-title"' not in without
    assert "<img" not in html
    assert "good-blocks" in html
    empty = replace(market, listings=market.listings[2:])
    assert 'id="market-title"' not in build_page(replace(run, market=empty), genomes, catalog)
