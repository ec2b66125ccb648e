"""Declarations of the linear family: settings, papers and cost formulas, without torch."""

from __future__ import annotations

from ..declaration import Cost, Declaration, Setting, Settings, Size
from ..ranges import Choice

FLOAT = 4
"""Bytes of a number in a carry."""

LINEAR_CHUNK = 128
"""Tokens in a chunk of linear attention: a speed, not a meaning."""

DELTA_CHUNK = 32
"""Tokens in a chunk of the delta rule, likewise."""

GATED_CHUNK = 16
"""Tokens in a chunk of gated linear attention; 16 times the floor of its decay stays finite."""

MLSTM_CHUNK = 32
"""Tokens in a chunk of the mLSTM: a speed, not a meaning."""

GATE_RANK = 16
"""The channels between the two maps that give the decays of gated linear attention."""

TAYLOR_KEYS = 8
"""The most channels of keys whose products of pairs are features, too."""

HEADS = Setting(Choice((1, 2, 4, 8), ordered=True), 4, "heads, each with a memory of its own")


def key_channels(head: int, feature: str) -> int:
    """Return the channels of a key of linear attention for heads of *head* channels."""
    return min(head, TAYLOR_KEYS) if feature == "taylor2" else head


def _chunks(tokens: int, most: int) -> tuple[int, int]:
    """Return the number of chunks and their size."""
    size = min(most, tokens)
    return -(-tokens // size), size


def _linear_attention_cost(size: Size, settings: Settings) -> Cost:
    width, tokens, heads = size.width, size.row, int(settings["heads"])
    feature = str(settings["feature"])
    keys = key_channels(width // heads, feature)
    features = 1 + keys + keys**2 if feature == "taylor2" else keys
    values = width // heads + (1 if settings["normalise"] else 0)
    weights = 2 * width**2 + 2 * width * heads * keys
    chunks, chunk = _chunks(tokens, LINEAR_CHUNK)
    memory = heads * features * values
    products = 1 if chunks == 1 and not size.past else 2  # a single chunk is not read across
    return Cost(
        parameters=weights,
        flops=2 * tokens * weights
        + 2 * chunks * chunk * (chunk * heads * (keys + values) + products * memory),
        carry=memory * FLOAT,
    )


def _gated_delta_cost(size: Size, settings: Settings) -> Cost:
    """Count the products; the counter leaves out the triangular systems, of N C^2 2 W at most."""
    width, tokens, heads = size.width, size.row, int(settings["heads"])
    few = heads * (2 if settings["gate"] else 1)
    weights = width**2 * (5 if settings["output_gate"] else 4) + width * few
    chunks, chunk = _chunks(tokens, DELTA_CHUNK)
    memory = width**2 // heads
    products = 3 * chunk * width + 4 * memory  # of a token
    return Cost(
        parameters=weights + (2 * heads if settings["gate"] else 0),
        flops=2 * tokens * weights + 2 * chunks * (chunk * products + memory * width // heads),
        carry=memory * FLOAT,
    )


def _gated_linear_cost(size: Size, settings: Settings) -> Cost:
    width, tokens = size.width, size.row
    keys = round(float(settings["key_share"]) * width)
    weights = width * (3 * width + 2 * keys) + GATE_RANK * (width + keys)
    chunks, chunk = _chunks(tokens, GATED_CHUNK)
    memory = keys * width // int(settings["heads"])
    return Cost(
        parameters=weights + keys,
        flops=2 * tokens * weights + 2 * chunks * chunk * (chunk * (keys + width) + 2 * memory),
        carry=memory * FLOAT,
    )


def _mlstm_cost(size: Size, settings: Settings) -> Cost:
    width, tokens, heads = size.width, size.row, int(settings["heads"])
    values = width * (2 if settings["double_value"] else 1)
    weights = width * (2 * width + 3 * values + 2 * heads)
    chunks, chunk = _chunks(tokens, MLSTM_CHUNK)
    memory = width * (values // heads + 1)
    within = 2 * chunks * chunk**2 * (width + values + heads)
    between = 2 * memory * (2 * chunks * chunk + (chunks + 1) ** 2)
    return Cost(
        parameters=weights + 2 * heads,
        flops=2 * tokens * weights + within + between,
        carry=(memory + heads) * FLOAT,
    )


DECLARATIONS: tuple[Declaration, ...] = (
    Declaration(
        name="linear_attention",
        kind="block",
        family="linear",
        summary="attention by a feature map instead of softmax, with a state of constant size",
        paper="arXiv:2006.16236, 2210.10340, 2402.18668",
        path="praxis_evolve.blocks.linear.linear_attention:LinearAttention",
        cost=_linear_attention_cost,
        projects=True,
        settings={
            "heads": HEADS,
            "feature": Setting(
                Choice(("elu1", "relu", "exp", "taylor2")),
                "elu1",
                "the map phi of queries and keys, whose products weigh the values",
            ),
            "normalise": Setting(
                Choice((True, False)),
                True,
                "divide by the sum of the weights; else by the rms of each head (2210.10340)",
            ),
        },
        mixes=True,
    ),
    Declaration(
        name="gated_delta",
        kind="block",
        family="linear",
        summary="a memory that fades and replaces what it holds at a key (Gated DeltaNet)",
        paper="arXiv:2412.06464, 2406.06484, 2411.12537",
        path="praxis_evolve.blocks.linear.gated_delta:GatedDelta",
        cost=_gated_delta_cost,
        projects=True,
        settings={
            "heads": HEADS,
            "gate": Setting(
                Choice((True, False)), True, "fade the memory by what the token says; else DeltaNet"
            ),
            "beta_range": Setting(
                Choice((1.0, 2.0), ordered=True),
                1.0,
                "the most of what is held at a key that is taken off; 2 reflects (2411.12537)",
            ),
            "output_gate": Setting(Choice((True, False)), True, "times silu of a map of the token"),
        },
        mixes=True,
    ),
    Declaration(
        name="gated_linear",
        kind="block",
        family="linear",
        summary="linear attention whose memory fades by channel, as the tokens say (GLA)",
        paper="arXiv:2312.06635",
        path="praxis_evolve.blocks.linear.gated_linear:GatedLinear",
        cost=_gated_linear_cost,
        projects=True,
        settings={
            "heads": Setting(Choice((1, 2, 4), ordered=True), 2, "heads, each with its memory"),
            "key_share": Setting(
                Choice((0.5, 1.0), ordered=True), 0.5, "channels of keys over the width"
            ),
            "slowness": Setting(
                Choice((4.0, 8.0, 16.0, 32.0), ordered=True),
                16.0,
                "a channel fades by the sigmoid of its gate to the power of one over this",
            ),
        },
        mixes=True,
    ),
    Declaration(
        name="mlstm",
        kind="block",
        family="linear",
        summary="a matrix memory with exponential input gates (the mLSTM of xLSTM)",
        paper="arXiv:2405.04517",
        path="praxis_evolve.blocks.linear.mlstm:MLSTM",
        cost=_mlstm_cost,
        projects=True,
        settings={
            "heads": HEADS,
            "double_value": Setting(Choice((False, True)), False, "values twice as wide as keys"),
            "forget_bias": Setting(
                Choice((1.0, 3.0, 5.0), ordered=True),
                3.0,
                "the bias of the first head's forget gate; the last one's is 3 higher",
            ),
        },
        mixes=True,
    ),
)
