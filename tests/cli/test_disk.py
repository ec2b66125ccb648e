"""What a run keeps, and what of it may go."""

from __future__ import annotations

import os
from pathlib import Path

from praxis_evolve.cli.disk import ROOM, Kept, keep


def folder_of(tmp_path: Path) -> Path:
    """A run of 1,000 bytes beside a store of 500; its checkpoints are of 100, the oldest last."""
    folder = tmp_path / "run"
    (folder / "weights").mkdir(parents=True)
    for number in range(5):
        path = folder / "weights" / f"{number}.stable.safetensors"
        path.write_bytes(b"x" * 100)
        os.utime(path, (1000 - number, 1000 - number))
    (folder / "weights" / "final.weights.safetensors").write_bytes(b"x" * 300)
    (folder / "task.bin").write_bytes(b"x" * 200)
    (tmp_path / "s.db").write_bytes(b"x" * 400)
    (tmp_path / "s.db-wal").write_bytes(b"x" * 100)
    (tmp_path / "other.db").write_bytes(b"x" * 999)
    return folder


def left(folder: Path) -> list[str]:
    return sorted(path.name.partition(".")[0] for path in folder.glob("weights/*.stable.*"))


def test_all_of_a_run_and_its_store_counts_and_nothing_goes_below_the_limit(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path)
    assert keep(folder, f"sqlite:///{tmp_path}/s.db", 1500) == Kept(1500)
    assert keep(folder, "postgresql://host/db", 1000) == Kept(1000)
    assert len(left(folder)) == 5


def test_the_oldest_checkpoints_go_first_and_some_room_is_made(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    kept = keep(folder, f"sqlite:///{tmp_path}/s.db", 1400)
    assert kept == Kept(1200, files=3, pruned=300)
    assert kept.bytes <= ROOM * 1400
    assert left(folder) == ["0", "1"]


def test_what_cannot_be_computed_again_stays(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    assert keep(folder, f"sqlite:///{tmp_path}/s.db", 10) == Kept(1000, files=5, pruned=500)
    assert (folder / "weights" / "final.weights.safetensors").exists()
    assert (folder / "task.bin").exists()
    assert keep(folder, f"sqlite:///{tmp_path}/s.db", 10) == Kept(1000)


def test_a_store_inside_of_the_folder_counts_once(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes(b"x" * 400)
    assert keep(tmp_path, f"sqlite:///{tmp_path}/s.db", 1000) == Kept(400)
