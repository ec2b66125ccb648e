"""A secret is its owner's alone, written whole; the first one stays unless told otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from praxis_evolve.market.secret_file import create_secret


def test_the_first_stays_and_the_second_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "key"
    assert create_secret(path, b"one")
    assert not create_secret(path, b"two")
    assert path.read_bytes() == b"one"
    assert list(path.parent.iterdir()) == [path]


def test_over_replaces_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"open to all")
    path.chmod(0o644)
    assert create_secret(path, b"two", over=True)
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
@pytest.mark.parametrize("over", [False, True])
def test_only_its_owner_reads_it(tmp_path: Path, over: bool) -> None:
    path = tmp_path / "key"
    create_secret(path, b"one", over=over)
    assert path.stat().st_mode & 0o777 == 0o600
