"""Declarations of the router family: settings, papers and cost formulas, without torch."""

from __future__ import annotations

from ..declaration import Cost, Declaration, Setting, Settings, Size, When
from ..ranges import Choice
from .shares import BYTES, key_size, patch_share


def _mod(size: Size, settings: Settings) -> Cost:
    return Cost(parameters=2 * (size.width + 1), flops=4 * size.width * size.row)


def _share(settings: Settings) -> float:
    return float(settings["capacity"])


def _patch(size: Size, settings: Settings) -> Cost:
    width, patching = size.width, str(settings["patching"])
    key = key_size(width, patching)
    weights = {"learned": 2 * width * key, "entropy": BYTES * width}.get(patching, 0)
    return Cost(
        parameters=weights + (patching == "learned"),
        flops=2 * weights * size.row,
        carry=8 + 4 * width + 8 + 4 * width + 4 * key,
    )


DECLARATIONS: tuple[Declaration, ...] = (
    Declaration(
        name="mod",
        kind="router",
        family="router",
        summary="only the highest-scored share of the tokens passes the block",
        paper="arXiv:2404.02258",
        path="praxis_evolve.blocks.router.mod:MixtureOfDepths",
        cost=_mod,
        settings={
            "capacity": Setting(
                Choice((0.125, 0.25, 0.5, 0.75), ordered=True), 0.5, "share of tokens worked on"
            )
        },
        share=_share,
        lengthless=True,
    ),
    Declaration(
        name="patch",
        kind="router",
        family="router",
        summary="the block works once a patch, and all tokens of the patch get its output",
        paper="arXiv:2412.09871",
        path="praxis_evolve.blocks.router.patch:PatchRouter",
        cost=_patch,
        settings={
            "patching": Setting(
                Choice(("static", "learned", "space", "entropy")),
                "static",
                "whether patches have one size or begin where tokens change, where words begin, or "
                "where the next byte is hard to guess",
            ),
            "size": Setting(
                Choice((2, 4, 8), ordered=True),
                4,
                "tokens of a patch, or their mean",
                when=When("patching", ("static", "learned")),
            ),
            "threshold": Setting(
                Choice((0.3, 0.4, 0.5, 0.6), ordered=True),
                0.5,
                "entropy of the guess above which a byte begins a patch, over log 256",
                when=When("patching", ("entropy",)),
                legacy=0.5,
            ),
        },
        share=patch_share,
        lengthless=True,
    ),
)
