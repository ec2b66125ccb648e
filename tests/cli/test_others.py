"""``status`` says what came from others, and how much of it counts."""

from __future__ import annotations

from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.tests.cli.calling import Cli, Tiny
from praxis_evolve.tests.cli.claiming import claims
from praxis_evolve.tests.market.receiving import received


def test_a_lone_run_says_nothing_of_others(cli: Cli, tiny: Tiny) -> None:
    assert cli("status", "--store", tiny.url, "--json").json["others"] is None
    assert "others" not in cli("status", "--store", tiny.url).out


def test_records_of_others_are_counted_with_what_counts_of_them_now(cli: Cli, copied: Tiny) -> None:
    with Ledger.open(copied.url) as ledger:
        (own,) = ledger.counts("tiny")
        first, second = (claims(ledger, Identity.new(), bits) for bits in (0.5, 0.25))
        received(ledger, "tiny", [*first, *second[:3]], own=own)
        ledger.append_weights("tiny", dict.fromkeys(first[:5], 1.0))
        ledger.append_weights("tiny", dict.fromkeys(first[:1], 0.0))
    records = len(first) + 3
    found = cli("status", "--store", copied.url, "--json").json["others"]
    assert found == {"authors": 2, "records": records, "counting": 4}
    said = f"others   {records} records of 2 authors, 4 count here: --authors says why"
    assert said in cli("status", "--store", copied.url).out
