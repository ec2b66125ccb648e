"""``run --inherit``: children begin with weights, and every result can be had again."""

from __future__ import annotations

import json
import shutil

import pytest

from praxis_evolve.cli.context import opened
from praxis_evolve.cli.errors import Code
from praxis_evolve.tests.cli.calling import Cli, Tiny, call


@pytest.fixture(scope="module")
def heirs(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    place = tmp_path_factory.mktemp("heirs")
    url = f"sqlite:///{place / 'test.db'}"
    code = call(
        "run", "--text", str(tiny.text), "--size", "demo", "--population", "6", "--rungs",
        "512,1k", "--workers", "1", "--device", "cpu", "--store", url, "--name", "heirs",
        "--quiet", "--no-report", "--inherit",
    )  # fmt: skip
    assert code == 0
    return Tiny(url, place / "heirs", tiny.text)


@pytest.mark.slow
def test_heirs_are_kept_apart_and_finals_are_from_scratch(heirs: Tiny, cli: Cli) -> None:
    with opened(heirs.url, "heirs") as run:
        results = run.plan.results
        assert run.manifest.inherit
    search = [r for r in results if r.replica == 0 and r.ok]
    assert any(r.inherited_tokens for r in search)
    assert not any(r.inherited_tokens for r in results if r.replica > 0)
    scratch = {r.genome: r.bits_per_byte for r in search if not r.inherited_tokens}
    found = json.loads(cli("winners", "--store", heirs.url, "--json").out)
    assert {point["id"] for point in found["front"]} <= scratch.keys()
    said = cli("status", "--store", heirs.url).out
    assert "with inherited weights g-" in said


@pytest.mark.slow
def test_an_heir_is_reproduced_with_its_line_and_without_any_checkpoint(
    heirs: Tiny, cli: Cli
) -> None:
    with opened(heirs.url, "heirs") as run:
        heir = max(run.plan.results, key=lambda r: (r.ok, r.inherited_tokens))
        line = run.plan.lines.line(run.ledger.genome(heir.genome))
    assert line
    kept = heirs.folder / "weights"
    aside = heirs.folder / "aside"
    shutil.move(kept, aside)
    try:
        called = cli(
            "reproduce", heir.genome, "--replica", "0", "--rung", str(heir.rung), "--store",
            heirs.url, "--device", "cpu", "--json",
        )  # fmt: skip
    finally:
        shutil.move(aside, kept)
    assert called.code == 0
    found = json.loads(called.out)
    assert found["reproduced"]
    assert found["inherited_tokens"] == heir.inherited_tokens > 0
    assert f"before it {len(line)} ancestors, 0.512k tokens each" in called.err


def test_the_mode_is_part_of_what_a_run_is(tiny: Tiny, cli: Cli) -> None:
    refused = cli("run", "--resume", "tiny", "--inherit", "--store", tiny.url)
    assert refused.code == Code.STORE
    assert "inherit" in refused.err
    shown = cli("run", "--dry-run", "--json", "--inherit", "--size", "demo", "--device", "cpu")
    assert json.loads(shown.out)["manifest"]["inherit"] is True
    plain = cli("run", "--dry-run", "--json", "--size", "demo", "--device", "cpu")
    assert json.loads(plain.out)["manifest"]["inherit"] is False
