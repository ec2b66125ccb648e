"""What ``run`` says to input that it cannot use: the exit code, three lines, no traceback."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from praxis_evolve.cli.errors import Code
from praxis_evolve.tests.cli.calling import Called, Cli


def refused(called: Called, code: Code, *words: str) -> None:
    assert called.code == code
    assert called.out == ""
    assert called.err.startswith("error: ")
    assert len(called.err.splitlines()) <= 3
    for word in words:
        assert word in called.err


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "0 bytes"), (b"\x00\xff" * 999, "UTF-8"), (b"abc", "at least 1,290 bytes")],
)
def test_a_file_that_is_no_text(cli: Cli, tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "text").write_bytes(content)
    refused(cli("run", "--device", "cpu", "--text", "text"), Code.USAGE, words)
    assert not (tmp_path / "runs").exists()


def test_a_folder_without_text_and_a_path_to_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "picture").write_bytes(b"\x00")
    refused(cli("run", "--device", "cpu", "--text", "folder"), Code.USAGE, "has none")
    refused(cli("run", "--device", "cpu", "--text", "gone"), Code.USAGE, "nothing at 'gone'")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--population", "0"], ["--population is 0", "4"]),
        (["--limit", "parms=5M"], ["did you mean 'params'"]),
        (["--limit", "params"], ["is not an amount"]),
        (["--limit", "params=-3"], ["is not an amount"]),
        (["--rungs", "3k,2k"], ["rising"]),
        (["--rungs", "x"], ["is not an amount"]),
        (["--objectives", "bpb,flop"], ["did you mean 'flops'"]),
        (["--objectives", "flops"], ["must contain 'bpb'"]),
        (["--size", "giant"], ["'small'"]),
        (["--memory-limit", "much"], ["is not an amount"]),
        (["--name", "a b"], ["letters"]),
        (["--device", "tpu"], ["auto, cpu or cuda"]),
        (["--minutes", "0"], ["greater than 0"]),
        (["--workers", "0"], ["greater than or equal to 1"]),
    ],
)
def test_a_flag_out_of_its_range(cli: Cli, flags: list[str], words: list[str]) -> None:
    refused(cli("run", *flags), Code.USAGE, *words)


def test_a_flag_that_is_no_number_or_unknown_is_refused_with_usage(cli: Cli) -> None:
    assert cli("run", "--population", "x").code == Code.USAGE
    called = cli("run", "--populatio", "5")
    assert called.code == Code.USAGE
    assert "--population" in called.err


def test_limits_that_no_genome_keeps(cli: Cli) -> None:
    called = cli("run", "--device", "cpu", "--limit", "flops=1", "--dry-run")
    refused(called, Code.USAGE, "no genome is within the limits", "--limit")
    assert re.search(r"limit of flops is 1, but the least of 64 small genomes has \d", called.err)


def test_a_limit_of_memory_that_no_worker_keeps(cli: Cli) -> None:
    called = cli("run", "--device", "cpu", "--limit", "memory=1Mi", "--dry-run")
    refused(called, Code.USAGE, "memory is 1 MiB, but a worker without a genome holds", "--limit")


def test_what_is_outside_of_the_limits_is_said_before_the_start(cli: Cli) -> None:
    called = cli("run", "--device", "cpu", "--size", "demo", "--limit", "params=60k", "--dry-run")
    assert called.code == 0
    for name in ("llama", "gpt2", "llama-conv"):
        assert f"the baseline {name} is outside" in called.out


def test_a_store_below_a_file_and_a_url_that_is_none(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    text = ["--device", "cpu", "--size", "demo"]
    url = f"sqlite:///{tmp_path / 'file' / 'store.db'}"
    refused(cli("run", *text, "--store", url), Code.STORE, "name another")
    refused(cli("run", *text, "--store", "nonsense"), Code.STORE, "sqlite:///")


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("populaton = 5", ["praxis.toml", "did you mean 'population'"]),
        ("population = [", ["praxis.toml", "TOML"]),
        ("population = 1", ["population (praxis.toml) is 1"]),
        ("[run]\npopulation = 8", ["no setting is called 'run'"]),
        ("rungs = 5", ["rungs (praxis.toml)"]),
    ],
)
def test_a_settings_file_with_a_mistake(
    cli: Cli, tmp_path: Path, toml: str, words: list[str]
) -> None:
    (tmp_path / "praxis.toml").write_text(toml)
    refused(cli("run"), Code.STORE, *words)


def test_a_settings_file_that_is_no_text(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "praxis.toml").write_bytes(b"\xff\xfe")
    refused(cli("run"), Code.STORE, "praxis.toml")


def test_a_variable_with_a_mistake(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRAXIS_POPULATION", "many")
    refused(cli("run"), Code.STORE, "population (environment) is 'many'")


@pytest.mark.parametrize("command", ["status", "winners", "runs", "report"])
def test_no_store_yet(cli: Cli, command: str) -> None:
    refused(cli(command), Code.STORE, "there is no store at", "start a run there")


def test_a_file_that_is_no_store(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("shopping list " * 99)
    refused(cli("status", "--store", "sqlite:///notes.db"), Code.STORE, "not a database")


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_dry_run_prints_no_password(cli: Cli, form: tuple[str, ...]) -> None:
    store = "postgresql+psycopg://me:very-secret@localhost:5/runs"
    called = cli("run", "--device", "cpu", "--size", "demo", "--store", store, "--dry-run", *form)
    assert called.code == 0
    assert "me:***@localhost" in called.out.replace("\n", "")
    assert "very-secret" not in called.out + called.err
