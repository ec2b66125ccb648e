"""The parent of a node, as the node hears it: lines of JSON, each an event with its values."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast

Told = Mapping[str, Any]

Listener = Callable[[Told], None]

_logger = logging.getLogger(__name__)


class Parent:
    """Hands what the parent says to whoever listens.

    The last line of each event is kept for who comes to listen later. One that nobody can make
    anything of is skipped.
    """

    def __init__(self) -> None:
        self._listeners: dict[str, Listener] = {}
        self._last: dict[str, Told] = {}
        self._part = b""

    def on(self, event: str, listener: Listener) -> None:
        """Let *listener* hear of an event from now on, and of the last one before."""
        self._listeners[event] = listener
        if event in self._last:
            with _noted():
                listener(self._last[event])

    def hear(self, data: bytes) -> None:
        """Take in what came; a line may come in parts."""
        *lines, self._part = (self._part + data).split(b"\n")
        for line in lines:
            with _noted():
                said = cast("Told", json.loads(line))
                self._last[said["event"]] = said
                if said["event"] in self._listeners:
                    self._listeners[said["event"]](said)


@contextmanager
def _noted() -> Generator[None]:
    """Note that a line is none, and go on."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        _logger.warning("the parent said what is not understood: %r", error)
