from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from praxis_evolve.evaluator.result import Result
from praxis_evolve.market.chain import chain_problems, forked
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.record import FIRST, Record, sign
from praxis_evolve.market.trust import (
    AUDITED,
    STANDING,
    TOLERANCE,
    UNVERIFIED,
    Tally,
    Trust,
)

RESULT = Result("ab" * 32, "cd" * 32, 1000, 0, 7, 2.5)


def named(number: int) -> Identity:
    """The same identity each time: audits are drawn by the names of records."""
    key = Ed25519PrivateKey.from_private_bytes(bytes([number] * 32))
    return Identity(key.public_key().public_bytes_raw().hex(), key)


ME, OTHER = named(101), named(102)


def chain(author: Identity, count: int, *, bits: float = 2.5) -> list[Record]:
    records: list[Record] = []
    for seq in range(count):
        prev = records[-1].id if records else FIRST
        result = replace(RESULT, replica=seq, bits_per_byte=bits)
        records.append(
            sign(result, author, run="ef" * 32, seq=seq, prev=prev, catalog="00" * 32, program="1")
        )
    return records


def says(author: Identity, answers: Mapping[int, float | None]) -> list[Record]:
    """A chain of what an author says of works by number; None is a failure."""
    records: list[Record] = []
    for number, bits in answers.items():
        result = replace(RESULT, genome=f"{number:064x}", bits_per_byte=bits)
        if bits is None:
            result = replace(result, failure="out of memory", reason="too little here")
        prev = records[-1].id if records else FIRST
        records.append(
            sign(result, author, run="ef" * 32, seq=len(records), prev=prev,
                 catalog="00" * 32, program="1")
        )  # fmt: skip
    return records


def truth(*numbers: int) -> dict[int, float | None]:
    return dict.fromkeys(numbers, 2.0)


def lies(*numbers: int) -> dict[int, float | None]:
    return dict.fromkeys(numbers, 1.0)


def weights_of(records: Sequence[Record], wanted: Sequence[Record]) -> list[float]:
    found = Trust(records, ME.author).weights()
    return [found[record.id] for record in wanted]


def test_what_this_peer_measured_itself_decides_over_the_same_claim():
    mine = says(ME, {1: 2.0, 2: 2.0, 3: None})
    close = 2.0 + TOLERANCE / 2
    theirs = says(OTHER, {1: close, 2: 2.0 + 2 * TOLERANCE, 3: 2.0, 4: 2.0})
    assert weights_of([*mine, *theirs], theirs) == [1.0, 0.0, UNVERIFIED, UNVERIFIED]


def test_an_author_is_believed_after_it_was_right_often_enough_but_for_a_few_by_lot():
    checked = range(STANDING - 1)
    theirs = says(OTHER, truth(*range(600)))
    mine = says(ME, truth(*checked))
    assert set(weights_of([*mine, *theirs], theirs[STANDING:])) == {UNVERIFIED}
    mine = says(ME, truth(*checked, STANDING - 1))
    found = weights_of([*mine, *theirs], theirs)
    assert found[:STANDING] == [1.0] * STANDING
    audited = found[STANDING:].count(UNVERIFIED) / len(found[STANDING:])
    assert found.count(0.0) == 0
    assert 0.5 / STANDING < audited < 2 / STANDING
    mine = says(ME, truth(*range(200)))
    found = weights_of([*mine, *theirs], theirs)[200:]
    assert 0.5 * AUDITED < found.count(UNVERIFIED) / len(found) < 2 * AUDITED


def test_trust_goes_on_from_author_to_author():
    mine, friend = says(ME, truth(*range(20))), says(OTHER, truth(*range(300)))
    third = named(103)
    theirs = says(third, truth(*range(100, 200), 900))
    found = weights_of([*mine, *friend, *theirs], theirs)
    assert found[:100].count(1.0) >= 80
    trust = Trust([*mine, *friend, *theirs], ME.author)
    assert trust.trusted == {ME.author, OTHER.author, third.author}


def test_many_names_that_agree_with_each_other_are_worth_nothing():
    mine, names = says(ME, truth(*range(30))), [named(n) for n in range(12)]
    claims = [record for name in names for record in says(name, lies(*range(100, 140)))]
    trust = Trust([*mine, *claims], ME.author)
    assert trust.trusted == {ME.author}
    assert set(weights_of([*mine, *claims], claims)) == {UNVERIFIED}


def test_who_is_caught_is_not_believed_any_more_in_what_it_said_before_either():
    theirs = says(OTHER, {**truth(*range(60)), **lies(60, 61)})
    mine = says(ME, truth(*range(12)))
    before = weights_of([*mine, *theirs], theirs)
    assert before[12:].count(1.0) > 40
    caught = says(ME, truth(*range(12), 60))
    after = weights_of([*caught, *theirs], theirs)
    assert after[:12] == [1.0] * 12
    assert after[60] == 0.0
    assert set(after[12:60]) == {UNVERIFIED}
    tallies = Trust([*caught, *theirs], ME.author).tallies
    assert tallies == {OTHER.author: Tally(12, 1)}


def test_a_traitor_convinces_nobody_of_what_trusted_authors_measured_otherwise():
    friends = [named(number) for number in range(3)]
    mine = says(ME, truth(*range(20)))
    honest = [r for friend in friends[:2] for r in says(friend, truth(*range(20), 50))]
    traitor = says(friends[2], {**truth(*range(20)), **lies(50)})
    found = weights_of([*mine, *honest, *traitor], [honest[20], honest[41], traitor[20]])
    assert found == [1.0, 1.0, 0.0]


@given(seed=st.integers(0, 2**32), cut=st.integers(0, 40))
@settings(max_examples=25)
def test_the_order_of_records_and_repeats_change_nothing(seed: int, cut: int) -> None:
    rng = Random(seed)
    mine = says(ME, truth(*rng.sample(range(40), 20)))
    others = list[Record]()
    for _ in range(3):
        said = {n: 2.0 if rng.random() < 0.9 else 1.0 for n in range(rng.randint(1, 40))}
        others += says(named(rng.randrange(50)), said)
    records = [*mine, *others]
    found = Trust(records, ME.author).weights()
    mixed = rng.sample(records, len(records))
    again = Trust([*mixed[cut:], *mixed[: cut + 5], *mixed], ME.author).weights()
    assert found == again


def test_own_records_count_fully_and_those_of_others_a_quarter():
    mine, theirs = chain(ME, 2), says(OTHER, {5: 2.5, 6: 2.5})
    records = [*mine, *theirs]
    assert weights_of(records, records) == [1.0, 1.0, UNVERIFIED, UNVERIFIED]
    assert UNVERIFIED <= 0.25


def test_a_record_that_comes_twice_counts_once():
    records = chain(OTHER, 2)
    assert Trust(records * 3, ME.author).weights() == Trust(records, ME.author).weights()
    assert len(Trust(records, ME.author).weights()) == 2


def test_forged_records_count_nothing_whoever_they_name():
    forged = [
        replace(chain(ME, 1)[0], result=replace(RESULT, bits_per_byte=0.1)),
        replace(chain(OTHER, 1)[0], author=ME.author),
    ]
    assert not Trust(forged, ME.author).weights()


def test_who_signs_two_records_for_one_place_counts_nothing():
    fork = [*chain(OTHER, 2), *chain(OTHER, 1, bits=1.0)]
    assert forked(fork) == {OTHER.author}
    assert set(weights_of(fork, fork)) == {0.0}
    own = Trust(fork, OTHER.author).weights()  # what it measured itself, it knows
    assert list(own.values()) == [1.0] * 3


def test_a_forged_fork_accuses_nobody():
    mine = chain(OTHER, 2)
    forged = replace(mine[1], result=replace(RESULT, bits_per_byte=0.1))
    assert not forked([*mine, forged])


def test_whole_chains_have_no_problems_in_any_order():
    assert not list(chain_problems(reversed([*chain(ME, 4), *chain(OTHER, 3)])))


def test_gaps_breaks_and_forks_are_named():
    records = chain(ME, 5)
    assert list(chain_problems([records[0], records[3], records[4]])) == [
        f"author {ME.author[:12]} lacks the records 1 to 2"
    ]
    other = chain(ME, 2, bits=1.0)
    assert list(chain_problems([records[0], other[1]])) == [
        f"record 1 of author {ME.author[:12]} does not name the record before it"
    ]
    assert list(chain_problems([*records[:2], other[1]])) == [
        f"record 1 of author {ME.author[:12]} does not name the record before it",
        f"author {ME.author[:12]} signed 2 different records 1: a fork",
    ]


def test_a_copy_by_who_counts_nothing_takes_nothing_from_what_it_copies() -> None:
    mine = says(ME, truth(1))
    forked = [*says(OTHER, truth(1)), *says(OTHER, lies(2))]
    found = Trust([*mine, *forked], ME.author)
    assert found.frozen == {OTHER.author}
    assert [found.weights()[record.id] for record in [*mine, *forked]] == [1.0, 1.0, 0.0]


def test_the_word_of_one_believed_author_convicts_nobody() -> None:
    honest = [named(number) for number in range(4)]
    mine = says(ME, truth(*range(19)))
    theirs = [says(each, truth(*range(19), 100 + n)) for n, each in enumerate(honest)]
    liar = says(OTHER, {**truth(*range(10)), **lies(100, 101, 102, 103)})
    records = [*mine, *liar, *(record for each in theirs for record in each)]
    trust = Trust(records, ME.author)
    assert trust.trusted >= {each.author for each in honest}
    weights = trust.weights()
    assert all(weights[each[-1].id] != 0.0 for each in theirs)


def test_who_drove_the_run_in_the_same_store_is_as_good_as_oneself() -> None:
    before, mine = says(OTHER, truth(1, 2)), says(ME, truth(3))
    found = Trust([*before, *mine], ME.author, {OTHER.author}).weights()
    assert set(found.values()) == {1.0}
