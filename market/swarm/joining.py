"""Joining: how a peer that knows a run by its digest alone comes to have its manifest and text.

The digest names the manifest, the manifest names the text, and both are checked, so whoever sends
them cannot send others. The records come by gossip.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from ...evaluator.task import TaskError, open_task
from .. import canonical
from ..errors import StoreError
from ..ledger import Ledger
from ..manifest import Manifest
from ..reading import MANIFEST
from .blobs import Find, fetch
from .transport import Transport

HEADER = 64 * 1024
"""The most bytes of a file with a text beside the text itself."""

LARGEST = 1 << 34
"""The most bytes of a text."""

_shape = TypeAdapter(Manifest)


def manifest_of(data: bytes) -> Manifest:
    """Return the manifest in canonical bytes, which may come from a stranger.

    Raises:
        StoreError: they hold none of a format that this program reads, or one of other types.
    """
    try:
        values = cast("dict[str, object]", canonical.decode(data, limit=MANIFEST))
        _shape.validate_json(data, strict=True)
        return Manifest.from_dict(values)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, cast("Sequence[Any]", problem["loc"]))) or "the manifest"
        raise StoreError(f"a manifest was sent whose {where}: {problem['msg']}") from None
    except ValueError as error:
        raise StoreError(f"a manifest was sent that {error}") from None


def found_in(folder: Path, digest: str, task_digest: str) -> Find:
    """Return what finds the two blobs of a run in its folder, for others to fetch."""
    blobs = {
        f"manifest:{digest}": folder / "manifest.json",
        f"task:{task_digest}": folder / "task.bin",
    }

    def find(name: str) -> Path | None:
        path = blobs.get(name)
        return path if path is not None and path.exists() else None

    return find


def write_manifest(ledger: Ledger, run: str, folder: Path) -> Manifest:
    """Put the manifest of a run into its folder, where others may fetch it, and return it."""
    values = ledger.manifest(run)
    (folder / "manifest.json").write_bytes(canonical.encode(values))
    return Manifest.from_dict(values)


async def join_run(
    transport: Transport,
    peers: Sequence[str],
    digest: str,
    *,
    name: str,
    ledger: Ledger,
    folder: Path,
) -> Manifest:
    """Fetch the run with this digest from *peers* into a ledger, as *name*, and a folder.

    What is there already is not fetched again.

    Raises:
        TransportError: nobody sent it whole.
        StoreError: its manifest is none, or the ledger has another run of that name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "manifest.json"
    if _wrong_manifest(path, digest):
        blob = f"manifest:{digest}"
        await fetch(
            transport, peers, blob, path, most=MANIFEST,
            check=lambda found: _wrong_manifest(found, digest),
        )  # fmt: skip
    data = path.read_bytes()
    manifest = manifest_of(data)
    if not 0 <= manifest.task_bytes <= LARGEST:
        raise StoreError(f"the run has a text of {manifest.task_bytes:,} bytes: too large")
    text, blob = folder / "task.bin", f"task:{manifest.task_digest}"
    if _wrong_text(text, manifest.task_digest):
        await fetch(
            transport, peers, blob, text, most=manifest.task_bytes + HEADER,
            check=lambda found: _wrong_text(found, manifest.task_digest),
        )  # fmt: skip
    known = {run.name: run.digest for run in ledger.runs()}
    if name not in known:
        ledger.create_run(name, cast("dict[str, object]", canonical.decode(data, limit=MANIFEST)))
    elif known[name] != digest:
        raise StoreError(
            f"the store {ledger.store.name} has another run {name!r}; join by another name"
        )
    return manifest


def _wrong_manifest(path: Path, digest: str) -> str | None:
    if not path.exists():
        return "is not there"
    found = canonical.digest(path.read_bytes())
    return None if found == digest else f"hashes to {found[:12]}, not {digest[:12]}"


def _wrong_text(path: Path, digest: str) -> str | None:
    if not path.exists():
        return "is not there"
    try:
        found = open_task(path).digest
    except TaskError as error:
        return f"is no text: {error}"
    return None if found == digest else f"is the text {found[:12]}, not {digest[:12]}"
