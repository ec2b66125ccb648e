"""Flags win over the environment, that over the project's file, that over the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from praxis_evolve.cli.errors import CliError, Code
from praxis_evolve.cli.settings import layered, parse_amount, user_file


@pytest.mark.parametrize(
    ("text", "number"), [("450", 450), ("50k", 50_000), ("1.5M", 1_500_000), (" 4G ", 4 * 10**9)]
)
def test_amounts(text: str, number: int) -> None:
    assert parse_amount(text) == number


@pytest.mark.parametrize("text", ["", "k", "5T", "-1", "0", "nan", "inf", "1e999", "4 5"])
def test_texts_that_are_no_amounts(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        parse_amount(text)


def test_the_layers_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["seed", "population", "minutes", "size"]
    user_file().parent.mkdir(parents=True)
    user_file().write_text('seed = 1\npopulation = 11\nminutes = 1.0\nsize = "medium"')
    (tmp_path / "praxis.toml").write_text("population = 12\nminutes = 2.0\nseed = 2")
    monkeypatch.setenv("PRAXIS_MINUTES", "3.0")
    monkeypatch.setenv("PRAXIS_SEED", "3")
    found = layered({"seed": 4, "population": None})
    assert {name: getattr(found.settings, name) for name in names} == {
        "seed": 4, "minutes": 3.0, "population": 12, "size": "medium",
    }  # fmt: skip
    assert [found.origin[name] for name in names] == [
        "flag", "praxis.toml", "environment", str(user_file()),
    ]  # fmt: skip
    assert found.origin["workers"] == "default"


def test_lists_are_given_as_text_or_as_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "praxis.toml").write_text('rungs = [100, 300]\nlimit = ["params=1M"]')
    monkeypatch.setenv("PRAXIS_OBJECTIVES", "bpb, params")
    found = layered({}).settings
    assert found.rungs == (100, 300)
    assert found.limit == ("params=1M",)
    assert found.objectives == ("bpb", "params")


def test_other_variables_with_the_prefix_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRAXIS_SOMETHING", "else")
    assert layered({}).settings.seed == 1337


def test_an_unknown_flag_is_named() -> None:
    with pytest.raises(CliError, match="did you mean 'seed'") as raised:
        layered({"sed": 1})
    assert raised.value.code == Code.STORE


def test_what_inherits_is_the_evolution() -> None:
    with pytest.raises(CliError, match="inherit"):
        layered({"search": "random", "inherit": True})
    assert layered({"search": "random"}).settings.search == "random"


def test_an_unknown_search_suggests_the_nearest() -> None:
    with pytest.raises(CliError) as caught:
        layered({"search": "evolutoin"})
    assert "evolution" in str(caught.value.why)
