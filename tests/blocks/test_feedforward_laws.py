"""All blocks of the family keep the contract for any settings, and cost what they declare."""

from __future__ import annotations

from random import Random

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from praxis_evolve.blocks.contract import violations
from praxis_evolve.blocks.declaration import Declaration, Size
from praxis_evolve.blocks.feedforward.catalog import DECLARATIONS, SMEAR
from praxis_evolve.blocks.frame import Frame, dense_frame
from praxis_evolve.blocks.probe import carry_tensors
from praxis_evolve.blocks.ranges import Value


def sampled(declaration: Declaration, rng: Random) -> dict[str, Value]:
    return {name: s.range.sample(rng) for name, s in declaration.settings.items()}


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda d: d.name)
def test_contract_for_drawn_settings(declaration: Declaration):
    rng = Random(declaration.name)
    for seed in range(2):
        assert violations(declaration, sampled(declaration, rng), seed=seed) == []


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda d: d.name)
def test_declared_cost_is_the_cost_of_the_module(declaration: Declaration):
    rng = Random(declaration.name)
    for _ in range(12):
        segment = rng.randint(1, 40)
        size = Size(rng.choice((32, 64, 160, 256)), rng.randint(1, 130), segment)
        chosen = sampled(declaration, rng)
        declared = declaration.cost(size, chosen)
        with torch.device("meta"):
            block = declaration.load()(size.width, **chosen).eval()
            x = torch.zeros(1, size.context, size.width)
            frame = dense_frame(1, size.context, context=size.context, segment=segment)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            _, carry = block(x, None, frame)
        assert declared.parameters == sum(p.numel() for p in block.parameters())
        assert declared.flops == counter.get_total_flops(), (size, chosen)
        kept = sum(t.numel() * t.element_size() for t in carry_tensors(carry))
        assert declared.carry == kept


def test_smear_behind_a_router_costs_all_its_experts():
    chosen = SMEAR.defaults()
    size = Size(64, 96, 24, tokens=10, gaps=True)
    with torch.device("meta"):
        block = SMEAR.load()(64, **chosen).eval()
        x, at = torch.zeros(1, 10, 64), torch.zeros(1, 10, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        block(x, None, Frame(at, at, 96))
    assert SMEAR.cost(size, chosen).flops == counter.get_total_flops()
