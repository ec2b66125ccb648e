"""HW-GPT-Bench (arXiv:2405.10299): GPT-2-like models of three sizes, perplexity by a surrogate.

The value is the perplexity on OpenWebText that a small network predicts for the subnet of a
supernet; the same each time, so that there is no noise. Parameters are counted exactly: untied
embeddings, rotary positions. A word chooses width, depth, bias, and for each layer its expansion
and its heads; layers that are not there have no part in the identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from praxis_evolve.genome.cost import Costs

from .base import Frame, Reading, Table, data_file, digest
from .words import Place, Word, Words

FILE = "hwgpt.npz"
SCALES = ("s", "m", "l")
VOCABULARY = 50_254
CONTEXT = 1024

_WIDTHS = {"s": (192, 384, 768), "m": (256, 512, 1024), "l": (320, 640, 1280)}
_DEPTHS = {"s": (10, 11, 12), "m": (22, 23, 24), "l": (34, 35, 36)}
_HEADS = {"s": (4, 8, 12), "m": (8, 12, 16), "l": (8, 16, 20)}
_EXPANSIONS = (2, 3, 4)
_STEM = 3  # the places of width, depth and bias; expansions follow, then heads

_FRAMES = {"s": Frame((21.299, 22.25), (43.018, 162.24), 0.8056)}
"""By scale: the corners of the best front that long runs found, which is not proved to be it."""

Weights = Sequence[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]


def hwgpt(bench: Path | None, scale: str) -> Table:
    """Return the table of a scale: ``s``, ``m`` or ``l``.

    Raises:
        FileNotFoundError: the data is not there.
    """
    path = data_file(bench, FILE)
    with np.load(path) as stored:
        names = [f"{scale}.ppl.fc{number}" for number in range(1, 6)]
        layers = [(stored[f"{name}.weight"], stored[f"{name}.bias"]) for name in names]
    places, deepest = _places(scale), max(_DEPTHS[scale])
    frame = _FRAMES.get(scale)

    def depth(word: Word) -> int:
        return _DEPTHS[scale][word[1]]

    def live(word: Word) -> Sequence[int]:
        real = range(depth(word))
        below = [*range(_STEM), *(_STEM + n for n in real)]
        return [*below, *(_STEM + deepest + n for n in real)]

    def name(word: Word) -> str:
        return f"hwgpt-{scale} {[word[place] for place in live(word)]}"

    @cache
    def perplexity(word: Word) -> float:
        return _predicted(layers, _one_hot(word, depth(word), deepest))

    def price(word: Word) -> Costs:
        return _costs(places, word, depth(word))

    def truth(word: Word) -> Mapping[str, float]:
        return {"perplexity": perplexity(word)}

    return Table(
        f"hwgpt-{scale}",
        Words(places, name=name, price=price, live=live),
        rungs=(1,),
        noise=0.0,
        look=lambda word, rung, training: Reading(perplexity(word), 1.0),
        truth=truth,
        point=lambda word: (perplexity(word), price(word).parameters / 1e6),
        frame=frame,
        digest=digest(path),
    )


def _places(scale: str) -> tuple[Place, ...]:
    deepest = max(_DEPTHS[scale])
    return (
        Place("width", _WIDTHS[scale]),
        Place("depth", _DEPTHS[scale]),
        Place("bias", (True, False)),
        *(Place(f"expansion {n}", _EXPANSIONS) for n in range(deepest)),
        *(Place(f"heads {n}", _HEADS[scale]) for n in range(deepest)),
    )


def _one_hot(word: Word, depth: int, deepest: int) -> npt.NDArray[np.float64]:
    """Return the input of the surrogate: width, depth, expansions, heads, bias, each one-hot."""
    layers = np.zeros((2, deepest, 3))
    chosen = np.asarray(word[_STEM:]).reshape(2, deepest)[:, :depth]
    np.put_along_axis(layers[:, :depth], chosen[..., None], 1.0, axis=2)
    width, deep, bias = np.eye(3)[word[0]], np.eye(3)[word[1]], np.eye(2)[word[2]]
    return np.concatenate([width, deep, layers.ravel(), bias])


def _predicted(layers: Weights, x: npt.NDArray[np.float64]) -> float:
    for number, (weight, bias) in enumerate(layers):
        x = weight @ (np.maximum(x, 0.0) if number else x) + bias
    return float(x[0])


def _costs(places: Sequence[Place], word: Word, depth: int) -> Costs:
    """Return parameters, two operations a weight and those of attention, the bytes of the cache."""
    said = [place.options[letter] for place, letter in zip(places, word, strict=True)]
    width, bias = int(said[0]), bool(said[2])
    table = VOCABULARY * width
    total = 2 * table
    for expansion in map(int, said[_STEM : _STEM + depth]):
        total += (4 + 2 * expansion) * width**2 + 4 * width
        total += (5 + expansion) * width if bias else 0
    flops = 2.0 * (total - table) + 2.0 * depth * CONTEXT * width
    return Costs(total, flops, flops, 8.0 * depth * width)
