"""Whoever knows the digest of a run gets that run, and no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from praxis_evolve.evaluator.task import Task, save_task
from praxis_evolve.market import canonical
from praxis_evolve.market.errors import StoreError
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.market.swarm import virtual
from praxis_evolve.market.swarm.blobs import serve_blobs
from praxis_evolve.market.swarm.joining import found_in, join_run, manifest_of, write_manifest
from praxis_evolve.market.swarm.memory import Network
from praxis_evolve.market.swarm.transport import TransportError
from praxis_evolve.tests.market.loop import CATALOG, MANIFEST

TASK = Task("words", np.frombuffer(b"to be or not to be, " * 4000, np.uint8))
RUN = replace(MANIFEST, task_digest=TASK.digest, task_bytes=len(TASK.text))


def ledger_in(folder: Path) -> Ledger:
    folder.mkdir(parents=True, exist_ok=True)
    return Ledger.open(f"sqlite:///{folder / 'store.db'}", catalog=CATALOG, now=lambda: 1000.0)


def founded(folder: Path, manifest: Manifest = RUN) -> tuple[Ledger, str]:
    """A ledger with the run, whose folder has its two blobs."""
    ledger = ledger_in(folder)
    digest = ledger.create_run("mine", manifest.to_dict()).digest
    write_manifest(ledger, "mine", folder)
    save_task(TASK, folder / "task.bin")
    return ledger, digest


def joined(
    tmp_path: Path, spoil: Callable[[Path], None] = lambda folder: None, name: str = "theirs"
) -> tuple[Ledger, str]:
    ledger, digest = founded(tmp_path / "founder")
    ledger.close()
    spoil(tmp_path / "founder")
    here = ledger_in(tmp_path / "here")

    async def main() -> None:
        network = Network(1)
        serve_blobs(network.join("founder"), found_in(tmp_path / "founder", digest, TASK.digest))
        me, folder = network.join("me"), tmp_path / "here" / "run"
        found = await join_run(me, ["founder"], digest, name=name, ledger=here, folder=folder)
        assert found == RUN
        asked = network.events
        await join_run(me, ["founder"], digest, name=name, ledger=here, folder=folder)
        assert network.events == asked, "what is there is not fetched again"

    try:
        virtual.run(main())
    except BaseException:
        here.close()
        raise
    return here, digest


def test_a_run_is_joined_by_its_digest(tmp_path: Path) -> None:
    here, digest = joined(tmp_path)
    assert here.run("theirs").digest == digest
    assert Manifest.from_dict(here.manifest("theirs")) == RUN
    written = (tmp_path / "here" / "run" / "task.bin").read_bytes()
    assert written == (tmp_path / "founder" / "task.bin").read_bytes()
    here.close()


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("manifest.json", canonical.encode(replace(RUN, seed=4).to_dict()), "hashes to"),
        ("manifest.json", None, "there is no blob"),
        ("task.bin", b"not a text", "is no text"),
        ("task.bin", b"x" * 200_000, "more than it may be"),
    ],
)
def test_another_run_or_text_is_refused(
    file: str, text: bytes | None, told: str, tmp_path: Path
) -> None:
    def spoil(folder: Path) -> None:
        (folder / file).unlink() if text is None else (folder / file).write_bytes(text)

    with pytest.raises(TransportError, match=told):
        joined(tmp_path, spoil)


def test_another_run_of_that_name_is_left_alone(tmp_path: Path) -> None:
    here = ledger_in(tmp_path / "here")
    here.create_run("theirs", MANIFEST.to_dict())
    here.close()
    with pytest.raises(StoreError, match="join by another name"):
        joined(tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"births": "many"}, "births"),
        ({"rungs": [1.5]}, "rungs"),
        ({"seed": None}, "seed"),
        ({"sources": {"a": 1}}, "sources"),
        ({"shares": 1}, "shares"),
        ({"more": 1}, "format"),
        ({"format": 99}, "format"),
    ],
)
def test_a_manifest_of_other_types_is_refused(change: dict[str, object], told: str) -> None:
    data = canonical.encode({**MANIFEST.to_dict(), **change})
    with pytest.raises(StoreError, match=told):
        manifest_of(data)
    with pytest.raises(StoreError, match="a manifest was sent"):
        manifest_of(b"[1")
    assert manifest_of(canonical.encode(MANIFEST.to_dict())) == MANIFEST
