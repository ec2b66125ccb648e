"""Formulas against built modules for rows in pieces, token by token, and behind a router."""

from __future__ import annotations

from itertools import accumulate
from random import Random

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from praxis_evolve.blocks.counting import CALLS, counted
from praxis_evolve.blocks.declaration import Cost, Declaration, Size
from praxis_evolve.blocks.frame import Frame, dense_frame
from praxis_evolve.blocks.probe import carry_tensors
from praxis_evolve.blocks.ranges import Value
from praxis_evolve.blocks.registry import installed
from praxis_evolve.blocks.subject import subject_of

Disagreement = tuple[Size, dict[str, Value], Cost, Cost]

WIDTH, CONTEXT = 32, 128
MIXERS = [d for d in installed() if d.kind == "block" and d.mixes]
EVERY = pytest.mark.parametrize("declaration", MIXERS, ids=lambda d: d.name)


def drawn(declaration: Declaration, seed: int) -> dict[str, Value]:
    rng = Random(f"{declaration.name} {seed}")
    return {name: setting.range.sample(rng) for name, setting in declaration.settings.items()}


def disagreements(
    declaration: Declaration, calls: list[int], *, segment: int, count: int = 1, gaps: bool = False
) -> list[Disagreement]:
    """Return the last *count* of some calls of a row that differ from the formula."""
    chosen, carry = drawn(declaration, len(calls)), None
    wrong = list[Disagreement]()
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):  # meta tensors take longer
        block = declaration.load()(WIDTH, **chosen).eval()
        parameters = sum(p.numel() for p in block.parameters())
        for number, (tokens, end) in enumerate(zip(calls, accumulate(calls), strict=True)):
            x, past = torch.randn(1, tokens, WIDTH), end - tokens
            frame = dense_frame(1, tokens, context=CONTEXT, segment=segment, start=past)
            if gaps:
                frame = Frame(frame.at, frame.segment, CONTEXT)
            if number < len(calls) - count:
                _, carry = block(x, carry, frame)
                continue
            with FlopCounterMode(display=False) as counter:
                _, carry = block(x, carry, frame)
            kept = sum(t.numel() * t.element_size() for t in carry_tensors(carry))
            size = Size(WIDTH, CONTEXT, segment, tokens=tokens, past=past, gaps=gaps)
            real = Cost(parameters, counter.get_total_flops(), kept)
            if (cost := declaration.cost(size, chosen)) != real:
                wrong.append((size, chosen, cost, real))
    return wrong


@EVERY
@pytest.mark.parametrize(("piece", "segment"), [(16, 64), (32, 32), (64, 16)])
def test_a_row_in_pieces_costs_what_the_formulas_say(
    declaration: Declaration, piece: int, segment: int
):
    calls = [piece] * (CONTEXT // piece)
    assert disagreements(declaration, calls, segment=segment) == []
    if piece == 16:
        assert disagreements(declaration, calls[:1], segment=segment) == []


@EVERY
@pytest.mark.parametrize("calls", [[20, 1], [1, 31, 1, 5, 50], [127, 1]])
def test_single_tokens_and_odd_pieces_cost_what_the_formulas_say(
    declaration: Declaration, calls: list[int]
):
    assert disagreements(declaration, calls, segment=12) == []


@EVERY
def test_calls_behind_a_router_cost_what_the_formulas_say(declaration: Declaration):
    if declaration.routed:
        assert disagreements(declaration, [24, 7, 1], segment=16, count=2, gaps=True) == []


@pytest.mark.parametrize(
    "declaration", [d for d in MIXERS if d.segmented], ids=lambda declaration: declaration.name
)
def test_tensors_with_and_without_data_cost_the_same(declaration: Declaration):
    """Segments end where the data say so, or the frame where there are none."""
    for after, tokens in CALLS:
        real, bare = (_counted(declaration, after, tokens, device) for device in ("cpu", "meta"))
        assert real == bare


def _counted(declaration: Declaration, after: tuple[int, ...], tokens: int, device: str) -> Cost:
    with torch.device(device):
        subject = subject_of(declaration, declaration.defaults(), WIDTH)
    return counted(subject, tokens, after=after, device=device)
