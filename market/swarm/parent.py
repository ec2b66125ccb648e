"""The parent of a node, as the node hears it: lines of JSON, each an event with its values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

Told = Mapping[str, Any]

Handler = Callable[[Told], None]


class Parent:
    """Hands what the parent says to whoever listens.

    The last line of each event is kept for who comes to listen later.
    """

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._last: dict[str, Told] = {}
        self._part = b""

    def on(self, event: str, handler: Handler) -> None:
        """Let *handler* hear of an event from now on, and of the last one before."""
        self._handlers[event] = handler
        if event in self._last:
            handler(self._last[event])

    def hear(self, data: bytes) -> None:
        """Take in what came; a line may come in parts."""
        *lines, self._part = (self._part + data).split(b"\n")
        for line in lines:
            said = cast("Told", json.loads(line))
            self._last[said["event"]] = said
            if said["event"] in self._handlers:
                self._handlers[said["event"]](said)
