"""Sizes of patches that their router and its declaration share, without torch."""

from __future__ import annotations

from ..declaration import Settings

BYTES = 256
"""Tokens among which the guess of entropy patching chooses."""

WORDS = 1 / 6
"""Words begin at one byte in six of prose (one in eight of programs, which are indented)."""

HARD = {0.3: 0.65, 0.4: 0.5, 0.5: 0.3, 0.6: 0.15}
"""Bytes of the embedded text whose guess is less sure than a threshold, after 400,000 of training.

At first all are; they grow fewer as the guess learns.
"""


def patch_share(settings: Settings) -> float:
    """Return the share of the tokens that the block behind ``patch`` works on.

    Static patches have it exactly, and learned ones start at it and are held there by a loss. That
    of ``space`` and ``entropy`` hangs on the text: here stands a prior, measured with models of
    width 64; what a run itself measures is its note "kept".
    """
    if settings["patching"] == "space":
        return WORDS
    if settings["patching"] == "entropy":
        return HARD[float(settings["threshold"])]
    return 1 / int(settings["size"])


def key_size(width: int, patching: str) -> int:
    """Return how many numbers a token leaves for the decision whether the next begins a patch."""
    return {"static": 0, "learned": width // 4}.get(patching, 1)
