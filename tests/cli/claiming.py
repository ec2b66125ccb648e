"""What a stranger says of the work of a tiny run."""

from __future__ import annotations

from dataclasses import replace

from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.record import FIRST, Record, sign
from praxis_evolve.search.base import key_of


def claims(ledger: Ledger, liar: Identity, bits: float) -> list[Record]:
    """Return what somebody says of the work that was done: that all of it came to *bits*."""
    said, prev = list[Record](), FIRST
    works = {key_of(each.result): each for each in ledger.records("tiny") if each.result.ok}
    for record in works.values():
        lie = replace(record.result, bits_per_byte=bits)
        said.append(
            sign(lie, liar, run=record.run, seq=len(said), prev=prev,
                 catalog=record.catalog, program=record.program)
        )  # fmt: skip
        prev = said[-1].id
    return said
