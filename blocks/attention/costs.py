"""Cost formulas of the attention family, without torch."""

from __future__ import annotations

from typing import NamedTuple

from ..declaration import Cost, Settings, Size
from .window import reach

FLOAT, INDEX = 4, 8
"""Bytes of a number and of an index in a carry."""

CHUNK = 32
"""Tokens in a chunk of retention: a speed, not a meaning; the fastest for rows of 128 on a CPU."""


def query_heads(heads: int, share: float) -> int:
    """Return how many of the heads have queries: at least one."""
    return max(1, int(heads * share))


def attention_cost(size: Size, settings: Settings) -> Cost:
    """Return the cost of ``attention``."""
    width, tokens = size.width, size.row
    heads = query_heads(int(settings["heads"]), float(settings["queries"]))
    dim = width // int(settings["heads"])
    inner, keys = heads * dim, max(1, heads // int(settings["group"])) * dim
    scaled = settings["position"] == "none" and settings["head_scale"]
    gates = {"none": 0, "head": heads, "element": inner}[str(settings["gate"])]
    weights = width * (inner + 2 * keys + gates) + inner * width
    added = int(settings["persistent"])
    vectors = 2 * added * keys + heads * (bool(scaled) + bool(settings["qk_norm"]))
    return Cost(
        parameters=weights + vectors,
        flops=2 * tokens * weights + 4 * tokens * (keys_read(size, settings) + added) * inner,
        carry=cache(size, settings, 2 * keys),
    )


def differential_cost(size: Size, settings: Settings) -> Cost:
    """Return the cost of ``differential``."""
    width, tokens = size.width, size.row
    sub = width // (2 * int(settings["heads"]))
    weights = 4 * width**2
    return Cost(
        parameters=weights + 6 * sub,
        flops=2 * tokens * weights + 8 * tokens * keys_read(size, settings) * width,
        carry=cache(size, settings, 2 * width),
    )


def retention_cost(size: Size, settings: Settings) -> Cost:
    """Return the cost of ``retention``."""
    width, tokens = size.width, size.row
    values = width * (2 if settings["double_value"] else 1)
    memory = width * values // int(settings["heads"])
    weights = width * (2 * width + 3 * values)
    chunk = min(CHUNK, tokens)
    chunks = -(-tokens // chunk)
    within = 2 * chunks * chunk**2 * (width + values)
    between = 2 * memory * (2 * chunks * chunk + (chunks + 1) ** 2)
    return Cost(
        parameters=weights,
        flops=2 * tokens * weights + within + between,
        carry=memory * FLOAT + INDEX,
    )


class LatentSizes(NamedTuple):
    """Channels of the kept vector, of the turned part of a key, and of the queries' own vector."""

    rank: int
    turned: int
    q_rank: int


def latent_sizes(
    width: int, *, heads: int, kv_rank: float, q_rank: float, rope_share: float
) -> LatentSizes:
    """Return the sizes of ``latent``; channels are turned in pairs, at least one."""
    turned = 2 * max(1, int(rope_share * (width // heads) / 2))
    return LatentSizes(max(1, int(kv_rank * width)), turned, int(q_rank * width))


def latent_cost(size: Size, settings: Settings) -> Cost:
    """Return the cost of ``latent``, which pads values to the width of keys.

    With a past the heads read the kept vectors: to move keys and values behind them costs as much
    as to make those of the call.
    """
    width, tokens, heads = size.width, size.row, int(settings["heads"])
    rank, turned, q_rank = latent_sizes(
        width,
        heads=heads,
        **{name: float(settings[name]) for name in ("kv_rank", "q_rank", "rope_share")},
    )
    keys = width + heads * turned
    weights = width * (rank + turned) + rank * 2 * width + width**2
    weights += (width + keys) * q_rank if q_rank else width * keys
    read = heads * (rank + turned) if size.past else keys
    return Cost(
        parameters=weights + rank + q_rank,
        flops=2 * tokens * weights + 4 * tokens * keys_read(size, settings) * read,
        carry=cache(size, settings, rank + turned),
    )


def stick_breaking_cost(size: Size, settings: Settings) -> Cost:
    """Return the cost of ``stick_breaking``."""
    width, tokens = size.width, size.row
    weights = 4 * width**2
    return Cost(
        parameters=weights + (width if settings["remainder"] == "learned" else 0),
        flops=2 * tokens * weights + 4 * tokens * keys_read(size, settings) * width,
        carry=cache(size, settings, 2 * width),
    )


def multi_token_cost(size: Size, settings: Settings) -> Cost:
    """Return the cost of ``multi_token``.

    It convolves scores where a window, a past or gaps end them, and elsewhere takes products.
    """
    width, tokens, heads = size.width, size.row, int(settings["heads"])
    queries, keys = int(settings["query_kernel"]), int(settings["key_kernel"])
    kernels = heads * queries * keys
    mixed = min(int(settings["mixed_heads"]), heads)
    weights = 4 * width**2
    kept = min(size.seen, queries - 1) * (width * FLOAT + INDEX)
    read = keys_read(size, settings, more=queries - 1)
    near = read * ((min(size.past, queries - 1) + tokens) * width + tokens * kernels)
    whole = not size.past and not size.gaps
    if whole and tokens <= reach(float(settings["window"]), size.context):
        later = queries - 1 + keys // 2
        taken_off = heads * queries * later * min(later, tokens)
        near = tokens**2 * width * queries + tokens * (width * queries * keys + taken_off)
    return Cost(
        parameters=weights + kernels + (heads * mixed if mixed > 1 else 0),
        flops=2 * tokens * weights + 2 * near + 2 * tokens * read * width * mixed,
        carry=cache(size, settings, 2 * width, more=queries - 1) + kept,
    )


def cache(size: Size, settings: Settings, channels: int, *, more: int = 0) -> int:
    """Return the bytes of a cache of *channels* numbers and an index for each token kept.

    It keeps *more* tokens than the next query sees.
    """
    return _kept(size.seen, size, settings, more) * (channels * FLOAT + INDEX)


def keys_read(size: Size, settings: Settings, *, more: int = 0) -> int:
    """Return the keys that each query of the call is multiplied with: the kept ones and its own."""
    return _kept(size.past, size, settings, more) + size.row


def _kept(tokens: int, size: Size, settings: Settings, more: int) -> int:
    """Return how many of a row's *tokens* are kept."""
    return min(tokens, reach(float(settings["window"]), size.context) - 1 + more)
