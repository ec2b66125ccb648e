"""A call is held and ended by orders and by the limits that its owner set."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from praxis_evolve.cli.attend import attended, terms_json, terms_of
from praxis_evolve.cli.channel import Order, leave, working
from praxis_evolve.cli.conditions import Hours, Terms
from praxis_evolve.cli.display import Lines
from praxis_evolve.cli.progress import Status
from praxis_evolve.cli.settings import RunSettings
from praxis_evolve.market.lease import Process
from praxis_evolve.market.worker import Wish
from praxis_evolve.tests.market.loop import MANIFEST


def settings(folder: Path, disk: str | None = None, hours: str | None = None) -> RunSettings:
    return RunSettings(store=f"sqlite:///{folder}/s.db", disk=disk, hours=hours)


def test_settings_are_terms() -> None:
    asked = RunSettings(
        hours="22-7", idle="3m", on_battery=False, disk="2G", memory_limit="1G", workers=3
    )
    assert terms_of(asked) == Terms(Hours(1320, 420), 180.0, on_battery=False, disk=2 * 10**9)
    assert terms_of(RunSettings()) == Terms()
    assert terms_json(asked, 3, (0, 2)) == {
        "hours": "22:00-07:00", "idle_seconds": 180.0, "on_battery": False,
        "disk_bytes": 2 * 10**9, "memory_bytes": 10**9, "workers": 3, "gpus": [0, 2],
    }  # fmt: skip


def test_an_order_from_elsewhere_holds_the_call_and_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = Status(MANIFEST)
    with attended(settings(tmp_path), tmp_path, status, Lines(status), keys=False) as clock:
        assert working(tmp_path) is None  # another process may work on the run until this one looks
        assert clock.wish() is Wish.WORK
        leave(tmp_path, Process.current(), Order.PAUSE)
        assert clock.wish() is Wish.PAUSE
        found = working(tmp_path)
        assert found is not None
        assert found.pause == status.pause == clock.pause is not None
        leave(tmp_path, Process.current(), Order.RESUME)
        assert clock.wish() is Wish.WORK
        assert status.pause is None
    assert list(tmp_path.iterdir()) == []
    assert "paused      its owner said so; until resume" in capsys.readouterr().err


def test_too_much_on_the_disk_ends_the_call_after_checkpoints_went(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a.stable.safetensors").write_bytes(bytes(600))
    (tmp_path / "task.bin").write_bytes(bytes(500))
    status = Status(MANIFEST)
    asked = settings(tmp_path, disk="1k")
    with attended(asked, tmp_path, status, Lines(status), keys=False) as clock:
        assert clock.wish() is Wish.WORK
    assert "1 old checkpoints of 1 kB are removed" in capsys.readouterr().err
    (tmp_path / "task.bin").write_bytes(bytes(2000))
    with attended(asked, tmp_path, status, Lines(status), keys=False) as clock:
        assert clock.wish() is Wish.FINISH
        assert clock.ended is not None
        assert "above --disk" in clock.ended.why


def test_outside_of_its_hours_a_call_pauses(tmp_path: Path) -> None:
    begin = datetime.now() + timedelta(hours=6)
    hours = f"{begin:%H:%M}-{begin + timedelta(hours=1):%H:%M}"
    status = Status(MANIFEST)
    asked = settings(tmp_path, hours=hours)
    with attended(asked, tmp_path, status, Lines(status), keys=False) as clock:
        assert clock.wish() is Wish.PAUSE
        assert status.pause is not None
        assert status.pause.until == f"{begin:%H:%M}"
