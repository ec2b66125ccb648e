"""Records that another published, taken in without the checks that hang on a run's space."""

from __future__ import annotations

from collections.abc import Iterable

from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.text import to_json
from praxis_evolve.market.intake import Merged
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.record import Record


def received(
    ledger: Ledger,
    run: str,
    records: Iterable[Record],
    genomes: Iterable[Genome] = (),
    *,
    own: str = "",
) -> Merged:
    """Take in records with what of their genomes the ledger lacks."""
    texts = map(to_json, genomes)
    return ledger.take_in(run, records, texts, own=own, check=lambda record, genome: None)
