"""Rows of the benchmark of blocks are read for what they say, and stars mark earlier sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from praxis_evolve.blocks.registry import OWN
from praxis_evolve.cli.timings import DEVICE, TOKENS, WIDTH, basis, peer_cells, read_rows

TREE = Path(__file__).parents[2] / "docs" / "blocks.jsonl"


def a_row(**changed: Any) -> dict[str, Any]:
    return {
        "block": "lru", "width": WIDTH, "tokens": TOKENS, "device": DEVICE, "source": "ab12",
        "machine": "2 x86 cores", "torch": "2.9", "measured": "2026-01-02", "peer": "rnns 1.0",
        "times_peer": 0.5, "bytes_peer": 1.25, **changed,
    }  # fmt: skip


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_last_row_of_a_place_counts_and_half_a_line_does_not(tmp_path: Path) -> None:
    path = written(tmp_path / "rows", a_row(), a_row(width=512), a_row(times_peer=0.7))
    with path.open("a") as file:
        file.write('{"block": "lr')
    rows = read_rows(path)
    assert set(rows) == {("lru", WIDTH, TOKENS, DEVICE), ("lru", 512, TOKENS, DEVICE)}
    assert rows["lru", WIDTH, TOKENS, DEVICE]["times_peer"] == 0.7
    assert read_rows(tmp_path / "none") == {}


def test_a_star_marks_an_earlier_source(tmp_path: Path) -> None:
    rows = read_rows(written(tmp_path / "rows", a_row()))
    assert peer_cells(rows, "lru", "1/ab1234") == ["0.50 x rnns 1.0", "1.25"]
    assert peer_cells(rows, "lru", "1/cd1234") == ["0.50* x rnns 1.0", "1.25*"]
    assert peer_cells(rows, "mlp", "1/ab1234") == ["-", "-"]


def test_without_a_peer_there_are_no_ratios(tmp_path: Path) -> None:
    row = {name: value for name, value in a_row().items() if "peer" not in name}
    rows = read_rows(written(tmp_path / "rows", row))
    assert peer_cells(rows, "lru", "1/ab1234") == ["-", "-"]


def test_the_basis_says_where_and_when(tmp_path: Path) -> None:
    one = a_row()
    other = a_row(block="mlp", measured="2026-01-05", machine="8 arm cores")
    aside = a_row(block="glu", width=512, measured="2025-01-01")
    rows = read_rows(written(tmp_path / "rows", other, one, aside))
    machines = "2 x86 cores and 8 arm cores"
    assert basis(rows) == f"Timed on {machines}, one thread, torch 2.9, 2026-01-02 to 2026-01-05."
    assert "2026-01-02." in basis(read_rows(written(tmp_path / "rows", one)))
    assert basis({}) == "Nothing was timed."


def test_the_rows_of_the_tree_are_about_what_there_is() -> None:
    rows = read_rows(TREE)
    blocks = {found.name for found in OWN if found.kind == "block"}
    assert blocks <= {place[0] for place in rows if place[1:] == (WIDTH, TOKENS, DEVICE)}
    assert {place[0] for place in rows} <= {found.name for found in OWN}
    assert all(row["times_peer"] > 0 for row in rows.values() if "peer" in row)
    assert not any("problems" in row for row in rows.values())
