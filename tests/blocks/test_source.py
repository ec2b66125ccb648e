"""The digest of a source changes with whatever the block computes, and with nothing else."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from praxis_evolve.blocks.declaration import Cost, Declaration, Setting, Settings, Size
from praxis_evolve.blocks.ranges import Real
from praxis_evolve.blocks.registry import installed
from praxis_evolve.blocks.source import Sources, source_digest

DECLARATION = Declaration(
    name="half", kind="block", family="f", summary="s", paper="p", path="halves.block:Half",
    cost=lambda size, settings: Cost(parameters=size.width),
    settings={"share": Setting(Real(0.1, 0.9), 0.5, "how much")},
)  # fmt: skip


def _dearer(size: Size, settings: Settings) -> Cost:
    return Cost(parameters=size.width + 1)


def _decoding(size: Size, settings: Settings) -> float:
    return 2.0 * size.width


@pytest.fixture
def halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "halves"
    (folder / "deep").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('nobody may import this')")
    (folder / "block.py").write_text("from .deep import sums\nimport halves.lone\nimport json\n")
    (folder / "deep" / "__init__.py").write_text("")
    (folder / "deep" / "sums.py").write_text("from praxis_evolve.blocks.frame import Frame\n")
    (folder / "lone.py").write_text("")
    (folder / "unused.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_it_covers_what_the_class_imports_and_imports_nothing(halves: Path) -> None:
    found = Sources().modules("halves.block")
    assert found == {
        "halves.block", "halves.deep", "halves.deep.sums", "halves.lone",
        "praxis_evolve.blocks.frame",
    }  # fmt: skip
    assert "halves" not in sys.modules


@pytest.mark.parametrize("file", ["block.py", "deep/sums.py", "lone.py"])
def test_a_change_in_any_file_of_it_shows(halves: Path, file: str) -> None:
    before = source_digest(DECLARATION)
    (halves / "unused.py").write_text("1")
    assert source_digest(DECLARATION) == before
    (halves / file).write_text((halves / file).read_text() + "\n1\n")
    assert source_digest(DECLARATION) != before


@pytest.mark.usefixtures("halves")
def test_a_change_of_the_declaration_shows() -> None:
    late = {name: replace(setting, legacy=0.25) for name, setting in DECLARATION.settings.items()}
    wider = {"share": Setting(Real(0.1, 0.95), 0.5, "how much")}
    others = (
        replace(DECLARATION, settings=wider),
        replace(DECLARATION, settings=late),
        replace(DECLARATION, cost=_dearer),
        replace(DECLARATION, head=_decoding),
        replace(DECLARATION, version=2),
        replace(DECLARATION, mixes=True),
    )
    digests = {source_digest(each) for each in (DECLARATION, *others)}
    assert len(digests) == len(others) + 1
    assert source_digest(replace(DECLARATION, summary="other words")) in digests


def test_a_missing_module_names_the_block() -> None:
    with pytest.raises(ImportError, match=r"'half'.*no module 'halves\.block'"):
        source_digest(DECLARATION)


def test_every_entry_has_a_source_and_a_version() -> None:
    sources = installed().sources
    assert sources.keys() == {d.name for d in installed()}
    assert all(sources[d.name].startswith(f"{d.version}/") for d in installed())
    assert len(set(sources.values())) == len(sources)
