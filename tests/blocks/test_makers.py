from __future__ import annotations

from pathlib import Path

import pytest

from praxis_evolve.blocks.makers import LENGTH, OURS, Maker, makers
from praxis_evolve.blocks.registry import ENTRY_POINTS, OWN, installed

NAMES = iter(range(100))


def offer(site: Path, metadata: str, block: str) -> None:
    """Install a distribution that offers *block*, as far as an interpreter can tell."""
    module = f"offered_{next(NAMES)}"
    info = site / f"{module}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\n{metadata}Version: 1.2\n")
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\nx = {module}:BLOCK\n")
    (site / f"{module}.py").write_text(
        "from dataclasses import replace\n"
        "from praxis_evolve.blocks.registry import OWN\n"
        f"BLOCK = replace(OWN[0], name={block!r})\n"
    )


@pytest.mark.parametrize(
    ("metadata", "author"),
    [
        ("Name: good-blocks\nAuthor: Ada Lovelace\n", "Ada Lovelace"),
        ("Name: good-blocks\nAuthor-email: Ada Lovelace <ada@example.org>\n", "Ada Lovelace"),
        ("Name: good-blocks\nAuthor-email: ada@example.org\n", "good-blocks"),
        ("Name: good-blocks\n", "good-blocks"),
        ("Name: good-blocks\nAuthor: \x1b[31mAda\x07  L.\n", "[31mAda L."),
        (f"Name: good-blocks\nAuthor: {'a' * 500}\n", "a" * LENGTH),
    ],
)
def test_the_author_of_a_block_is_whom_its_distribution_names(
    metadata: str, author: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(tmp_path / "site", metadata, "offered")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    found = makers()
    assert found["offered"] == Maker(author, "good-blocks", "1.2")
    assert all(found[declaration.name] == OURS for declaration in OWN)


def test_everything_that_is_installed_has_a_maker() -> None:
    assert makers().keys() == {declaration.name for declaration in installed()}
