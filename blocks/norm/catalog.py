"""Declarations of the norm family: settings, papers and cost formulas, without torch."""

from __future__ import annotations

from ..declaration import Cost, Declaration, Settings, Size


def _rmsnorm(size: Size, settings: Settings) -> Cost:
    return Cost(parameters=size.width)


def _layernorm(size: Size, settings: Settings) -> Cost:
    return Cost(parameters=2 * size.width)


def _scalenorm(size: Size, settings: Settings) -> Cost:
    return Cost(parameters=1)


DECLARATIONS: tuple[Declaration, ...] = (
    Declaration(
        name="rmsnorm",
        kind="norm",
        family="norm",
        summary="division by the root mean square",
        paper="arXiv:1910.07467",
        path="praxis_evolve.blocks.norm.rmsnorm:RMSNorm",
        cost=_rmsnorm,
        lengthless=True,
    ),
    Declaration(
        name="layernorm",
        kind="norm",
        family="norm",
        summary="mean taken off, then division by the standard deviation",
        paper="arXiv:1607.06450",
        path="praxis_evolve.blocks.norm.layernorm:LayerNorm",
        cost=_layernorm,
        lengthless=True,
    ),
    Declaration(
        name="scalenorm",
        kind="norm",
        family="norm",
        summary="division by the length, then one learned length for all tokens",
        paper="arXiv:1910.05895",
        path="praxis_evolve.blocks.norm.scalenorm:ScaleNorm",
        cost=_scalenorm,
        lengthless=True,
    ),
)
