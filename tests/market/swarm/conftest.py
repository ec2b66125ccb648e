"""After each test of the swarm nothing of it runs, and no socket file is left."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    children = psutil.Process().children(recursive=True)
    assert [
        child.pid
        for child in children
        if child.status() != psutil.STATUS_ZOMBIE and "p2pd" in child.name()
    ] == []
    sockets = Path(tempfile.gettempdir()).glob(f"praxis-p2p-{os.getpid()}-*")
    assert list(sockets) == []
