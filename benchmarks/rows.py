"""Rows of benchmarks that take long: a file of JSON lines that the next call goes on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def known_rows(path: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of earlier calls by key, the last of each; half a last line is passed over.

    A row that raised is passed over, too: it may have run out of something.
    """
    found: dict[str, dict[str, Any]] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            read = json.loads(line)
        except ValueError:
            continue
        found[read["key"]] = read
    return {key: read for key, read in found.items() if "raised" not in read}


def end_line(path: Path) -> None:
    """End half a last line, so that the next row has a line of its own."""
    if path.exists() and not f"\n{path.read_text()}".endswith("\n"):
        with path.open("a") as file:
            file.write("\n")


def add_row(path: Path, row: dict[str, Any]) -> None:
    """Append a row, which has a ``key``."""
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def digest_of(patterns: Sequence[str], *more: str) -> str:
    """Return a digest of the files of the package that match, and of what else rows depend on."""
    paths = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    texts = [path.read_bytes() for path in paths]
    return hashlib.sha256(b"\0".join([*texts, *map(str.encode, more)])).hexdigest()[:16]
