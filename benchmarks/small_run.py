"""The manifest that runs of benchmarks begin with: tiny genomes that train on next to nothing."""

from __future__ import annotations

from collections.abc import Sequence

from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.market.manifest import Manifest

FEW = ("attention", "glu", "mlp", "mingru", "short_conv", "pre", "rmsnorm", "token")
"""A few blocks of each kind that a genome needs."""

TASK_DIGEST = "ab" * 32
"""What names a text that is none: nobody trains on it."""


def small_run(catalog: Catalog, blocks: Sequence[str]) -> Manifest:
    """Return a run without end of these blocks; what is another one is for the caller to replace.

    *catalog* is what is installed, or only the blocks of it that the run needs.
    """
    return Manifest(
        program="0", preset="none", seed=3, task="words", task_digest=TASK_DIGEST, task_bytes=1000,
        widths=(32,), layers=1, context=32, batch=4, rungs=(100, 300), search_windows=4,
        test_windows=4, blocks=tuple(blocks), catalog=catalog.digest, visits=4, parameters=None,
        flops=None, carry_bytes=None, population=16, births=1_000_000,
        objectives=("bits_per_byte",),
    )  # fmt: skip
