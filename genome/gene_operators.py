"""Mutations of the plain genes: width, segments, tying, feedback, and those of training."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import cast

from ..blocks.ranges import Choice
from .genes import SEGMENTS, TRAINING, feedback_range
from .graph import Genome
from .space import Space
from .traits import Trait, training_trait

LEARNING_RATE = 0.5
"""How often the learning rate is the training gene that changes: it matters most."""


def change_width(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Move the width to a neighbour among the widths of the space."""
    del lineage
    if len(space.widths) == 1:
        return None
    near = space.taste.draw(
        rng,
        lambda: Choice(tuple(sorted(space.widths)), ordered=True).near(genome.stack.width, rng),
        lambda width: Trait("width", str(width)),
    )
    return replace(genome, stack=replace(genome.stack, width=cast(int, near)))


def change_segments(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Move the number of segments to a neighbour, where a block reads segments."""
    del lineage
    if not any(space.catalog[part.name].segmented for part in genome.parts()):
        return None
    segments = cast(int, SEGMENTS.near(genome.stack.segments, rng))
    return replace(genome, stack=replace(genome.stack, segments=segments))


def change_tied(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Share the embedding table with the head, or stop sharing it."""
    del space, rng, lineage
    return replace(genome, stack=replace(genome.stack, tied=not genome.stack.tied))


def change_feedback(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Move the delay of layerwise feedback to a neighbour, where a visit reads another."""
    del lineage
    delays = feedback_range(space.context)
    if len(genome.live_visits()) == 1 or len(delays.options) == 1:
        return None
    feedback = cast(int, delays.near(genome.stack.feedback, rng))
    return replace(genome, stack=replace(genome.stack, feedback=feedback))


def change_training(genome: Genome, space: Space, rng: Random, lineage: str) -> Genome | None:
    """Move one training gene to a near value, most often the learning rate.

    With one visit there is no order to shuffle.
    """
    del lineage
    left_out = ("learning_rate",) if len(genome.live_visits()) > 1 else ("learning_rate", "shuffle")
    others = [name for name in TRAINING if name not in left_out]
    name = "learning_rate" if rng.random() < LEARNING_RATE else rng.choice(others)
    old = getattr(genome.training, name)
    near = space.taste.draw(
        rng, lambda: TRAINING[name].near(old, rng), lambda value: training_trait(name, value)
    )
    return replace(genome, training=replace(genome.training, **{name: cast(float, near)}))
