"""Cost formulas of the feedforward family, without torch."""

from __future__ import annotations

import math

from ..declaration import Cost, Settings, Size
from .sizes import EXPERT_GRID, EXPERT_ORDER, hidden_width


def mlp_cost(size: Size, settings: Settings) -> Cost:
    """Two linear maps with biases."""
    width, hidden = size.width, _hidden(size, settings)
    return Cost(2 * width * hidden + hidden + width, 4 * size.row * width * hidden)


def glu_cost(size: Size, settings: Settings) -> Cost:
    """Three linear maps without biases."""
    weights = 3 * size.width * _hidden(size, settings)
    return Cost(weights, 2 * size.row * weights)


def kan_cost(size: Size, settings: Settings) -> Cost:
    """A base map and a map for each basis function, in every layer."""
    return _edges_cost(size, settings, maps=1 + int(settings["grid"]) + int(settings["order"]))


def fast_kan_cost(size: Size, settings: Settings) -> Cost:
    """A base map and a map for each bump, in every layer."""
    return _edges_cost(size, settings, maps=1 + int(settings["grid"]))


def pattention_cost(size: Size, settings: Settings) -> Cost:
    """The keys and the values; how shares are scaled is a buffer."""
    weights = 2 * size.width * _hidden(size, settings)
    return Cost(weights, 2 * size.row * weights)


def _edges_cost(size: Size, settings: Settings, *, maps: int) -> Cost:
    edges = size.width**2
    if settings["layers"] == 2:
        edges = 2 * size.width * _hidden(size, settings)
    return Cost(edges * maps, 2 * size.row * edges * maps)


def peer_cost(size: Size, settings: Settings) -> Cost:
    """The query, all half keys, and the inputs of the neurons that are found.

    Their outputs are summed as they are looked up, which the counter does not see.
    """
    side, heads, k, length = (int(settings[n]) for n in ("side", "heads", "k", "key_dim"))
    query = size.width * heads * length
    neurons = heads * k * size.width
    return Cost(
        query + side * length + 2 * side**2 * size.width,
        2 * size.row * (query + heads * side * length + neurons),
    )


def smear_cost(size: Size, settings: Settings) -> Cost:
    """Merging for each segment and one expert.

    All experts for tokens that a router picked, and in a call that does not begin with a segment.
    """
    experts = int(settings["experts"])
    expert = (3 if settings["expert"] == "glu" else 2) * size.width * _hidden(size, settings)
    router = size.width * experts
    if not size.gaps and size.past % size.segment == 0:
        length = min(size.segment, size.row)
        segments = math.ceil(size.row / length)
        flops = 2 * segments * (router + experts * expert + length * expert)
    else:
        flops = 2 * size.row * (router + experts * expert)
    history = 2 * 4 * (size.width + 1) + 8
    return Cost(experts * expert + router, flops, history)


def featural_cost(size: Size, settings: Settings) -> Cost:
    """Query and output maps, and the similarity of all entries.

    What is read is summed as it is looked up, which the counter does not see.
    """
    width, entries = size.width, int(settings["entries"])
    maps = 2 * width**2
    return Cost(
        maps + entries * width + int(settings["heads"]),
        2 * size.row * (maps + entries * width),
    )


def product_memory_cost(size: Size, settings: Settings) -> Cost:
    """The query, all half keys, the gate of what is read and its output map.

    What is read is summed as it is looked up, which the counter does not see.
    """
    side, heads, length = (int(settings[n]) for n in ("side", "heads", "key_dim"))
    value = hidden_width(size.width, float(settings["value"]))
    maps = size.width * (heads * length + (2 if settings["gate"] else 1) * value)
    keys = heads * side * length
    return Cost(maps + keys + side**2 * value, 2 * size.row * (maps + keys))


def moe_cost(size: Size, settings: Settings) -> Cost:
    """All experts are held, those that a token chooses and the shared ones are computed."""
    routed, k, shared = (int(settings[n]) for n in ("routed", "k", "shared"))
    maps = {"glu": 3, "mlp": 2, "kan": 2 * (1 + EXPERT_GRID + EXPERT_ORDER)}[
        str(settings["expert"])
    ]
    expert = maps * size.width * _hidden(size, settings)
    router = size.width * routed
    return Cost(
        router + (routed + shared) * expert, 2 * size.row * (router + (k + shared) * expert)
    )


def _hidden(size: Size, settings: Settings) -> int:
    return hidden_width(size.width, float(settings["multiple"]))
