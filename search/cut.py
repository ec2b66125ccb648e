"""A choice as a place on a line, for tools that draw evenly: what is usual has more of the line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..blocks.ranges import Real, on_grid

Option = TypeVar("Option")

LINE = Real(0.0, 1.0)
"""The range of the places."""


@dataclass(frozen=True)
class Cut(Generic[Option]):
    """The line from 0 to 1, cut among options: the *others* share its end, *rest*, evenly.

    Raises:
        ValueError: *rest* is not between 0 and 1.
    """

    usual: Option
    others: Sequence[Option]
    rest: float

    def __post_init__(self) -> None:
        if not 0 < self.rest < 1:
            raise ValueError(f"the rest of a line must be between 0 and 1, but is {self.rest}")

    def at(self, place: float) -> Option:
        """Return the option of the stretch that *place* lies in."""
        beyond = place - self._begin
        if beyond < 0 or not self.others:
            return self.usual
        number = int(beyond / self.rest * len(self.others))
        return self.others[min(number, len(self.others) - 1)]

    def place(self, option: object) -> float:
        """Return the middle of the stretch of an option; of what is none, that of the usual one."""
        if option not in self.others:
            return on_grid(self._begin / 2)
        number = [other == option for other in self.others].index(True)
        return on_grid(self._begin + (number + 0.5) * self.rest / len(self.others))

    @property
    def _begin(self) -> float:
        return 1 - self.rest if self.others else 1.0
