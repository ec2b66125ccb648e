"""After each test of the swarm nothing of it runs, and no socket file is left."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    left = [
        child
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE and "p2pd" in child.name()
    ]
    for child in left:
        child.kill()  # so that one test that fails leaves the next ones sound
    assert left == []
    folders = list(Path(tempfile.gettempdir()).glob(f"praxis-p2p-{os.getpid()}-*"))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    assert folders == []
