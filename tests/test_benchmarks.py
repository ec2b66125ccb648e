"""The benchmark of blocks goes on from its file of rows, and leaves out peers that are missing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "blocks.py"


def rows_of(out: Path, *names: str) -> dict[str, dict[str, Any]]:
    size = ("--widths", "32", "--lengths", "32", "--rows", "1", "--rounds", "2", "--device", "cpu")
    command = [sys.executable, str(BENCHMARK), *size, "--only", *names, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(names)
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


@pytest.mark.slow
def test_an_entry_is_beside_its_peer_or_says_why_not(tmp_path: Path) -> None:
    row = rows_of(tmp_path / "rows.jsonl", "hyper")["hyper"]
    assert row["given"] == {"dynamic": True}
    assert row["times_peer"] > 0 if "peer" in row else "hyper-connections" in row["problems"][0]
