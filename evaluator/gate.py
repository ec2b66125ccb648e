"""The gate: no number of a genome counts before it has shown that it cannot see the future.

A search that minimises loss breeds whatever leaks. Every genome is therefore run on a float64 copy
with redrawn parameters (a leak behind a zero-initialised gate shows nothing at initial weights) and
with every routing and exit decision shifted until both sides occur (BLOCKS, section 5).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from ..blocks.probe import apart, balance, carry_tensors, close_calls, decisions, redraw
from ..blocks.registry import Catalog
from ..genome.build import Model, ModelCarry, Output, build
from ..genome.cost import costs
from ..genome.graph import Genome
from ..genome.identity import canonical
from .awake import awake

TOLERANCE = 1e-8
ROWS = 2
CHUNKS = 8
ATTEMPTS = 3


@dataclass(frozen=True)
class Verdict:
    """Whether a genome may be measured; ``reason`` says which rule it broke, and by how much."""

    passed: bool
    reason: str = ""
    seconds: float = 0.0


def admission(
    genome: Genome, *, catalog: Catalog, context: int, vocabulary: int = 256, seed: int = 0
) -> Verdict:
    """Test a genome before it is trained: one draw of parameters, at most a few passes.

    Args:
        genome: a legal genome.
        catalog: what its names mean.
        context: tokens of a training window; the probe runs on one token less.
        vocabulary: size of the vocabulary.
        seed: seed of parameters, tokens, holes and chunks.
    """
    return _timed(lambda: _admit(genome, catalog, context, vocabulary, seed))


def full(
    genome: Genome, *, catalog: Catalog, context: int, vocabulary: int = 256, seeds: int = 4
) -> Verdict:
    """Test a finalist: several draws, and costs by formula against the module on ``meta``."""

    def broken() -> Iterator[str]:
        for seed in range(seeds):
            yield from _admit(genome, catalog, context, vocabulary, seed)
        yield from _costs_differ(genome, catalog, context, vocabulary)

    return _timed(broken)


def trained(model: Model, tokens: Tensor, *, seed: int = 0) -> Verdict:
    """Test trained weights for causality and prefix consistency, on tokens (1 or more, T) of text.

    Gates that were closed at the start may have opened in training, so this runs once more before
    a result counts.
    """

    def broken() -> Iterator[str]:
        copied = copy.deepcopy(model).double().eval()
        rng = Random(seed)
        text = tokens[:1].expand(ROWS, -1)
        with torch.no_grad():
            yield from _sees_future(copied, text, copied(text, keep=False), rng)

    return _timed(broken)


def _timed(broken: Callable[[], Iterator[str]]) -> Verdict:
    start = awake()
    with torch.random.fork_rng(devices=[]):
        reason = next(broken(), "")
    return Verdict(not reason, reason, awake() - start)


def _admit(
    genome: Genome, catalog: Catalog, context: int, vocabulary: int, seed: int
) -> Iterator[str]:
    model = build(genome, catalog=catalog, context=context, vocabulary=vocabulary, seed=seed)
    declared = costs(
        canonical(genome, catalog), catalog=catalog, context=context, vocabulary=vocabulary
    )
    built = sum(parameter.numel() for parameter in model.parameters())
    if built != declared.parameters:
        yield f"cost: the formulas declare {declared.parameters} parameters, {built} are built"
    model.double()
    for attempt in range(ATTEMPTS):
        rng = Random(f"{seed}/{attempt}")
        torch.manual_seed(rng.getrandbits(62))
        redraw(model, torch.Generator().manual_seed(rng.getrandbits(62)))
        tokens = torch.randint(vocabulary, (ROWS, context - 1))
        with torch.no_grad():
            whole = _balanced(model, tokens)
            if close_calls(whole.notes):
                continue
            yield from _sees_future(model, tokens, whole, rng)
            yield from _breaks_carry_law(model, tokens, whole.logits, rng)
        yield from _dead(model, tokens)
        return
    yield f"determinism: in {ATTEMPTS} draws a decision always stood within 1e-6 of its boundary"


def _balanced(model: Model, tokens: Tensor) -> Output:
    """Shift decisions until both sides occur; return what the model then gives, in eval()."""
    model.eval()
    for name, part in decisions(model):
        visits = _visits_of(model, name)
        notes = model(tokens, keep=False).notes
        margins = [n.value.flatten() for n in notes if n.kind == "margin" and n.visit in visits]
        if margins:
            balance(part, torch.cat(margins))
    return model(tokens, keep=False)


def _visits_of(model: Model, path: str) -> set[str]:
    """The visits in whose notes the decisions of the module at *path* appear."""
    place, number = path.split(".")[:2]
    if place != "pool":
        return {f"visits.{number}"}
    route = enumerate(model.genome.route)
    return {f"visits.{i}" for i, visit in route if visit.block == int(number)}


def _sees_future(model: Model, tokens: Tensor, whole: Output, rng: Random) -> Iterator[str]:
    """Causality, batch independence and determinism at once, then prefix consistency."""
    length = tokens.shape[1]
    if not torch.isfinite(whole.logits).all():
        yield "scale: with redrawn parameters a logit is not finite"
        return
    t = rng.randint(length // 2, length - 2)
    other = torch.randint_like(tokens, whole.logits.shape[-1])
    changed = torch.cat((torch.cat((tokens[:1, :t], other[:1, t:]), 1), other[1:]))
    torch.manual_seed(rng.getrandbits(62))
    again = model(changed, keep=False)
    gap = apart(whole.logits[:1, :t], again.logits[:1, :t])
    if gap > TOLERANCE and not close_calls(again.notes):
        yield _why_different(model, tokens, changed, t, gap)
    short = rng.randint(length // 3, length - 2)
    prefix = model(tokens[:, :short], keep=False)
    if (gap := apart(whole.logits[:, :short], prefix.logits)) > TOLERANCE:
        yield f"prefix: the first {short} of {length} tokens alone give logits {gap:.1e} apart"


def _why_different(model: Model, tokens: Tensor, changed: Tensor, t: int, gap: float) -> str:
    """Tell a leak from the future, an influence between rows, and chance apart."""
    whole = model(tokens, keep=False).logits
    if apart(whole, model(tokens, keep=False).logits) > TOLERANCE:
        return f"determinism: equal calls in eval() differ by {gap:.1e}"
    alone = model(torch.cat((tokens[:1], changed[1:])), keep=False).logits
    if (rows := apart(whole[:1], alone[:1])) > TOLERANCE:
        return f"batch independence: another row changes a row's logits by {rows:.1e}"
    return f"causality: tokens from {t} on change the logits before them by {gap:.1e}"


def _breaks_carry_law(model: Model, tokens: Tensor, whole: Tensor, rng: Random) -> Iterator[str]:
    """Feed the rows with holes in uneven chunks; logits of real tokens equal the whole's."""
    spread, at = _with_holes(tokens, rng)
    carry: ModelCarry | None = None
    pieces = list[Tensor]()
    inner = sorted(rng.sample(range(1, at.shape[1]), CHUNKS - 2))
    for start, stop in pairwise([0, 1, *[end for end in inner if end > 1], at.shape[1]]):
        versions = [tensor._version for tensor in carry_tensors(carry)]
        before = carry
        piece = model(spread[:, start:stop], carry, at=at[:, start:stop])
        carry = piece.carry
        pieces.append(piece.logits)
        if versions != [tensor._version for tensor in carry_tensors(before)]:
            yield "manners: a forward call writes into the carry that it was given"
    logits = torch.cat(pieces, 1)
    real = at >= 0
    gap = apart(whole, logits[real].reshape(whole.shape))
    if gap > TOLERANCE:
        yield f"carry law: chunks with holes and the whole differ by {gap:.1e}"


def _with_holes(tokens: Tensor, rng: Random) -> tuple[Tensor, Tensor]:
    """Spread the tokens over longer rows: (B, T) to tokens and ``at`` (B, T + h), -1 at holes."""
    rows, length = tokens.shape
    holes = max(2, length // 8)
    at = torch.full((rows, length + holes), -1, dtype=torch.int64)
    spread = torch.zeros_like(at)
    for row in range(rows):
        places = torch.tensor(sorted(rng.sample(range(length + holes), length)))
        at[row, places] = torch.arange(length)
        spread[row, places] = tokens[row]
    return spread, at


def _dead(model: Model, tokens: Tensor) -> Iterator[str]:
    """Gradient liveness over three pieces with carry, and batch independence in training."""
    model.train()
    model.zero_grad(set_to_none=True)
    third = tokens.shape[1] // 3
    carry: ModelCarry | None = None
    loss = torch.zeros((), dtype=torch.float64)
    first: Tensor | None = None
    for start in (0, third, 2 * third):
        output = model(tokens[:, start : start + third], carry)
        targets = tokens[:, start + 1 : start + third + 1]
        logits = output.logits[:, : targets.shape[1]].flatten(0, 1)
        loss = loss + F.cross_entropy(logits, targets.flatten())
        loss = loss + sum(note.value for note in output.notes if note.kind == "loss")
        carry, first = output.carry, output.logits if first is None else first
    loss.backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is None or not bool(parameter.grad.abs().max() > 0):
            yield f"liveness: the parameter {name!r} gets no gradient"
    model.zero_grad(set_to_none=True)
    with torch.no_grad():
        other = torch.cat((tokens[:1, :third], torch.randint_like(tokens[1:, :third], 256)))
        logits = model(other).logits
    if first is not None and (gap := apart(first[:1], logits[:1])) > TOLERANCE:
        yield f"batch independence: in train() another row changes a row's logits by {gap:.1e}"


def _costs_differ(genome: Genome, catalog: Catalog, context: int, vocabulary: int) -> Iterator[str]:
    declared = costs(
        canonical(genome, catalog), catalog=catalog, context=context, vocabulary=vocabulary
    )
    model = build(
        genome, catalog=catalog, context=context, vocabulary=vocabulary, device="meta"
    ).eval()
    tokens = torch.zeros(1, context, dtype=torch.int64, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        carry = model(tokens).carry
    flops = counter.get_total_flops() / context
    held = sum(t.numel() * t.element_size() for t in carry_tensors(carry)) / context
    if not math.isclose(flops, declared.active_flops):
        yield f"cost: {declared.active_flops:.1f} FLOPs a token declared, {flops:.1f} counted"
    if not math.isclose(held, declared.carry_bytes):
        yield f"cost: {declared.carry_bytes:.1f} carry bytes a token declared, {held:.1f} held"
