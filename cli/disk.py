"""What a run keeps on the disk, and what of it can go: what can be computed again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..evaluator.job import WEIGHTS

CHECKPOINTS = "*.stable.safetensors"
"""In ``weights/``: whoever needs one that is gone trains it again, to the same bits."""

ROOM = 0.9
"""Checkpoints go until the run keeps this part of what it may: not to prune at every look."""


@dataclass(frozen=True)
class Kept:
    """The bytes that a run keeps, after ``files`` checkpoints of ``pruned`` bytes were removed."""

    bytes: int
    files: int = 0
    pruned: int = 0


def keep(folder: Path, store: str, most: int) -> Kept:
    """Return what the run in *folder* keeps; above *most* bytes its oldest checkpoints go.

    The store, if it is a file, counts with all that it holds.
    """
    kept = sum(size for _, size, _ in _files(folder, store))
    if kept <= most:
        return Kept(kept)
    files = pruned = 0
    for _, size, path in sorted(_checkpoints(folder)):
        if kept - pruned <= ROOM * most:
            break
        with suppress(OSError):  # a worker was faster
            path.unlink()
            files, pruned = files + 1, pruned + size
    return Kept(kept - pruned, files, pruned)


def _files(folder: Path, store: str) -> Iterator[tuple[float, int, Path]]:
    from sqlalchemy import make_url

    yield from _sizes(path for path in folder.rglob("*"))
    url = make_url(store)
    if url.get_backend_name() == "sqlite" and url.database:
        beside = (Path(f"{url.database}{end}") for end in ("", "-wal", "-shm", "-journal"))
        yield from _sizes(path for path in beside if folder not in path.parents)


def _checkpoints(folder: Path) -> Iterator[tuple[float, int, Path]]:
    return _sizes((folder / WEIGHTS).glob(CHECKPOINTS))


def _sizes(paths: Iterator[Path]) -> Iterator[tuple[float, int, Path]]:
    """Yield the time of the last change, the bytes and the path of files that are still there."""
    for path in paths:
        with suppress(OSError):
            if path.is_file() and not path.is_symlink():
                found = path.stat()
                yield found.st_mtime, found.st_size, path
