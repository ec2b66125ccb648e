"""What training takes, by formula, against the tensors that are alive in real steps."""

from __future__ import annotations

import statistics
from random import Random

import pytest
import torch
from torch.nn import functional as F

from praxis_evolve.benchmarks.measuring import LiveBytes
from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.adamw import AdamW
from praxis_evolve.genome.build import build
from praxis_evolve.genome.cost import costs
from praxis_evolve.genome.footprint import training_bytes, training_operations
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.identity import canonical
from praxis_evolve.genome.space import Limits, Space
from praxis_evolve.genome.starters import llama, starters

CATALOG = installed()
CONTEXT, ROWS = 128, 4


def peak(genome: Genome, *, context: int = CONTEXT, rows: int = ROWS) -> int:
    """The bytes of the weights and of all that two steps of training hold at once."""
    model = build(genome, catalog=CATALOG, context=context)
    optimizer = AdamW(model, genome.training)
    draw = torch.Generator().manual_seed(1)
    with LiveBytes() as live:
        for _ in range(2):
            tokens = torch.randint(0, 256, (rows, context + 1), generator=draw)
            output = model(tokens[:, :-1], keep=False)
            loss = F.cross_entropy(output.logits.flatten(0, 1), tokens[:, 1:].flatten())
            for note in output.notes:
                if note.kind == "loss":
                    loss = loss + note.value
            loss.backward()
            optimizer.step(1e-3)
            model.after_step()
            del loss, output, tokens
    return live.most + sum(4 * parameter.numel() for parameter in model.parameters())


def ratio(genome: Genome, *, context: int = CONTEXT, rows: int = ROWS) -> float:
    """What the formula says by what there was."""
    form = canonical(genome, CATALOG)
    found = costs(form, catalog=CATALOG, context=context)
    return training_bytes(form, found, tokens=rows * context) / peak(
        form, context=context, rows=rows
    )


def space(width: int = 64, context: int = CONTEXT, visits: int = 8) -> Space:
    return Space(CATALOG, widths=(width,), context=context, limits=Limits(visits=visits))


@pytest.mark.parametrize("width", [64, 192])
def test_the_usual_genome_is_given_no_less_than_it_takes_and_not_much_more(width: int) -> None:
    assert 1.0 < ratio(llama(space(width), layers=2)) < 2.5


def test_most_genomes_are_given_about_what_they_take() -> None:
    rng, wide = Random(5), space(visits=5)
    ratios = [ratio(wide.sample(rng, "")) for _ in range(7)]
    assert min(ratios) > 0.25
    assert max(ratios) < 4
    assert 0.8 < statistics.median(ratios) < 2


@pytest.mark.slow
def test_so_are_all_starters_and_samples_at_several_sizes() -> None:
    rng, ratios = Random(7), list[float]()
    for width, context, rows in ((64, 256, 8), (96, 128, 8), (160, 128, 8)):
        wide = space(width, context)
        several = [wide.sample(rng, "") for _ in range(8)]
        several += starters(wide, layers=2).values() if width == 96 else ()
        ratios += [ratio(genome, context=context, rows=rows) for genome in several]
    ratios.sort()
    count = len(ratios)
    print([round(ratios[count * part // 20], 2) for part in (0, 1, 5, 10, 15, 19)], ratios[-1])
    assert ratios[0] > 0.25
    assert ratios[count // 20] > 0.5
    assert 1.0 < ratios[count // 2] < 1.7
    assert ratios[-1] < 4


def test_more_of_anything_takes_more() -> None:
    form = canonical(llama(space(), layers=2), CATALOG)
    found = costs(form, catalog=CATALOG, context=CONTEXT)
    one, two = (training_bytes(form, found, tokens=tokens) for tokens in (512, 1024))
    assert one < two < 2 * one, "weights take what they take"
    larger = canonical(llama(space(), layers=4), CATALOG)
    deep = costs(larger, catalog=CATALOG, context=CONTEXT)
    assert training_bytes(larger, deep, tokens=512) > one
    assert training_operations(found, tokens=100) == pytest.approx(300 * found.flops)
