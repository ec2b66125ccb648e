"""Where words begin: patches of a word and of what stands behind it."""

from __future__ import annotations

import torch
from torch import Tensor

from ..frame import Frame

BYTE = 255
"""Of a token of a larger vocabulary the lowest byte decides."""


def told(frame: Frame) -> Tensor:
    """Return the tokens that a frame tells of, (B, T).

    Raises:
        ValueError: it tells of none.
    """
    if frame.tokens is None:
        raise ValueError(
            "patches by bytes need the tokens, but the frame of this call has none; give it them "
            "(Frame.tokens), or choose patching 'static' or 'learned'"
        )
    return frame.tokens


def space_like(tokens: Tensor) -> Tensor:
    """Return which tokens (...) are bytes that part words, bool (...).

    As in arXiv:2412.09871 these are all bytes but Latin letters, digits and the bytes that continue
    a character of UTF-8 (80 to BF): blanks, line ends and punctuation, and the first byte of a
    character outside of ASCII, so that other scripts fall into patches of about one character.
    """
    byte = tokens & BYTE
    small = byte | 32  # the lower case of a letter
    letter = (small >= ord("a")) & (small <= ord("z"))
    digit = (byte >= ord("0")) & (byte <= ord("9"))
    return ~(letter | digit | (byte & 0xC0 == 0x80))


def word_starts(tokens: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """Return which tokens (B, T) begin a word, and which part words (B, T, 1) as numbers 0 and 1.

    A patch ends after bytes that part words and holds one that does not, hence it begins at a byte
    that does not behind one that does. ``before`` (B, 1) is the number of the token before.
    """
    parts = space_like(tokens)
    numbers = parts.to(before.dtype)
    previous = torch.cat((before, numbers), 1)[:, : tokens.shape[1]]
    return (previous > 0) & ~parts, numbers.unsqueeze(-1)
