"""Priors: what a user expects of traits, as the mean that their posteriors begin with."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from ..genome.traits import Trait
from .linear import Floats

Priors = Mapping[Trait, float]
"""What traits are expected to add to the standing of a genome, which is from 0 to 1."""

NONE: Priors = MappingProxyType({})


class Expected:
    """What is expected of the traits of some genomes before their results are looked at.

    Of a trait that no prior is of, nothing: 0.

    Args:
        priors: may be of other traits as well.
        places: the columns of a table (genomes, traits).
        usual: (traits,) how usual each is where its slot is filled, as ``Contrasts``.
    """

    def __init__(self, priors: Priors, places: Mapping[Trait, int], usual: Floats) -> None:
        self._priors = priors
        self._usual: dict[str, float] = {}
        self._means = np.zeros(len(places))
        for trait, prior in sorted(priors.items()):
            place = places.get(trait)
            if place is not None:
                self._means[place] = prior
                rest = self._usual.get(trait.slot, 0.0)
                self._usual[trait.slot] = rest + prior * float(usual[place])

    def of(self, trait: Trait) -> float:
        """Return what a trait in the place of the usual of its slot is expected to change."""
        return self._priors.get(trait, 0.0) - self._usual.get(trait.slot, 0.0)

    def standings(self, rows: Floats) -> Floats:
        """Return what is expected of genomes, (genomes,), by their rows as of ``Contrasts``."""
        return rows @ self._means
