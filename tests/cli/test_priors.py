"""``run --prior`` expects something of traits; the run keeps it, and ``shares`` shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from praxis_evolve.cli.errors import Code
from praxis_evolve.genome.traits import training_trait
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.tests.cli.calling import Called, Cli, Tiny
from praxis_evolve.tests.cli.test_bad_input import refused

RATE = training_trait("learning_rate", 0.01).value
PRIORS = {"mixer=retention": 0.05, "attention.heads=4": 0.2, f"learning_rate={RATE}": -0.05}
GIVEN = ["--prior", "mixer=retention,attention.heads=4:0.2", "--prior", "learning_rate=1e-2:-0.05"]


def dry(cli: Cli, *flags: str) -> Called:
    return cli("run", "--device", "cpu", "--size", "demo", "--dry-run", *flags)


def test_a_run_keeps_its_priors_and_shares_shows_them(cli: Cli, tiny: Tiny, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'new.db'}"
    called = cli(
        "run", "--text", str(tiny.text), "--size", "demo", "--population", "4", "--rungs",
        "256,512", "--workers", "1", "--device", "cpu", "--store", store, "--name", "mine",
        "--no-report", *GIVEN,
    )  # fmt: skip
    assert called.code == Code.DONE
    assert "mixer=retention +0.05" in called.err
    with Ledger.open(store) as ledger:
        assert Manifest.from_dict(ledger.manifest("mine")).priors == PRIORS
    assert cli("replay", "mine", "--store", store).code == Code.DONE
    again = cli("run", "--resume", "mine", "--store", store, "--prior", "mixer=retention")
    refused(again, Code.STORE, "another prior")
    slots = cli("shares", "--store", store, "--json").json["slots"]
    shown = {
        f"{slot}={row['trait']}": row["prior"]
        for slot, rows in slots.items()
        for row in rows
        if row["prior"] is not None
    }
    assert shown == PRIORS
    table = cli("shares", "--store", store).out.splitlines()
    assert table[0].split()[-1] == "prior"
    rows = {tuple(line.split()[:2]): line.split()[-1] for line in table if "%" in line}
    assert rows["mixer", "retention"] == "+0.05"
    assert rows["attention.heads", "4"] == "+0.2"
    assert rows["learning_rate", RATE] == "-0.05"


def test_a_run_without_priors_has_no_column_of_them(cli: Cli, tiny: Tiny) -> None:
    slots = cli("shares", "--store", tiny.url, "--json").json["slots"]
    assert {row["prior"] for rows in slots.values() for row in rows} == {None}


@pytest.mark.parametrize(
    ("prior", "says"),
    [
        ("mixr=retention", ["no slot is called 'mixr'", "nearest are mixer"]),
        ("attention.head=4", ["no slot is called 'attention.head'", "attention.heads"]),
        ("after atention=glu", ["no slot is called 'after atention'", "after attention"]),
        ("qqq=1", ["no slot is called 'qqq'", "there are mixer, feed-forward", "'after BLOCK'"]),
        ("mixer=retenton", ["'mixer' has no value 'retenton'", "'retention'?", "attention"]),
        ("mixer=glu", ["the slot 'mixer' has no value 'glu'", "there are attention"]),
        ("attention.heads=3", ["has no value '3'", "there are 1, 2, 4, 8"]),
        ("learning_rate=2", ["the numbers from 0.001 to 0.03, as the stretches 0.001.."]),
        ("width=32", ["the slot 'width' has no value '32'", "there are 64"]),
        ("learning_rate=0.01,learning_rate=0.0101", ["a second one of learning_rate", "stretch"]),
    ],
)
def test_a_prior_of_what_is_not_there(cli: Cli, prior: str, says: list[str]) -> None:
    refused(dry(cli, "--prior", prior), Code.USAGE, f"--prior {prior.rpartition(',')[2]}", *says)


def test_priors_need_the_shares_that_begin_with_them(cli: Cli) -> None:
    refused(
        dry(cli, "--no-shares", "--prior", "mixer=retention"), Code.USAGE,
        "--prior is 'mixer=retention'", "shares begin with priors, and --no-shares leaves",
    )  # fmt: skip
    refused(dry(cli, "--prior", "mixer"), Code.USAGE, "write SLOT=VALUE or SLOT=VALUE:STRENGTH")
