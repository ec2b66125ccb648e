import hashlib
import itertools
import random
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.evaluator.task import (
    EMBEDDED_BYTES,
    NOISE,
    Task,
    TaskError,
    embedded_task,
    open_task,
    save_task,
    text_task,
)

LONG = b"It was the best of times, it was the worst of times. " * 100


def task_of(content: bytes) -> Task:
    return Task("text", np.frombuffer(content, np.uint8))


@given(st.integers(1290, 5000), st.integers(1, 80))
def test_splits_and_windows_are_those_of_a_plain_reading(size: int, count: int) -> None:
    content = random.Random(size).randbytes(size)
    task = task_of(content)
    cuts = [0, size * 80 // 100, size * 90 // 100, size]
    parts = [bytes(part) for part in (task.train, task.search, task.test)]
    assert parts == [content[a:b] for a, b in itertools.pairwise(cuts)]
    windows = task.windows("search", context=128, count=count)
    room = len(parts[1]) // 129
    assert windows.shape == (min(count, room), 129)
    starts = [parts[1].index(bytes(window)) for window in windows]
    assert starts[0] == 0
    assert all(b - a >= 129 for a, b in itertools.pairwise(starts))
    gaps = {b - a for a, b in itertools.pairwise(starts)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_search_and_test_take_turns_in_a_long_text() -> None:
    """What changes on the way through a text is in both: here the last tenth is another text."""
    text = np.zeros(900_000, np.uint8)
    text[810_000:] = 1
    task = Task("text", text)
    assert len(task.train) == 720_000
    assert len(task.search) == len(task.test) == 90_000
    assert task.search.mean() == pytest.approx(0.5, abs=0.04)
    assert task.test.mean() == pytest.approx(0.5, abs=0.04)


@given(st.integers(1290, 2_000_000))
def test_splits_are_disjoint_and_are_all_of_the_text(size: int) -> None:
    text = (np.arange(size) % 251).astype(np.uint8)
    task = Task("text", text)
    parts = [task.train, task.search, task.test]
    assert sum(map(len, parts)) == size
    assert np.array_equal(np.sort(np.concatenate(parts)), np.sort(text))
    held = text[len(task.train) :]
    pieces = max(1, min(16, size // 5 // 8192))
    cuts = [size * (160 * pieces + 20 * n) // (200 * pieces) for n in range(2 * pieces + 1)]
    taken = [held[a - cuts[0] : b - cuts[0]] for a, b in itertools.pairwise(cuts)]
    assert np.array_equal(np.concatenate(taken[::2]), task.search)
    assert np.array_equal(np.concatenate(taken[1::2]), task.test)


def test_the_digest_names_text_and_splits() -> None:
    content = LONG
    size = len(content)
    cuts = [0, size * 80 // 100, size * 90 // 100, size]
    expected = hashlib.sha256(f"praxis-evolve/task/1 {cuts}\n".encode() + content).hexdigest()
    assert task_of(content).digest == expected
    assert task_of(content + b".").digest != expected


def test_a_folder_is_its_text_files_joined_by_path(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "b" / "a.txt").write_bytes(b"second ")
    (tmp_path / "a.txt").write_bytes(b"first " * 300)
    (tmp_path / "c.bin").write_bytes(b"\0\1\2")
    (tmp_path / "latin.txt").write_bytes("é".encode("latin-1"))
    (tmp_path / ".git" / "config").write_bytes(b"hidden")
    (tmp_path / "z.txt").write_bytes(b"third")
    task = text_task(tmp_path)
    assert bytes(task.text) == b"first " * 300 + b"second third"
    assert task.name == tmp_path.name


def test_the_embedded_text_is_the_librarys_source_and_always_the_same() -> None:
    task = embedded_task()
    assert task.digest == embedded_task().digest
    assert len(task.text) <= EMBEDDED_BYTES
    root = Path(sysconfig.get_path("stdlib"))
    assert (root / "abc.py").read_bytes() in bytes(task.text)
    assert not NOISE & {"asyncio", "json"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", ["must not be empty", "0 bytes"]),
        (b"MZ\0\1" * 1000, ["UTF-8 without NUL bytes", "binary"]),
        (b"\xff\xfe" * 1000, ["UTF-8 without NUL bytes"]),
        (b"abc", ["at least 1,290 bytes", "context of 128", "has 3"]),
    ],
)
def test_a_bad_file_is_told_by_rule_value_and_path(
    tmp_path: Path, content: bytes, expected: list[str]
) -> None:
    path = tmp_path / "thing.txt"
    path.write_bytes(content)
    with pytest.raises(TaskError) as caught:
        text_task(path)
    for words in [*expected, "thing.txt"]:
        assert words in str(caught.value)


def test_the_needed_length_is_enough_and_one_less_is_not(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"x" * 1290)
    assert text_task(path).windows("test", context=128, count=9).shape == (1, 129)
    path.write_bytes(b"x" * 1289)
    with pytest.raises(TaskError, match="1,290 bytes"):
        text_task(path)


def test_a_missing_path_and_a_folder_without_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"nothing at .*nowhere.*spelling"):
        text_task(tmp_path / "nowhere")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\0")
    with pytest.raises(TaskError, match="must hold text files"):
        text_task(tmp_path)
    with pytest.raises(TaskError, match="neither"):
        text_task("/dev/null")


def test_an_unreadable_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "secret.txt").write_bytes(LONG)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(TaskError, match=r"secret\.txt.*Permission denied.*permissions"):
        text_task(tmp_path / "secret.txt")


def test_a_task_file_gives_the_task_back_and_damage_is_seen(tmp_path: Path) -> None:
    task = task_of(LONG)
    path = tmp_path / "task"
    save_task(task, path)
    again = open_task(path)
    assert (again.name, again.digest) == (task.name, task.digest)
    assert isinstance(again.text, np.memmap)
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:-1] + b"!", b"", b"{}\n", b"not json\n", b"[1]\n"):
        path.write_bytes(damaged)
        with pytest.raises(TaskError, match="must be whole"):
            open_task(path)
    with pytest.raises(TaskError, match="must be whole"):
        open_task(tmp_path / "nowhere")
    assert [file.name for file in tmp_path.iterdir()] == ["task"]
