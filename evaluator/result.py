"""Results: what one evaluation of a genome found, good or bad, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..genome.cost import Costs

Failure = Literal[
    "invalid", "refused", "diverged", "out of memory", "out of time", "too large", "worker died"
]
"""Why an evaluation has no fitness; everything but a broken program is one of these."""

Split = Literal["search", "test"]


@dataclass(frozen=True)
class Measurement:
    """What the machine added: differs between runs of the same evaluation, never compared.

    ``weights`` is the SHA-256 of the file of weights that it keeps for others, in hex: of a final's
    weights, or of the state that children begin with; empty where it keeps none.
    """

    seconds: float = 0.0
    gate_seconds: float = 0.0
    tokens_per_second: float = 0.0
    peak_memory_bytes: int = 0
    device: str = "cpu"
    weights: str = ""


@dataclass(frozen=True)
class Result:
    """genome x rung x replica -> bits per byte on the search split, or the reason it failed.

    ``rung`` is the number of training tokens. ``bits_per_byte`` is plain cross-entropy on the fixed
    windows of the search split; ``test_bits_per_byte`` is measured for finalists and baselines.
    ``curve`` holds (tokens, training bits per byte) pairs, at most 32. ``failure`` and ``reason``
    are set together, and then there is no fitness.

    ``inherited_tokens`` is how much training the weights had behind them at the start: the tokens
    of the parent's stable phase and those that the parent had inherited itself, times the share of
    the parameters that were taken over; at least 1 where any was, and 0 from scratch. ``parent`` is
    the genome (by id) that they were of, and ``heritage`` the name of the whole line with the
    genome itself (``Job.heritage``), by which it can be measured again; both are empty from
    scratch.
    """

    genome: str
    architecture: str
    rung: int
    replica: int
    seed: int
    bits_per_byte: float | None = None
    test_bits_per_byte: float | None = None
    curve: tuple[tuple[int, float], ...] = ()
    costs: Costs | None = None
    failure: Failure | None = None
    reason: str = ""
    inherited_tokens: int = 0
    parent: str = ""
    heritage: str = ""
    measured: Measurement = Measurement()

    @property
    def ok(self) -> bool:
        """Whether the genome was trained and measured."""
        return self.failure is None
