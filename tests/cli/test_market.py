"""``market`` lists blocks, contributors and authors of blocks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from praxis_evolve.blocks.makers import OURS
from praxis_evolve.blocks.registry import installed
from praxis_evolve.cli.errors import Code
from praxis_evolve.genome.identity import canonical
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.record import FIRST, Record, sign
from praxis_evolve.tests.cli.calling import Cli, Tiny
from praxis_evolve.tests.market.receiving import received


def test_blocks_are_listed_with_what_used_them(cli: Cli, tiny: Tiny) -> None:
    found = cli("market", "--store", tiny.url, "--json").json
    with Ledger.open(tiny.url, create=False) as ledger:
        results = [result for result in ledger.results("tiny") if result.ok]
        genomes = {r.genome: canonical(ledger.genome(r.genome), installed()) for r in results}
        (author,) = ledger.counts("tiny")
    using = {
        name: {part.name for part in genome.parts()} for name, genome in genomes.items()
    }  # fmt: skip
    assert found["blocks"]
    shares = cli("shares", "--store", tiny.url, "--json").json["slots"]
    for row in found["blocks"]:
        assert f"{row['version']}/{row['sha256']}" == installed().sources[row["name"]]
        assert row["author"] == OURS.author
        assert row["results"] == sum(row["name"] in using[result.genome] for result in results)
        assert (row["measured_by"] == [author]) == (row["results"] > 0)
        assert row["able"] == [author]
        assert 0 <= row["of_best_low"] <= row["of_best"] <= row["of_best_high"] <= 1
        drawn = {each["trait"]: each["share"] for each in shares.get(row["slot"], [])}
        assert row["share"] == drawn.get(row["name"])
    (maker,) = found["block_authors"]
    assert maker["blocks"] == len(found["blocks"])
    assert (maker["results"], maker["of_all"]) == (len(results), 1.0)


def test_a_lone_peer_has_the_credit_of_all_that_it_did(cli: Cli, tiny: Tiny) -> None:
    found = cli("market", "tiny", "--store", tiny.url, "--json").json
    (own,) = found["contributors"]
    assert own["standing"] == "own"
    assert own["credit_flops"] == own["trusted_flops"] == own["claimed_flops"] > 0
    assert own["agreed_flops"] == 0
    assert own["ancestors"] == len(found["best_line"]) >= 1  # it bred all of them
    assert found["best"] in found["best_line"]
    said = f"and its ancestors, {len(found['best_line'])} in all, this peer has"
    assert said in cli("market", "tiny", "--store", tiny.url).out
    assert found["best"] == cli("winners", "--store", tiny.url, "--json").json["winner"]


@pytest.mark.parametrize("noise", [0.0, 1e-5])
def test_copies_of_a_run_by_another_name_earn_and_take_nothing(
    cli: Cli, copied: Tiny, noise: float
) -> None:
    thief = Identity.new()
    winner = cli("winners", "--store", copied.url, "--json").json["winner"]
    before = cli("market", "--store", copied.url, "--json").json["contributors"][0]
    with Ledger.open(copied.url) as ledger:
        stolen, prev = list[Record](), FIRST
        for record in ledger.records("tiny"):
            bits = record.result.bits_per_byte
            noisy = replace(record.result, bits_per_byte=bits and bits + noise)
            stolen.append(
                sign(noisy, thief, run=record.run, seq=len(stolen), prev=prev,
                     catalog=record.catalog, program=record.program)
            )  # fmt: skip
            prev = stolen[-1].id
        assert len(received(ledger, "tiny", stolen, own=before["author"]).added) == len(stolen)
    found = {
        each["author"]: each
        for each in cli("market", "--store", copied.url, "--json").json["contributors"]
    }
    assert found[before["author"]]["credit_flops"] == before["credit_flops"]
    assert found[before["author"]]["ancestors"] == before["ancestors"]
    copy = found[thief.author]
    assert copy["claimed_flops"] == copy["agreed_flops"] * 2 == before["claimed_flops"]
    assert (copy["credit_flops"], copy["trusted_flops"], copy["ancestors"]) == (0, 0, 0)
    assert copy["standing"] == "not proven"
    assert winner is not None
    assert cli("winners", "--store", copied.url, "--json").json["winner"] == winner


def test_the_tables_name_blocks_contributors_and_authors(cli: Cli, tiny: Tiny) -> None:
    out = cli("market", "--store", tiny.url).out
    heads = [line.split()[0] for line in out.splitlines() if line]
    assert {"block", "contributor", "author", "attention", "praxis-evolve"} <= set(heads)
    assert "more that no result has used: --all" in out
    everything = cli("market", "--store", tiny.url, "--all").out
    assert len(everything.splitlines()) > len(out.splitlines())
    assert "--all" not in everything


def test_blocks_can_be_chosen_by_family_and_author(cli: Cli, tiny: Tiny) -> None:
    def names(*options: str) -> set[str]:
        called = cli("market", "--store", tiny.url, "--json", *options)
        return {row["name"] for row in called.json["blocks"]}

    every = names()
    assert names("--author", "praxis-evolve") == every
    norms = names("--family", "norm")
    assert norms == {d.name for d in installed() if d.family == "norm"} & every
    assert names("--family", "norm", "--family", "residual") > norms


@pytest.mark.parametrize(
    ("option", "value", "nearest"),
    [("--family", "norn", "norm"), ("--author", "nobody", "praxis-evolve")],
)
def test_an_unknown_family_or_author_names_those_there_are(
    cli: Cli, tiny: Tiny, option: str, value: str, nearest: str
) -> None:
    called = cli("market", "--store", tiny.url, option, value)
    assert called.code == Code.NOT_FOUND
    assert value in called.err
    assert nearest in called.err
