"""What a node reads of a log says what the journal's own reading says, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from praxis_evolve.genome.text import to_json
from praxis_evolve.market.errors import StoreError
from praxis_evolve.market.weighed import PAGE, named, weighed
from praxis_evolve.search.base import Able, Finished
from praxis_evolve.tests.market.swarm.authors import RUN, Author


@pytest.fixture
def authors(tmp_path: Path) -> Iterator[list[Author]]:
    several = [Author(tmp_path / f"{number}") for number in range(2)]
    yield several
    for each in several:
        each.ledger.close()


def test_weights_are_those_of_the_log_wherever_reading_begins(authors: list[Author]) -> None:
    one, other = authors
    one.measure(1, 2)
    other.measure(3)
    for batch in other.replica().lacking({}):
        one.replica().receive(batch)
    one.ledger.note(RUN, Able(100, 100.0))
    (foreign,) = other.ledger.records(RUN)
    one.ledger.append_weights(RUN, {foreign: 1.0})
    one.ledger.append_weights(RUN, {foreign: 0.1})
    told = [
        (place, line.record, line.event.weight)
        for place, line in enumerate(one.ledger.told(RUN))
        if isinstance(line.event, Finished)
    ]
    assert [weight for _, _, weight in told] == [1.0, 1.0, 0.25, 1.0, 0.1]
    for since in range(8):
        assert weighed(one.ledger.store, RUN, since) == [one for one in told if one[0] >= since]


def test_a_long_log_is_read_in_pages(authors: list[Author]) -> None:
    one = authors[0]
    one.measure(1)
    (record,) = one.ledger.records(RUN)
    for _ in range(3):
        one.ledger.append_weights(RUN, {record: 1.0})
    several = {record: 0.25}
    for _ in range(PAGE):
        one.ledger.append_weights(RUN, several)
    first = weighed(one.ledger.store, RUN, 0)
    assert len(first) == PAGE
    rest = weighed(one.ledger.store, RUN, first[-1].place + 1)
    assert [each.place for each in (*first, *rest)] == list(range(PAGE + 4))


def test_records_are_found_by_name_with_their_genomes(authors: list[Author]) -> None:
    one = authors[0]
    one.measure(1, 2, 3)
    chain = one.ledger.records(RUN)
    found = list(named(one.ledger.store, RUN, [chain[2].id, "ab" * 32, chain[0].id]))
    assert [record for record, _ in found] == [chain[2], chain[0]]
    for record, text in found:
        assert text == to_json(one.ledger.genome(record.result.genome))


def test_a_damaged_record_is_named(authors: list[Author]) -> None:
    one = authors[0]
    one.measure(1)
    (record,) = one.ledger.records(RUN)
    with one.ledger.store.writing() as connection:
        connection.exec_driver_sql("UPDATE records SET rung = rung + 1")
    for read in (
        lambda: weighed(one.ledger.store, RUN, 0),
        lambda: list(named(one.ledger.store, RUN, [record.id])),
    ):
        with pytest.raises(StoreError, match=record.id[:12]):
            read()
