"""Declarations of the residual family: settings, papers and cost formulas, without torch."""

from __future__ import annotations

from ..declaration import Cost, Declaration, Setting, Settings, Size
from ..ranges import Choice


def _added(size: Size, settings: Settings) -> Cost:
    return Cost()


def _rezero(size: Size, settings: Settings) -> Cost:
    return Cost(parameters=1)


def _hyper(size: Size, settings: Settings) -> Cost:
    n = int(settings["streams"])
    tokens = size.width * size.row
    static = Cost(parameters=n + n * (n + 1), flops=2 * n * (n + 1) * tokens)
    if not settings["dynamic"]:
        return static
    return static + Cost(parameters=(n + 2) * size.width + 2, flops=2 * n * (n + 2) * tokens)


def _frac(size: Size, settings: Settings) -> Cost:
    m = int(settings["fractions"])
    tokens = size.width * size.row
    static = Cost(parameters=m + 2 * m * m, flops=4 * m * tokens)
    if not settings["dynamic"]:
        return static
    part = size.width // m
    return static + Cost(parameters=(2 * m + 1) * part + 2, flops=2 * (2 * m + 1) * tokens)


def _mhc(size: Size, settings: Settings) -> Cost:
    n = int(settings["streams"])
    tokens = size.width * size.row
    static = Cost(parameters=2 * n + n * n, flops=2 * n * (n + 1) * tokens)
    if not settings["dynamic"]:
        return static
    maps = n * (n + 2)  # numbers that a token changes
    return static + Cost(parameters=maps * n * size.width + 3, flops=2 * maps * n * tokens)


DECLARATIONS: tuple[Declaration, ...] = (
    Declaration(
        name="pre",
        kind="residual",
        family="residual",
        summary="the branch is added to one stream",
        paper="arXiv:2002.04745",
        path="praxis_evolve.blocks.residual.added:AddedResidual",
        cost=_added,
        lengthless=True,
    ),
    Declaration(
        name="rezero",
        kind="residual",
        family="residual",
        summary="the branch is added with a learned weight that starts at zero",
        paper="arXiv:2003.04887",
        path="praxis_evolve.blocks.residual.rezero:ReZeroResidual",
        cost=_rezero,
        lengthless=True,
    ),
    Declaration(
        name="hyper",
        kind="residual",
        family="residual",
        summary="several streams with learned mixing (hyper-connections)",
        paper="arXiv:2409.19606",
        path="praxis_evolve.blocks.residual.hyper:HyperConnections",
        cost=_hyper,
        settings={
            "streams": Setting(Choice((2, 4), ordered=True), 2, "number of residual streams"),
            "dynamic": Setting(Choice((False, True)), False, "whether tokens change the mixing"),
        },
        lengthless=True,
    ),
    Declaration(
        name="post",
        kind="residual",
        family="residual",
        summary="the branch is added to one stream, which is normed after that",
        paper="arXiv:1706.03762",
        path="praxis_evolve.blocks.residual.added:AddedResidual",
        cost=_added,
        norms=("sum",),
    ),
    Declaration(
        name="sandwich",
        kind="residual",
        family="residual",
        summary="the branch is added to one stream, normed before and after",
        paper="arXiv:2105.13290",
        path="praxis_evolve.blocks.residual.added:AddedResidual",
        cost=_added,
        norms=("before", "branch"),
        lengthless=True,
    ),
    Declaration(
        name="frac",
        kind="residual",
        family="residual",
        summary="one stream whose fractions are mixed like streams (frac-connections)",
        paper="arXiv:2503.14125",
        path="praxis_evolve.blocks.residual.frac:FracConnections",
        cost=_frac,
        settings={
            "fractions": Setting(Choice((2, 4, 8), ordered=True), 4, "parts of the width"),
            "dynamic": Setting(Choice((False, True)), False, "whether tokens change the mixing"),
        },
        lengthless=True,
    ),
    Declaration(
        name="mhc",
        kind="residual",
        family="residual",
        summary="several streams with doubly stochastic mixing (mHC)",
        paper="arXiv:2512.24880",
        path="praxis_evolve.blocks.residual.mhc:ManifoldHyperConnections",
        cost=_mhc,
        settings={
            "streams": Setting(Choice((2, 4), ordered=True), 2, "number of residual streams"),
            "dynamic": Setting(Choice((False, True)), True, "whether tokens change the mixing"),
        },
        lengthless=True,
    ),
)
