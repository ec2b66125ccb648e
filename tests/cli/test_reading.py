"""The commands that read a finished run agree with its ledger and with each other."""

from __future__ import annotations

import json
from dataclasses import replace
from math import log2
from pathlib import Path
from statistics import fmean

import pytest

from praxis_evolve.blocks.registry import installed
from praxis_evolve.cli.errors import Code
from praxis_evolve.cli.view import facts
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.identity import genome_id
from praxis_evolve.genome.text import from_json
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.tests.cli.calling import Cli, Tiny
from praxis_evolve.tests.market.loop import MANIFEST


@pytest.fixture(scope="module")
def results(tiny: Tiny) -> list[Result]:
    with Ledger.open(tiny.url, create=False) as ledger:
        return ledger.results("tiny")


def test_winners_are_the_means_of_their_seeds(cli: Cli, tiny: Tiny, results: list[Result]) -> None:
    found = cli("winners", "--store", tiny.url, "--json").json
    assert found["schema"] == "praxis-evolve/winners/1"
    assert found["winners"][0]["id"] == found["winner"]
    assert {each["name"] for each in found["baselines"]} == {"llama", "gpt2", "llama-conv"}
    for each in found["winners"] + found["baselines"]:
        finals = [r for r in results if r.genome == each["id"] and r.replica > 0]
        tests = [r.test_bits_per_byte for r in finals if r.test_bits_per_byte is not None]
        assert each["test_bits_per_byte"] == pytest.approx(fmean(tests))
        assert sorted(each["test_bits_per_byte_values"]) == sorted(tests)
    others = [each["search_bits_per_byte"] for each in found["winners"][1:]]
    assert others == sorted(others)


def test_nothing_beats_the_front(cli: Cli, tiny: Tiny, results: list[Result]) -> None:
    found = cli("winners", "--store", tiny.url, "--json").json
    rung = found["front_rung_tokens"]
    points = {
        r.genome: (r.costs.flops, r.bits_per_byte)
        for r in results
        if r.replica == 0 and r.rung == rung and r.costs and r.bits_per_byte is not None
    }
    brute = {
        name
        for name, (flops, bits) in points.items()
        if not any(f <= flops and b <= bits and (f, b) != (flops, bits) for f, b in points.values())
    }
    assert {each["id"] for each in found["front"]} == brute


def test_the_hypervolume_is_what_the_front_covers(cli: Cli, tiny: Tiny) -> None:
    found = cli("winners", "--store", tiny.url, "--json").json
    assert found["objectives"] == ["bits_per_byte", "flops"]
    bits, flops = found["reference"]
    corners = [(each["search_bits_per_byte"], each["flops_per_token"]) for each in found["front"]]
    inside = sorted((b, f) for b, f in corners if b < bits and f < flops)
    area, edge = 0.0, [b for b, _ in inside[1:]] + [bits]
    for (low, cost), high in zip(inside, edge, strict=True):
        area += (high - low) * log2(flops / cost)
    assert found["hypervolume"] == pytest.approx(area)
    state = cli("status", "--store", tiny.url, "--json").json["hypervolume"]
    assert state["value"] == found["hypervolume"]
    assert state["front"] == len(corners)
    assert f"hypervolume {area:.3f} from bpb" in cli("status", "--store", tiny.url).out


def test_authors_are_named_as_market_names_them(cli: Cli, tiny: Tiny) -> None:
    (author,) = cli("status", "--authors", "--store", tiny.url, "--json").json["authors"]
    (account,) = cli("market", "tiny", "--store", tiny.url, "--json").json["contributors"]
    assert author["author"] == account["author"]
    lines = cli("status", "--authors", "--store", tiny.url).out.splitlines()
    assert [author["author"][:12], str(author["records"])] in [line.split()[:2] for line in lines]


def test_the_tables_name_what_the_document_names(cli: Cli, tiny: Tiny) -> None:
    found = cli("winners", "--store", tiny.url, "--json").json
    shown = cli("winners", "--store", tiny.url).out
    for each in found["winners"] + found["baselines"]:
        line = next(line for line in shown.splitlines() if line.split()[:1] == [each["name"]])
        assert f"{each['test_bits_per_byte']:.3f}" in line
        assert each["blocks"] in line
    assert len(cli("winners", "--store", tiny.url, "--top", "1", "--json").json["winners"]) == 1


def test_status_counts_what_the_ledger_holds(cli: Cli, tiny: Tiny, results: list[Result]) -> None:
    found = cli("status", "--store", tiny.url, "--json").json
    assert (found["schema"], found["run"]) == ("praxis-evolve/status/1", "tiny")
    assert found["state"] == "finished"
    assert found["births_done"] == found["births"] == 8
    assert found["finals_done"] == found["finals"] == sum(r.replica != 0 for r in results)
    for rung in found["rungs"]:
        here = [r for r in results if r.replica == 0 and r.rung == rung["rung_tokens"]]
        assert rung["results"] == len(here)
    screen = cli("status", "--store", tiny.url, "--watch").out
    assert "8/8 genomes" in screen
    assert found["next"] in screen
    assert found["best"]["id"][:6] in screen


def test_a_run_of_several_islands_says_what_a_peer_has_of_it() -> None:
    assert "islands" not in facts(MANIFEST)
    several = facts(replace(MANIFEST, islands=3))["islands"]
    assert (
        several == "3; a peer has all records of its own, and now and then the best of the others"
    )


def test_status_shows_the_authors(cli: Cli, tiny: Tiny) -> None:
    (own,) = cli("status", "--store", tiny.url, "--authors", "--json").json["authors"]
    assert (own["own"], own["believed"], own["colour"]) == (True, True, "green")
    assert own["wrong"] == own["right"] == 0
    row = cli("status", "--store", tiny.url, "--authors").out.splitlines()[-1].split()
    assert row[1:3] == [f"{own['records']}", "own"]
    assert "authors" not in cli("status", "--store", tiny.url, "--json").json


def test_runs_lists_the_run(cli: Cli, tiny: Tiny, results: list[Result]) -> None:
    (found,) = cli("runs", "--store", tiny.url, "--json").json["runs"]
    assert found["name"] == "tiny"
    assert found["results"] == len(results)
    assert found["best_id"][:6] in cli("runs", "--store", tiny.url).out


def test_show_has_the_whole_genome(cli: Cli, tiny: Tiny) -> None:
    best = cli("winners", "--store", tiny.url, "--json").json["winner"]
    found = cli("show", f"g-{best[:8]}", "--store", tiny.url, "--json").json
    genome = from_json(json.dumps(found["genome"]), installed())
    assert genome_id(genome, installed()) == found["id"] == best
    assert found["role"].startswith("winner")
    screen = cli("show", best[:8], "--store", tiny.url).out
    assert found["blocks"] in screen
    for result in found["results"]:
        assert f"{result['search_bits_per_byte']:.4f}" in screen


def test_show_draws(cli: Cli, tiny: Tiny, tmp_path: Path) -> None:
    assert cli("show", "llama", "--store", tiny.url, "--dot").out.startswith("digraph")
    assert cli("show", "llama", "--store", tiny.url, "--mermaid").out.startswith("flowchart TD")
    page = tmp_path / "llama.html"
    for _ in range(2):
        assert cli("show", "llama", "--store", tiny.url, "--html", str(page)).code == Code.DONE
    assert "plotly" in page.read_text()
    page.write_text("mine")
    refused = cli("show", "llama", "--store", tiny.url, "--html", str(page))
    assert (refused.code, page.read_text()) == (Code.USAGE, "mine")
    both = cli("show", "llama", "--store", tiny.url, "--dot", "--json")
    assert both.code == Code.USAGE


def test_what_is_not_there_names_the_nearest(cli: Cli, tiny: Tiny) -> None:
    for command in ("show", "sample", "reproduce"):
        called = cli(command, "g-zzz", "--store", tiny.url)
        assert called.code == Code.NOT_FOUND
        assert "nearest" in called.err
        assert "winners --run tiny" in called.err
    called = cli("status", "--store", tiny.url, "--run", "tini")
    assert called.code == Code.NOT_FOUND
    assert "tiny" in called.err


def test_the_report_is_one_page(cli: Cli, tiny: Tiny, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    called = cli("report", "--store", tiny.url, "--out", str(page))
    assert (called.code, called.out.strip()) == (Code.DONE, str(page))
    assert "tiny" in page.read_text()
    assert cli("report", "--store", tiny.url, "--out", str(tmp_path)).code == Code.USAGE
