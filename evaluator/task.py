"""Tasks: a text as bytes, cut by position into three splits, with fixed windows to measure on.

*train* is what candidates learn from, *search* what fitness is measured on, *test* what only
finalists and baselines are measured on. Search and test take turns in what comes after *train*: a
long text changes on its way, and of two stretches one may hold what the other has not. A task is
named by the digest of its text and its splits.
"""

from __future__ import annotations

import hashlib
import json
import os
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .atomic import write_atomically
from .result import Split

Bytes = NDArray[np.uint8]

VOCABULARY = 256
SPLITS = {"train": 80, "search": 10, "test": 10}
"""The share of each split in percent, in the order of the text."""

PIECES = 16
PIECE_BYTES = 4_096
"""How many pieces search and test have each where the text is long enough for pieces of that."""

EMBEDDED_BYTES = 4_000_000
NOISE = frozenset(
    {"test", "tests", "idle_test", "idlelib", "turtledemo", "encodings", "pydoc_data", "ensurepip"}
    | {"site-packages", "dist-packages", "__pycache__"}
)
"""Folders of the standard library that hold tests, tables or other people's code."""

FORMAT = "praxis-evolve/task/1"


class TaskError(ValueError):
    """A text that cannot be a task; the message says the rule, the value, the path and the cure."""


@dataclass(frozen=True, eq=False)
class Task:
    """A text as bytes (N,) and its three splits by position."""

    name: str
    text: Bytes

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the text and where its splits are: the task's identity."""
        content = hashlib.sha256(f"{FORMAT} {list(_bounds(len(self.text)))}\n".encode())
        content.update(np.ascontiguousarray(self.text).data)
        return content.hexdigest()

    @property
    def train(self) -> Bytes:
        """The bytes that candidates learn from."""
        return self.split("train")

    @property
    def search(self) -> Bytes:
        """The bytes that fitness is measured on."""
        return self.split("search")

    @property
    def test(self) -> Bytes:
        """The bytes that only finalists, baselines and verification read."""
        return self.split("test")

    def split(self, name: Split | str) -> Bytes:
        """Return the bytes of the split called *name*, its pieces joined."""
        train, *others = (self.text[a:b] for a, b in pairwise(_bounds(len(self.text))))
        if name == "train":
            return train
        return np.concatenate(others[list(SPLITS).index(name) - 1 :: 2])

    def windows(self, name: Split, *, context: int, count: int) -> Bytes:
        """Return fixed windows of a split, (windows, context + 1), evenly spaced and disjoint.

        There are *count* of them, or as many as the split has room for.

        Raises:
            TaskError: the split has not even room for one.
        """
        require(self, context=context)
        split, length = self.split(name), context + 1
        number = min(count, len(split) // length)
        starts = np.arange(number) * (len(split) - length) // max(1, number - 1)
        return split[starts[:, None] + np.arange(length)]


def require(task: Task, *, context: int) -> None:
    """Check that every split of *task* has room for one window.

    Raises:
        TaskError: the text is too short; the message says how long it must be.
    """
    needed = -(-(context + 1) * 100 // min(SPLITS.values()))
    if len(task.text) < needed:
        raise TaskError(
            f"a text must have at least {needed:,} bytes for a context of {context}, but "
            f"{task.name!r} has {len(task.text):,}; give a longer text or a shorter context"
        )


def text_task(path: str | Path, *, context: int = 128) -> Task:
    """Return the task of a text file, or of all text files under a folder joined by path.

    In a folder, hidden files, empty files and files that are no text are passed over.

    Raises:
        TaskError: there is nothing at *path*, it cannot be read, it is empty, binary or too short,
            or the folder holds no text.
    """
    path = Path(path)
    try:
        text = _folder_text(path) if path.is_dir() else _file_text(path)
    except OSError as error:
        raise TaskError(
            f"a text must be readable, but {str(path)!r} is not: {error.strerror}; "
            "change its permissions or give another path"
        ) from error
    task = Task(path.resolve().name, np.frombuffer(text, np.uint8))
    require(task, context=context)
    return task


def embedded_task() -> Task:
    """Return the task that needs no download: the source of the running Python's own library.

    Raises:
        TaskError: this Python came without the source of its library.
    """
    root = Path(sysconfig.get_path("stdlib"))
    parts: list[bytes] = []
    size = 0
    for file in _files(root, skip=NOISE):
        if size >= EMBEDDED_BYTES:
            break
        if file.suffix == ".py" and is_text(content := file.read_bytes()):
            parts.append(content)
            size += len(content)
    if not parts:
        raise TaskError(
            f"the embedded text is the source of Python's library, but {str(root)!r} holds no "
            ".py files; give a text with --text"
        )
    text = b"".join(parts)[:EMBEDDED_BYTES]
    return Task("python-library", np.frombuffer(text, np.uint8))


def is_text(content: bytes) -> bool:
    """Whether *content* is valid UTF-8 without a NUL byte."""
    if b"\0" in content:
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def save_task(task: Task, path: Path) -> None:
    """Write *task* to one file: a line of JSON, then the text as it is."""
    header = {"format": FORMAT, "name": task.name, "bytes": len(task.text), "digest": task.digest}
    write_atomically(path, json.dumps(header).encode() + b"\n" + task.text.tobytes())


def open_task(path: Path) -> Task:
    """Open a task file without reading its text into memory: processes share the pages.

    Raises:
        TaskError: the file is missing, no task file, or damaged.
    """
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline(1 << 16))
            start = file.tell()
        if header["format"] != FORMAT or path.stat().st_size != start + header["bytes"]:
            raise ValueError(f"not {FORMAT}, or cut off")
        task = Task(header["name"], np.memmap(path, np.uint8, mode="r", offset=start))
        if task.digest != header["digest"]:
            raise ValueError("the text does not have the digest in the header")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TaskError(
            f"a task file must be whole, but {str(path)!r} is not: {error}; "
            "start the run again from its text"
        ) from error
    return task


def _bounds(size: int) -> Iterator[int]:
    """Yield where *train* begins and ends, and then the ends of pieces of *search* and *test*."""
    train, held = SPLITS["train"], 100 - SPLITS["train"]
    yield 0
    count = 2 * max(1, min(PIECES, size * held // 100 // (2 * PIECE_BYTES)))
    for piece in range(count + 1):
        yield size * (train * count + held * piece) // (100 * count)


def _file_text(path: Path) -> bytes:
    if not path.exists():
        raise TaskError(
            f"a text must exist, but there is nothing at {str(path)!r}; "
            "check the spelling, or leave --text out for the embedded text"
        )
    if not path.is_file():
        raise TaskError(
            f"a text must be a file or a folder, but {str(path)!r} is neither; copy it to a file"
        )
    content = path.read_bytes()
    if not content:
        raise TaskError(f"a text must not be empty, but {str(path)!r} has 0 bytes; give another")
    if not is_text(content):
        raise TaskError(
            f"a text must be UTF-8 without NUL bytes, but {str(path)!r} is not (binary, or "
            "another encoding); convert it, for example with iconv"
        )
    return content


def _folder_text(path: Path) -> bytes:
    text = b"".join(c for c in (file.read_bytes() for file in _files(path)) if is_text(c))
    if not text:
        raise TaskError(
            f"a folder must hold text files (UTF-8, without NUL bytes), but {str(path)!r} has "
            "none; give a folder with text, or one file"
        )
    return text


def _files(root: Path, *, skip: frozenset[str] = frozenset()) -> list[Path]:
    """Return the files under *root* that are not hidden, in the order of their relative paths."""
    found: list[Path] = []

    def fail(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(root, onerror=fail):
        folders[:] = [name for name in folders if name not in skip and not name.startswith(".")]
        found += [Path(folder, name) for name in names if not name.startswith(".")]
    return sorted((f for f in found if f.is_file()), key=lambda f: f.relative_to(root).as_posix())
