"""``replay`` asks a run again: whatever the workers did, and whatever was done to its log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from praxis_evolve.blocks.ranges import Choice
from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.cli.errors import Code
from praxis_evolve.genome.graph import Entry, Genome, Part, Visit
from praxis_evolve.genome.text import to_json
from praxis_evolve.market.drive import drive
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.market.plan import Plan
from praxis_evolve.market.worker import Wish
from praxis_evolve.search.base import Asked, Assignment, Birth, Finished
from praxis_evolve.search.population import Population
from praxis_evolve.tests.cli.calling import Cli, Tiny
from praxis_evolve.tests.market.loop import (
    CATALOG,
    MANIFEST,
    Parallel,
    Seen,
    after,
    always,
    invented,
)

ME, YOU = Identity.new(), Identity.new()
Change = Callable[[int, Assignment], Assignment]


def driven(url: str, identity: Identity, *, looks: int | None = None, workers: int = 8) -> Plan:
    """Work on the run ``r`` with invented results; its plan as it is then."""
    plan = Plan(MANIFEST, CATALOG)
    with Ledger.open(url, catalog=CATALOG, now=lambda: 1000.0) as ledger:
        if not ledger.runs():
            ledger.create_run("r", MANIFEST.to_dict())
        drive(
            ledger, "r", plan, identity=identity, pool=Parallel(workers, invented, Random(5)),
            watcher=Seen(), wish=always(Wish.WORK) if looks is None else after(looks, Wish.STOP),
            now=lambda: 1000.0,
        )  # fmt: skip
    return plan


def rewritten(
    url: str, to: str, *, manifest: Manifest = MANIFEST, change: Change = lambda n, a: a
) -> None:
    """Write the log of the run ``r`` into another store, with other asks or another manifest."""
    with Ledger.open(url) as source, Ledger.open(to) as target:
        target.create_run("r", manifest.to_dict())
        number = 0
        for event in source.events("r"):
            if isinstance(event, Asked):
                target.append_asked("r", change(number, event.assignment))
                number += 1
            elif isinstance(event, Finished):
                target.publish("r", ME, event.result)


def stores(folder: Path) -> tuple[str, str]:
    return f"sqlite:///{folder / 'one.db'}", f"sqlite:///{folder / 'other.db'}"


def text_of(population: Population) -> bytes:
    """All that a population knows, in order."""
    genomes = [f"{name} {to_json(genome)}" for name, genome in population.genomes.items()]
    scores = [f"{rung} {dict(population.scores(rung))}" for rung in MANIFEST.rungs]
    lines = [*genomes, *scores, repr(population.by_birth()), repr(population.living())]
    return "\n".join(lines).encode()


def test_a_run_of_eight_workers_that_was_interrupted_replays(cli: Cli, tmp_path: Path) -> None:
    url, _ = stores(tmp_path)
    driven(url, ME, looks=7)
    worked = driven(url, ME)
    called = cli("replay", "r", "--store", url, "--json")
    assert called.code == Code.DONE
    found = called.json
    assert found["schema"] == "praxis-evolve/replay/1"
    assert found["asks"] == found["equal"] == found["results"] > 25
    assert found["authors"] == [
        {"author": ME.author, "asks": found["asks"], "equal": found["equal"]}
    ]
    assert (found["replays"], found["first_difference"]) == (True, None)
    again = Plan(MANIFEST, CATALOG)
    with Ledger.open(url) as ledger:
        again.search.tell(list(ledger.events("r")))
    assert text_of(again.evolution.population) == text_of(worked.evolution.population)


def test_asks_of_everybody_who_drove_the_run_are_asked_again(cli: Cli, tmp_path: Path) -> None:
    url, _ = stores(tmp_path)
    driven(url, ME, looks=9)
    driven(url, YOU)
    found = cli("replay", "--run", "r", "--store", url, "--json").json
    assert [each["author"] for each in found["authors"]] == [ME.author, YOU.author]
    assert all(each["asks"] == each["equal"] > 0 for each in found["authors"])
    said = cli("replay", "--store", url).out
    assert all(key.author[:12] in said for key in (ME, YOU))


def test_a_forged_ask_is_found_and_shown(cli: Cli, tmp_path: Path) -> None:
    url, other = stores(tmp_path)
    driven(url, ME)

    def forged(number: int, asked: Assignment) -> Assignment:
        return replace(asked, origin="my own idea") if number == 20 else asked

    rewritten(url, other, change=forged)
    called = cli("replay", "r", "--store", other)
    assert called.code == Code.VERIFICATION
    assert f"ask 20 of {ME.author[:12]}" in called.out
    assert "by my own idea" in called.out
    lines = [line.split() for line in called.out.splitlines()]
    assert ["differs", "origin"] in lines
    assert "1 of" in called.err
    found = cli("replay", "r", "--store", other, "--json").json["first_difference"]
    assert (found["number"], found["differing"]) == (20, ["origin"])
    assert found["logged"]["id"] == found["replayed"]["id"]
    assert found["logged"]["genome"] == found["replayed"]["genome"]


def test_another_lineage_is_a_difference(cli: Cli, tmp_path: Path) -> None:
    url, other = stores(tmp_path)
    driven(url, ME)

    def forged(number: int, asked: Assignment) -> Assignment:
        pool = tuple(replace(entry, lineage="mine") for entry in asked.genome.pool)
        return replace(asked, genome=replace(asked.genome, pool=pool)) if number == 30 else asked

    rewritten(url, other, change=forged)
    found = cli("replay", "r", "--store", other, "--json").json["first_difference"]
    assert (found["number"], found["differing"]) == (30, ["lineage"])


def test_another_seed_differs_and_blocks_that_changed_are_named(cli: Cli, tmp_path: Path) -> None:
    url, other = stores(tmp_path)
    driven(url, ME)
    sources = {**CATALOG.sources, "glu": "1/another", "mlp": "0/older"}
    rewritten(url, other, manifest=replace(MANIFEST, seed=4, sources=sources, program="0.0.1"))
    called = cli("replay", "r", "--store", other)
    assert called.code == Code.VERIFICATION
    assert "the source of glu, mlp changed" in called.err
    assert "praxis-evolve 0.0.1" in called.err
    found = cli("replay", "r", "--store", other, "--json").json
    assert set(found["changed_blocks"]) == {"glu", "mlp"}
    assert 0 < found["equal"] < found["asks"]  # what is no matter of chance is asked by any seed


def test_blocks_that_changed_are_named_where_the_asks_are_the_same(
    cli: Cli, tmp_path: Path
) -> None:
    url, other = stores(tmp_path)
    driven(url, ME)
    rewritten(url, other, manifest=replace(MANIFEST, sources={**CATALOG.sources, "glu": "1/a"}))
    called = cli("replay", "r", "--store", other)
    assert called.code == Code.DONE
    assert "the source of glu changed since" in called.out


def test_a_log_that_older_blocks_wrote_is_not_called_damaged_alone(
    cli: Cli, tmp_path: Path
) -> None:
    url, _ = stores(tmp_path)
    known = CATALOG["attention"]
    heads = replace(known.settings["heads"], range=Choice((1, 3)))
    older = replace(known, settings={**known.settings, "heads": heads})
    catalog = Catalog((older, *(d for d in CATALOG if d.name != "attention")))
    genome = Genome((Entry(Part("attention", {**known.defaults(), "heads": 3})),), (Visit(0),))
    with Ledger.open(url, catalog=catalog) as ledger:
        sources = {**CATALOG.sources, "attention": "1/older"}
        digest = ledger.create_run("r", replace(MANIFEST, sources=sources).to_dict()).digest
        ledger.append_asked("r", Assignment(genome, 100, 0, Birth(digest, ME.author, 0)))
    called = cli("replay", "r", "--store", url)
    assert called.code == Code.STORE
    assert "heads" in called.err
    assert "the source of attention changed since" in called.err


def test_a_run_that_asked_nothing_replays(cli: Cli, tmp_path: Path) -> None:
    url, _ = stores(tmp_path)
    driven(url, ME, looks=0)
    found = cli("replay", "--store", url, "--json").json
    assert (found["asks"], found["replays"]) == (0, True)


def test_two_names_are_one_too_many(cli: Cli, tiny: Tiny) -> None:
    called = cli("replay", "tiny", "--run", "other", "--store", tiny.url)
    assert called.code == Code.USAGE
    assert cli("replay", "tini", "--store", tiny.url).code == Code.NOT_FOUND


def test_a_trained_run_replays(cli: Cli, tiny: Tiny) -> None:
    called = cli("replay", "tiny", "--store", tiny.url)
    assert called.code == Code.DONE
    assert "Every ask is what the search answers" in called.out


@pytest.mark.slow
def test_a_run_trained_by_two_workers_replays(cli: Cli, tiny: Tiny, tmp_path: Path) -> None:
    url, _ = stores(tmp_path)
    how = ["--text", str(tiny.text), "--size", "demo", "--population", "6", "--rungs", "512,1k,2k"]
    called = cli(
        "run", *how, "--workers", "2", "--device", "cpu", "--store", url, "--name", "pair",
        "--quiet", "--no-report",
    )  # fmt: skip
    assert called.code == Code.DONE
    assert cli("replay", "pair", "--store", url).code == Code.DONE
