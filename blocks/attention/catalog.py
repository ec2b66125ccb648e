"""Declarations of the attention family: settings and papers, without torch."""

from __future__ import annotations

from dataclasses import replace

from ..declaration import Declaration, Setting, When
from ..ranges import Choice, Real
from .costs import (
    attention_cost,
    differential_cost,
    latent_cost,
    multi_token_cost,
    retention_cost,
    stick_breaking_cost,
)
from .usual import usual_attention, usual_multi_token

POSITION = Setting(
    Choice(("rope", "alibi", "none")),
    "rope",
    "how scores know of distance: rotation (2104.09864), linear bias (2108.12409) or not at all",
)
ROPE_BASE = Setting(
    Real(100.0, 1e6, log=True),
    10000.0,
    "the slowest rotation turns once in about 2 pi times this many tokens",
    when=When("position", ("rope",)),
)
WINDOW = Setting(
    Choice((0.125, 0.25, 0.5, 1.0), ordered=True),
    1.0,
    "how far back a token sees, as a share of the context",
)


DECLARATIONS: tuple[Declaration, ...] = (
    Declaration(
        name="attention",
        kind="block",
        family="attention",
        summary="softmax attention: multi-head, grouped-query, multi-query, sparse-query",
        paper="arXiv:1706.03762, 2305.13245, 1911.02150, 2510.01817",
        path="praxis_evolve.blocks.attention.attention:Attention",
        cost=attention_cost,
        usual=usual_attention,
        projects=True,
        settings={
            "heads": Setting(Choice((1, 2, 4, 8), ordered=True), 4, "heads of W / heads channels"),
            "group": Setting(
                Choice((1, 2, 4, 8), ordered=True), 2, "query heads that share a key head"
            ),
            "position": Setting(
                Choice(("rope", "xpos", "alibi", "none")),
                "rope",
                "how scores know of distance: rotation (2104.09864), rotation and a fall "
                "(2212.10554), linear bias (2108.12409) or not at all",
            ),
            "rope_base": replace(ROPE_BASE, when=When("position", ("rope", "xpos"))),
            "window": WINDOW,
            "head_scale": Setting(
                Choice((False, True)),
                False,
                "learn a factor of the scores for each head (2404.12224)",
                when=When("position", ("none",)),
            ),
            "queries": Setting(
                Choice((0.25, 0.5, 1.0), ordered=True),
                1.0,
                "the share of the heads that have queries (2510.01817)",
                legacy=1.0,
            ),
            "qk_norm": Setting(
                Choice((False, True)),
                False,
                "scores by the angle of query and key, with a learned factor a head (2010.04245)",
                legacy=False,
            ),
            "gate": Setting(
                Choice(("none", "head", "element")),
                "none",
                "a sigmoid gate on what a head, or each of its channels, has read (2505.06708)",
                legacy="none",
            ),
            "normaliser": Setting(
                Choice(("softmax", "softmax1")),
                "softmax",
                "whether weights sum to 1, or to less where scores are low: e^x / (1 + sum e^x)",
                legacy="softmax",
            ),
            "persistent": Setting(
                Choice((0, 4, 16), ordered=True),
                0,
                "learned keys and values that all tokens see (1907.01470)",
                legacy=0,
            ),
        },
        mixes=True,
    ),
    Declaration(
        name="differential",
        kind="block",
        family="attention",
        summary="the difference of two softmax maps, normed by head",
        paper="arXiv:2410.05258",
        path="praxis_evolve.blocks.attention.differential:DifferentialAttention",
        cost=differential_cost,
        projects=True,
        settings={
            "heads": Setting(Choice((1, 2, 4), ordered=True), 2, "pairs of heads"),
            "lambda_init": Setting(
                Real(0.2, 0.8), 0.5, "the share of the second map that is taken off at first"
            ),
            "position": POSITION,
            "rope_base": ROPE_BASE,
            "window": WINDOW,
        },
        mixes=True,
    ),
    Declaration(
        name="latent",
        kind="block",
        family="attention",
        summary="softmax attention whose keys and values come from one short vector a token",
        paper="arXiv:2405.04434",
        path="praxis_evolve.blocks.attention.latent:LatentAttention",
        cost=latent_cost,
        projects=True,
        settings={
            "heads": Setting(Choice((1, 2, 4, 8), ordered=True), 4, "heads"),
            "kv_rank": Setting(
                Choice((0.0625, 0.125, 0.25, 0.5), ordered=True),
                0.25,
                "channels of the vector that is kept, as a share of the width",
            ),
            "q_rank": Setting(
                Choice((0.0, 0.125, 0.25, 0.5), ordered=True),
                0.0,
                "channels of the vector that queries come from, as a share of the width; 0: all",
            ),
            "rope_share": Setting(
                Choice((0.25, 0.5, 1.0), ordered=True),
                0.5,
                "turned channels of a head, as a share of the others",
            ),
            "rope_base": replace(ROPE_BASE, when=None),
            "window": WINDOW,
        },
        mixes=True,
    ),
    Declaration(
        name="retention",
        kind="block",
        family="attention",
        summary="attention without softmax whose past fades, with a state of constant size",
        paper="arXiv:2307.08621",
        path="praxis_evolve.blocks.attention.retention:Retention",
        cost=retention_cost,
        projects=True,
        settings={
            "heads": Setting(Choice((1, 2, 4, 8), ordered=True), 4, "heads, each with its decay"),
            "decay_low": Setting(
                Choice((3, 4, 5, 6), ordered=True), 5, "head h fades by 1 - 2^-(decay_low + h)"
            ),
            "double_value": Setting(Choice((False, True)), False, "values twice as wide as keys"),
            "rope_base": replace(ROPE_BASE, when=None),
        },
        mixes=True,
    ),
    Declaration(
        name="stick_breaking",
        kind="block",
        family="attention",
        summary="attention that shares out a stick from the nearest key back, without positions",
        paper="arXiv:2306.04640, 2410.17980",
        path="praxis_evolve.blocks.attention.stick_breaking:StickBreakingAttention",
        cost=stick_breaking_cost,
        projects=True,
        settings={
            "heads": Setting(Choice((1, 2, 4, 8), ordered=True), 4, "heads"),
            "remainder": Setting(
                Choice(("drop", "self", "learned")),
                "drop",
                "what is read by the rest of the stick: nothing, the token itself, or a learned "
                "vector",
            ),
            "sees_self": Setting(
                Choice((False, True)), False, "whether a token may break off a piece for itself"
            ),
            "window": WINDOW,
        },
        mixes=True,
    ),
    Declaration(
        name="multi_token",
        kind="block",
        family="attention",
        summary="softmax attention whose scores are convolved over near queries, keys and heads",
        paper="arXiv:2504.00927",
        path="praxis_evolve.blocks.attention.multi_token:MultiTokenAttention",
        cost=multi_token_cost,
        usual=usual_multi_token,
        projects=True,
        settings={
            "heads": Setting(Choice((1, 2, 4, 8), ordered=True), 4, "heads"),
            "query_kernel": Setting(
                Choice((1, 2, 4, 6), ordered=True), 2, "queries that a score depends on"
            ),
            "key_kernel": Setting(
                Choice((1, 3, 5, 11), ordered=True), 5, "keys that a score depends on"
            ),
            "mixed_heads": Setting(
                Choice((1, 2, 4, 8), ordered=True), 2, "heads that mix their weights"
            ),
            "rope_base": replace(ROPE_BASE, when=None),
            "window": WINDOW,
        },
        mixes=True,
    ),
)
