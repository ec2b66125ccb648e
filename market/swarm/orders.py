"""Orders: what a node is asked to fetch, a line of JSON each, and what the parent hears of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

LONGEST = 1 << 16
"""The most bytes of a line."""


@dataclass(frozen=True)
class Order:
    """Fetch the file with the SHA-256 ``weights``, of at most ``size`` bytes, to ``into``."""

    weights: str
    size: int
    into: str

    def to_json(self) -> str:
        """Return the order as one line of JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(line: bytes) -> Order:
        """Return the order that ``to_json`` wrote.

        Raises:
            TypeError, ValueError: the line is something else.
        """
        values: dict[str, Any] = json.loads(line)
        return Order(**values)


class Orders:
    """The orders that come in at a node, which are bytes as they come."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Order] = asyncio.Queue()
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take some bytes; a line that is no order, as one that was cut, is left out."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-LONGEST:]
        for line in lines:
            try:
                self._queue.put_nowait(Order.from_json(line))
            except (TypeError, ValueError):
                continue

    async def next(self) -> Order:
        """Return the next order, waiting for it."""
        return await self._queue.get()


class Fetches:
    """The parent's side: a ``fetching.Source`` that gives orders and hears what came of them.

    Args:
        tell: sends a line to the node; returns whether it could.
    """

    def __init__(self, tell: Callable[[str], bool]) -> None:
        self._tell = tell
        self._came: dict[str, bool | None] = {}

    def fetch(self, weights: str, size: int, into: Path) -> None:
        """Begin to fetch a file, unless it is under way."""
        if self._came.get(weights, False) is None:
            return
        self._came[weights] = None
        if not self._tell(Order(weights, size, str(into.resolve())).to_json()):
            self._came[weights] = False

    def fetched(self, weights: str) -> bool | None:
        """Whether the file came, None as long as that is not known."""
        return self._came.get(weights, False)

    def hear(self, said: Mapping[str, Any]) -> None:
        """Take a line of the node, in whatever thread; one that starts anew has forgotten all."""
        if said["event"] in ("fetched", "missing"):
            self._came[str(said["weights"])] = said["event"] == "fetched"
        elif said["event"] == "listening":
            for weights in [name for name, came in list(self._came.items()) if came is None]:
                self._came[weights] = False
