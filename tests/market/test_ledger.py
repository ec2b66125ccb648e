from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.genome.graph import Entry, Genome, Part, Visit
from praxis_evolve.genome.identity import genome_id
from praxis_evolve.market import reading
from praxis_evolve.market.errors import NotFoundError, RecordError, StoreError
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.packing import RECORD, packed, unpacked
from praxis_evolve.market.record import FIRST, Record, set_digest
from praxis_evolve.search.base import Asked, Assignment, Birth, Closed, Event, Expired, Finished
from praxis_evolve.tests.market.receiving import received

MANIFEST = {"seed": 1337, "task": {"text": "é", "rungs": [1000, 3000]}}


@pytest.fixture
def run(ledger: Ledger) -> str:
    return ledger.create_run("amber", MANIFEST).name


@pytest.fixture
def result(ledger: Ledger, run: str, genome: Genome) -> Result:
    return Result(ledger.put_genome(run, genome), "cd" * 32, 1000, 0, 7, 2.5, curve=((10, 3.5),))


# ---------------------------------------------------------------------------------------- runs


def test_runs_keep_their_manifest_and_state(ledger: Ledger):
    first = ledger.create_run("amber-fox-31", MANIFEST)
    second = ledger.create_run("birch", {"seed": 1})
    assert ledger.runs() == [first, second]
    assert ledger.manifest("amber-fox-31") == MANIFEST
    assert first.digest != second.digest
    ledger.set_state("birch", "finished")
    assert ledger.run("birch").state == "finished"
    assert first.created == 1000.0


def test_the_digest_is_of_the_manifest_and_not_of_the_name(ledger: Ledger):
    assert ledger.create_run("a", MANIFEST).digest == ledger.create_run("b", MANIFEST).digest


def test_a_run_is_never_overwritten(ledger: Ledger, run: str):
    with pytest.raises(StoreError, match=r"has a run 'amber' already; resume it"):
        ledger.create_run(run, {})


@pytest.mark.parametrize("name", ["", "a b", "-x", "../x", "a" * 101, "é"])
def test_odd_names_are_refused(ledger: Ledger, name: str):
    with pytest.raises(ValueError, match="the name of a run has 1 to 100"):
        ledger.create_run(name, {})


def test_manifests_are_plain_data(ledger: Ledger):
    with pytest.raises(ValueError, match=r"value\.path must be plain data"):
        ledger.create_run("amber", {"path": Path("x")})
    with pytest.raises(ValueError, match="at most 1048576 bytes"):
        ledger.create_run("amber", {"text": "x" * 2**20})


def test_a_run_that_is_not_there_is_named_with_the_nearest(
    ledger: Ledger, run: str, genome: Genome, identity: Identity
):
    birth = Birth("x", identity.author, 0)
    for ask in (
        lambda: ledger.manifest("ambr"),
        lambda: ledger.records("ambr"),
        lambda: ledger.events("ambr"),
        lambda: ledger.set_state("ambr", "stopped"),
        lambda: ledger.note("ambr", Expired(birth)),
        lambda: ledger.find_genome("ambr", "a"),
        lambda: ledger.put_genome("ambr", genome),
    ):
        with pytest.raises(NotFoundError, match=r"has no run 'ambr'; there are \['amber'\]"):
            ask()


def test_a_removed_run_is_gone_whole_and_others_stay(
    ledger: Ledger, url: str, run: str, genome: Genome, identity: Identity, result: Result
):
    ledger.create_run("birch", {})
    ledger.put_genome("birch", genome)
    for name in (run, "birch"):
        ledger.publish(name, identity, result)
    ledger.remove_run(run)
    assert [left.name for left in ledger.runs()] == ["birch"]
    assert len(ledger.records("birch")) == 1
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        for table in ("genomes", "records", "log"):
            count = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert count == (1,), table
    connection.close()


# ----------------------------------------------------------------------------------------- log


def variant(genome: Genome, number: int) -> Genome:
    return replace(genome, route=tuple(Visit(0, (i - 1,)) for i in range(number + 1)))


def test_events_come_back_as_they_were_told(
    ledger: Ledger, run: str, genome: Genome, identity: Identity
):
    told: list[Event] = []
    for number in range(4):
        birth = Birth("run", identity.author, number)
        asked = Assignment(variant(genome, number), 1000, number, birth, "mutate", ("ab", "cd"))
        found = ledger.append_asked(run, asked)
        told.append(Asked(asked))
        if number % 2:
            ledger.note(run, Expired(birth))
            told.append(Expired(birth))
        else:
            result = Result(found, "cd" * 32, 1000, number, 7, 2.5)
            told.append(Finished(ledger.publish(run, identity, result).result, 1.0))
    ledger.note(run, Closed())
    told.append(Closed())
    assert list(ledger.events(run)) == told
    assert list(ledger.events(run, since=5)) == told[5:]
    assert list(ledger.events(run, since=99)) == []
    first = next(iter(ledger.events(run)))
    assert isinstance(first, Asked)
    assert first.assignment.genome.pool[0].lineage == "a/0"  # not compared by ==


def test_of_equal_genomes_with_other_lineage_each_line_keeps_its_own(
    ledger: Ledger, run: str, genome: Genome, identity: Identity
):
    pools = [(replace(genome.pool[0], lineage=f"b/{number}"),) for number in range(3)]
    asked = [
        Assignment(replace(genome, pool=pool), 1000, 0, Birth("run", identity.author, number))
        for number, pool in enumerate(pools)
    ]
    assert len({ledger.append_asked(run, each) for each in asked}) == 1
    told = [event for event in ledger.events(run) if isinstance(event, Asked)]
    assert [each.assignment.genome.pool for each in told] == [*pools]
    lineages = [each.assignment.genome.pool[0].lineage for each in told]
    assert lineages == ["b/0", "b/1", "b/2"]
    assert [found.pool[0].lineage for _, found in ledger.genomes(run)] == ["b/0"]


def test_a_line_that_repeats_a_genome_takes_little_room(
    url: str, ledger: Ledger, run: str, genome: Genome, identity: Identity
):
    pool = tuple(replace(genome.pool[0], lineage=f"{identity.author}/{n}") for n in range(50))
    long = replace(genome, pool=pool, route=tuple(Visit(n, (n - 1,)) for n in range(50)))
    for number in range(3):
        birth = Birth("run", identity.author, number)
        ledger.append_asked(run, Assignment(long, 1000, number, birth))
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        (stored,) = connection.execute("SELECT sum(length(body)) FROM log").fetchone()
        ((size,),) = connection.execute("SELECT size FROM genomes").fetchall()
    connection.close()
    assert size > 8000
    assert stored < 3 * 400


def test_a_long_log_is_read_in_pages_and_to_its_present_end(
    ledger: Ledger, run: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reading, "PAGE", 3)
    births = [Birth("run", "me", number) for number in range(10)]
    for birth in births[:7]:
        ledger.note(run, Expired(birth))
    events = ledger.events(run)
    seen = [next(events) for _ in range(3)]
    for birth in births[7:]:
        ledger.note(run, Expired(birth))
    assert [*seen, *events] == [Expired(birth) for birth in births]


# ------------------------------------------------------------------------------------- publish


def test_a_result_is_stored_once_however_often_it_is_published(
    ledger: Ledger, run: str, identity: Identity, result: Result
):
    first = ledger.publish(run, identity, result)
    again = ledger.publish(run, identity, replace(result, measured=Measurement(seconds=9.0)))
    assert again == first
    assert ledger.records(run) == [first]
    assert list(ledger.events(run)) == [Finished(result, 1.0)]


@pytest.mark.parametrize(
    "change",
    [{"replica": 1}, {"rung": 3000}, {"test_bits_per_byte": 2.0}, {"inherited_tokens": 5},
     {"bits_per_byte": None, "failure": "worker died", "reason": "signal 9"}],
)  # fmt: skip
def test_another_measurement_is_another_record(
    ledger: Ledger, run: str, identity: Identity, result: Result, change: dict[str, Any]
):
    other = replace(result, **change)
    for one in (result, other, other, result):
        ledger.publish(run, identity, one)
    assert ledger.results(run) == [result, other]


def test_a_long_chain_is_not_looked_through_for_each_result(
    ledger: Ledger, run: str, identity: Identity, result: Result
):
    steps = list[int]()

    def reads(replica: int) -> int:
        steps.clear()
        ledger.publish(run, identity, replace(result, replica=replica))
        return len(steps)

    ledger.publish(run, identity, result)
    with ledger.store.reading() as connection:  # the pool has one: it is what publishes
        driver: Any = connection.connection.driver_connection
    driver.set_progress_handler(lambda: steps.append(1), 10)
    first = reads(1)
    for replica in range(2, 100):
        ledger.publish(run, identity, replace(result, replica=replica))
    assert reads(100) < 2 * first


def test_records_form_a_chain_that_anyone_can_check(
    ledger: Ledger, run: str, identity: Identity, result: Result
):
    for replica in range(5):
        ledger.publish(run, identity, replace(result, replica=replica))
    records = ledger.records(run)
    assert [record.seq for record in records] == list(range(5))
    assert [record.prev for record in records] == [FIRST, *(r.id for r in records[:-1])]
    assert {record.run for record in records} == {ledger.run(run).digest}
    assert all(record.genuine for record in records)
    assert list(ledger.problems(run)) == []
    assert ledger.digest(run) == set_digest(record.id for record in records)


def test_a_chain_goes_on_where_another_process_of_the_author_ended_it(
    tmp_path: Path, catalog: Catalog, identity: Identity, genome: Genome
):
    url = f"sqlite:///{tmp_path / 'praxis.db'}"
    with Ledger.open(url, catalog=catalog) as one, Ledger.open(url, catalog=catalog) as other:
        name = one.create_run("amber", MANIFEST).name
        result = Result(one.put_genome(name, genome), "cd" * 32, 1000, 0, 7, 2.5)
        for replica, ledger in enumerate((one, one, other, other, one, other)):
            ledger.publish(name, identity, replace(result, replica=replica))
        assert [record.seq for record in one.records(name)] == list(range(6))
        assert list(one.problems(name)) == []
        other.remove_run(name)
        other.create_run(name, {"seed": 1})
        result = replace(result, genome=other.put_genome(name, genome))
        first = one.publish(name, identity, result)
        assert (first.seq, first.run) == (0, other.run(name).digest)
        assert list(one.problems(name)) == []


def test_a_result_counts_only_with_its_genome(ledger: Ledger, run: str, identity: Identity):
    with pytest.raises(NotFoundError, match="call append_asked or put_genome"):
        ledger.publish(run, identity, Result("ee" * 32, "cd" * 32, 1000, 0, 7, 2.5))
    assert list(ledger.events(run)) == []


def test_a_result_that_breaks_a_rule_is_not_stored(
    ledger: Ledger, run: str, identity: Identity, result: Result
):
    with pytest.raises(RecordError, match="finite"):
        ledger.publish(run, identity, replace(result, bits_per_byte=float("nan")))
    assert ledger.records(run) == []


# ------------------------------------------------------------------------------------- genomes


def test_genomes_come_back_with_their_lineage(
    ledger: Ledger, run: str, genome: Genome, catalog: Catalog
):
    found = ledger.put_genome(run, genome)
    assert found == genome_id(genome, catalog)
    assert ledger.genome(found) == genome
    assert list(ledger.genomes(run)) == [(found, genome)]
    assert ledger.genome(found).pool[0].lineage == "a/0"
    assert ledger.put_genome(run, genome) == found


@pytest.mark.parametrize("visits", [257, 1000])
def test_a_genome_that_could_not_be_read_again_is_not_stored(
    ledger: Ledger, run: str, genome: Genome, visits: int
):
    long = replace(genome, route=tuple(Visit(0, (i - 1,)) for i in range(visits)))
    asked = Assignment(long, 1000, 0, Birth("run", "a" * 64, 0), "mutate")
    for store in (lambda: ledger.put_genome(run, long), lambda: ledger.append_asked(run, asked)):
        with pytest.raises(
            StoreError, match=rf"cannot hold a genome of {visits} .*limit its visits"
        ):
            store()
    assert list(ledger.genomes(run)) == list(ledger.events(run)) == []


def test_a_genome_of_too_many_bytes_is_not_stored(ledger: Ledger, run: str, genome: Genome):
    pool = tuple(replace(genome.pool[0], lineage=f"{i:0200}") for i in range(250))
    with pytest.raises(StoreError, match="limit its visits"):
        ledger.put_genome(run, replace(genome, pool=pool))


def test_genomes_are_found_by_the_start_of_their_id(ledger: Ledger, run: str, genome: Genome):
    ids = sorted(ledger.put_genome(run, variant(genome, number)) for number in range(40))
    for found in ids:
        assert ledger.find_genome(run, found) == found
        assert ledger.find_genome(run, f"g-{found[:12]}") == found
    with pytest.raises(NotFoundError, match=r"40 genomes of run 'amber' begin with ''"):
        ledger.find_genome(run, "")
    with pytest.raises(NotFoundError, match=r"no genome 'g-xyz'; the nearest are \['g-"):
        ledger.find_genome(run, "g-xyz")
    near = ids[7][:5] + "x"
    with pytest.raises(NotFoundError, match=f"nearest are .'g-{ids[7][:6]}'"):
        ledger.find_genome(run, near)
    with pytest.raises(NotFoundError, match="no genome 'abc'"):
        ledger.genome("abc")


# --------------------------------------------------------------------------------------- merge


@pytest.fixture(scope="module")
def foreign(catalog: Catalog, genome: Genome) -> list[Record]:
    """The records of three authors in one run of another store."""
    with Ledger.open("sqlite://", catalog=catalog) as other:
        run = other.create_run("elsewhere", MANIFEST).name
        found = other.put_genome(run, genome)
        for author in range(3):
            identity, bits = Identity.new(), 2.5 + author
            for replica in range(4):
                other.publish(run, identity, Result(found, "cd" * 32, 1000, replica, 7, bits))
        return other.records(run)


@pytest.fixture(scope="module")
def elsewhere(catalog: Catalog) -> Iterator[Ledger]:
    with Ledger.open("sqlite://", catalog=catalog) as ledger:
        yield ledger


@given(order=st.randoms(use_true_random=False), parts=st.integers(1, 5))
@settings(max_examples=40)
def test_merging_is_set_union_in_any_order_split_and_repetition(
    elsewhere: Ledger, genome: Genome, foreign: list[Record], order: random.Random, parts: int
):
    run = elsewhere.create_run(f"run-{len(elsewhere.runs())}", MANIFEST).name
    pieces = [order.sample(foreign, order.randint(0, len(foreign))) for _ in range(parts)]
    rest = [*foreign]
    order.shuffle(rest)
    for piece in (*pieces, rest, rest):
        received(elsewhere, run, piece, [genome])
    assert elsewhere.digest(run) == set_digest(record.id for record in foreign)
    assert elsewhere.records(run) == foreign
    assert list(elsewhere.problems(run)) == []
    assert len(list(elsewhere.events(run))) == len(foreign)


def test_what_merged_counts_as_far_as_it_is_trusted(
    ledger: Ledger, run: str, foreign: list[Record], genome: Genome
):
    own = foreign[0].author
    merged = received(ledger, run, foreign, [genome], own=own)
    assert len(merged.added) == 12
    weights = [event.weight for event in ledger.events(run) if isinstance(event, Finished)]
    assert sorted(weights) == [0.25] * 8 + [1.0] * 4
    assert received(ledger, run, foreign, own=own).added == ()


def test_an_author_goes_on_where_its_merged_chain_ends(
    ledger: Ledger, run: str, identity: Identity, result: Result, catalog: Catalog, genome: Genome
):
    first = ledger.publish(run, identity, result)
    with Ledger.open("sqlite://", catalog=catalog) as restored:
        name = restored.create_run("restored", MANIFEST).name
        received(restored, name, ledger.records(run), [genome], own=identity.author)
        second = restored.publish(name, identity, replace(result, replica=1))
    assert (second.seq, second.prev) == (1, first.id)


def test_what_is_forged_or_foreign_is_refused_and_the_rest_is_kept(
    ledger: Ledger, run: str, foreign: list[Record], genome: Genome
):
    flattered = replace(foreign[0].result, bits_per_byte=0.1)
    forged = replace(foreign[0], result=flattered)
    stolen = replace(foreign[1], author=foreign[5].author)
    broken = replace(foreign[2], result=replace(foreign[2].result, rung=-1))
    merged = received(ledger, run, [forged, foreign[3], stolen, broken], [genome])
    assert merged.added == (foreign[3].id,)
    assert "\n".join(merged.refused).count("was not signed by its author") == 3
    other = ledger.create_run("other", {"seed": 2}).name
    assert "belongs to another run" in received(ledger, other, foreign[:1], [genome]).refused[0]
    assert ledger.records(other) == []


def test_a_fork_is_kept_as_proof(
    ledger: Ledger, run: str, identity: Identity, result: Result, catalog: Catalog, genome: Genome
):
    ledger.publish(run, identity, result)
    with Ledger.open("sqlite://", catalog=catalog) as copy:
        copy.create_run("copy", MANIFEST)
        copy.put_genome("copy", genome)
        copy.publish("copy", identity, replace(result, bits_per_byte=2.0))
        assert len(received(ledger, run, copy.records("copy")).added) == 1
    assert [*ledger.problems(run)] == [
        f"author {identity.author[:12]} signed 2 different records 0: a fork"
    ]


# -------------------------------------------------------------------------------------- damage


def test_what_is_read_again_is_the_same_object_and_is_checked_again(
    url: str, ledger: Ledger, run: str, genome: Genome, identity: Identity
):
    found = ledger.append_asked(run, Assignment(genome, 1000, 0, Birth("run", "me", 0), "mutate"))
    record = ledger.publish(run, identity, Result(found, "cd" * 32, 1000, 0, 7, 2.5))
    ledger.append_weights(run, {record: 0.5, **dict.fromkeys(ledger.records(run), 1.0)})
    first, again = list(ledger.told(run)), list(ledger.told(run))
    assert first == again
    assert len({id(told.record) for told in (*first, *again) if told.record}) == 1
    asked = [told.event for told in (*first, *again) if isinstance(told.event, Asked)]
    assert len({id(event.assignment.genome) for event in asked}) == 1
    for damage, said in (
        (
            "UPDATE records SET body = changed(body, author, genome, '2.5', '1.5')",
            "not hash to its",
        ),
        ("UPDATE records SET signature = zeroblob(64)", "is forged"),
        ("UPDATE records SET rung = 5", "column rung"),
        ("UPDATE genomes SET text = changed(text, x'', x'', '4}', '2}')", "line 0 of its log"),
    ):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            connection.create_function("changed", 5, changed)
            kept = connection.execute("SELECT body, signature, rung FROM records").fetchone()
            (text,) = connection.execute("SELECT text FROM genomes").fetchone()
            assert connection.execute(damage).rowcount == 1
            connection.commit()
            assert any(said in problem for problem in ledger.problems(run)), damage
            connection.execute("UPDATE records SET body = ?, signature = ?, rung = ?", kept)
            connection.execute("UPDATE genomes SET text = ?", (text,))
        connection.close()
        assert list(ledger.problems(run)) == []
    assert again[0].event == first[0].event


def changed(stored: bytes, author: bytes, genome: bytes, old: str, new: str) -> bytes:
    near = (author + genome).hex()
    text = unpacked(stored, near, most=1 << 20)
    assert old in text
    return packed(text.replace(old, new), RECORD, near)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            "UPDATE records SET body = changed(body, author, genome, '2.5', '1.5')",
            "not hash to its id",
        ),
        ("UPDATE records SET body = substr(body, 1, 50)", "record .* is damaged: .* is cut"),
        ("UPDATE records SET body = 'x'", "record .* is damaged: .* names no coding"),
        ("UPDATE records SET author = zeroblob(32)", "record .* is damaged"),
        ("UPDATE records SET author = hex(author)", "record .* is damaged"),
        ("UPDATE records SET signature = hex(signature)", "signature"),
        ("UPDATE log SET digest = hex(digest) WHERE place = 0", "line 0 of its log is missing or"),
        ("UPDATE records SET rung = 5", "column rung is 5, but its body"),
        ("UPDATE records SET size = 5", "column size is 5"),
        ("UPDATE records SET signature = zeroblob(64)", "is forged"),
        ("UPDATE log SET body = x'007B7D' WHERE place = 0", "line 0 of its log is missing or was"),
        ("UPDATE log SET body = x'017B7D' WHERE place = 0", "line 0 of its log: a stored text"),
        ("UPDATE log SET genome = NULL WHERE place = 0", "line 0 of its log"),
        ("UPDATE log SET kind = 'expired' WHERE place = 0", "line 0 of its log"),
        ("UPDATE log SET record = NULL WHERE place = 1", "line 1 of its log"),
        ("DELETE FROM log WHERE place = 0", "line 0 of its log is missing"),
        ("UPDATE log SET place = 7 WHERE place = 1", "line 1 of its log is missing"),
        ("UPDATE runs SET manifest = '{}'", "manifest does not hash"),
        (
            "UPDATE genomes SET text = changed(text, x'', x'', '4}', '2}')",
            "does not hash to its id",
        ),
        ("UPDATE genomes SET text = changed(text, x'', x'', '4}', '}')", "characters has"),
        ("UPDATE genomes SET text = x'0078', size = 1", "genome .*not JSON"),
        ("DELETE FROM genomes", "line 0 of its log"),
    ],
)
def test_what_was_changed_behind_our_back_is_noticed(
    url: str, ledger: Ledger, run: str, genome: Genome, identity: Identity, damage: str, said: str
):
    birth = Birth("run", identity.author, 0)
    found = ledger.append_asked(run, Assignment(genome, 1000, 0, birth, "mutate"))
    ledger.publish(run, identity, Result(found, "cd" * 32, 1000, 0, 7, 2.5))
    assert list(ledger.problems(run)) == []
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.create_function("changed", 5, changed)
        rows = connection.execute(damage).rowcount
    connection.close()
    assert rows
    assert any(map(re.compile(said).search, ledger.problems(run)))


def test_the_catalog_of_the_ledger_reads_its_genomes(
    url: str, ledger: Ledger, run: str, catalog: Catalog, genome: Genome
):
    pool = (*genome.pool, Entry(Part("other", {"heads": 2})))
    found = ledger.put_genome(run, replace(genome, pool=pool, route=(Visit(1),)))
    fewer = catalog.only(d.name for d in catalog if d.name != "other")
    with Ledger.open(url, catalog=fewer) as poorer, pytest.raises(StoreError, match="'other'"):
        poorer.genome(found)
