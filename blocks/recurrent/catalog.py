"""Declarations of the recurrent family: settings, papers and cost formulas, without torch."""

from __future__ import annotations

from ..attention.catalog import WINDOW
from ..attention.costs import cache, keys_read
from ..declaration import Cost, Declaration, Setting, Settings, Size
from ..ranges import Choice

CHUNK = 32
"""Tokens in a chunk of a block that works by chunks: a speed, not a meaning."""


def _mingru(size: Size, settings: Settings) -> Cost:
    hidden = round(float(settings["expansion"]) * size.width)
    weights = 3 * hidden * size.width
    return Cost(
        parameters=weights + 2 * hidden,
        flops=2 * weights * size.row,
        carry=4 * hidden,
    )


def _rg_lru(size: Size, settings: Settings) -> Cost:
    hidden = round(float(settings["expansion"]) * size.width)
    weights = 5 * hidden * size.width
    return Cost(
        parameters=weights + 5 * hidden,
        flops=2 * weights * size.row,
        carry=4 * hidden,
    )


def _lru(size: Size, settings: Settings) -> Cost:
    state = round(float(settings["state"]) * size.width)
    weights = 4 * state * size.width
    return Cost(
        parameters=weights + 2 * state + size.width,
        flops=2 * weights * size.row,
        carry=8 * state,
    )


def _mamba2(size: Size, settings: Settings) -> Cost:
    inner = round(float(settings["expand"]) * size.width)
    heads, state, kernel = (int(settings[name]) for name in ("heads", "state", "kernel"))
    mixed = inner + 2 * state
    weights = size.width * (2 * inner + mixed + heads)
    chunk = min(CHUNK, size.row)
    chunks = -(-size.row // chunk)
    within = chunks * chunk**2 * (state + inner)
    between = 2 * chunks * chunk * state * inner
    return Cost(
        parameters=weights + kernel * mixed + 3 * heads + inner,
        flops=2 * (weights * size.row + within + between),
        carry=4 * (state * inner + (kernel - 1) * mixed),
    )


def _mega(size: Size, settings: Settings) -> Cost:
    width, tokens, ndim = size.width, size.row, int(settings["ndim"])
    key, value = (round(float(settings[name]) * width) for name in ("key", "value"))
    weights = width * (key + 3 * value + 2 * width)
    biases = key + 2 * value + 2 * width
    chunk = min(CHUNK, tokens)
    chunks = -(-tokens // chunk)
    across = 2 * ndim if chunks > 1 or size.past else 0  # a single chunk has nothing before it
    average = chunks * chunk * width * (chunk + across)
    scores = tokens * keys_read(size, settings)
    return Cost(
        parameters=weights + biases + 4 * key + width * (4 * ndim + 1),
        flops=2 * (tokens * (weights + ndim * width) + average + scores * (key + value)),
        carry=4 * width * ndim + cache(size, settings, key + value),
    )


def product_chunks(tokens: int) -> tuple[int, int]:
    """Return the size and the number of the chunks in which a product over tokens is computed."""
    size = 1 << (tokens - 1).bit_length() // 2
    return size, -(-tokens // size)


def _mru(size: Size, settings: Settings) -> Cost:
    heads, order = int(settings["heads"]), int(settings["order"])
    state = heads * order**2
    weights = size.width * (2 * heads * order + 2 * state)
    length, chunks = product_chunks(size.row)
    products = (2 * length - 1) * chunks + chunks - 1
    return Cost(
        parameters=weights + heads * order,
        flops=2 * (weights * size.row + 2 * state * size.row + products * state * order),
        carry=4 * state,
    )


def _slstm(size: Size, settings: Settings) -> Cost:
    hidden = round(float(settings["expansion"]) * size.width)
    weights = 5 * hidden * size.width
    return Cost(
        parameters=weights + 4 * hidden,
        flops=2 * weights * size.row,
        carry=8 * hidden,
    )


def _sru(size: Size, settings: Settings) -> Cost:
    weights = 3 * size.width**2
    return Cost(
        parameters=weights + 2 * size.width,
        flops=2 * weights * size.row,
        carry=4 * size.width,
    )


DECLARATIONS: tuple[Declaration, ...] = (
    Declaration(
        name="mingru",
        kind="block",
        family="recurrent",
        summary="minimal gated recurrent unit, trained by a parallel scan",
        paper="arXiv:2410.01201",
        path="praxis_evolve.blocks.recurrent.mingru:MinGRU",
        cost=_mingru,
        projects=True,
        settings={
            "expansion": Setting(
                Choice((1.0, 1.5, 2.0), ordered=True), 1.5, "size of the state over the width"
            )
        },
        mixes=True,
    ),
    Declaration(
        name="rg_lru",
        kind="block",
        family="recurrent",
        summary="linear recurrence with a gated decay, in Griffin's gated branch",
        paper="arXiv:2402.19427",
        path="praxis_evolve.blocks.recurrent.rg_lru:RGLRU",
        cost=_rg_lru,
        projects=True,
        settings={
            "expansion": Setting(
                Choice((1.0, 1.5, 2.0), ordered=True), 1.0, "size of the state over the width"
            ),
            "sharpness": Setting(
                Choice((2.0, 4.0, 8.0, 16.0), ordered=True),
                8.0,
                "the power c by which an open gate speeds a decay up",
            ),
            "fastest": Setting(
                Choice((0.5, 0.8, 0.9, 0.98), ordered=True),
                0.9,
                "the smallest factor at the start by which an open gate keeps the state",
            ),
        },
        mixes=True,
    ),
    Declaration(
        name="lru",
        kind="block",
        family="recurrent",
        summary="linear recurrence whose state turns and fades at learned, fixed rates",
        paper="arXiv:2303.06349",
        path="praxis_evolve.blocks.recurrent.lru:LRU",
        cost=_lru,
        projects=True,
        settings={
            "state": Setting(
                Choice((0.25, 0.5, 1.0, 2.0), ordered=True), 0.5, "complex numbers over the width"
            ),
            "r_min": Setting(
                Choice((0.0, 0.4, 0.8, 0.9), ordered=True), 0.4, "the fastest fading at the start"
            ),
            "r_max": Setting(
                Choice((0.95, 0.99, 0.999), ordered=True), 0.99, "the slowest fading at the start"
            ),
            "phase": Setting(
                Choice((0.02, 0.1, 0.5, 1.0), ordered=True),
                0.1,
                "the fastest rotation at the start, in turns a token",
            ),
        },
        mixes=True,
    ),
    Declaration(
        name="slstm",
        kind="block",
        family="recurrent",
        summary="average with exponential gates that normalises itself, without memory mixing",
        paper="arXiv:2405.04517",
        path="praxis_evolve.blocks.recurrent.slstm:SLSTM",
        cost=_slstm,
        projects=True,
        settings={
            "expansion": Setting(
                Choice((1.0, 1.5, 2.0), ordered=True), 1.0, "size of the state over the width"
            ),
            "heads": Setting(
                Choice((1, 2, 4, 8), ordered=True), 4, "groups of channels that are normed"
            ),
            "forget": Setting(
                Choice(("sigmoid", "exp")), "sigmoid", "what makes a forget gate of its logit"
            ),
            "forget_bias": Setting(
                Choice((0.0, 1.0, 2.0, 3.0), ordered=True),
                1.0,
                "the lowest forget bias at the start; the highest is 3 more",
            ),
        },
        mixes=True,
    ),
    Declaration(
        name="sru",
        kind="block",
        family="recurrent",
        summary="leaky average and a highway around it, by gates of the token alone",
        paper="arXiv:1709.02755",
        path="praxis_evolve.blocks.recurrent.sru:SRU",
        cost=_sru,
        projects=True,
        settings={
            "highway_bias": Setting(
                Choice((-3.0, -2.0, -1.0, 0.0), ordered=True),
                0.0,
                "the bias of the gate that lets the average out, at the start",
            ),
            "rescale": Setting(
                Choice((False, True)), True, "scale what passes by, to keep the size of the sum"
            ),
            "activation": Setting(
                Choice(("none", "tanh")), "none", "what the average passes before it is let out"
            ),
        },
        mixes=True,
    ),
    Declaration(
        name="mamba2",
        kind="block",
        family="recurrent",
        summary="selective state space with a short convolution and a gate, in chunks",
        paper="arXiv:2405.21060",
        path="praxis_evolve.blocks.recurrent.mamba2:Mamba2",
        cost=_mamba2,
        projects=True,
        settings={
            "expand": Setting(
                Choice((1.0, 1.5, 2.0), ordered=True), 1.0, "channels inside over the width"
            ),
            "heads": Setting(Choice((1, 2, 4, 8), ordered=True), 4, "heads, each with its decay"),
            "state": Setting(
                Choice((8, 16, 32, 64), ordered=True), 16, "numbers of state for each channel"
            ),
            "kernel": Setting(
                Choice((2, 3, 4), ordered=True), 4, "tokens that the convolution sees"
            ),
        },
        mixes=True,
    ),
    Declaration(
        name="mega",
        kind="block",
        family="recurrent",
        summary="gated attention of one head that looks through a damped moving average",
        paper="arXiv:2209.10655",
        path="praxis_evolve.blocks.recurrent.mega:Mega",
        cost=_mega,
        projects=True,
        settings={
            "ndim": Setting(
                Choice((2, 4, 8, 16), ordered=True), 8, "memories of the average in each channel"
            ),
            "key": Setting(
                Choice((0.125, 0.25, 0.5, 1.0), ordered=True), 0.5, "size of keys over the width"
            ),
            "value": Setting(
                Choice((1.0, 1.5, 2.0), ordered=True), 1.0, "size of values over the width"
            ),
            "score": Setting(
                Choice(("softmax", "laplace")), "softmax", "what makes weights of scores"
            ),
            "window": WINDOW,
        },
        mixes=True,
    ),
    Declaration(
        name="mru",
        kind="block",
        family="recurrent",
        summary="product of small rotations, one for each token and head",
        paper="github.com/mikayahlevi/mru-lm",
        path="praxis_evolve.blocks.recurrent.mru:MRU",
        cost=_mru,
        projects=True,
        settings={
            "heads": Setting(Choice((1, 2, 4, 8), ordered=True), 4, "products side by side"),
            "order": Setting(Choice((2, 4, 6), ordered=True), 4, "rows of each matrix"),
            "inertia": Setting(
                Choice((3.0, 10.0, 30.0), ordered=True),
                10.0,
                "how little a token turns the state at first",
            ),
        },
        mixes=True,
    ),
)
