"""What a genome's module says of its own costs, counted on the meta device."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from praxis_evolve.blocks.probe import carry_tensors
from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.genome.build import build
from praxis_evolve.genome.cost import Costs
from praxis_evolve.genome.graph import Genome


def counted(genome: Genome, *, catalog: Catalog, context: int) -> Costs:
    """The module's own figures: parameters, operations and carry of one full row.

    A module runs only what is active, so ``flops`` equals ``active_flops``.
    """
    model = build(genome, catalog=catalog, context=context, device="meta").eval()
    tokens = torch.zeros(1, context, dtype=torch.int64, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        carry = model(tokens).carry
    parameters = sum(p.numel() for p in {id(p): p for p in model.parameters()}.values())
    held = sum(t.numel() * t.element_size() for t in carry_tensors(carry))
    active = counter.get_total_flops() / context
    return Costs(parameters, active, active, held / context)
