"""Orders: what a node is asked to fetch, and what the parent hears of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Order:
    """Fetch the file with the SHA-256 ``weights``, of at most ``size`` bytes."""

    weights: str
    size: int

    @staticmethod
    def of(said: Mapping[str, Any]) -> Order:
        """Return the order that a line tells of."""
        return Order(said["weights"], said["size"])


class Fetches:
    """The parent's side: a ``fetching.Source`` that gives orders and hears what came of them.

    Args:
        tell: gives an order to the node; returns whether it could.
    """

    def __init__(self, tell: Callable[[Order], bool]) -> None:
        self._tell = tell
        self._came: dict[str, bool | None] = {}

    def fetch(self, weights: str, size: int) -> None:
        """Begin to fetch a file, unless it is under way."""
        if self._came.get(weights, False) is None:
            return
        self._came[weights] = None
        if not self._tell(Order(weights, size)):
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
