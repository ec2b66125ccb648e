"""The page in a real browser without a network; skipped where Chromium or Playwright is missing."""

import csv
import io
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.genome.graph import Genome
from praxis_evolve.reports.model import RunView
from praxis_evolve.reports.page import write_page
from praxis_evolve.reports.progress import evaluations_table

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
playwright: Any = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
PATIENCE = 600_000.0
"""Milliseconds until a page counts as stuck: a loaded machine draws one in over half a minute."""


@dataclass
class Visit:
    """An open page, what it asked for, and what went wrong."""

    page: Any
    requests: list[str] = field(default_factory=list[str])
    errors: list[str] = field(default_factory=list[str])


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=[1360, 400])
def visit(
    request: pytest.FixtureRequest,
    browser: Any,
    run: RunView,
    genomes: dict[str, Genome],
    catalog: Catalog,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Visit]:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(path, run, genomes, catalog)
    size = {"width": request.param, "height": 900}
    context = browser.new_context(viewport=size, offline=True, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    visit = Visit(context.new_page())

    def hear(message: Any) -> None:
        if message.type in ("error", "warning"):
            visit.errors.append(message.text)

    visit.page.on("console", hear)

    def fail(error: Any) -> None:
        visit.errors.append(str(error))

    def ask(request: Any) -> None:
        visit.requests.append(request.url)

    visit.page.on("pageerror", fail)
    visit.page.on("request", ask)
    visit.page.goto(path.as_uri())
    visit.page.wait_for_function("document.documentElement.dataset.drawn")
    yield visit
    context.close()


def test_everything_is_drawn_without_an_error_or_a_request(visit: Visit) -> None:
    page = visit.page
    assert page.locator(".plot .main-svg").count() >= 5
    assert page.locator("#plot-genome .shapelayer path").count() > 20
    assert page.locator("#plot-front .points path").count() > 0
    assert visit.errors == []
    assert len([url for url in visit.requests if not url.startswith(("data:", "blob:"))]) == 1


def test_nothing_is_wider_than_the_screen(visit: Visit) -> None:
    wide, screen = visit.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= screen


def test_no_text_of_the_genome_is_cut_or_covered(visit: Visit) -> None:
    boxes = visit.page.evaluate(
        """() => [...document.querySelectorAll('#plot-genome .annotation-text')]
        .map(e => e.getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom])"""
    )
    left, top, right, bottom = visit.page.evaluate(
        """() => { const b = document.querySelector('#plot-genome .main-svg')
        .getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; }"""
    )
    assert len(boxes) > 10
    for number, box in enumerate(boxes):
        assert left <= box[0] < box[2] <= right
        assert top <= box[1] < box[3] <= bottom
        for other in boxes[:number]:
            width = min(box[2], other[2]) - max(box[0], other[0])
            height = min(box[3], other[3]) - max(box[1], other[1])
            assert min(width, height) <= 1.5


def test_the_switch_changes_the_axis(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="by tokens").click()
    page.wait_for_function(
        "document.querySelector('#plot-progress .xtitle').textContent.includes('tokens')"
    )
    assert page.get_by_role("button", name="by tokens").get_attribute("aria-pressed") == "true"


def test_the_downloads_are_the_tables(visit: Visit, run: RunView) -> None:
    visit.page.locator("#plot-progress ~ details summary").click()
    table = evaluations_table(run.evaluations)
    saved: dict[str, str] = {}
    for kind in ("csv", "json"):
        with visit.page.expect_download() as download:
            visit.page.get_by_role("button", name=f"evaluations.{kind}").click()
        saved[kind] = Path(download.value.path()).read_bytes().decode()
    expected = json.loads(table.to_json())
    assert json.loads(saved["json"]) == expected
    rows = list(csv.DictReader(io.StringIO(saved["csv"], newline="")))
    reference = list(csv.DictReader(io.StringIO(table.to_csv(), newline="")))
    assert [row["genome"] for row in rows] == [row["genome"] for row in reference]
    assert [float(row["rung_tokens"]) for row in rows] == [e.rung for e in run.evaluations]


def test_a_card_tells_its_settings(visit: Visit) -> None:
    page = visit.page
    page.locator("#plot-genome").scroll_into_view_if_needed()
    title = page.locator("#plot-genome .annotation-text", has_text="GLU").first.bounding_box()
    page.mouse.move(title["x"] + 20, title["y"] + 26)
    page.wait_for_selector("#plot-genome .hovertext")
    assert "multiple = " in page.locator("#plot-genome .hovertext").text_content()
