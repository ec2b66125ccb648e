"""Replicas merge by set union, whatever comes in whatever order from whomever."""

from __future__ import annotations

import json
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.edit import pruned
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.text import to_json
from praxis_evolve.market import canonical
from praxis_evolve.market.errors import RecordError
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.islands import Islands
from praxis_evolve.market.record import Record, sign
from praxis_evolve.market.swarm.heads import (
    Head,
    decoded,
    encoded,
    head_of,
    lacking,
    missing,
    root,
)
from praxis_evolve.market.swarm.replica import LedgerReplica, Received
from praxis_evolve.market.swarm.replica import decoded as batch_in
from praxis_evolve.market.swarm.transport import FRAME
from praxis_evolve.search.base import Finished
from praxis_evolve.tests.market.loop import CATALOG
from praxis_evolve.tests.market.swarm.authors import CLAIMS, RUN, Author, genome_of, measured


def place(seq: int, fork: str) -> tuple[int, str]:
    return seq, f"{seq}{fork}"


PLACES = st.lists(
    st.builds(place, st.integers(0, 6), st.sampled_from("abc")), unique=True, max_size=8
)
"""Records of an author, (place, id): an id hashes its place, too."""


@pytest.fixture
def authors(tmp_path: Path) -> Iterator[Callable[[], Author]]:
    made, numbers = list[Author](), count()

    def make() -> Author:
        made.append(Author(tmp_path / str(next(numbers))))
        return made[-1]

    yield make
    for each in made:
        each.ledger.close()


def sent(source: LedgerReplica, target: LedgerReplica) -> list[Received]:
    return [target.receive(batch) for batch in source.lacking(target.heads())]


def synced(one: LedgerReplica, other: LedgerReplica) -> None:
    for _ in range(3):
        sent(one, other)
        sent(other, one)


def batch_of(records: Sequence[Record], texts: Sequence[str]) -> bytes:
    pairs = [[record.body.decode(), record.signature] for record in records]
    return canonical.encode({"genomes": list(texts), "records": pairs})


@given(mine=PLACES, theirs=PLACES)
def test_two_rounds_bring_all_of_an_author_to_both(
    mine: list[tuple[int, str]], theirs: list[tuple[int, str]]
) -> None:
    one, other = set(mine), set(theirs)

    def send(source: set[tuple[int, str]], target: set[tuple[int, str]]) -> None:
        for _, since in lacking({"me": head_of(source)}, {"me": head_of(target)}):
            target |= {place for place in source if place[0] >= since}

    for _ in range(2):
        send(one, other)
        send(other, one)
    assert one == other == {*mine, *theirs}
    assert not list(lacking({"me": head_of(one)}, {"me": head_of(other)}))


@given(mine=PLACES, theirs=PLACES)
def test_of_authors_of_whom_only_parts_are_held_both_come_to_hold_both(
    mine: list[tuple[int, str]], theirs: list[tuple[int, str]]
) -> None:
    """Who has fewer waits, and what is missing is all that is sent where that can be told."""
    one, other = set(mine), set(theirs)

    def send(source: set[tuple[int, str]], target: set[tuple[int, str]]) -> None:
        here, there = head_of(source), head_of(target)
        for _, since in lacking({"me": here}, {"me": there}, lambda author: True):
            found = missing(source, there)
            ids = {name for seq, name in source if seq >= since} if found is None else set(found)
            target |= {place for place in source if place[1] in ids}

    for _ in range(2):
        send(one, other)
        send(other, one)
    assert one == other == {*mine, *theirs}
    assert not list(lacking({"me": head_of(one)}, {"me": head_of(other)}, lambda author: True))


@given(places=PLACES, data=st.data())
def test_what_is_missing_is_told_where_it_is_one_or_all_from_a_place_on(
    places: list[tuple[int, str]], data: st.DataObject
) -> None:
    held = set(data.draw(st.lists(st.sampled_from(places), unique=True)) if places else [])
    ordered = sorted(places)
    found = missing(places, head_of(held))
    lacked = [place for place in ordered if place not in held]
    if len(lacked) == 1 or ordered[: len(held)] == sorted(held):
        assert found == [name for _, name in lacked]
    else:
        assert found is None


@given(length=st.integers(1, 20), known=st.integers(0, 20))
def test_of_a_chain_only_what_follows_is_sent(length: int, known: int) -> None:
    chain = [(seq, f"{seq}") for seq in range(length)]
    sends = list(lacking({"me": head_of(chain)}, {"me": head_of(chain[:known])}))
    assert sends == ([("me", known)] if known < length else [])


@given(st.lists(PLACES, max_size=4))
def test_heads_are_read_as_they_were_written(several: list[list[tuple[int, str]]]) -> None:
    heads = {f"{n:064x}": head_of(places) for n, places in enumerate(several)}
    assert decoded(canonical.decode(canonical.encode(encoded(heads)), limit=FRAME)) == heads
    assert root(heads) == root(dict(reversed(heads.items())))
    assert root(heads) == canonical.digest(canonical.encode(encoded(heads)))


@pytest.mark.parametrize(
    "value",
    [[], {"a": [1, 1, "0" * 64]}, {"0" * 64: [1, 2, "0" * 64]}, {"0" * 64: [1, 1]},
     {"0" * 64: [1, 1, "x"]}, {f"{n:064x}": [0, 0, "0" * 64] for n in range(1501)}],
)  # fmt: skip
def test_what_are_no_heads_is_refused(value: object) -> None:
    with pytest.raises(RecordError):
        decoded(value)


def test_two_that_compare_have_the_same_and_say_nothing_twice(
    authors: Callable[[], Author],
) -> None:
    one, other = authors(), authors()
    one.measure(1, 2, 3)
    other.measure(3, 4)
    here, there = one.replica(), other.replica()
    assert [r.added for r in sent(here, there)] == [3]
    assert [r.added for r in sent(there, here)] == [2]
    assert not sent(here, there)
    assert not sent(there, here)
    assert one.ledger.digest(RUN) == other.ledger.digest(RUN)
    assert root(here.heads()) == root(there.heads())
    assert list(one.ledger.problems(RUN)) == []
    weights = [e.weight for e in one.ledger.events(RUN) if isinstance(e, Finished)]
    assert sorted(weights) == [0.25, 1.0, 1.0, 1.0, 1.0], "what it measured itself counts"
    other.measure(5)
    assert [r.added for r in sent(there, here)] == [1], "what follows is all that is sent"


@pytest.mark.parametrize("seed", range(4))
def test_order_repeats_and_splits_change_nothing(seed: int, authors: Callable[[], Author]) -> None:
    rng, sources = Random(seed), [authors() for _ in range(3)]
    for number, source in enumerate(sources):
        source.measure(*range(number, number + rng.randint(1, 4)))
    records = [(record, text) for source in sources
               for record, text in source.ledger.entries(RUN, source.key)]  # fmt: skip
    digests = set[str]()
    for _ in range(3):
        target = authors()
        replica = target.replica()
        mixed = rng.sample(records * 2, 2 * len(records))
        while mixed:
            some, mixed = mixed[: rng.randint(1, 4)], mixed[rng.randint(1, 4) :]
            replica.receive(batch_of([r for r, _ in some], [text for _, text in some]))
        for record, text in records:
            replica.receive(batch_of([record], [text]))
        digests.add(target.ledger.digest(RUN))
    assert len(digests) == 1


def test_a_large_history_comes_in_batches_that_fit(authors: Callable[[], Author]) -> None:
    one, other = authors(), authors()
    one.measure(*range(150))
    batches = list(one.replica().lacking({}))
    assert len(batches) > 1
    assert max(map(len, batches)) <= FRAME
    texts = [zlib.decompress(batch) for batch in batches]
    assert max(map(len, texts)) <= FRAME, "what is unpacked is bounded, too"
    assert sum(map(len, batches)) < sum(map(len, texts)) / 3
    there = other.replica()
    assert sum(there.receive(batch).added for batch in batches) == len(one.ledger.records(RUN))
    assert one.ledger.digest(RUN) == other.ledger.digest(RUN)


def test_a_fork_reaches_everybody(authors: Callable[[], Author]) -> None:
    one, other, third = authors(), authors(), authors()
    liar = Identity.new()
    digest = one.ledger.run(RUN).digest
    for author, number in ((one, 1), (other, 2)):
        genome = genome_of(number)
        forged = sign(measured(genome), liar, run=digest, seq=0, prev="0" * 64,
                      catalog=CATALOG.digest, program="0")  # fmt: skip
        assert author.replica().receive(batch_of([forged], [to_json(genome)])).added == 1
    synced(one.replica(), other.replica())
    synced(other.replica(), third.replica())
    assert len({each.ledger.digest(RUN) for each in (one, other, third)}) == 1
    assert len(third.ledger.records(RUN)) == 2


def test_what_is_not_sound_is_refused_with_its_reason_and_the_rest_is_kept(
    authors: Callable[[], Author],
) -> None:
    target, source = authors(), authors()
    digest = target.ledger.run(RUN).digest
    genome, other = genome_of(1), genome_of(2)
    true = measured(genome)
    costs = true.costs
    assert costs is not None

    def signed(seq: int, result: Result = true, run: str = digest) -> Record:
        return sign(
            result, source.identity, run=run, seq=seq, prev="ab" * 32 if seq else "0" * 64,
            catalog=CATALOG.digest, program="0",
        )  # fmt: skip

    sound = signed(0)
    bad = {
        "was not signed by its author": replace(signed(11), signature="00" * 64),
        "belongs to another run": signed(1, run="cd" * 32),
        "nobody has sent": signed(2, measured(other)),
        "the formulas say": signed(3, replace(true, costs=replace(costs, parameters=1))),
        "has no costs": signed(4, replace(true, costs=None)),
        "the run has": signed(5, replace(true, rung=101)),
        "has the seed": signed(6, replace(true, seed=1)),
        "inherited weights": signed(7, replace(true, inherited_tokens=5)),
        "2000.0 bits_per_byte": signed(8, replace(true, bits_per_byte=2000.0)),
        "does not go on": signed(9, replace(true, curve=((5, 1.0), (5, 1.0)))),
        "has the names": signed(10, replace(true, architecture="0" * 64)),
    }
    replica = target.replica()
    found = replica.receive(batch_of([*bad.values(), sound], [to_json(genome), "{}"]))
    for reason in bad:
        assert sum(reason in text for text in found.refused) == 1, (reason, found.refused)
    assert sum("a genome was refused" in text for text in found.refused) == 1
    assert len(found.refused) == len(bad) + 1
    assert [record.id for record in target.ledger.records(RUN)] == [sound.id]


@pytest.mark.parametrize(
    "batch",
    [b"", b"[]", b"{}", b'{"genomes":[],"records":1}', b'{"genomes":[1],"records":[]}', b"\xff",
     b'{"records":[],"genomes":[]}', b" " * (FRAME + 1), b'{"genomes":[],"records":[NaN]}'],
)  # fmt: skip
def test_what_is_no_batch_is_refused(batch: bytes, authors: Callable[[], Author]) -> None:
    target = authors()
    with pytest.raises(RecordError):
        target.replica().receive(batch)
    assert target.ledger.records(RUN) == []


PACKED = zlib.compress(batch_of([], []))


def test_a_batch_may_be_compressed_and_nothing_else() -> None:
    assert batch_in(PACKED) == batch_in(batch_of([], [])) == ([], [], [])
    bomb = zlib.compress(b" " * (1 << 28))
    assert len(bomb) < FRAME * 2
    for other in (PACKED[:-1], PACKED + b"x", PACKED + PACKED, zlib.compress(PACKED), bomb, b""):
        tracemalloc.start()
        with pytest.raises(RecordError):
            batch_in(other)
        assert tracemalloc.get_traced_memory()[1] < 8 * FRAME
        tracemalloc.stop()


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(data=st.binary(max_size=200), junk=JUNK)
def test_no_bytes_crash_what_reads_batches(data: bytes, junk: object) -> None:
    with_junk = canonical.encode({"genomes": [], "records": [junk]})
    for some in (data, with_junk, zlib.compress(with_junk), canonical.encode(junk)):
        try:
            _, records, _ = batch_in(some)
        except RecordError:
            continue
        assert records == []


def test_only_changed_authors_are_read_again(authors: Callable[[], Author]) -> None:
    one, other = authors(), authors()
    one.measure(1)
    other.measure(2)
    here = one.replica()
    sent(other.replica(), here)
    before = here.heads()
    one.measure(3)
    after = here.heads()
    assert after[other.key] is before[other.key]
    assert after[one.key] == Head(2, 2, head_of(one.ledger.places(RUN, one.key)).digest)


def test_awaited_is_what_is_not_here_of_an_author_of_this_island_who_is_known(
    authors: Callable[[], Author],
) -> None:
    one, other, stranger = authors(), authors(), authors()
    other.measure(1)
    here = one.replica()
    first = other.ledger.records(RUN)[0].id
    assert not here.awaits(other.key, "ab" * 32), "nobody knows it"
    sent(other.replica(), here)
    assert here.awaits(other.key, "ab" * 32)
    assert not here.awaits(other.key, first)
    assert not here.awaits(stranger.key, "ab" * 32)
    run = one.ledger.run(RUN).digest
    apart = next(i for i in map(partial(Islands, run), count(2))
                 if i.of(one.key) != i.of(other.key))  # fmt: skip
    beside = next(i for i in map(partial(Islands, run), count(2))
                  if i.of(one.key) == i.of(other.key))  # fmt: skip
    for islands in (apart, beside):
        replica = LedgerReplica(one.ledger, RUN, one.key, CLAIMS, islands.count)
        assert replica.awaits(other.key, "ab" * 32) == (islands is beside)


def bloated(genome: Genome) -> Genome:
    """The same genome with entries that nobody visits, whose lineage takes room when written."""
    dead = [replace(genome.pool[0], lineage="\N{GRINNING FACE}" * 190) for _ in range(40)]
    return replace(genome, pool=(*genome.pool, *dead))


def test_heads_follow_the_log(authors: Callable[[], Author]) -> None:
    """What is read line by line is what a replica that reads all at once finds."""
    one, other = authors(), authors()
    replica, rng = one.replica(), Random(3)
    for step in range(12):
        source = rng.choice([one, other])
        source.measure(step)
        if rng.random() < 0.5:
            sent(other.replica(), replica)
        length, told_of = one.ledger.news(RUN, step)
        several = [record for _, record in one.ledger.told(RUN, since=step)]
        assert set(told_of) == {record.author for record in several if record}
        assert length == sum(1 for _ in one.ledger.events(RUN))
        assert replica.heads() == one.replica().heads()
        assert one.ledger.counts(RUN) == {a: h.records for a, h in replica.heads().items()}


def test_a_genome_is_stored_as_it_lives_and_can_be_read_again(
    authors: Callable[[], Author],
) -> None:
    target, source = authors(), authors()
    source.measure(1)
    (record,) = source.ledger.records(RUN)
    text = to_json(bloated(genome_of(1)))
    short = json.dumps(json.loads(text), ensure_ascii=False)
    assert len(text) > 65_536 > len(short.encode())
    assert target.replica().receive(batch_of([record], [short])).added == 1
    (event,) = target.ledger.events(RUN)
    assert isinstance(event, Finished)
    assert event.asked is not None
    assert event.asked.genome == pruned(genome_of(1))


def test_a_genome_of_another_run_is_not_at_hand(authors: Callable[[], Author]) -> None:
    target, source = authors(), authors()
    source.measure(1)
    (record,) = source.ledger.records(RUN)
    target.ledger.create_run("another", {"n": 1})
    target.ledger.put_genome("another", genome_of(1))
    found = target.replica().receive(batch_of([record], []))
    assert "nobody has sent" in found.refused[0]
    assert target.replica().receive(batch_of([record], [to_json(genome_of(1))])).added == 1


def test_genes_out_of_range_are_refused_before_anything_is_computed(
    authors: Callable[[], Author],
) -> None:
    target, source = authors(), authors()
    genome = replace(genome_of(1), stack=replace(genome_of(1).stack, width=4096))
    source.ledger.put_genome(RUN, genome)
    record = source.ledger.publish(RUN, source.identity, measured(genome))
    found = target.replica().receive(batch_of([record], [to_json(genome)]))
    assert "stack.width must be one of" in found.refused[0]


def test_names_are_taken_only_as_long_as_there_is_room(
    authors: Callable[[], Author], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("praxis_evolve.market.swarm.room.MOST_AUTHORS", 2)
    target, sources = authors(), [authors() for _ in range(3)]
    for number, source in enumerate(sources):
        source.measure(number)
        synced(source.replica(), target.replica())
    assert sorted(target.ledger.counts(RUN)) == sorted(source.key for source in sources[:2])
    sources[0].measure(9)
    synced(sources[0].replica(), target.replica())
    assert target.ledger.counts(RUN)[sources[0].key] == 2


def test_an_author_has_room_and_own_records_need_none(
    authors: Callable[[], Author], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("praxis_evolve.market.swarm.room.OWN", 8000)
    monkeypatch.setattr("praxis_evolve.market.swarm.room.POOL", 0)
    target, flood, newcomer = authors(), authors(), authors()
    flood.measure(*range(20))
    there = target.replica()
    found = [there.receive(batch, "flood") for batch in flood.replica().lacking({})]
    added = sum(each.added for each in found)
    assert 0 < added < 20
    assert "may fill 8,000" in found[-1].refused[0]
    assert target.ledger.sizes(RUN)[flood.key] <= 8000
    again = target.replica()
    for replica in (there, again):  # it is the same after a restart
        assert not any(replica.receive(b, "flood").added for b in flood.replica().lacking({}))
    newcomer.measure(50)
    for batch in newcomer.replica().lacking({}):
        assert again.receive(batch, "flood").added == 1
    target.measure(*range(30, 60))
    backup = Author(target.folder / "backup", identity=target.identity)
    with backup.ledger:
        sent(target.replica(), backup.replica())
        assert backup.ledger.counts(RUN)[target.key] == 30
