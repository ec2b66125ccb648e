"""What people are shown is of results that are believed, each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.cli.context import opened
from praxis_evolve.cli.counted import counted
from praxis_evolve.cli.tried import tried
from praxis_evolve.cli.view import evaluations
from praxis_evolve.evaluator.result import Failure, Result
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.search.base import Event, Finished
from praxis_evolve.tests.cli.calling import Cli, Tiny
from praxis_evolve.tests.cli.claiming import claims
from praxis_evolve.tests.market.receiving import received

FIGURES = st.sampled_from([1.0, 1.5, None])
WEIGHTS = st.sampled_from([0.0, 0.1, 0.25, 1.0])


def result(genome: int, bits: float | None, inherited: int) -> Result:
    failure: Failure | None = "diverged" if bits is None else None
    return Result(
        genome=f"{genome:064x}", architecture="a", rung=100, seed=1, replica=0,
        bits_per_byte=bits, failure=failure, reason="" if bits else "it grew",
        inherited_tokens=inherited,
    )  # fmt: skip


RESULTS = st.builds(result, st.integers(0, 2), FIGURES, st.sampled_from([0, 50]))
LOGS = st.lists(st.builds(Finished, RESULTS, WEIGHTS), max_size=12)


@given(LOGS)
def test_what_is_told_last_of_a_result_decides_and_one_success_stands_for_a_work(
    log: Sequence[Finished],
) -> None:
    last = {event.result: event.weight for event in log}
    found = counted(log)
    assert len(set(found)) == len(found)
    assert all(last[each] == 1.0 for each in found)
    good = {(each.genome, each.inherited_tokens) for each in found if each.ok}
    assert len(good) == sum(each.ok for each in found)
    for each, weight in last.items():
        if weight == 1.0 and each.ok:
            assert (each.genome, each.inherited_tokens) in good


def test_nothing_counts_of_an_empty_log() -> None:
    assert counted(list[Event]()) == []


def tried_of(store: Tiny) -> Mapping[str, Mapping[int, float]]:
    with opened(store.url, None) as found:
        return {name: each.scores for name, each in tried(found).items()}


@pytest.mark.parametrize("heeded", [False, True])
def test_no_claim_of_a_stranger_is_shown_as_a_result(cli: Cli, copied: Tiny, heeded: bool) -> None:
    before = cli("status", "--store", copied.url, "--json").json
    best = cli("winners", "--store", copied.url, "--json").json
    exported = tried_of(copied)
    with opened(copied.url, None) as found:
        several = evaluations(found)
    with Ledger.open(copied.url) as ledger:
        (own,) = ledger.counts("tiny")
        lies = claims(ledger, Identity.new(), 0.5)
        received(ledger, "tiny", lies, own=own)
        if heeded:  # it was believed for a while
            ledger.append_weights("tiny", dict.fromkeys(lies, 1.0))
            ledger.append_weights("tiny", dict.fromkeys(lies, 0.0))
        mine = [each for each in ledger.records("tiny") if each.author == own]
        ledger.append_weights("tiny", dict.fromkeys(mine, 1.0))  # said again, as after an audit
    after = cli("status", "--store", copied.url, "--json").json
    for name in ("births_done", "finals_done", "rungs", "best"):
        assert after[name] == before[name]
    assert cli("winners", "--store", copied.url, "--json").json == best
    assert tried_of(copied) == exported
    with opened(copied.url, None) as found:
        assert evaluations(found) == several
