"""How a run is told what its owner wants: two small files in its folder, for the owner alone.

Nothing goes over a network. Whoever works on a run says so in ``control.json``; an order for it
lies in ``order.json`` until it is taken. Both name the process, so that what a dead one left
behind is known for what it is.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any, cast

from ..market.lease import Process
from ..market.secret_file import create_secret
from .conditions import Pause

STATE, ORDER = "control.json", "order.json"

MOST = 4096
"""The most bytes of either file."""


class Order(Enum):
    """What an owner may tell a run."""

    PAUSE = "pause"
    RESUME = "resume"
    FINISH = "finish"
    STOP = "stop"


@dataclass(frozen=True)
class Working:
    """What a process that works on a run says of itself."""

    process: Process
    pause: Pause | None = None


class Channel:
    """The end of the process that works on the run in *folder*."""

    def __init__(self, folder: Path, process: Process | None = None) -> None:
        self._folder = folder
        self._own = Process.current() if process is None else process
        self._told = False

    def tell(self, pause: Pause | None) -> None:
        """Say that this process works on the run, and whether it pauses.

        A full disk keeps nobody from working: then nothing is said.
        """
        said = {"process": asdict(self._own), "pause": None if pause is None else asdict(pause)}
        with suppress(OSError):
            self._told = create_secret(self._folder / STATE, _bytes(said), over=True)

    def orders(self) -> Iterator[Order]:
        """Yield the order that came, if one did; one for another process that lives is left to it.

        The first look says that this process works: before, another one may.
        """
        if not self._told:
            self.tell(None)
        path = self._folder / ORDER
        if not path.exists():
            return
        said = _read(path)
        if self._is_of_another(said):
            return
        path.unlink(missing_ok=True)
        if _process(said) == self._own:
            with suppress(ValueError):
                yield Order(said.get("order"))

    def close(self) -> None:
        """Say nothing more, if anything was said; what is of another process that lives stays."""
        for path in (self._folder / STATE, self._folder / ORDER) if self._told else ():
            with suppress(OSError):
                if not self._is_of_another(_read(path)):
                    path.unlink(missing_ok=True)

    def _is_of_another(self, said: Mapping[str, Any]) -> bool:
        """Whether a file is of another process, or for one, that may still live."""
        process = _process(said)
        return process is not None and process != self._own and not process.gone()


def working(folder: Path) -> Working | None:
    """Return what the process that works on the run in *folder* says, None if there is none."""
    said = _read(folder / STATE)
    process = _process(said)
    if process is None or process.gone():
        return None
    pause = said.get("pause")
    try:
        return Working(process, None if pause is None else Pause(**cast("dict[str, Any]", pause)))
    except TypeError:
        return Working(process)


def leave(folder: Path, process: Process, order: Order) -> bool:
    """Leave an order for a process; False where another one waits still."""
    said = {"process": asdict(process), "order": order.value}
    return create_secret(folder / ORDER, _bytes(said))


def taken(folder: Path) -> bool:
    """Return whether no order waits."""
    return not (folder / ORDER).exists()


def withdraw(folder: Path) -> None:
    """Take back an order that nobody took."""
    (folder / ORDER).unlink(missing_ok=True)


def _bytes(said: Mapping[str, object]) -> bytes:
    return json.dumps(said).encode()


def _read(path: Path) -> dict[str, Any]:
    """Return what a file says; nothing if it is missing, damaged, or written by somebody else."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(handle, "rb") as file:
            text = file.read(MOST) if _is_own(os.fstat(handle)) else b""
        said: object = json.loads(text)
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", said) if isinstance(said, dict) else {}


def _is_own(found: os.stat_result) -> bool:
    """Whether a file is the user's, and nobody else may write to it."""
    owner = getattr(os, "getuid", lambda: found.st_uid)()
    open_to_others = os.name == "posix" and found.st_mode & 0o022
    return stat.S_ISREG(found.st_mode) and found.st_uid == owner and not open_to_others


def _process(said: Mapping[str, Any]) -> Process | None:
    try:
        found = Process(**said["process"])
    except (KeyError, TypeError):
        return None
    known = (type(found.host), type(found.pid), type(found.started)) == (str, int, float)
    return found if known else None
