"""Offline tables by name, read from the folder of the option ``--bench`` or ``PRAXIS_BENCH``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from .base import Table
from .hwgpt import SCALES, hwgpt
from .nb201 import DATASETS, nb201

TABLES: Mapping[str, Callable[[Path | None], Table]] = MappingProxyType(
    {
        **{f"nb201-{name}": partial(nb201, dataset=name) for name in DATASETS},
        **{f"nb201-{name}-graphs": partial(nb201, dataset=name, merged=True) for name in DATASETS},
        **{f"hwgpt-{scale}": partial(hwgpt, scale=scale) for scale in SCALES},
    }
)
"""Each reads its data when called, or raises ``FileNotFoundError`` with what to do."""

__all__ = ["TABLES", "Table"]
