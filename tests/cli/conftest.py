"""A tiny finished run, made once, and the command line called in this process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from praxis_evolve.market.ledger import Ledger
from praxis_evolve.tests.cli.calling import Called, Cli, Tiny, call

WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dogs", "count", "every", "byte")


@pytest.fixture(scope="session", autouse=True)
def identity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRAXIS_IDENTITY", str(tmp_path_factory.mktemp("key") / "identity"))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees settings or a store of whoever runs it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("PRAXIS_VERBOSE", raising=False)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def called(*arguments: str) -> Called:
        capsys.readouterr()
        code = call(*arguments)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Called(code, said.out, said.err)

    return called


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    place = tmp_path_factory.mktemp("store")
    text = place / "small.txt"
    rng = Random(1)
    lines = (" ".join(rng.choice(WORDS) for _ in range(12)) for _ in range(300))
    text.write_text("\n".join(lines))
    url = f"sqlite:///{place / 'test.db'}"
    code = call(
        "run", "--text", str(text), "--size", "demo", "--population", "4", "--rungs", "512,1k",
        "--workers", "1", "--device", "cpu", "--store", url, "--name", "tiny", "--quiet",
        "--no-report",
    )  # fmt: skip
    assert code == 0
    return Tiny(url, place / "tiny", text)


@pytest.fixture
def copied(tiny: Tiny, tmp_path: Path) -> Tiny:
    """Return a copy of the run that a test may spoil."""
    store = Path(tiny.url.removeprefix("sqlite:///"))
    with Ledger.open(tiny.url) as ledger, ledger.store.reading() as connection:
        connection.exec_driver_sql("SELECT 1")
        for path in store.parent.glob(f"{store.name}*"):
            shutil.copy(path, tmp_path)
    shutil.copytree(tiny.folder, tmp_path / "tiny")
    return Tiny(f"sqlite:///{tmp_path / store.name}", tmp_path / "tiny", tiny.text)
