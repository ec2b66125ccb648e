"""Tallies: how often an author was found right and wrong, and whether it is believed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

STANDING = 10
"""How many records of an author must have been found right before others of it are believed."""

ERRING = 20
"""An author who is believed was right at least so many times as often as it was wrong."""

TOLERANCE = 1e-3
"""How far two measurements of one work may be apart, in bits per byte: another machine's rounding,
which is some 1e-4 for most genomes, and far below the .03 between two seeds.
"""

STRAY = 0.05
"""How far they may be where a training hangs on the last digit of a product (hard choices, large
steps). It ends on another machine as with another seed then, and neither of the two is wrong.
"""

BETTER = 2 / 3
"""The share of what strays that may look better than it is: what looks good is measured again more
often, as half of it would if all were.
"""

CHANCE = 2.0
"""How many standard deviations more may be so by chance."""

GRAIN = 1e-9
"""Differences are added up in whole numbers of so many bits, so that no order changes a sum."""


class Tally(NamedTuple):
    """How often an author was found right and wrong.

    ``right`` by this peer itself and ``vouched`` by others whom it believes; ``shift`` is the sum
    of what the author claimed less what was found, where it was right, ``square`` of its square.
    ``strayed`` is how often its figures were apart from this peer's as those of two seeds are, and
    ``better`` how often they were the better ones then.
    """

    right: int = 0
    wrong: int = 0
    vouched: int = 0
    shift: int = 0
    square: int = 0
    strayed: int = 0
    better: int = 0

    @property
    def confirmed(self) -> int:
        """How often it was found right, by whomever."""
        return self.right + self.vouched

    @property
    def believed(self) -> bool:
        """Whether that is enough to believe what was not checked.

        Vouchers do for a start, but against an error only own measurements count: one who is
        believed could vouch for lies without end.
        """
        right = self.right + min(self.vouched, STANDING)
        least = max(STANDING, ERRING * self.wrong, self.strayed)
        return right >= least and not self.slanted

    @property
    def doubted(self) -> bool:
        """Whether it was wrong more often than right."""
        return self.wrong > self.confirmed

    @property
    def slanted(self) -> bool:
        """Whether it claims better figures than are found: by more than rounding on the mean where
        it was right, or more often than by chance where it strayed.
        """  # noqa: D205
        by_chance = CHANCE * math.sqrt(self.strayed * BETTER * (1 - BETTER))
        return (
            self.shift * GRAIN < -TOLERANCE / 2 * self.confirmed
            or self.better > BETTER * self.strayed + by_chance
        )

    def plus(self, other: Tally) -> Tally:
        """Return the sum of both."""
        return Tally(*(mine + its for mine, its in zip(self, other, strict=True)))

    def minus(self, other: Tally) -> Tally:
        """Return what is left without *other*."""
        return Tally(*(mine - its for mine, its in zip(self, other, strict=True)))


NEW = Tally()


def believed(tallies: Mapping[str, Tally]) -> frozenset[str]:
    """Return the authors whose tallies are enough to believe them."""
    return frozenset(author for author, tally in tallies.items() if tally.believed)
