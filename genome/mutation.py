"""Mutation: the table of operators with their weights, and the draw of a legal, different child."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from .edit import pruned
from .gene_operators import (
    change_feedback,
    change_segments,
    change_tied,
    change_training,
    change_width,
)
from .graph import Genome
from .identity import genome_id
from .offspring import another
from .part_operators import (
    Operator,
    change_exit,
    change_precision,
    change_prelude,
    change_router,
    change_stack_part,
    perturb_setting,
    share,
    swap_block,
    unshare,
)
from .route_operators import (
    add_read,
    branch,
    change_base,
    change_merge,
    insert,
    remove,
    remove_read,
    revisit,
    rewire,
)
from .space import Space

TRIES = 500
"""How many children ``mutate`` draws before it says that there is none."""

TAIL = 0.25
"""The chance of another edit after each edit."""


@dataclass(frozen=True)
class Weighted:
    """An operator and how often it is drawn, relative to the others."""

    apply: Operator
    weight: float


OPERATORS: Mapping[str, Weighted] = MappingProxyType(
    {
        "setting": Weighted(perturb_setting, 4.0),
        "training": Weighted(change_training, 3.0),
        "swap": Weighted(swap_block, 3.0),
        "insert": Weighted(insert, 2.0),
        "remove": Weighted(remove, 1.5),
        "prelude": Weighted(change_prelude, 2.0),
        "precision": Weighted(change_precision, 0.4),
        "rewire": Weighted(rewire, 0.7),
        "branch": Weighted(branch, 0.7),
        "read": Weighted(add_read, 0.7),
        "unread": Weighted(remove_read, 0.7),
        "merge": Weighted(change_merge, 0.3),
        "base": Weighted(change_base, 0.5),
        "revisit": Weighted(revisit, 0.7),
        "share": Weighted(share, 0.7),
        "unshare": Weighted(unshare, 0.7),
        "router": Weighted(change_router, 0.7),
        "residual": Weighted(change_stack_part("residual"), 0.7),
        "embedding": Weighted(change_stack_part("embedding"), 0.7),
        "norm": Weighted(change_stack_part("norm"), 0.4),
        "exit": Weighted(change_exit, 0.4),
        "width": Weighted(change_width, 0.7),
        "segments": Weighted(change_segments, 0.3),
        "tied": Weighted(change_tied, 0.3),
        "feedback": Weighted(change_feedback, 0.2),
    }
)
"""The operators by name. Small steps (settings, training genes) are frequent, since they are seldom
ruinous; the choice of blocks comes next, wiring after that.
"""


@dataclass(frozen=True)
class Child:
    """A mutated genome and the operators that made it, joined by ``+`` in their order."""

    genome: Genome
    operator: str


def mutate(
    genome: Genome,
    space: Space,
    rng: Random,
    birth: str,
    *,
    edits: int = 1,
    tail: float = TAIL,
    operators: Mapping[str, Weighted] = OPERATORS,
) -> Child:
    """Return a legal genome that is not the same as *genome*.

    Where an edit costs more than a limit allows, something else gives way (``fitting``).

    Args:
        genome: the parent.
        space: where the child must be legal.
        rng: the source of all chance.
        birth: the root of the lineage ids of new entries, ``birth/edit number``.
        edits: how many edits there are at least.
        tail: the chance of another one after each.
        operators: what to draw from.

    Raises:
        ValueError: no child of ``TRIES`` is legal and different.
    """
    known = genome_id(genome, space.catalog)
    for _ in range(TRIES):
        child = _edited(genome, space, rng, birth, _length(rng, edits, tail), operators)
        if child is None:
            continue
        fit = another(child.genome, space, rng, known=(known,), parent=genome)
        if fit is not None:
            return Child(fit, child.operator)
    raise ValueError(
        f"none of {TRIES} mutations of genome {known[:12]} is legal and different; "
        "widen the space or its limits"
    )


def _edited(
    genome: Genome,
    space: Space,
    rng: Random,
    birth: str,
    edits: int,
    operators: Mapping[str, Weighted],
) -> Child | None:
    weights = [(name, operator.weight) for name, operator in operators.items()]
    done: list[str] = []
    for number in range(edits):
        name = space.taste.operator(rng, weights)
        edited = operators[name].apply(genome, space, rng, f"{birth}/{number}")
        if edited is None:
            return None
        genome = pruned(edited)
        done.append(name)
    return Child(genome, "+".join(done))


def _length(rng: Random, edits: int, tail: float) -> int:
    while rng.random() < tail:
        edits += 1
    return edits
