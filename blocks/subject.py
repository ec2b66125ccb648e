"""Things of every kind brought to one call, and the frames on which the contract calls them.

A block is its own call; what stands in another place of a genome is put where it would stand, with
an inner block, a stream or a head beside it, so that all can be held to the same laws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any, cast

import torch
from torch import Tensor, nn

from .declaration import Declaration, Settings
from .frame import Frame, dense_frame
from .kinds import Carry

Run = Callable[[Tensor, Carry, Frame], tuple[Tensor, Carry]]

CONTEXT = 48
SEGMENT = 8
VOCABULARY = 256


@dataclass(frozen=True)
class Subject:
    """A module of any kind behind one call; ``draw(rows, tokens)`` makes an input for it."""

    module: nn.Module
    run: Run
    draw: Callable[[int, int], Tensor]


def subject_of(declaration: Declaration, settings: Settings, width: int) -> Subject:
    """Build what is declared, behind the call of its kind."""
    more: dict[str, Any] = {}
    if declaration.kind == "embedding":
        more = {"vocabulary": VOCABULARY, "context": CONTEXT}
    module = cast(nn.Module, declaration.load()(width, **more, **settings))

    def tokens(rows: int, count: int) -> Tensor:
        return torch.randint(VOCABULARY, (rows, count))

    def stream(rows: int, count: int) -> Tensor:
        return torch.randn(rows, count, width)

    draw = tokens if declaration.kind == "embedding" else stream
    return Subject(module, _CALLS[declaration.kind](module), draw)


def _block_call(module: nn.Module) -> Run:
    return module


def _norm_call(module: nn.Module) -> Run:
    return lambda x, carry, frame: (module(x), None)


def _router_call(module: nn.Module) -> Run:
    def run(x: Tensor, carry: Carry, frame: Frame) -> tuple[Tensor, Carry]:
        y, worked, carry = module(x, _running_mean, carry, frame)
        return y * worked[..., None], carry

    return run


def _residual_call(module: nn.Module) -> Run:
    streams = cast(int, module.streams)

    def run(x: Tensor, carry: Carry, frame: Frame) -> tuple[Tensor, Carry]:
        if streams == 1:
            return module.write(x, x, torch.tanh(module.read(x))), None  # pyright: ignore
        scale = torch.arange(1, streams + 1, dtype=x.dtype, device=x.device)
        many = torch.tanh(x[:, :, None] * scale[:, None])  # (B, T, n, W), all streams different
        return module.write(many, many, torch.tanh(module.read(many))).sum(2), None  # pyright: ignore

    return run


def _exit_call(module: nn.Module) -> Run:
    def run(x: Tensor, carry: Carry, frame: Frame) -> tuple[Tensor, Carry]:
        after = x + torch.tanh(x.flip(-1))

        def decode(h: Tensor) -> Tensor:
            return torch.cat((h, -h), -1)

        margin = module(x, after, decode)
        if module.training:
            frame.note("exit", module.loss(x, after, decode(after + x), decode))  # pyright: ignore
        frame.note("exit", margin, "margin")
        return margin[..., None] * torch.ones_like(x), None

    return run


_CALLS: dict[str, Callable[[nn.Module], Run]] = {
    "block": _block_call,
    "embedding": _block_call,
    "norm": _norm_call,
    "router": _router_call,
    "residual": _residual_call,
    "exit": _exit_call,
}


def _running_mean(x: Tensor, carry: Carry, frame: Frame) -> tuple[Tensor, Carry]:
    """A causal inner block that depends on every earlier token, for routers: (B, T, W) to same."""
    real = frame.real[..., None].to(x.dtype)
    if carry is None:
        carry = (x.new_zeros(x.shape[0], x.shape[2]), x.new_zeros(x.shape[0], 1))
    total = carry[0][:, None] + (x * real).cumsum(1)
    count = carry[1][:, None] + real.cumsum(1)
    after = (carry[0] + (x * real).sum(1), carry[1] + real.sum(1))
    return total / count.clamp(min=1), after if frame.keep else None


def whole_frame(rows: int, tokens: int, **more: Any) -> Frame:
    """Return a frame without holes from the start of the rows; all such tell the same tokens."""
    frame = dense_frame(rows, tokens, context=CONTEXT, segment=SEGMENT, **more)
    frame.tokens = _text(rows, tokens).to(frame.at.device)
    return frame


def retold(frame: Frame, other: Tensor) -> Frame:
    """Return the frame with other tokens where *other*, which is broadcast to (B, T), is True."""
    assert frame.tokens is not None
    return Frame(
        frame.at,
        frame.segment,
        frame.context,
        dense=frame.dense,
        keep=frame.keep,
        span=frame.span,
        tokens=torch.where(other, _text(*frame.at.shape, seed=1), frame.tokens),
    )


def _text(rows: int, tokens: int, *, seed: int = 0) -> Tensor:
    """Return the first tokens of rows of text, (B, T): letters and what stands between words."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(VOCABULARY, (rows, CONTEXT), generator=generator, device="cpu")
    return drawn[:, :tokens]


def holed_frame(rng: Random, rows: int, tokens: int) -> Frame:
    """Return a frame with gaps, holes anywhere, and segments whose ends differ between rows."""
    at = torch.full((rows, tokens), -1)
    segment = torch.zeros_like(at)
    for row in range(rows):
        real = sorted(rng.sample(range(tokens), rng.randint(tokens // 2, tokens - 1)))
        places = sorted(rng.sample(range(CONTEXT), len(real)))
        ends = sorted(rng.sample(range(1, CONTEXT), 4))
        for column, place in zip(real, places, strict=True):
            at[row, column] = place
            segment[row, column] = sum(place >= end for end in ends)
    return Frame(at, segment, CONTEXT, tokens=_text(rows, tokens))


def cut(frame: Frame, start: int, stop: int) -> Frame:
    """Return the frame of some columns."""
    tokens = None if frame.tokens is None else frame.tokens[:, start:stop]
    return Frame(
        frame.at[:, start:stop], frame.segment[:, start:stop], frame.context, tokens=tokens
    )


def only(frame: Frame, row: int, columns: Tensor) -> Frame:
    """Return the frame of one row's tokens at *columns*, (T,) bool, as a row of its own."""
    parts = (frame.at, frame.segment, frame.tokens)
    at, segment, tokens = (each if each is None else each[row : row + 1, columns] for each in parts)
    assert at is not None
    assert segment is not None
    return Frame(at, segment, frame.context, tokens=tokens)


def at_real(y: Tensor, frame: Frame) -> Tensor:
    """Return y (B, T, W) with zeros at holes."""
    return torch.where((frame.at >= 0)[..., None], y, 0.0)


def chunks(rng: Random, tokens: int, most: int = 6) -> list[tuple[int, int]]:
    """Return random uneven chunks, an empty one and one of a single token among them."""
    ends = sorted({rng.randint(1, tokens - 1) for _ in range(most - 2)} | {1})
    edges = [0, *ends, ends[-1], tokens]
    return list(pairwise(edges))
