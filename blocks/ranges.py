"""Ranges of settings: which values are legal, how to draw one and how to step to a near one.

A range knows nothing of what it is a range of. Reals live on a grid of three significant digits,
so that equal settings are equal text on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Protocol, runtime_checkable

Value = bool | int | float | str


def on_grid(value: float) -> float:
    """Return *value* rounded to three significant digits, the grid of all real settings."""
    return float(f"{value:.3g}")


@runtime_checkable
class Range(Protocol):
    """The legal values of one setting."""

    def problem(self, value: object) -> str | None:
        """Say in words why *value* is not legal, or return None."""
        ...

    def sample(self, rng: Random) -> Value:
        """Draw a legal value."""
        ...

    def near(self, value: Value, rng: Random) -> Value:
        """Draw a legal value close to *value* and different from it where the range has two."""
        ...


@dataclass(frozen=True)
class Choice:
    """One of a few values. Where ``ordered``, neighbours in the list are near each other."""

    options: tuple[Value, ...]
    ordered: bool = False

    def problem(self, value: object) -> str | None:
        """Say why *value* is not one of the options; ``True`` and ``1`` are different values."""
        if any(type(value) is type(option) and value == option for option in self.options):
            return None
        return f"must be one of {', '.join(map(repr, self.options))}, but is {value!r}"

    def sample(self, rng: Random) -> Value:
        """Draw an option."""
        return rng.choice(self.options)

    def near(self, value: Value, rng: Random) -> Value:
        """Draw a neighbour in the list where ordered, any other option where not."""
        others = [option for option in self.options if option != value]
        if not others:
            return value
        if not self.ordered or value not in self.options:
            return rng.choice(others)
        place = self.options.index(value)
        return rng.choice([self.options[i] for i in (place - 1, place + 1) if self._has(i)])

    def _has(self, place: int) -> bool:
        return 0 <= place < len(self.options)


@dataclass(frozen=True)
class Integer:
    """A whole number from ``low`` to ``high``, both included; ``log`` draws by order of size."""

    low: int
    high: int
    log: bool = False

    def problem(self, value: object) -> str | None:
        """Say why *value* is not a whole number between the bounds."""
        if (
            isinstance(value, int)
            and not isinstance(value, bool)
            and self.low <= value <= self.high
        ):
            return None
        return f"must be a whole number from {self.low} to {self.high}, but is {value!r}"

    def sample(self, rng: Random) -> Value:
        """Draw a number, evenly or evenly in its logarithm."""
        if not self.log:
            return rng.randint(self.low, self.high)
        return self._clip(round(math.exp(rng.uniform(math.log(self.low), math.log(self.high)))))

    def near(self, value: Value, rng: Random) -> Value:
        """Step by a Gaussian of a fifth of the range, at least by one."""
        if self.low == self.high:
            return self.low
        number = int(value)
        if self.log:
            spread = math.log(self.high / self.low) / 5
            step = round(number * math.exp(rng.gauss(0.0, spread))) - number
        else:
            step = round(rng.gauss(0.0, (self.high - self.low) / 5))
        if self._clip(number + step) == number:
            step = 1 if number == self.low or (number < self.high and rng.random() < 0.5) else -1
        return self._clip(number + step)

    def _clip(self, number: int) -> int:
        return min(self.high, max(self.low, number))


@dataclass(frozen=True)
class Real:
    """A number from ``low`` to ``high`` on the grid; ``log`` draws by order of size."""

    low: float
    high: float
    log: bool = False

    def problem(self, value: object) -> str | None:
        """Say why *value* is not a float on the grid between the bounds."""
        if not isinstance(value, float) or not self.low <= value <= self.high:
            return f"must be a float from {self.low:g} to {self.high:g}, but is {value!r}"
        if value != on_grid(value):
            return f"must have at most three significant digits, but is {value!r}"
        return None

    def sample(self, rng: Random) -> Value:
        """Draw a number, evenly or evenly in its logarithm."""
        return self._from_unit(rng.random())

    def near(self, value: Value, rng: Random) -> Value:
        """Step by a Gaussian of a tenth of the range, drawn again until the value changes."""
        place = self._to_unit(float(value))
        for _ in range(20):
            moved = self._from_unit(min(1.0, max(0.0, place + rng.gauss(0.0, 0.1))))
            if moved != value:
                return moved
        return value

    def _from_unit(self, place: float) -> float:
        if self.log:
            raw = math.exp(math.log(self.low) + place * math.log(self.high / self.low))
        else:
            raw = self.low + place * (self.high - self.low)
        return min(self.high, max(self.low, on_grid(raw)))

    def _to_unit(self, value: float) -> float:
        if self.low == self.high:
            return 0.0
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)
