"""Rows of ``benchmarks/blocks.py``: what an entry took at one size, beside its public peer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WIDTH, TOKENS, DEVICE = 128, 512, "cpu"
"""The size whose ratios the page of the catalog shows."""

Timings = Mapping[tuple[str, int, int, str], Mapping[str, Any]]
"""Rows by block, width, tokens and device."""


def read_rows(path: Path) -> dict[tuple[str, int, int, str], dict[str, Any]]:
    """Return the rows of a file by block, width, tokens and device; none where there is no file.

    Of two rows of one place the last counts, and half a line is passed over.
    """
    found: dict[tuple[str, int, int, str], dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        found[row["block"], row["width"], row["tokens"], row["device"]] = row
    return found


def basis(timings: Timings) -> str:
    """Return a sentence about where and when the rows that the page shows were measured."""
    rows = [row for place, row in timings.items() if place[1:] == (WIDTH, TOKENS, DEVICE)]
    if not rows:
        return "Nothing was timed."
    machines, versions = ({str(row[name]) for row in rows} for name in ("machine", "torch"))
    dates = sorted({str(row["measured"]) for row in rows})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    where = " and ".join(sorted(machines))
    return f"Timed on {where}, one thread, torch {', '.join(sorted(versions))}, {when}."


def peer_cells(timings: Timings, name: str, source: str) -> list[str]:
    """Return time and memory of an entry by those of its peer; ``-`` where there is none.

    A star stands behind what was measured of another source than *source*, a version and a digest.
    """
    row = timings.get((name, WIDTH, TOKENS, DEVICE), {})
    if "peer" not in row:
        return ["-", "-"]
    star = "" if source.partition("/")[2].startswith(str(row["source"])) else "*"
    time, memory = (f"{row[kind]:.2f}{star}" for kind in ("times_peer", "bytes_peer"))
    return [f"{time} x {row['peer']}", memory]
