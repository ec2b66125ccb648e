"""Declarations of the embedding family: settings, papers and cost formulas, without torch."""

from __future__ import annotations

from ..declaration import Cost, Declaration, Setting, Settings, Size
from ..ranges import Choice

_ORDERS = {"2": (2,), "2+3": (2, 3)}


def _token(size: Size, settings: Settings) -> Cost:
    places = size.context if settings["position"] == "learned" else 0
    return Cost(parameters=(size.vocabulary + places) * size.width)


def _ngram(size: Size, settings: Settings) -> Cost:
    orders = _ORDERS[str(settings["orders"])]
    rows = size.vocabulary + len(orders) * int(settings["buckets"])
    return Cost(parameters=rows * size.width, carry=8 * (max(orders) - 1))


def _factorised(size: Size, settings: Settings) -> Cost:
    code = code_length(size.width, float(settings["ratio"]))
    return Cost(
        parameters=code * (size.vocabulary + size.width), flops=2 * code * size.width * size.row
    )


def _through_codes(size: Size, settings: Settings) -> float:
    """Count a tied head in two factors."""
    code = code_length(size.width, float(settings["ratio"]))
    return 2 * code * (size.width + size.vocabulary)


def code_length(width: int, ratio: float) -> int:
    """Return the numbers of a token in a factorised embedding."""
    return round(ratio * width)


DECLARATIONS: tuple[Declaration, ...] = (
    Declaration(
        name="token",
        kind="embedding",
        family="embedding",
        summary="a vector for each token, and for each position if learned",
        paper="arXiv:1706.03762",
        path="praxis_evolve.blocks.embedding.token:TokenEmbedding",
        cost=_token,
        settings={
            "position": Setting(
                Choice(("none", "learned")), "none", "whether positions have vectors of their own"
            )
        },
    ),
    Declaration(
        name="ngram",
        kind="embedding",
        family="embedding",
        summary="token vectors plus hashed vectors of the last two or three tokens",
        paper="arXiv:2412.09871",
        path="praxis_evolve.blocks.embedding.ngram:NgramEmbedding",
        cost=_ngram,
        settings={
            "orders": Setting(Choice(tuple(_ORDERS), ordered=True), "2", "lengths of the n-grams"),
            "buckets": Setting(
                Choice((1024, 4096, 16384), ordered=True), 4096, "rows of the table of each length"
            ),
        },
        mixes=True,
    ),
    Declaration(
        name="factorised",
        kind="embedding",
        family="embedding",
        summary="a short vector for each token, projected to the width",
        paper="arXiv:1909.11942",
        path="praxis_evolve.blocks.embedding.factorised:FactorisedEmbedding",
        cost=_factorised,
        head=_through_codes,
        settings={
            "ratio": Setting(
                Choice((0.125, 0.25, 0.5), ordered=True),
                0.25,
                "length of a token's vector, as a share of the width",
            )
        },
    ),
)
