"""Declarations of the memory family: settings and papers, without torch."""

from __future__ import annotations

from ..declaration import Declaration, Setting, When
from ..ranges import Choice, Real
from .costs import associative_cost, infini_cost, knn_cost, stm_cost

HEADS = Setting(Choice((1, 2, 4, 8), ordered=True), 4, "heads")
ROPE_BASE = Setting(
    Real(100.0, 1e6, log=True),
    10000.0,
    "the slowest rotation turns once in about 2 pi times this many tokens",
)
GATE = Setting(
    Choice((-4.0, -2.0, 0.0), ordered=True),
    -2.0,
    "the memory's share of each head at first is the sigmoid of this",
)


DECLARATIONS: tuple[Declaration, ...] = (
    Declaration(
        name="infini",
        kind="block",
        family="memory",
        summary="attention inside segments beside a compressive memory of all earlier ones",
        paper="arXiv:2404.07143",
        path="praxis_evolve.blocks.memory.infini:InfiniAttention",
        cost=infini_cost,
        projects=True,
        routed=False,
        settings={
            "heads": HEADS,
            "delta": Setting(
                Choice((False, True)), True, "add only what the memory does not yet tell"
            ),
            "gate_init": GATE,
            "rope_base": ROPE_BASE,
        },
        mixes=True,
        segmented=True,
    ),
    Declaration(
        name="knn",
        kind="block",
        family="memory",
        summary="attention to a window and to the nearest keys of the past beyond it",
        paper="arXiv:2203.08913",
        path="praxis_evolve.blocks.memory.knn:KNNAttention",
        cost=knn_cost,
        projects=True,
        settings={
            "heads": HEADS,
            "neighbours": Setting(
                Choice((2, 4, 8, 16, 32), ordered=True), 8, "keys that a query takes"
            ),
            "window": Setting(
                Choice((0.125, 0.25, 0.5), ordered=True),
                0.25,
                "how far back local attention sees, as a share of the context",
            ),
            "memory": Setting(
                Choice((0.25, 0.5, 0.875), ordered=True),
                0.875,
                "the tokens beyond the window that are stored, as a share of the context",
            ),
            "gate_init": GATE,
            "rope_base": ROPE_BASE,
        },
        mixes=True,
    ),
    Declaration(
        name="associative",
        kind="block",
        family="memory",
        summary="a bounded store of novel keys and their values, read by the nearest",
        paper="discrete associative memory",
        path="praxis_evolve.blocks.memory.associative:AssociativeMemory",
        cost=associative_cost,
        projects=True,
        routed=False,
        settings={
            "heads": HEADS,
            "slots": Setting(Choice((16, 32, 64), ordered=True), 32, "keys that a head can store"),
            "neighbours": Setting(
                Choice((2, 3, 5, 8, 16), ordered=True), 5, "stored keys that a query takes"
            ),
            "candidates": Setting(
                Choice((4, 8, 16), ordered=True), 8, "the most keys inserted after a segment"
            ),
            "novel": Setting(Real(0.1, 0.8), 0.333, "the distance from which a key is new"),
            "recombine": Setting(
                Real(0.1, 0.8), 0.667, "new keys nearer than this are merged with the stored one"
            ),
        },
        mixes=True,
        segmented=True,
    ),
    Declaration(
        name="stm",
        kind="block",
        family="memory",
        summary="slots that tokens read and that take in each segment when it is over",
        paper="arXiv:2510.03561",
        path="praxis_evolve.blocks.memory.stm:ShortTermMemory",
        cost=stm_cost,
        projects=True,
        routed=False,
        settings={
            "heads": HEADS,
            "slots": Setting(Choice((8, 16, 32, 64), ordered=True), 16, "slots of the memory"),
            "gate": Setting(
                Choice(("static", "elementwise", "linear")),
                "linear",
                "what the share of the new is: one number a slot, one a channel, or read off",
            ),
            "gate_init": Setting(
                Choice((-2.0, 0.0, 2.0), ordered=True),
                0.0,
                "the share of the new at first is the sigmoid of this",
            ),
            "position": Setting(
                Choice(("rope", "none")), "rope", "whether tokens are turned by their index"
            ),
            "rope_base": Setting(
                ROPE_BASE.range,
                ROPE_BASE.default,
                ROPE_BASE.meaning,
                when=When("position", ("rope",)),
            ),
        },
        mixes=True,
        segmented=True,
    ),
)
