"""Where things are kept: the store, and beside it a folder for each run."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from pathlib import Path

ADJECTIVES = """
amber azure bold brisk calm clear coral crisp dusky eager fleet frosty gentle golden hazel ivory
jade keen lucid mellow misty noble olive opal quiet rapid rosy russet sable sandy silver slate
steady sunny swift tawny umber velvet vivid warm
"""
ANIMALS = """
badger bear beaver bison crane crow deer dove eagle egret elk falcon ferret finch fox gecko hare
hawk heron ibex jay kite lark lemur lynx marten moose newt otter owl panda plover puffin raven robin
seal stoat stork swan trout vole wolf wren
"""


def new_name(taken: Collection[str]) -> str:
    """Return a readable name of a run that is not taken, such as ``amber-fox-31``."""
    while True:
        adjective, animal = (secrets.choice(words.split()) for words in (ADJECTIVES, ANIMALS))
        name = f"{adjective}-{animal}-{10 + secrets.randbelow(90)}"
        if name not in taken:
            return name


def name_for(digest: str, taken: Collection[str]) -> str:
    """Return the name that a digest gives on every machine, or another where it is taken."""
    adjectives, animals, number = ADJECTIVES.split(), ANIMALS.split(), int(digest[:12], 16)
    number, adjective = divmod(number, len(adjectives))
    number, animal = divmod(number, len(animals))
    name = f"{adjectives[adjective]}-{animals[animal]}-{10 + number % 90}"
    return new_name(taken) if name in taken else name


def run_folder(store: str, name: str) -> Path:
    """Return the folder of a run: beside a SQLite store, else under ``runs`` here.

    Raises:
        StoreError: *store* is no URL of a store.
    """
    from ..market.store import address_of  # not at the top: --help needs no database

    url = address_of(store)
    beside = url.database if url.get_backend_name() == "sqlite" else None
    home = Path(beside).parent if beside and beside != ":memory:" else Path("runs")
    return home / re.sub(r"[^A-Za-z0-9._-]", "_", name)


def without_password(text: str) -> str:
    """Return a setting as it may be printed: the password of a URL in it is hidden."""
    return re.sub(r"(://[^:/@\s]*):[^@/\s]*@", r"\1:***@", text)


def task_file(folder: Path) -> Path:
    """Return where a run keeps its text."""
    return folder / "task.bin"


def report_file(folder: Path) -> Path:
    """Return where a run's report goes by default."""
    return folder / "report.html"


def short_tokens(tokens: int) -> str:
    """Return a number of tokens as 50k or 1.35M."""
    return f"{tokens / 1e6:g}M" if tokens >= 1_000_000 else f"{tokens / 1e3:g}k"


def short(genome: str) -> str:
    """Return the short name of a genome's id, as it is shown and may be typed."""
    return f"g-{genome[:6]}"
