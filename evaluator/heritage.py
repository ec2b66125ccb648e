"""The beginning of a training with a parent's weights, and how much training they are worth."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ..blocks.registry import Catalog
from ..genome.build import Model
from ..genome.graph import Genome
from ..genome.identity import canonical
from ..genome.inherit import inherit
from ..genome.inheritance import inheritance


def begin(
    model: Model,
    weights: Mapping[str, Tensor],
    parent: Genome,
    *,
    trained: int,
    catalog: Catalog,
) -> int:
    """Give a freshly built model what its parent learned; return ``Result.inherited_tokens``.

    Args:
        model: the child.
        weights: weights and buffers of the parent.
        parent: the genome of the parent.
        trained: the tokens behind the parent's weights, those that it inherited included.
        catalog: what the genomes' names mean.
    """
    plan = inheritance(model.genome, canonical(parent, catalog), catalog)
    share = inherit(model, weights, plan)
    return max(round(share * trained), int(share > 0))
