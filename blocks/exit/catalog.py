"""Declarations of the exit family: settings, papers and cost formulas, without torch."""

from __future__ import annotations

from ..declaration import Cost, Declaration, Setting, Settings, Size
from ..ranges import Choice, Real


def _calm(size: Size, settings: Settings) -> Cost:
    """Count one call at one place, with the decoding that the softmax measure needs."""
    if settings["measure"] == "softmax":
        return Cost(flops=size.decoding * size.row)
    if settings["measure"] == "classifier":
        return Cost(parameters=size.width + 1, flops=2 * size.width * size.row)
    return Cost()


def _kl(size: Size, settings: Settings) -> Cost:
    """Count one call at one place, with its two decodings."""
    return Cost(flops=2 * size.decoding * size.row)


DECLARATIONS: tuple[Declaration, ...] = (
    Declaration(
        name="calm",
        kind="exit",
        family="exit",
        summary="a token leaves the stack where the model is confident",
        paper="arXiv:2207.07061",
        path="praxis_evolve.blocks.exit.calm:ConfidentExit",
        cost=_calm,
        settings={
            "measure": Setting(
                Choice(("softmax", "cosine", "classifier")), "softmax", "what confidence is"
            ),
            "threshold": Setting(Real(0.5, 1.0), 0.9, "confidence above which a token leaves"),
        },
    ),
    Declaration(
        name="kl",
        kind="exit",
        family="exit",
        summary="a token leaves the stack where a visit no longer changes its prediction",
        paper="arXiv:2502.05171",
        path="praxis_evolve.blocks.exit.kl:DivergenceExit",
        cost=_kl,
        settings={
            "eps": Setting(
                Real(0.001, 0.5, log=True),
                0.01,
                "change below which a token leaves, as a share of the entropy of knowing nothing",
            )
        },
    ),
)
