"""The contract that everything in the catalog keeps, our own and third-party (DESIGN section 4).

``violations(declaration)`` runs all of it and returns sentences; no sentence means that it holds.
All kinds are brought to one call, input and carry to output and carry, and are then held to the
same laws on float64 copies with redrawn parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from .counting import CALLS, counted, differences
from .declaration import Declaration, Settings, Size
from .kinds import Carry
from .probe import apart, balance, carry_tensors, close_calls, decisions, map_carry, redraw, same
from .projection import Projection
from .subject import (
    CONTEXT,
    SEGMENT,
    VOCABULARY,
    Subject,
    at_real,
    chunks,
    cut,
    holed_frame,
    only,
    retold,
    subject_of,
    whole_frame,
)
from .training import looks_ahead

TOLERANCE = 1e-8
ROWS = 3
TOKENS = 39  # crosses chunk edges at 16 and 32; LINEAR_CHUNK has its own test


def violations(
    declaration: Declaration,
    settings: Settings | None = None,
    *,
    width: int = 32,
    seed: int = 0,
) -> list[str]:
    """Return every broken rule, a sentence each.

    Args:
        declaration: what is tested.
        settings: its settings; the defaults where none are given.
        width: width of the stream, a multiple of 32.
        seed: seed of parameters, inputs, holes and chunks.
    """
    chosen = dict(declaration.defaults(), **(settings or {}))
    broken = list(declaration.problems(chosen))
    if broken:
        return broken
    context = _Context(declaration, chosen, width, seed)
    for rule in RULES:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            broken += [f"{declaration.name}: {sentence}" for sentence in _tried(rule, context)]
    return broken


def _tried(rule: Rule, context: _Context) -> Iterator[str]:
    """Run a rule; what a block raises is a broken rule, too."""
    try:
        yield from rule(context)
    except Exception as error:
        name = rule.__name__.strip("_").replace("_", " ")
        yield f"totality: the test of {name} raised {type(error).__name__}: {error}"


@dataclass(frozen=True)
class _Context:
    """What the rules need to make subjects of one declaration."""

    declaration: Declaration
    settings: Settings
    width: int
    seed: int

    @property
    def rng(self) -> Random:
        return Random(self.seed)

    def fresh(self) -> Subject:
        """A float32 subject as a model would hold it at the start, in training mode."""
        return subject_of(self.declaration, self.settings, self.width)

    def probed(self) -> Subject:
        """A float64 subject with redrawn parameters and decisions that go both ways, in eval."""
        subject = self.fresh()
        subject.module.double().eval()
        redraw(subject.module, torch.Generator().manual_seed(self.seed))
        for _, part in decisions(subject.module):
            frame = whole_frame(ROWS, TOKENS)
            subject.run(self.input(subject, ROWS, TOKENS), None, frame)
            margins = [note.value for note in frame.notes if note.kind == "margin"]
            balance(part, torch.cat([m.flatten() for m in margins]))
        return subject

    def size(self, tokens: int = CONTEXT, past: int = 0) -> Size:
        """The measures that the formulas are given."""
        return Size(self.width, CONTEXT, SEGMENT, VOCABULARY, tokens, past)

    def input(self, subject: Subject, rows: int, tokens: int, seed: int = 0) -> Tensor:
        torch.manual_seed(self.seed * 1000 + seed)
        x = subject.draw(rows, tokens)
        return x.double() if x.is_floating_point() else x


def _causality(context: _Context) -> Iterator[str]:
    subject, rng = context.probed(), context.rng
    x = context.input(subject, ROWS, TOKENS)
    for t in sorted(rng.sample(range(1, TOKENS - 1), 3)):
        other = torch.cat((x[:, :t], context.input(subject, ROWS, TOKENS, seed=t)[:, t:]), 1)
        frame = whole_frame(ROWS, TOKENS)
        whole, _ = subject.run(x, None, frame)
        changed, _ = subject.run(other, None, retold(frame, frame.at >= t))
        if close_calls(frame.notes):
            continue
        if (gap := apart(whole[:, :t], changed[:, :t])) > TOLERANCE:
            yield f"causality: tokens from {t} on change the outputs before them by {gap:.1e}"
        prefix, _ = subject.run(x[:, :t], None, whole_frame(ROWS, t))
        if (gap := apart(whole[:, :t], prefix)) > TOLERANCE:
            yield f"prefix: the outputs of the first {t} tokens alone differ by {gap:.1e}"


def _training(context: _Context) -> Iterator[str]:
    subject = context.probed()
    x, other = (context.input(subject, ROWS, TOKENS, seed=seed) for seed in (0, 5))
    yield from looks_ahead(subject, x, other, TOLERANCE)


def _carry_law(context: _Context) -> Iterator[str]:
    subject, rng = context.probed(), context.rng
    for trial, frame in enumerate((whole_frame(ROWS, TOKENS), holed_frame(rng, ROWS, TOKENS))):
        kind = "with holes" if trial else "without holes"
        x = context.input(subject, ROWS, TOKENS, seed=trial)
        whole, end = subject.run(x, None, frame)
        if close_calls(frame.notes):
            continue
        carry, parts = None, list[Tensor]()
        for start, stop in chunks(rng, TOKENS):
            before = map_carry(torch.clone, carry)
            piece = cut(frame, start, stop)
            y, after = subject.run(x[:, start:stop], carry, piece)
            if not same(before, carry):
                yield f"manners: the call on tokens {start}..{stop} writes into the carry it got"
            carry, parts = after, [*parts, y]
        gap = apart(at_real(whole, frame), at_real(torch.cat(parts, 1), frame))
        if gap > TOLERANCE:
            yield f"carry law: chunked and whole outputs {kind} differ by {gap:.1e}"
        yield from _same_carry(end, carry, kind)


def _same_carry(whole: Carry, chunked: Carry, kind: str) -> Iterator[str]:
    if len(list(carry_tensors(whole))) != len(list(carry_tensors(chunked))):
        yield f"carry law: the carries {kind} have different structure"
    for tensor in carry_tensors(chunked):
        if tensor.shape[0] != ROWS:
            yield f"carry law: a carry tensor has shape {tuple(tensor.shape)}, not {ROWS} rows"


def _holes(context: _Context) -> Iterator[str]:
    """A hole changes no other token's output: the row without its holes gives the same."""
    subject, rng = context.probed(), context.rng
    frame = holed_frame(rng, ROWS, TOKENS)
    x = context.input(subject, ROWS, TOKENS)
    y, _ = subject.run(x, None, frame)
    if close_calls(frame.notes):
        return
    if not torch.isfinite(y).all():
        yield "holes: an output at or beside a hole is not finite"
    for row in range(ROWS):
        real = frame.at[row] >= 0
        without, _ = subject.run(x[row : row + 1, real], None, only(frame, row, real))
        if (gap := apart(y[row : row + 1, real], without)) > TOLERANCE:
            yield f"holes: leaving the holes of a row away changes its outputs by {gap:.1e}"
    empty = cut(frame, 3, 8)
    empty.at = torch.full_like(empty.at, -1)
    _, carry = subject.run(x[:, :3], None, cut(frame, 0, 3))
    _, after = subject.run(x[:, 3:8], carry, empty)
    rest = cut(frame, 8, TOKENS)
    with_holes, _ = subject.run(x[:, 8:], after, rest)
    without, _ = subject.run(x[:, 8:], carry, cut(frame, 8, TOKENS))
    if (gap := apart(at_real(without, rest), at_real(with_holes, rest))) > TOLERANCE:
        yield f"holes: a call on holes only changes what comes after by {gap:.1e}"
    nothing, _ = subject.run(x[:, :0], None, cut(frame, 0, 0))
    if nothing.shape[1] != 0:
        yield f"totality: no tokens give an output of shape {tuple(nothing.shape)}"


def _independence(context: _Context) -> Iterator[str]:
    """Rows do not influence each other, in eval and in training."""
    subject = context.probed()
    x = context.input(subject, ROWS, TOKENS)
    other = torch.cat((x[:1], context.input(subject, ROWS, TOKENS, seed=7)[1:]))
    for training in (False, True):
        subject.module.train(training)
        mode = "train" if training else "eval"
        a, _ = subject.run(x, None, whole_frame(ROWS, TOKENS))
        frame = whole_frame(ROWS, TOKENS)
        b, _ = subject.run(other, None, retold(frame, torch.arange(ROWS)[:, None] > 0))
        if (gap := apart(a[:1], b[:1])) > TOLERANCE:
            yield f"batch independence: in {mode}() other rows change a row by {gap:.1e}"


def _manners(context: _Context) -> Iterator[str]:
    subject = context.probed()
    x = context.input(subject, ROWS, TOKENS)
    before = x.clone()
    y, carry = subject.run(x, None, whole_frame(ROWS, TOKENS))
    torch.manual_seed(99)
    again, _ = subject.run(x, None, whole_frame(ROWS, TOKENS))
    if not torch.equal(y, again):
        yield "determinism: two equal calls in eval() give different outputs"
    if not torch.equal(x, before):
        yield "manners: forward writes into its input"
    if y.shape != (*x.shape[:2], context.width) or y.dtype != torch.float64:
        yield f"manners: the output is {y.dtype} {tuple(y.shape)} for float64 {tuple(x.shape)}"
    unkept, none = subject.run(x, None, whole_frame(ROWS, TOKENS, keep=False))
    if (gap := apart(y, unkept)) > TOLERANCE:
        yield f"manners: keep=False changes the output by {gap:.1e}"
    remembers = next(carry_tensors(carry), None) is not None
    if context.declaration.kind == "block" and context.declaration.mixes != remembers:
        yield f"declaration: mixes={context.declaration.mixes}, but the carry says otherwise"
    if next(carry_tensors(none), None) is not None:
        yield "manners: keep=False still returns a carry"


def _liveness(context: _Context) -> Iterator[str]:
    """Every parameter gets a gradient in training, over three segments with the carry."""
    if not list(context.fresh().module.parameters()):
        return
    subject = context.probed()
    subject.module.train()
    x = context.input(subject, ROWS, TOKENS)
    weights = torch.randn(ROWS, TOKENS, context.width, dtype=torch.float64)
    loss, carry = torch.zeros((), dtype=torch.float64), None
    whole = whole_frame(ROWS, TOKENS)
    for start, stop in ((0, 11), (11, 20), (20, TOKENS)):
        piece = cut(whole, start, stop)
        y, carry = subject.run(x[:, start:stop], carry, piece)
        loss = loss + (y * weights[:, start:stop]).sum()
        loss = loss + sum(note.value for note in piece.notes if note.kind == "loss")
    loss.backward()
    for name, parameter in subject.module.named_parameters():
        if parameter.grad is None or not parameter.grad.abs().max() > 0:
            yield f"liveness: the parameter {name!r} gets no gradient"


def _scale(context: _Context) -> Iterator[str]:
    if context.declaration.kind not in ("block", "norm"):
        return
    subject = context.fresh()
    x = torch.randn(ROWS, TOKENS, context.width)
    with torch.no_grad():
        y, _ = subject.run(x, None, whole_frame(ROWS, TOKENS))
        large, _ = subject.run(x * 100, None, whole_frame(ROWS, TOKENS))
    ratio = (y.square().mean().sqrt() / x.square().mean().sqrt()).item()
    if not 0.1 <= ratio <= 10:
        yield f"scale: at initialisation the output's rms is {ratio:.3g} times the input's"
    if not torch.isfinite(large).all():
        yield "scale: an input a hundred times as large gives an output that is not finite"


def _cost(context: _Context) -> Iterator[str]:
    """Formula and built module agree: a whole row, parts of one, and calls that go on from them."""
    declaration = context.declaration
    declared = declaration.cost(context.size(), context.settings)
    with torch.device("meta"):
        subject = context.fresh()
    real = counted(subject, CONTEXT)
    if real.parameters != declared.parameters:
        yield f"cost: {declared.parameters} parameters declared, {real.parameters} built"
    projects = any(isinstance(part, Projection) for part in subject.module.modules())
    if declaration.kind == "block" and projects != declaration.projects:
        yield f"cost: projections are declared {declaration.projects}, found {projects}"
    if declaration.kind in ("exit", "router"):
        return  # what they wrap or decode with belongs to the model that is counted as a whole
    yield from differences(declared, real)
    if declaration.kind not in ("block", "embedding"):
        return  # they have no carry
    subject = context.fresh()  # with data, since the work of a call may hang on what a carry holds
    for after, tokens in CALLS:
        size = context.size(tokens, sum(after))
        real = counted(subject, tokens, after=after, device="cpu")
        where = f" for past={'+'.join(map(str, after)) or 0}, tokens={tokens}"
        yield from differences(declaration.cost(size, context.settings), real, where)


Rule = Callable[[_Context], Iterator[str]]

RULES: Sequence[Rule] = (
    _causality, _training, _carry_law, _holes, _independence, _manners, _liveness, _scale, _cost,
)  # fmt: skip
