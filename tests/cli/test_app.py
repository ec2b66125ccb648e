"""The command line starts light, and ends every error as its contract says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from praxis_evolve.cli.app import readable
from praxis_evolve.cli.errors import CliError, Code
from praxis_evolve.tests.cli.calling import Cli

HEAVY = "torch sqlalchemy numpy plotly optuna hivemind networkx scipy pydantic jinja2 psutil"


def test_importing_the_application_imports_nothing_heavy() -> None:
    code = (
        "import sys, praxis_evolve.cli.app; "
        "print(*(name for name in sys.argv[1:] if name in sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, *HEAVY.split()], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == ""


def test_importing_the_package_does_not_import_torch_but_offers_load() -> None:
    code = (
        "import sys, praxis_evolve as p; assert 'torch' not in sys.modules; "
        "assert callable(p.load); assert 'torch' in sys.modules; p.nothing"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "has no attribute 'nothing'" in found.stderr


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_command(cli: Cli, option: str) -> None:
    called = cli(option)
    assert called.code == 0
    for name in (
        "demo", "run", "peer", "relay", "tune", "status", "winners", "shares", "market",
        "importances", "show", "report", "sample", "export", "reproduce", "replay", "doctor",
        "runs", "catalog", "control",
    ):  # fmt: skip
        assert name in called.out


def test_help_tells_what_holds_where_an_option_is_not_given(cli: Cli) -> None:
    """Brackets are markup to the library that prints the help, and vanished."""
    for command, default in (("run", "[evolution]"), ("status", "[the newest]"), ("tune", "[4G]")):
        assert default in " ".join(cli(command, "--help").out.replace("│", " ").split())


def test_the_version_is_an_answer(cli: Cli) -> None:
    assert cli("--version").out.startswith("praxis-evolve 0.")


def test_an_unknown_command_names_the_nearest(cli: Cli) -> None:
    called = cli("statsu")
    assert called.code == Code.USAGE
    assert "status" in called.err
    assert called.out == ""


def test_an_error_has_at_most_three_lines_even_of_a_talkative_library() -> None:
    error = CliError("one\ntwo", why="three\n\nfour", cure="five", code=Code.FAILURE)
    assert error.lines() == ["error: one two", "  three four", "  five"]
    assert len(readable(RuntimeError("a\nb")).lines()) == 3
    assert readable(RuntimeError("a")).code == Code.FAILURE


def test_the_exit_codes_are_those_of_the_documentation() -> None:
    assert {code.name: code.value for code in Code} == {
        "DONE": 0, "FAILURE": 1, "USAGE": 2, "STORE": 3, "NOT_FOUND": 4, "NO_GENOME": 5,
        "UNREACHABLE": 6, "VERIFICATION": 7, "UNSOUND": 8, "UNFIT": 9, "NOTHING_LEFT": 10,
        "INTERRUPTED": 130,
        "TERMINATED": 143,
    }  # fmt: skip
