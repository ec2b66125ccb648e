"""The training loop, from top to bottom.

Everything that a step depends on is a function of (seed, step): the windows it reads, the random
numbers that blocks draw, the rate. So the data cursor and the state of the generators are the step,
a checkpoint is weights, buffers, optimizer and step, and a training that was continued from one is
bit-equal to one that was not interrupted. Neither the seed nor the data depend on the genome:
genomes of a replica read the same text in the same order and can be compared as pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ..blocks.frame import Note
from ..genome.build import Model
from ..genome.graph import Training
from .adamw import AdamW
from .checkpoint import State
from .limits import Stop, Watch
from .schedule import Schedule
from .task import VOCABULARY, Bytes

CHECK_EVERY = 16
"""Steps between looks at the losses: reading one makes the host wait for the device."""

PATIENCE = 64
HOPELESS = 1.25
"""A median loss of this many times the uniform guess over PATIENCE steps counts as diverged."""

CURVE_POINTS = 32


@dataclass(frozen=True)
class Trained:
    """What a training went through: the loss of each step in nats per byte, or why it stopped."""

    losses: list[float] = field(default_factory=list[float])
    stop: Stop | None = None


def train(
    model: Model,
    text: Bytes,
    genes: Training,
    *,
    schedule: Schedule,
    context: int,
    batch: int,
    seed: int,
    watch: Watch,
    start: State | None = None,
    at_stable: Callable[[State], None] | None = None,
    past: int = 0,
) -> Trained:
    """Train *model* in place to the end of the decay branch.

    Args:
        model: freshly built, or any model of the same genome where *start* is given.
        text: the bytes to learn from, (N,).
        genes: the optimizer's settings.
        schedule: how many steps, at which rates.
        context: tokens of a window.
        batch: windows of a step.
        seed: what windows and random numbers are drawn from.
        watch: limits; the training ends early when one is passed.
        start: the state to continue from, not after the stable phase.
        at_stable: gets the state at the end of the stable phase, to be kept for a promotion.
        past: steps that the weights were trained for by others before: the windows go on there.
    """
    device = next(model.parameters()).device
    optimizer = AdamW(model, genes)
    losses = list(start.restore(model, optimizer)) if start else []
    steps = past + schedule.steps
    places = offsets(len(text), context=context, batch=batch, steps=steps, seed=seed)[past:]
    span = np.arange(context + 1)
    fresh: list[Tensor] = []
    model.train()
    for step in range(len(losses), schedule.steps):
        if step == schedule.stable and at_stable is not None:
            losses += _read(fresh)
            at_stable(State.of(model, optimizer, losses))
        _seed(device, seed + past + step)
        window = text[places[step, :, None] + span].astype(np.int64)
        tokens = torch.from_numpy(window).to(device)  # (B, T + 1)
        output = model(tokens[:, :-1], keep=False)
        loss = F.cross_entropy(output.logits.flatten(0, 1), tokens[:, 1:].flatten())
        fresh.append(loss.detach())
        _with_notes(loss, output.notes).backward()
        optimizer.step(genes.learning_rate * schedule.rate(step))
        model.after_step()
        stop = watch.late()
        if (step + 1) % CHECK_EVERY == 0 or step + 1 == schedule.steps:
            checked = len(losses)
            losses += _read(fresh)
            stop = diverged(losses, since=checked) or stop or watch.full()
        if stop is not None:
            return Trained(losses + _read(fresh), stop)
    return Trained(losses)


def offsets(size: int, *, context: int, batch: int, steps: int, seed: int) -> NDArray[np.int64]:
    """Return where the windows of each step start in a text of *size* bytes, (steps, batch).

    Fewer steps give the beginning of more: the draws are a counter-based stream of the seed.
    """
    draws = np.random.Philox(key=seed).random_raw(steps * batch)
    starts = np.asarray(draws, np.uint64) % np.uint64(size - context)
    return starts.astype(np.int64).reshape(steps, batch)


def seen(text: Bytes, *, context: int, batch: int, steps: int, seed: int) -> Bytes:
    """Return the windows that a training of *steps* read, (steps * batch, context + 1)."""
    places = offsets(len(text), context=context, batch=batch, steps=steps, seed=seed)
    return text[places.reshape(-1, 1) + np.arange(context + 1)]


def curve(losses: list[float], *, tokens_per_step: int) -> tuple[tuple[int, float], ...]:
    """Return at most 32 points (tokens, mean training bits per byte since the point before)."""
    finite = [loss for loss in losses if math.isfinite(loss)]
    number = min(CURVE_POINTS, len(finite))
    ends = [len(finite) * (i + 1) // number for i in range(number)]
    starts = [0, *ends][:number]
    return tuple(
        (end * tokens_per_step, sum(finite[start:end]) / (end - start) / math.log(2))
        for start, end in zip(starts, ends, strict=True)
    )


def diverged(losses: list[float], *, since: int = 0) -> Stop | None:
    """Say whether and where the losses from step *since* on have left for good."""
    bound = HOPELESS * math.log(VOCABULARY)
    for step in range(since, len(losses)):
        if not math.isfinite(losses[step]):
            return Stop("diverged", f"the loss of step {step} is {losses[step]}")
        recent = losses[max(0, step + 1 - PATIENCE) : step + 1]
        if len(recent) == PATIENCE and (middle := median(recent)) > bound:
            return Stop(
                "diverged",
                f"the median loss of {PATIENCE} steps up to step {step} is {middle:.2f} nats, but "
                f"guessing has {math.log(VOCABULARY):.2f}",
            )
    return None


def _with_notes(loss: Tensor, notes: list[Note]) -> Tensor:
    """Add what the blocks ask for besides (balance, predictors, exits)."""
    for note in notes:
        if note.kind == "loss":
            loss = loss + note.value
    return loss


def _read(fresh: list[Tensor]) -> list[float]:
    """Take the losses off the device and forget them there."""
    values = cast("list[float]", torch.stack(fresh).tolist()) if fresh else []
    fresh.clear()
    return values


def _seed(device: torch.device, seed: int) -> None:
    # torch.manual_seed asks every backend that torch knows: 1 % of a small model's step.
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)
