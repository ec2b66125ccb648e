"""What a report is made from: a run as plain values, filled from the ledger by the caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..market.listings import Market

Outcome = Literal["beat", "did not beat", "cannot tell"]
"""What the finals say of the winner against the baselines."""


@dataclass(frozen=True)
class Evaluation:
    """One evaluation: a genome trained to a rung, or the reason why there is no number.

    ``number`` counts from 1 in the order of the ledger. ``rung`` is in training tokens,
    ``bits_per_byte`` is of the search split (None exactly where ``failure`` names a kind of
    failure and ``reason`` explains it), ``flops`` are forward operations per token, ``seconds``
    is the wall time that this evaluation took on its worker.
    """

    number: int
    genome: str
    rung: int
    bits_per_byte: float | None
    failure: str | None = None
    reason: str = ""
    parameters: int | None = None
    flops: float | None = None
    origin: str = ""
    parents: tuple[str, ...] = ()
    seconds: float = 0.0
    inherited_tokens: int = 0


@dataclass(frozen=True)
class Final:
    """A finalist or baseline, trained from scratch to ``rung`` tokens on several seeds.

    ``test`` holds bits per byte on the test split, one value a seed; ``mean`` and
    ``half_interval`` (95 %) summarise it; ``search_mean`` is the mean on the search split.
    ``flops`` and ``active_flops`` are forward operations per token, ``carry_bytes`` per token.
    """

    label: str
    genome: str
    baseline: bool
    rung: int
    test: tuple[float, ...]
    mean: float
    half_interval: float
    search_mean: float
    parameters: int
    flops: float
    active_flops: float
    carry_bytes: float
    tokens_per_second: float


@dataclass(frozen=True)
class Floor:
    """What a model without a network reaches, such as an n-gram model, in test bits per byte."""

    label: str
    bits_per_byte: float


@dataclass(frozen=True)
class Volume:
    """What the front of several objectives at ``rung`` covers.

    ``value`` is its hypervolume below ``reference`` (name and value of each objective), in bits per
    byte times octaves of each further objective; ``front`` of ``genomes`` are not dominated.
    """

    value: float
    rung: int
    front: int
    genomes: int
    reference: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class RunView:
    """A run as the report shows it.

    ``facts`` are (label, value) pairs in the order in which they are shown; ``command`` is the
    line that started the run; ``started`` is text as it shall be read; ``context`` (tokens) and
    ``vocabulary`` are what costs are computed for; ``outcome`` and ``verdict`` say in a word and
    in a sentence whether the winner beat the baselines. One objective has no ``volume``; without a
    ``market`` nothing is shown of it.
    """

    name: str
    state: str
    seed: int
    task: str
    task_digest: str
    command: str
    started: str
    seconds: float
    facts: tuple[tuple[str, str], ...] = ()
    primary: str = "bits per byte"
    evaluations: tuple[Evaluation, ...] = ()
    finals: tuple[Final, ...] = ()
    winner: str | None = None
    outcome: Outcome = "cannot tell"
    verdict: str = ""
    floors: tuple[Floor, ...] = ()
    volume: Volume | None = None
    context: int = 128
    vocabulary: int = 256
    market: Market | None = None
