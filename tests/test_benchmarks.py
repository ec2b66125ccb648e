"""The benchmarks that take long go on from their files of rows, and say what is missing."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from scipy.stats import spearmanr  # pyright: ignore[reportUnknownVariableType]

from praxis_evolve.blocks.declaration import Cost, Declaration, Settings, Size
from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.genome.graph import Part
from praxis_evolve.genome.starters import llama
from praxis_evolve.tests.genome.random_genomes import CATALOG, space_of

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def module_of(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def output_of(name: str, *options: str) -> str:
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows_of(out: Path, *names: str) -> dict[str, dict[str, Any]]:
    size = ("--widths", "32", "--lengths", "32", "--rows", "1", "--rounds", "2", "--device", "cpu")
    text = output_of("blocks", *size, "--only", *names, "--out", str(out))
    assert [line.split()[0] for line in text.splitlines()] == list(names)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    return {row["block"]: row for row in rows}


@pytest.mark.slow
def test_rows_are_measured_once(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    first = rows_of(out, "token_shift")["token_shift"]
    assert first["parameters"] == 32
    assert all(first[k] > 0 for k in ("milliseconds", "times_reference", "peak_bytes"))
    assert "peer" not in first
    with out.open("a") as file:
        file.write('{"block": "half a l\n')
    several = rows_of(out, "token_shift", "lru")
    assert set(several) == {"token_shift", "lru"}
    assert several["token_shift"] == first
    out.write_text(out.read_text().replace(first["source"], "another"))
    assert rows_of(out, "token_shift")["token_shift"]["source"] == first["source"]


def sweep(out: Path, genomes: int, gate: int) -> tuple[str, list[str]]:
    options = ("--genomes", str(genomes), "--gate", str(gate), "--widths", "32", "--out", str(out))
    return output_of("gate_sweep", *options), out.read_text().splitlines()


@pytest.mark.slow
def test_a_sweep_of_genomes_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    text, rows = sweep(out, genomes=3, gate=1)
    assert text == (
        "width 32: 3 genomes (3 different): 0 differ from the formulas, "
        "0 of 1 refused by the gate, 0 raised\n"
    )
    assert [("refused" in json.loads(row)) for row in rows] == [False, False, True]
    out.write_text("\n".join([*rows, rows[-1][: len(rows[-1]) // 2]]))
    text, longer = sweep(out, genomes=4, gate=2)
    assert "width 32: 4 genomes (4 different): 0 differ from the formulas, 0 of 3" in text
    assert longer[:3] == rows
    done = [json.loads(row) for row in longer[4:]]
    assert [row["number"] for row in done] == [1, 3], "the second passes the gate now"
    assert sweep(out, genomes=4, gate=2) == (text, longer)


def test_a_sweep_tells_a_formula_that_is_wrong() -> None:
    module = module_of("gate_sweep")

    def cost(size: Size, settings: Settings) -> Cost:
        own = CATALOG["mod"].cost(size, settings)
        return replace(own, flops=2 * own.flops)

    def lying(declaration: Declaration) -> Declaration:
        return replace(declaration, cost=cost) if declaration.name == "mod" else declaration

    genome = llama(space_of(32), layers=1)
    routed = replace(genome.route[1], router=Part("mod", {"capacity": 0.5}))
    genome = replace(genome, route=(genome.route[0], routed))
    assert module.gaps(genome, CATALOG) == {}
    found = module.gaps(genome, Catalog(tuple(map(lying, CATALOG))))
    assert found.keys() == {"active_flops"}


@pytest.mark.slow
def test_an_entry_is_beside_its_peer_or_says_why_not(tmp_path: Path) -> None:
    row = rows_of(tmp_path / "rows.jsonl", "hyper")["hyper"]
    assert row["given"] == {"dynamic": True}
    assert row["times_peer"] > 0 if "peer" in row else "hyper-connections" in row["problems"][0]


def engine(out: Path, *more: str, bench: str = "") -> str:
    size = ("--seeds", "2", "--budget", "40", "--marks", "20", "40", "--searchers", "random")
    return output_of("engine", *size, "aging-10/3", "--out", str(out), "--bench", bench, *more)


def test_runs_of_searches_go_on_where_they_were_killed(tmp_path: Path, made: Path) -> None:
    out = tmp_path / "rows.jsonl"
    text = engine(out, bench=str(made))
    rows = out.read_text().splitlines()
    assert len(rows) == 4
    assert "nb201-c10: validation regret" in text
    assert [line.split()[0] for line in text.splitlines() if "+-" in line and ":" not in line] == [
        *("random", "aging-10/3") * 3
    ]
    out.write_text("\n".join([*rows[:3], rows[3][: len(rows[3]) // 2]]))
    assert engine(out, bench=str(made)) == text
    again = [json.loads(line) for line in (out.read_text().splitlines())[4:]]
    assert [row["marks"] for row in again] == [json.loads(rows[3])["marks"]]
    engine(out, "--workers", "3", bench=str(made))
    assert len(out.read_text().splitlines()) == 9, "other workers are other runs"


def test_a_table_that_is_not_there_is_passed_over_with_a_word(tmp_path: Path) -> None:
    text = engine(tmp_path / "rows.jsonl", bench=str(tmp_path))
    assert text.startswith("nb201-c10 is skipped: there is no")
    assert "PRAXIS_BENCH" in text


def test_a_budget_in_seconds_is_spent_on_rungs_and_not_more(tmp_path: Path, made: Path) -> None:
    out = tmp_path / "rows.jsonl"
    engine(out, "--rungs", "12", "200", "--seconds", "5000", "--objectives", "bits_per_byte",
           "parameters", bench=str(made))  # fmt: skip
    for row in map(json.loads, out.read_text().splitlines()):
        assert 4000 < row["seconds"] <= 5000
        assert 0 <= row["marks"]["end"]["hypervolume"] < 1
        assert row["marks"]["end"]["validation regret"] >= 0


def test_differences_are_paired_by_seed() -> None:
    module = module_of("comparison")
    values = {"low": (1.0, 2.0, 6.0), "high": (2.0, 4.0, 7.0)}
    runs = [
        (name, seed, {"marks": {mark: {"regret": value} for mark in ("30", "end")}})
        for name, those in values.items()
        for seed, value in enumerate(those)
    ]
    lines = list(module.report("table", runs, "low"))
    assert "end" not in lines[1], "the end is the last mark of all runs"
    low, high, gap = (line.split() for line in lines[2:])
    assert low == ["low", "3.0000", "+-", "1.5275", "6.0000"]
    assert high == ["high", "4.3333", "+-", "1.4530", "7.0000"]
    assert gap == ["+1.3333", "(1.4342)"]  # 4.3027 standard errors of a third


def test_tokens_to_a_quality_are_interpolated_in_their_logarithm() -> None:
    share_to = module_of("inheritance").share_to
    bits = (5.0, 4.0, 3.5, 3.0, 2.0)  # at 1/16, 1/8, 1/4, 1/2 and 1 of T
    assert share_to(6.0, bits, 4.0) == 1 / 8
    assert share_to(6.0, bits, 2.5) == pytest.approx(0.5**0.5)
    assert share_to(6.0, bits, 5.5) == 1 / 16  # before the first measurement
    assert share_to(5.2, bits, 5.5) == 0.0
    assert share_to(6.0, bits, 1.9) == 1.0


def test_rank_correlations_are_those_of_scipy() -> None:
    module = module_of("inheritance")
    rng = Random(0)
    rows: list[dict[str, Any]] = [
        {"pair": pair, "seed": seed, "scratch": [rng.randrange(5), rng.random()],
         "inherited": [rng.random(), 0.0]}
        for seed in range(3) for pair in range(9)
    ]  # fmt: skip
    found = module.rank_correlations(rows, "scratch", 0)
    for seed, value in enumerate(found):
        here = [row["scratch"][0] for row in rows if row["seed"] == seed]
        others = [
            sum(r["scratch"][-1] for r in rows if r["pair"] == pair and r["seed"] != seed)
            for pair in range(9)
        ]
        wanted: Any = spearmanr(here, others)  # pyright: ignore[reportUnknownVariableType]
        assert value == pytest.approx(wanted.statistic)


@pytest.mark.slow
def test_inherited_and_scratch_are_measured_once(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    options = ("--tokens", "2048", "--children", "1", "--parents", "llama", "--seeds", "2")
    text = output_of("inheritance", *options, "--out", str(out))
    assert "2 pairs of child and seed, seeds [0, 1], T = 2,048" in text
    rows = out.read_text()
    assert output_of("inheritance", *options, "--out", str(out)) == text
    assert out.read_text() == rows
