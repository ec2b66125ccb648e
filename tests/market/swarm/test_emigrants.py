"""What emigrates is the best of what counts, whatever the order in which it was heard."""

from __future__ import annotations

from collections import defaultdict
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from praxis_evolve.benchmarks.identities import identity_of
from praxis_evolve.evaluator.result import Result
from praxis_evolve.market.record import FIRST, Record, sign
from praxis_evolve.market.swarm import emigrants
from praxis_evolve.market.swarm.emigrants import FEW, KEPT, MOST, SHARE, Emigrants
from praxis_evolve.market.weighed import Weighed

AUTHORS = [identity_of(number) for number in range(3)]
HERE = {AUTHORS[0].author, AUTHORS[1].author}
RUN = "ab" * 32


def record_of(
    number: int, bits: float | None, *, author: int = 0, genome: int | None = None,
    rung: int = 100, replica: int = 0, inherited: int = 0,
) -> Record:  # fmt: skip
    name = f"{number if genome is None else genome:064x}"
    result = Result(
        name, name, rung, replica, 1, bits, 3.0 if replica > 0 and bits else None,
        inherited_tokens=inherited, failure=None if bits else "diverged",
    )  # fmt: skip
    return sign(
        result, AUTHORS[author], run=RUN, seq=number, prev="ef" * 32 if number else FIRST,
        catalog="cd" * 32, program="0",
    )  # fmt: skip


RECORDS = [
    record_of(
        n, None if n % 13 == 0 else 2 + Random(n).random(), author=n % 3, genome=n % 50,
        rung=(100, 300)[n % 2], replica=(0, 0, 1)[n % 3], inherited=90 * (n % 5 == 0),
    )
    for n in range(90)
]  # fmt: skip

LINES = st.lists(
    st.tuples(st.sampled_from(RECORDS), st.sampled_from([0.0, 0.1, 0.25, 1.0, 1.0])), max_size=200
)


def best_of(lines: list[tuple[Record, float]]) -> set[str]:
    """The oracle: of what counts in the end, by board, the best of each work, and of these few."""
    last = {record.id: (record, weight) for record, weight in lines}
    here = {record.author for record, _ in lines if record.author in HERE}
    boards = defaultdict[object, list[Record]](list)
    for record, weight in last.values():
        result = record.result
        if weight == 1.0 and record.author in HERE and result.bits_per_byte is not None:
            boards[result.rung, result.replica > 0, result.inherited_tokens > 0].append(record)
    found = set[str]()
    for several in boards.values():
        works = dict[object, str]()
        for record in sorted(several, key=lambda r: (r.result.bits_per_byte or 0.0, r.id)):
            result = record.result
            work = result.genome, result.replica, result.inherited_tokens
            works.setdefault(work, record.id)
        least = FEW // len(here)
        found |= set(list(works.values())[: max(1, least, len(several) // SHARE)])
    return found


@given(lines=LINES)
def test_the_best_that_counts_is_offered_and_nothing_else(
    lines: list[tuple[Record, float]],
) -> None:
    several = Emigrants(HERE.__contains__)
    cut = len(lines) // 2
    said = [Weighed(place, *line) for place, line in enumerate(lines)]
    several.hear(said[:cut])
    several.hear(said[cut:])
    found = several.best()
    assert len(found) == len(set(found))
    assert set(found) == best_of(lines)


@settings(max_examples=20)
@given(st.integers(1, 3 * KEPT))
def test_one_in_a_hundred_is_offered_at_least_a_few_and_never_more_than_there_is_room(
    count: int,
) -> None:
    several = Emigrants(lambda author: True)
    base = record_of(0, 2.0)
    for number in range(count):  # a record is the same but for its name and its bits
        record = _Renamed(base, f"{number:064x}", 2 + number / count)
        several.hear([Weighed(number, record, 1.0)])  # pyright: ignore[reportArgumentType]
    wanted = min(count, MOST, max(FEW, count // SHARE))
    assert several.best() == [f"{number:064x}" for number in range(wanted)]


class _Renamed:
    def __init__(self, base: Record, name: str, bits: float) -> None:
        self.id, self.author = name, base.author
        self.result = Result(name, name, 100, 0, 1, bits)


def test_each_of_many_offers_its_part_of_the_few() -> None:
    """So what a thousand peers offer who believe nobody yet is not sixteen of each."""
    several, place = Emigrants(lambda author: True), 0
    for number in range(40):
        several.hear([Weighed(place, record_of(number, 2.0 + number / 100), 1.0)])
        place += 1
    assert len(several.best()) == FEW
    for author in (1, 2):
        several.hear([Weighed(place, record_of(author, 5.0, author=author), 0.25)])
        place += 1
    assert len(several.best()) == FEW // 3


def test_all_boards_together_fit_into_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emigrants, "OFFERED", 12)
    several = Emigrants(lambda author: True)
    for number in range(60):
        record = record_of(number, 2.0, rung=100 * (1 + number % 4))
        several.hear([Weighed(number, record, 1.0)])
    assert len(several.best()) == 12
    assert {next(r.result.rung for r in _all() if r.id == name) for name in several.best()} == {
        100, 200, 300, 400,
    }  # fmt: skip


def _all() -> list[Record]:
    return [record_of(number, 2.0, rung=100 * (1 + number % 4)) for number in range(60)]
