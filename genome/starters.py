"""Starters: genomes with names, good ones from the literature, from which a search begins.

Each is a stack of layers with a mixer and a feed-forward. Lineage ids are stable names (``mixer0``,
``feedforward0``), so that crossover aligns the layers of different starters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ..blocks.ranges import Value
from .genes import feedback_range
from .graph import Entry, Genome, Part, Stack, Training, Visit
from .space import Space

LAYERS = 4
USUAL_WIDTH = 64

Recipe = Callable[[Space, int], Genome]
"""A starter: the genome of so many layers in a space. KeyError: the catalog lacks a part."""

Block = tuple[Part, Part | None]
"""A block and its prelude."""


def starters(space: Space, *, layers: int = LAYERS) -> dict[str, Genome]:
    """Return the named starters that are legal in *space*, with up to *layers* layers each.

    One that needs a part which the catalog lacks, or that is too large even with one layer, is left
    out.
    """
    found = {name: _fitting(recipe, space, layers) for name, recipe in RECIPES.items()}
    return {name: genome for name, genome in found.items() if genome is not None}


def llama(
    space: Space,
    *,
    learning_rate: float = 0.01,
    rope_base: float = 10000.0,
    layers: int = LAYERS,
) -> Genome:
    """Return the Llama-style genome: grouped-query attention, RoPE, RMSNorm, SwiGLU.

    Source: arXiv 2302.13971, 2305.13245.

    Raises:
        KeyError: the catalog lacks one of its parts.
    """
    attention = _part(space, "attention", heads=4, group=2, position="rope", rope_base=rope_base)
    genome = _chain(space, layers, (attention, None), (_part(space, "glu"), None))
    return replace(genome, training=Training(learning_rate=learning_rate))


def gpt2(space: Space, layers: int = LAYERS) -> Genome:
    """Return the GPT-2-style genome: learned positions, LayerNorm, GELU."""
    attention = _part(space, "attention", heads=4, group=1, position="none")
    mlp = _part(space, "mlp", multiple=4.0, activation="gelu")
    genome = _chain(space, layers, (attention, None), (mlp, None))
    embedding = _part(space, "token", position="learned")
    return _with_stack(genome, norm=_part(space, "layernorm"), embedding=embedding)


def llama_conv(space: Space, layers: int = LAYERS) -> Genome:
    """Return the strong control: Llama with a short convolution before every block."""
    conv = _part(space, "short_conv", kernel=4)
    genome = llama(space, layers=layers)
    pool = (replace(entry, prelude=conv) for entry in genome.pool)
    return replace(genome, pool=tuple(pool))


def retnet(space: Space, layers: int = LAYERS) -> Genome:
    """Return retention with SwiGLU. Source: arXiv 2307.08621."""
    return _chain(space, layers, (_part(space, "retention"), None), (_part(space, "glu"), None))


def mingru(space: Space, layers: int = LAYERS) -> Genome:
    """Return minimal gated recurrence with SwiGLU. Source: arXiv 2410.01201."""
    return _chain(space, layers, (_part(space, "mingru"), None), (_part(space, "glu"), None))


def primer(space: Space, layers: int = LAYERS) -> Genome:
    """Return attention with short convolutions and squared ReLU. Source: arXiv 2109.08668."""
    conv = _part(space, "short_conv", kernel=3)
    mlp = _part(space, "mlp", multiple=4.0, activation="squared_relu")
    return _chain(space, layers, (_part(space, "attention", heads=4, group=1), conv), (mlp, conv))


def differential(space: Space, layers: int = LAYERS) -> Genome:
    """Return differential attention with SwiGLU. Source: arXiv 2410.05258."""
    attention = _part(space, "differential")
    return _chain(space, layers, (attention, None), (_part(space, "glu"), None))


def hyper(space: Space, layers: int = LAYERS) -> Genome:
    """Return Llama with two hyper-connected streams. Source: arXiv 2409.19606."""
    residual = _part(space, "hyper", streams=2)
    return _with_stack(llama(space, layers=layers), residual=residual)


def ngram(space: Space, layers: int = LAYERS) -> Genome:
    """Return Llama with hashed n-gram embeddings."""
    return _with_stack(llama(space, layers=layers), embedding=_part(space, "ngram"))


def praxis(space: Space, layers: int = LAYERS) -> Genome:
    """Return the mixture that Praxis is known for.

    Differential attention, soft-merged and product-key experts in turn, the product-key ones on
    half of the tokens, hyper-connections, early exit.
    """
    mixer = _part(space, "differential")
    smear, peer = _part(space, "smear"), _part(space, "peer")
    pairs = [((mixer, None), (peer if n % 2 else smear, None)) for n in range(layers)]
    genome = _layers(space, pairs)
    mod = _part(space, "mod", capacity=0.5)
    # Soft-merged experts work by whole segments, which costs less than half of the tokens would.
    route = (replace(v, router=mod) if n % 4 == 3 else v for n, v in enumerate(genome.route))
    genome = replace(genome, route=tuple(route))
    residual = _part(space, "hyper", streams=2)
    return _with_stack(genome, residual=residual, exit=_part(space, "calm"))


def memory(space: Space, layers: int = LAYERS) -> Genome:
    """Return attention with a featural memory instead of a feed-forward."""
    attention = _part(space, "attention", heads=4, group=2)
    return _chain(space, layers, (attention, None), (_part(space, "featural"), None))


def kan(space: Space, layers: int = LAYERS) -> Genome:
    """Return attention with a layer of splines as feed-forward. Source: arXiv 2404.19756."""
    attention = _part(space, "attention", heads=4, group=2)
    return _chain(space, layers, (attention, None), (_part(space, "kan"), None))


def mega(space: Space, layers: int = LAYERS) -> Genome:
    """Return moving averages with gated attention, and SwiGLU. Source: arXiv 2209.10655."""
    return _chain(space, layers, (_part(space, "mega"), None), (_part(space, "glu"), None))


def mamba(space: Space, layers: int = LAYERS) -> Genome:
    """Return state-space blocks alone, two a layer. Source: arXiv 2405.21060."""
    return _line(space, [[_part(space, "mamba2")] * 2] * layers)


def deltanet(space: Space, layers: int = LAYERS) -> Genome:
    """Return the gated delta rule behind short convolutions, with SwiGLU.

    Source: arXiv 2412.06464.
    """
    mixer = _part(space, "gated_delta"), _part(space, "short_conv", kernel=4)
    return _chain(space, layers, mixer, (_part(space, "glu"), None))


def mixkabrn(space: Space, layers: int = LAYERS) -> Genome:
    """Return retention with a mixture of spline experts, all weights of one bit."""
    experts = _part(space, "moe", expert="kan", multiple=0.25, shared=0)
    genome = _chain(space, layers, (_part(space, "retention"), None), (experts, None))
    pool = (replace(entry, precision="binary") for entry in genome.pool)
    return replace(genome, pool=tuple(pool))


def discrete_memory(space: Space, layers: int = LAYERS) -> Genome:
    """Return featural memories early, associative memories late, and feedback between layers."""
    attention = _part(space, "attention", heads=4, group=2)
    early, late = _part(space, "featural"), _part(space, "associative")
    layer = [[attention, early if 2 * n < layers else late] for n in range(layers)]
    return _with_stack(_line(space, layer), feedback=feedback_range(space.context).options[-1])


def rxt(space: Space, layers: int = LAYERS) -> Genome:
    """Return sparse query attention, a short-term memory and gated experts in each layer.

    Source: arXiv 2510.03561.
    """
    attention = _part(space, "attention", heads=4, group=1, queries=0.5)
    layer = [attention, _part(space, "stm"), _part(space, "moe", expert="glu")]
    return _line(space, [layer] * layers)


def huginn(space: Space, layers: int = LAYERS) -> Genome:
    """Return a core layer that is visited as often as there are layers between two others.

    Each time it reads its own state beside what the first layer made of the text. A token leaves
    when its prediction stands still. Source: arXiv 2502.05171.
    """
    mixer, feedforward = _part(space, "attention", heads=4, group=2), _part(space, "glu")
    genome = _line(space, [[mixer, feedforward]] * 3)
    core = [
        visit
        for start in range(2, 2 + 2 * layers, 2)
        for visit in (Visit(2, (1, start - 1), 1, "concat"), Visit(3, (start,)))
    ]
    core[0] = Visit(2, (1,))
    end = 1 + 2 * layers
    route = (*genome.route[:2], *core, Visit(4, (end,)), Visit(5, (end + 1,)))
    genome = replace(genome, route=route)
    return _with_stack(genome, residual=_part(space, "sandwich"), exit=_part(space, "kl"))


def blt(space: Space, layers: int = LAYERS) -> Genome:
    """Return attention between words of bytes, and feed-forwards that look back a few bytes.

    Patches by space predict as well as those by entropy here, and work on a fifth of the tokens.

    Source: arXiv 2412.09871.
    """
    attention = _part(space, "attention", heads=4, group=2)
    conv, patch = _part(space, "short_conv", kernel=4), _part(space, "patch", patching="space")
    pairs: list[tuple[Block, Block]] = [((attention, None), (_part(space, "glu"), conv))] * layers
    genome = _layers(space, [((_part(space, "glu"), conv), pairs[0][1]), *pairs])
    mixers = (n for n, entry in enumerate(genome.pool) if entry.block == attention)
    routed = set(mixers)
    route = (replace(v, router=patch if v.block in routed else None) for v in genome.route)
    return replace(genome, route=tuple(route))


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "llama": lambda space, layers: llama(space, layers=layers),
        "gpt2": gpt2,
        "llama-conv": llama_conv,
        "retnet": retnet,
        "mingru": mingru,
        "primer": primer,
        "differential": differential,
        "hyper": hyper,
        "ngram": ngram,
        "praxis": praxis,
        "memory": memory,
        "kan": kan,
        "mega": mega,
        "mamba": mamba,
        "deltanet": deltanet,
        "mixkabrn": mixkabrn,
        "discrete-memory": discrete_memory,
        "rxt": rxt,
        "huginn": huginn,
        "blt": blt,
    }
)
"""The starters by name; the first is the baseline of every run."""


def _fitting(recipe: Recipe, space: Space, most: int) -> Genome | None:
    for layers in range(most, 0, -1):
        try:
            genome = recipe(space, layers)
        except KeyError:
            return None
        if space.legal(genome):
            return genome
    return None


def _part(space: Space, name: str, **changes: Value) -> Part:
    return Part(name, {**space.catalog[name].defaults(), **changes})


def _chain(space: Space, layers: int, mixer: Block, feedforward: Block) -> Genome:
    return _layers(space, [(mixer, feedforward)] * layers)


def _layers(space: Space, layers: Sequence[tuple[Block, Block]]) -> Genome:
    """Return a plain chain of layers, each a mixer and a feed-forward."""
    pool: list[Entry] = []
    for number, (mixer, feedforward) in enumerate(layers):
        pool.append(Entry(*mixer, f"mixer{number}"))
        pool.append(Entry(*feedforward, f"feedforward{number}"))
    route = tuple(Visit(number, (number - 1,)) for number in range(len(pool)))
    return Genome(tuple(pool), route, _stack(space))


def _line(space: Space, layers: Sequence[Sequence[Part]]) -> Genome:
    """Return a plain chain of layers of any blocks."""
    pool = [
        Entry(part, None, f"layer{number}/{place}")
        for number, layer in enumerate(layers)
        for place, part in enumerate(layer)
    ]
    route = tuple(Visit(number, (number - 1,)) for number in range(len(pool)))
    return Genome(tuple(pool), route, _stack(space))


def _stack(space: Space) -> Stack:
    return Stack(
        width=min(space.widths, key=lambda width: abs(width - USUAL_WIDTH)),
        residual=_part(space, "pre"),
        norm=_part(space, "rmsnorm"),
        embedding=_part(space, "token"),
    )


def _with_stack(genome: Genome, **changes: Any) -> Genome:
    return replace(genome, stack=replace(genome.stack, **changes))
