"""The page of the catalog says what the declarations say, and the declarations what is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from praxis_evolve.blocks.registry import OWN, Catalog
from praxis_evolve.cli.catalog_page import COLUMNS, ERROR, counted, page, row, streaming_error
from praxis_evolve.cli.identity_tests import identity_tests
from praxis_evolve.cli.timings import read_rows

CATALOG = Catalog(OWN)
PAGE = Path(__file__).parents[2] / "docs" / "catalog.md"
TIMINGS = read_rows(PAGE.with_name("blocks.jsonl"))


def table(text: str) -> list[list[str]]:
    """The cells of a page without the streaming errors, which hang on the processor."""
    rows = [[c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    return [[cell for n, cell in enumerate(cells) if n != ERROR] for cells in rows]


def test_the_page_is_up_to_date() -> None:
    hint = "python -m praxis_evolve.cli.catalog_page docs/catalog.md"
    text, now = PAGE.read_text(encoding="utf-8"), page(CATALOG, TIMINGS, measure=False)
    assert table(text) == table(now), hint
    prose = [[line for line in each.splitlines() if "|" not in line] for each in (text, now)]
    assert prose[0] == prose[1], hint


@pytest.mark.parametrize("declaration", OWN, ids=lambda d: d.name)
def test_formulas_equal_counts(declaration: object) -> None:
    found = CATALOG[getattr(declaration, "name", "")]
    cells = dict(zip(COLUMNS, row(found, CATALOG["attention"], measure=False), strict=False))
    parameters, flops = counted(found)
    assert cells["parameters: formula"] == f"{parameters:,}"
    if flops is not None:
        assert cells["FLOPs: formula"] == f"{flops:,}"


def test_streaming_errors_on_the_page_are_rounding() -> None:
    text = PAGE.read_text(encoding="utf-8")
    errors = [line.split("|")[1 + ERROR].strip() for line in text.splitlines() if "| `" in line]
    assert len(errors) == len(OWN)
    assert all(error == "-" or float(error) <= 1e-8 for error in errors)


def test_every_entry_has_tests_of_its_own() -> None:
    assert [found.name for found in OWN if not identity_tests(found)] == []


def test_tests_are_found_by_class_or_quoted_name(tmp_path: Path) -> None:
    (tmp_path / "test_recurrent_one.py").write_text("from a import LRU\n")
    (tmp_path / "test_recurrent_two.py").write_text('CATALOG["lru"]\n')
    (tmp_path / "test_recurrent_three.py").write_text("from a import RGLRU\nlru = 1\n")
    (tmp_path / "test_linear_four.py").write_text("from a import LRU\n")
    assert identity_tests(CATALOG["lru"], tmp_path) == ["recurrent_one", "recurrent_two"]


def test_a_streaming_error_is_seen() -> None:
    assert float(streaming_error(CATALOG["attention"])) <= 1e-10
    assert streaming_error(CATALOG["rmsnorm"]) == "-"
