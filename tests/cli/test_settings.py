"""Flags win over the environment, that over the project's file, that over the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from praxis_evolve.cli.errors import CliError, Code
from praxis_evolve.cli.settings import (
    STRENGTH,
    layered,
    memory_of,
    parse_amount,
    parse_limit,
    parse_prior,
    user_file,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("450", 450), ("50k", 50_000), ("64K", 64_000), ("1.5M", 1_500_000), (" 4G ", 4 * 10**9),
        ("64Ki", 65_536), ("1.5Mi", 1_572_864), ("2Gi", 2**31),
    ],
)  # fmt: skip
def test_amounts(text: str, number: int) -> None:
    assert parse_amount(text) == number


@pytest.mark.parametrize("text", ["", "k", "5T", "-1", "0", "nan", "inf", "1e999", "4 5"])
def test_texts_that_are_no_amounts(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        parse_amount(text)


GIB = 1 << 30


@pytest.mark.parametrize(
    ("text", "of_8_gib"),
    [
        ("4G", 4 * 10**9), ("MAX", 8 * GIB), ("MAX/2", 4 * GIB), ("MAX*0.25", 2 * GIB),
        ("MAX-2Gi", 6 * GIB), (" MAX/4-1Gi ", GIB), ("MAX/3", 8 * GIB // 3),
    ],
)  # fmt: skip
def test_memory_may_be_a_part_of_what_there_is(text: str, of_8_gib: int) -> None:
    assert memory_of(text, 8 * GIB) == of_8_gib


@pytest.mark.parametrize(
    "text",
    ["", "MAX/0", "MAX*0", "MAX-9Gi", "MAX/", "MAX-", "max/2", "MAX**2", "MAX/2+1G", "2*MAX"],
)
def test_what_is_no_memory(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no memory|is not an amount"):
        memory_of(text, 8 * GIB)


def test_limits_of_the_machine_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "praxis.toml").write_text('hours = "22-7"\non_battery = false\ngpus = [0, 2]')
    monkeypatch.setenv("PRAXIS_IDLE", "3m")
    found = layered({"disk": "2G", "memory_limit": "MAX/2"}).settings
    assert (found.hours, found.idle, found.disk) == ("22-7", "3m", "2G")
    assert (found.on_battery, found.gpus, found.once) == (False, (0, 2), False)
    assert layered({"gpus": "1, 3", "on_battery": "yes"}).settings.gpus == (1, 3)
    assert layered({"gpus": 4}).settings.gpus == (4,)


@pytest.mark.parametrize(
    ("flag", "value", "why"),
    [
        ("hours", "7-7", "no hours of a day"), ("idle", "long", "is no time"),
        ("disk", "much", "not an amount"), ("gpus", "0,0", "different numbers"),
        ("gpus", "-1", "different numbers"), ("gpus", "a", "valid integer"),
        ("on_battery", "perhaps", "valid boolean"), ("memory_limit", "MAX/0", "is no memory"),
    ],
)  # fmt: skip
def test_limits_of_the_machine_that_are_none(flag: str, value: str, why: str) -> None:
    with pytest.raises(CliError) as caught:
        layered({flag: value})
    assert caught.value.code == Code.USAGE
    assert why in caught.value.why
    assert f"--{flag.replace('_', '-')}" in caught.value.what


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


def test_a_run_is_of_one_island_unless_more_are_asked_for() -> None:
    assert layered({}).settings.islands == 1
    assert layered({"islands": 100}).settings.islands == 100
    for islands in (0, -1, 4097, "many"):
        with pytest.raises(CliError, match="islands"):
            layered({"islands": islands})


def test_lists_are_given_as_text_or_as_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "praxis.toml").write_text('rungs = [100, 300]\nlimit = ["params=1M"]')
    monkeypatch.setenv("PRAXIS_OBJECTIVES", "bpb, params")
    found = layered({}).settings
    assert found.rungs == (100, 300)
    assert found.limit == ("params=1M",)
    assert found.objectives == ("bpb", "params")


@pytest.mark.parametrize(
    "given",
    [["bpb,params", "carry"], "parameters, carry_bytes,bits_per_byte", ["params,carry,bpb"]],
)
def test_objectives_have_short_and_long_names_and_quality_leads(given: object) -> None:
    found = layered({"objectives": given}).settings.objectives
    assert found == ("bpb", "params", "carry")


def test_limits_may_be_repeated_or_stand_in_one_text() -> None:
    found = layered({"limit": ["params=5M,carry_bytes=64Ki", "memory=2G"]}).settings.limit
    assert [parse_limit(text) for text in found] == [
        ("params", 5_000_000), ("carry", 65_536), ("memory", 2 * 10**9),
    ]  # fmt: skip


def test_visits_are_limited_to_what_the_text_of_a_genome_may_have() -> None:
    assert parse_limit("visits=256") == ("visits", 256)
    with pytest.raises(ValueError, match=r"at most 256 visits, but 'visits=257' allows more"):
        parse_limit("visits=257")


def test_priors_have_a_usual_strength_or_one_of_their_own() -> None:
    found = layered({"prior": ["mixer=mha, after mha=glu:-0.2", "learning_rate=1e-2:0.5"]})
    assert [parse_prior(text) for text in found.settings.prior] == [
        ("mixer", "mha", STRENGTH), ("after mha", "glu", -0.2), ("learning_rate", "1e-2", 0.5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({"objectives": "bpb,flops,flops"}, "'flops' is given twice"),
        ({"objectives": "bpb,params,parameters"}, "'params' is given twice"),
        ({"limit": ["carry=1k", "carry_bytes=2k"]}, "'carry' is given twice"),
        ({"limit": "memori=2G"}, "did you mean 'memory'"),
        ({"reference": "params=5M"}, "'params' is none of the objectives, which are bpb, flops"),
        ({"reference": "bpb=-1"}, "'-1' is not a value above 0"),
        ({"reference": "bpb=4", "objectives": "bpb"}, "one objective has no hypervolume"),
        ({"prior": "mixer"}, "'mixer' is not a prior; write SLOT=VALUE"),
        ({"prior": "=glu"}, "'=glu' is not a prior"),
        ({"prior": "mixer=:0.1"}, "'mixer=:0.1' is not a prior"),
        ({"prior": "mixer=glu:"}, "the strength '' is not a number from -0.5 to 0.5"),
        ({"prior": "mixer=glu:much"}, "the strength 'much' is not a number from -0.5 to 0.5"),
        ({"prior": "mixer=glu:nan"}, "the strength 'nan' is not a number from -0.5 to 0.5"),
        ({"prior": "mixer=glu:-0.6"}, "which is what a trait is expected to add to a standing"),
        ({"prior": "mixer=glu:0.2,mixer=glu"}, "the prior 'mixer=glu' is given twice"),
        ({"prior": "mixer=glu", "shares": False}, "--no-shares leaves shares out"),
        ({"prior": "mixer=glu", "search": "random"}, "only the search 'evolution' assigns by"),
    ],
)
def test_what_cannot_be_is_refused(flags: dict[str, object], why: str) -> None:
    with pytest.raises(CliError) as raised:
        layered(flags)
    assert why in str(raised.value.why)


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
