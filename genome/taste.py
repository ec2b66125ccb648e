"""Taste: what is preferred where operators choose; the search lends them what it has learned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol, TypeVar

from .traits import Trait

Thing = TypeVar("Thing")


class Taste(Protocol):
    """Chooses where there is something to choose. All chance comes from ``rng``."""

    def choose(
        self, rng: Random, options: Sequence[Thing], trait: Callable[[Thing], Trait]
    ) -> Thing:
        """Return one of *options*, of which there is at least one; ``trait`` says what each is."""
        ...

    def draw(
        self, rng: Random, draw: Callable[[], Thing], trait: Callable[[Thing], Trait]
    ) -> Thing:
        """Return something of many, or endlessly many, that *draw* draws by ``rng``."""
        ...

    def operator(self, rng: Random, weights: Sequence[tuple[str, float]]) -> str:
        """Return the name of an operator, of those with their weights."""
        ...


class Even:
    """No preference: options are alike, operators are drawn by their weights."""

    def choose(
        self, rng: Random, options: Sequence[Thing], trait: Callable[[Thing], Trait]
    ) -> Thing:
        """Return any of *options*."""
        del trait
        return rng.choice(options)

    def draw(
        self, rng: Random, draw: Callable[[], Thing], trait: Callable[[Thing], Trait]
    ) -> Thing:
        """Return what is drawn."""
        del rng, trait
        return draw()

    def operator(self, rng: Random, weights: Sequence[tuple[str, float]]) -> str:
        """Return an operator by its weight."""
        names = [name for name, _ in weights]
        return rng.choices(names, [weight for _, weight in weights])[0]


EVEN: Taste = Even()
