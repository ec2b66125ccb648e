"""Presets: sizes of a search by class of device. Chosen by name, never by a timing.

What a run trains must not hang on how busy a machine was, so presets are constants; the speeds are
nominal and serve the estimate alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SIZES = ("demo", "small", "medium", "large")


@dataclass(frozen=True, kw_only=True)
class Preset:
    """How large models are, how much they read, and how they are measured.

    ``layers`` is the depth of starters and baselines, a mixer and a feed-forward each;
    ``parameters`` the largest model; ``seconds`` the longest evaluation; ``tokens_per_second`` what
    a worker is taken to train where nobody else uses the machine. ``search_windows`` are enough
    for which windows they are to matter no more than the seed of a training.
    """

    name: str
    width: int
    layers: int
    context: int
    batch: int
    rungs: tuple[int, ...]
    parameters: int
    search_windows: int
    test_windows: int
    seconds: float
    tokens_per_second: int


_ALL = (
    Preset(
        name="cpu-demo", width=64, layers=2, context=64, batch=4, rungs=(8_000, 24_000),
        parameters=600_000, search_windows=192, test_windows=256,
        seconds=60, tokens_per_second=9_000,
    ),
    Preset(
        name="cpu-small", width=64, layers=4, context=128, batch=4,
        rungs=(28_000, 56_000, 100_000),
        parameters=1_000_000, search_windows=256, test_windows=512,
        seconds=600, tokens_per_second=9_000,
    ),
    Preset(
        name="cpu-medium", width=96, layers=4, context=128, batch=4,
        rungs=(150_000, 450_000, 1_350_000),
        parameters=2_000_000, search_windows=512, test_windows=1_024,
        seconds=1_800, tokens_per_second=10_000,
    ),
    Preset(
        name="cpu-large", width=128, layers=6, context=256, batch=4,
        rungs=(400_000, 1_200_000, 3_600_000),
        parameters=6_000_000, search_windows=512, test_windows=1_024,
        seconds=7_200, tokens_per_second=4_000,
    ),
    Preset(
        name="gpu-demo", width=64, layers=2, context=64, batch=16, rungs=(48_000, 144_000),
        parameters=600_000, search_windows=512, test_windows=1_024,
        seconds=60, tokens_per_second=80_000,
    ),
    Preset(
        name="gpu-small", width=128, layers=4, context=256, batch=16,
        rungs=(1_000_000, 3_000_000, 9_000_000),
        parameters=4_000_000, search_windows=1_024, test_windows=4_096,
        seconds=600, tokens_per_second=200_000,
    ),
    Preset(
        name="gpu-medium", width=384, layers=6, context=512, batch=16,
        rungs=(5_000_000, 15_000_000, 45_000_000),
        parameters=40_000_000, search_windows=1_024, test_windows=4_096,
        seconds=3_600, tokens_per_second=150_000,
    ),
    Preset(
        name="gpu-large", width=768, layers=12, context=1_024, batch=32,
        rungs=(30_000_000, 90_000_000, 270_000_000),
        parameters=250_000_000, search_windows=1_024, test_windows=4_096,
        seconds=14_400, tokens_per_second=60_000,
    ),
)  # fmt: skip

PRESETS: Mapping[str, Preset] = {each.name: each for each in _ALL}


def preset(size: str = "small", *, device: str = "cpu") -> Preset:
    """Return the preset of a size (``--size``) for the class of *device*.

    Raises:
        ValueError: there is no such size.
    """
    if size not in SIZES:
        raise ValueError(f"a size must be one of {', '.join(SIZES)}, but is {size!r}")
    return PRESETS[f"{'cpu' if device == 'cpu' else 'gpu'}-{size}"]


def estimated_seconds(tokens: int, *, of: Preset, workers: int) -> float:
    """Return about how long *workers* train *tokens* together, at the preset's nominal speed."""
    return tokens / (of.tokens_per_second * workers)
